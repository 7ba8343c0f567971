"""What people hand over is sealed, lent for one block, and erased; nothing of it is ever in the file."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.errors import (
    RecordUnreadableError,
    StartRefusedError,
    StoreDamagedError,
    StoreError,
    WrongKeyError,
)
from bot.store import Database, Tables
from bot.vault import datakeys
from bot.vault.install import check_key, grow_keys
from bot.vault.keys import KeyTree, MasterKey
from bot.vault.service import Subject, Vault
from tests.support.clock import HandClock
from tests.vault.conftest import MASTER, change, everything_on_disk, fields, rows, shown, vault_of

OTHER = MasterKey(bytes(range(1, 33)))
MAIN = Subject("connection/1", 1, "capital", "main", "live")
SPARE = Subject("connection/2", 1, "capital", "spare", "live")
BEN = Subject("connection/3", 2, "capital", "ben", "live")
CANARIES = {
    "api_key": "canary-api-key-0123456789",
    "password": "canary-pässwörd-" + "x" * 80,
    "identifier": "canary@desk",
}


async def test_what_is_kept_is_what_is_opened(vault: Vault) -> None:
    await vault.keep(MAIN, fields(**CANARIES))
    assert shown(await vault.open(MAIN)) == CANARIES
    assert await vault.open(SPARE) == {}


async def test_nothing_of_it_lies_in_the_file_its_journal_or_beside_it(
    vault: Vault, database: Database, tmp_path: Path
) -> None:
    await vault.keep(MAIN, fields(**CANARIES))
    await vault.keep(MAIN, fields(password="canary-second-password"))
    await vault.open(MAIN)
    disk = everything_on_disk(tmp_path)
    await vault.erase(MAIN.name)
    disk += everything_on_disk(tmp_path)
    await database.close()
    disk += everything_on_disk(tmp_path)

    assert b"connection/1" in disk
    for encoding in ("utf-8", "utf-16-le"):
        assert "canary".encode(encoding) not in disk
    assert bytes(range(32)) not in disk


async def test_a_lent_credential_is_gone_after_its_block(vault: Vault) -> None:
    await vault.keep(MAIN, fields(**CANARIES))
    lend = vault.lender(MAIN)
    async with lend() as login:
        assert login["password"].reveal() == CANARIES["password"]
    assert dict(login) == {}
    with pytest.raises(RuntimeError):
        async with lend() as again:
            raise RuntimeError
    assert dict(again) == {}


async def test_a_new_value_is_a_new_record_under_a_new_id_version_and_nonce(vault: Vault, database: Database) -> None:
    seen = []
    for text in ("canary-one", "canary-one", "canary-two"):
        await vault.keep(MAIN, fields(password=text))
        ((record_id, version, record),) = await rows(database, "SELECT id, version, record FROM sealed")
        assert isinstance(record, bytes)
        seen.append((record_id, version, record[10:22]))
    assert [version for _, version, _ in seen] == [1, 2, 3]
    assert len({record_id for record_id, _, _ in seen}) == 3
    assert len({nonce for _, _, nonce in seen}) == 3
    assert shown(await vault.open(MAIN)) == {"password": "canary-two"}


async def test_replacing_one_field_leaves_the_others(vault: Vault) -> None:
    await vault.keep(MAIN, fields(**CANARIES))
    await vault.keep(MAIN, fields(password="canary-new"))
    assert shown(await vault.open(MAIN)) == CANARIES | {"password": "canary-new"}


async def test_each_person_has_a_key_of_their_own(vault: Vault, database: Database) -> None:
    await vault.keep(MAIN, fields(a="canary-a", b="canary-b"))
    await vault.keep(SPARE, fields(a="canary-c"))
    await vault.keep(BEN, fields(a="canary-d"))
    assert await rows(database, "SELECT person_id, kek_id, mode, uses FROM data_keys ORDER BY person_id") == [
        (1, 1, "kek", 3),
        (2, 1, "kek", 1),
    ]


async def test_a_key_that_was_used_enough_gets_a_successor(
    vault: Vault, database: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datakeys, "DATA_KEY_USES", 2)
    for name in ("a", "b", "c"):
        await vault.keep(MAIN, fields(**{name: f"canary-{name}"}))
        await clock.move(1)
    assert [row[0] for row in await rows(database, "SELECT uses FROM data_keys ORDER BY created_at")] == [2, 1]
    assert shown(await vault.open(MAIN)) == {"a": "canary-a", "b": "canary-b", "c": "canary-c"}
    assert datakeys.DATA_KEY_USES == 2


async def test_a_person_who_is_not_there_can_keep_nothing(vault: Vault, database: Database) -> None:
    with pytest.raises(StoreError):
        await vault.keep(Subject("connection/9", 9, "capital", "x", "live"), fields(a="canary"))
    assert await rows(database, "SELECT count(*) FROM sealed UNION ALL SELECT count(*) FROM data_keys") == [(0,), (0,)]


async def test_erasing_leaves_no_record_and_the_others_open(vault: Vault, database: Database) -> None:
    await vault.keep(MAIN, fields(**CANARIES))
    await vault.keep(SPARE, fields(a="canary-a"))
    await vault.erase(MAIN.name)
    assert await vault.open(MAIN) == {}
    assert await rows(database, "SELECT subject FROM sealed") == [(SPARE.name,)]
    assert shown(await vault.open(SPARE)) == {"a": "canary-a"}


async def test_keeping_shares_the_fate_of_the_change_it_is_part_of(vault: Vault, database: Database) -> None:
    def whole(tables: Tables) -> None:
        vault.keeping(MAIN, fields(a="canary-a"))(tables)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await database.write(whole)
    assert await vault.open(MAIN) == {}


async def test_side_by_side_changes_of_one_field_leave_one_record(vault: Vault, database: Database) -> None:
    await asyncio.gather(*(vault.keep(MAIN, fields(a=f"canary-{number}")) for number in range(10)))
    assert await rows(database, "SELECT version FROM sealed") == [(10,)]
    assert shown(await vault.open(MAIN)) == {"a": "canary-9"}


async def test_one_damaged_record_is_named_without_its_value_and_the_others_still_open(
    vault: Vault, database: Database
) -> None:
    await vault.keep(MAIN, fields(**CANARIES))
    await vault.keep(SPARE, fields(a="canary-a"))
    ((record,),) = await rows(
        database, "SELECT record FROM sealed WHERE subject = 'connection/1' AND field = 'password'"
    )
    assert isinstance(record, bytes)
    for position in (0, 1, 2, 9, 10, 22, len(record) - 1):
        broken = bytearray(record)
        broken[position] ^= 1
        where = "UPDATE sealed SET record = ? WHERE subject = 'connection/1' AND field = 'password'"
        await change(database, where, bytes(broken))
        with pytest.raises(RecordUnreadableError) as caught:
            await vault.open(MAIN)
        assert caught.value.label == "capital main, password"
        assert "canary" not in repr(caught.value)
        assert shown(await vault.open(SPARE)) == {"a": "canary-a"}
        assert await rows(database, "SELECT count(*) FROM sealed") == [(4,)]  # its bytes are kept
    await change(database, where, record)
    assert shown(await vault.open(MAIN)) == CANARIES


@pytest.mark.parametrize(
    "meddling",
    [
        "UPDATE sealed SET record = (SELECT record FROM sealed WHERE field = 'api_key') WHERE field = 'password'",
        "UPDATE sealed SET version = version + 1 WHERE field = 'password'",
        "UPDATE sealed SET id = 'another' WHERE field = 'password'",
        "UPDATE sealed SET field = 'pin' WHERE field = 'password'",
        "UPDATE sealed SET record = x'' WHERE field = 'password'",
        "UPDATE sealed SET record = substr(record, 1, 90) WHERE field = 'password'",
        "UPDATE sealed SET record = CAST(record || x'00' AS BLOB) WHERE field = 'password'",
        "UPDATE data_keys SET wrapped = zeroblob(length(wrapped))",
        "UPDATE data_keys SET wrapped = CAST(substr(wrapped, 1, 9) || x'02' || substr(wrapped, 11) AS BLOB)",
        "UPDATE data_keys SET kek_id = 2",
        "UPDATE data_keys SET id = 'ffffffffffffffff'",
        "UPDATE data_keys SET person_id = 2",
        "UPDATE meta SET value = 'other' WHERE key = 'none'; DELETE FROM data_keys",
    ],
)
async def test_whoever_can_write_the_file_cannot_make_a_record_open_as_something_else(
    vault: Vault, database: Database, meddling: str
) -> None:
    await vault.keep(MAIN, fields(**CANARIES))

    def meddle(tables: Tables) -> None:
        for statement in meddling.split(";"):
            tables.conn.execute(statement)

    await database.write(meddle)
    with pytest.raises(RecordUnreadableError):
        await vault.open(MAIN)


@pytest.mark.parametrize(
    "other",
    [
        Subject("connection/1", 2, "capital", "main", "live"),
        Subject("connection/1", 1, "deriv", "main", "live"),
        Subject("connection/1", 1, "capital", "spare", "live"),
        Subject("connection/1", 1, "capital", "main", "demo"),
    ],
)
async def test_records_open_only_for_the_subject_they_were_sealed_for(vault: Vault, other: Subject) -> None:
    await vault.keep(MAIN, fields(**CANARIES))
    with pytest.raises(RecordUnreadableError):
        await vault.open(other)


async def test_another_install_with_the_same_key_does_not_open_it(
    vault: Vault, database: Database, keys: KeyTree, clock: HandClock
) -> None:
    await vault.keep(MAIN, fields(**CANARIES))
    with pytest.raises(RecordUnreadableError):
        await Vault(database, keys, "another-install", clock).open(MAIN)


async def test_the_same_key_opens_everything_after_a_restart(
    vault: Vault, database: Database, keys: KeyTree, clock: HandClock
) -> None:
    await vault.keep(MAIN, fields(**CANARIES))
    await database.close()
    check_key(MASTER, database.path)
    again = await Database.open(database.path)
    regrown = await grow_keys(MASTER, again)
    assert regrown.fingerprint == keys.fingerprint
    assert shown(await (await vault_of(again, regrown, clock)).open(MAIN)) == CANARIES
    await again.close()


async def test_a_wrong_key_is_refused_with_both_fingerprints_and_nothing_is_changed(
    vault: Vault, database: Database, keys: KeyTree, tmp_path: Path
) -> None:
    await vault.keep(MAIN, fields(**CANARIES))
    ((install, salt),) = await rows(
        database,
        "SELECT (SELECT value FROM meta WHERE key = 'install_id'), (SELECT value FROM meta WHERE key = 'install_salt')",
    )
    await database.close()
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}

    with pytest.raises(WrongKeyError) as caught:
        check_key(OTHER, database.path)

    assert caught.value.expected == keys.fingerprint
    assert caught.value.got == KeyTree(OTHER, str(install), bytes.fromhex(str(salt))).fingerprint
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before


@pytest.mark.parametrize("table", ["persons", "audit"])
async def test_a_desk_without_a_check_value_is_never_initialised_over(
    vault: Vault, database: Database, table: str
) -> None:
    await change(
        database,
        "INSERT INTO audit (seq, at, epoch, action, object, details, prev, hash, mac)"
        " VALUES (1, 0, 1, 'x', 'x', '{}', x'', x'', x'')",
    )
    if table == "audit":
        await change(database, "DELETE FROM persons")
    await change(database, "DELETE FROM meta WHERE key = 'key_check'")
    for master in (MASTER, OTHER):
        with pytest.raises(StartRefusedError) as caught:
            await grow_keys(master, database)
        assert caught.value.reason == "the database holds data but no key check value; nothing was changed"


async def test_growing_keys_over_somebody_elses_database_is_refused_too(vault: Vault, database: Database) -> None:
    before = await rows(database, "SELECT * FROM meta ORDER BY key")
    with pytest.raises(WrongKeyError):
        await grow_keys(OTHER, database)
    assert await rows(database, "SELECT * FROM meta ORDER BY key") == before


async def test_sealed_rows_without_a_check_value_are_never_initialised_over(
    vault: Vault, database: Database, tmp_path: Path
) -> None:
    await vault.keep(MAIN, fields(**CANARIES))
    await change(database, "DELETE FROM meta WHERE key = 'key_check'")
    await database.close()
    before = database.path.read_bytes()
    for master in (MASTER, OTHER):
        with pytest.raises(StartRefusedError) as caught:
            check_key(master, database.path)
        assert caught.value.exit_code == 78
    assert database.path.read_bytes() == before


@pytest.mark.parametrize("key", ["install_id", "install_salt", "key_check"])
async def test_a_database_that_does_not_say_whose_it_is_is_damaged(vault: Vault, database: Database, key: str) -> None:
    await change(database, "UPDATE meta SET value = ? WHERE key = ?", "" if key == "install_id" else "not hex", key)
    await database.close()
    with pytest.raises(StoreDamagedError):
        check_key(MASTER, database.path)


async def test_a_new_database_and_none_at_all_take_any_key(database: Database, tmp_path: Path) -> None:
    check_key(OTHER, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    check_key(OTHER, database.path)
    assert (await grow_keys(OTHER, database)).fingerprint == (await grow_keys(OTHER, database)).fingerprint


async def test_no_two_installs_share_a_salt(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        database = await Database.open(tmp_path / name)
        found.append((await grow_keys(MASTER, database)).fingerprint)
        await database.close()
    assert found[0] != found[1]


async def test_a_file_that_is_no_database_is_damaged_for_the_key_check_too(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "garbage").write_bytes(b"x" * 5000)
    for name in ("empty", "garbage"):
        with pytest.raises(StoreDamagedError):
            check_key(MASTER, tmp_path / name)


async def test_the_file_is_an_ordinary_database_to_others(vault: Vault, database: Database) -> None:
    await vault.keep(MAIN, fields(**CANARIES))
    await database.close()
    with closing(sqlite3.connect(database.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

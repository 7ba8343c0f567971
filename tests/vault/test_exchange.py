"""Another master key takes the first one's place; what wraps nothing any more goes when a backup has proved itself."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.commands.backup import backups_of
from bot.errors import ConflictError, StartRefusedError, WrongKeyError
from bot.operations import backups
from bot.ports import Deed
from bot.secret import Secret
from bot.vault import locks
from bot.vault.keys import MasterKey
from bot.vault.passphrase import Argon
from bot.vault.rotation import Rotation
from bot.wiring import DATABASE, House, holding
from tests.support.desk import loaded, opened, write_desk, write_secret
from tests.vault.conftest import connection, fields
from tests.vault.test_commands import Said, countersign

MAIN = connection(1, label="main")
PASSPHRASE = Secret("canary nine quiet harbours")


async def hush(_: str) -> None:
    """Nobody listens."""


@pytest.fixture
async def config(tmp_path: Path) -> Path:
    """A desk with one sealed credential and an update that waits."""
    path = write_desk(tmp_path)
    write_secret(tmp_path / "other.key", MasterKey.new().to_text())
    async with opened(path) as rooms:
        await rooms.vault.keep(MAIN, fields(token="canary-token"))
        waiting = rooms.sealer.seal(b"an update", 7)
        row = "INSERT INTO inbox (update_id, chat_id, body, received_at) VALUES (7, 1, ?, 0)"
        await rooms.database.write(lambda tables: tables.conn.execute(row, (waiting,)))
    return path


def exchange(config: Path, name: str = "other.key", *more: str) -> Said:
    return countersign("key", "rotate", "--config", config, "--to", config.parent / name, *more)


def name_key(config: Path, name: str) -> None:
    """What the operator does after an exchange."""
    lines = config.read_text().splitlines()
    config.write_text("\n".join(f'file = "{name}"' if line.startswith("file = ") else line for line in lines) + "\n")


async def token(rooms: House) -> str:
    return (await rooms.vault.open(MAIN))["token"].reveal()


async def generations(rooms: House) -> list[int]:
    rows = await rooms.database.read(
        lambda tables: tables.conn.execute("SELECT id FROM key_generations ORDER BY id").fetchall()
    )
    return [number for (number,) in rows]


async def meta(rooms: House) -> dict[str, str]:
    return await rooms.database.read(lambda tables: {row["key"]: row["value"] for row in tables["meta"].rows})


# the exchange


async def test_after_an_exchange_only_the_other_key_opens_the_desk_and_all_of_it(config: Path) -> None:
    said = exchange(config)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "Data keys wrapped anew under generation 2: 1.",
        (
            f"From now on the desk opens with {config.parent / 'other.key'} alone: name it as `file` under [key] in "
            f"{config}."
        ),
        "Keep the key before for backups that were made before. Buttons from before do not work.",
    ]
    with pytest.raises(StartRefusedError, match=r"was exchanged for another one .* name that one under \[key\]"):
        async with opened(config):
            pass
    name_key(config, "other.key")
    async with opened(config) as rooms:
        assert await token(rooms) == "canary-token"
        (body,) = await rooms.database.read(lambda tables: tables.conn.execute("SELECT body FROM inbox").fetchone())
        assert rooms.sealer.unseal(body, 7) == b"an update"
        assert (await rooms.database.read(rooms.audit.verdict)).flaws == ()
    assert countersign("audit", "verify", "--config", config).code == 0
    assert countersign("check", "--config", config).out == f"{config}: all well\n"


async def test_a_third_key_is_still_a_wrong_one(config: Path) -> None:
    exchange(config)
    write_secret(config.parent / "third.key", MasterKey.new().to_text())
    name_key(config, "third.key")
    with pytest.raises(WrongKeyError):
        async with opened(config):
            pass


async def test_what_is_tampered_with_in_the_days_before_is_found_after(config: Path) -> None:
    exchange(config)
    name_key(config, "other.key")
    with closing(sqlite3.connect(config.parent / "data" / DATABASE)) as hand:
        hand.execute("DROP TRIGGER audit_is_final")
        hand.execute("UPDATE audit SET mac = zeroblob(length(mac)) WHERE seq = 1")
        hand.commit()
    async with opened(config) as rooms:
        assert await rooms.database.read(rooms.audit.first_bad) == 1


def test_the_same_key_is_no_other(config: Path) -> None:
    said = exchange(config, "master.key")
    assert said.code != 0
    assert "that is the master key the desk has" in said.err.lower()


def test_a_key_in_the_data_directory_is_refused(config: Path) -> None:
    write_secret(config.parent / "data" / "inside.key", MasterKey.new().to_text())
    said = exchange(config, "data/inside.key")
    assert said.code == 78
    assert "lies in data_dir" in said.err
    assert countersign("key", "check", "--config", config).code == 0


def test_it_waits_until_the_bot_has_stopped(config: Path) -> None:
    with holding(loaded(config)):
        said = exchange(config)
    assert said.code == 75
    assert "is in use by process" in said.err
    assert countersign("key", "check", "--config", config).out.startswith("The master key fits.\n")


async def test_what_is_under_a_passphrase_follows_when_its_owner_gives_it(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "new_stretching", lambda: Argon(b"sixteen bytes ok", memory_kib=19 * 1024, passes=2))
    async with opened(config) as rooms:
        chosen = await rooms.vault.locks.choose(1, PASSPHRASE)
        await rooms.vault.locks.protect(MAIN, PASSPHRASE, chosen, lambda _: None)
    said = exchange(config)
    assert "Data keys that follow when their owner gives the passphrase (/unlock): 1." in said.out.splitlines()
    name_key(config, "other.key")
    async with opened(config) as rooms:
        await backups_of(rooms).make(config.parent / "early.backup")
        assert await generations(rooms) == [1, 2], "the locked key still names the first"
        await rooms.vault.locks.unlock(1, PASSPHRASE, lambda _: None)
        assert await token(rooms) == "canary-token"
        assert "earlier_master" in await meta(rooms)
        made = await backups_of(rooms).make(config.parent / "late.backup")
        assert (made.dropped, await generations(rooms)) == ((1,), [2])
        assert "earlier_master" not in await meta(rooms)
        assert await token(rooms) == "canary-token"
    async with opened(config) as rooms:
        await rooms.vault.locks.unlock(1, PASSPHRASE, lambda _: None)
        assert await token(rooms) == "canary-token"


async def test_the_next_exchange_waits_for_the_end_of_this_one(config: Path) -> None:
    exchange(config)
    name_key(config, "other.key")
    write_secret(config.parent / "third.key", MasterKey.new().to_text())
    said = exchange(config, "third.key")
    assert said.code != 0
    assert "the key before this one is still needed" in said.err.lower()
    assert countersign("backup", "--config", config, "--out", config.parent / "b").code == 0
    assert exchange(config, "third.key").code == 0
    name_key(config, "third.key")
    async with opened(config) as rooms:
        assert await token(rooms) == "canary-token"
        assert (await rooms.database.read(rooms.audit.verdict)).flaws == ()


# generations that wrap nothing


@pytest.fixture
async def rotated(config: Path) -> AsyncIterator[House]:
    """A desk whose data keys are under generation 2."""
    async with opened(config) as rooms:
        await Rotation(rooms.database, rooms.vault.safe, rooms.audit).renew_wrapping(hush)
        yield rooms


async def test_an_old_generation_stays_until_a_backup_without_it_was_verified(rotated: House, tmp_path: Path) -> None:
    assert await generations(rotated) == [1, 2]
    before = rotated.keys.kek(1)
    made = await backups_of(rotated).make(tmp_path / "b")
    assert (made.dropped, await generations(rotated)) == ((1,), [2])
    assert len(before) == 32
    with pytest.raises(ValueError, match="dropped"):
        rotated.keys.kek(1)
    assert await token(rotated) == "canary-token"
    (details,) = await rotated.database.read(
        lambda tables: tables.conn.execute(
            "SELECT details FROM audit WHERE action = 'key.generations_dropped'"
        ).fetchall()
    )
    assert details == ('{"backup":"b","generations":"1"}',)


async def test_its_key_cannot_be_made_again_from_the_master_key(rotated: House, tmp_path: Path, config: Path) -> None:
    before = rotated.keys.kek(1)
    await backups_of(rotated).make(tmp_path / "b")
    salt = bytes.fromhex((await meta(rotated))["install_salt"])
    text = (config.parent / "master.key").read_text()
    assert MasterKey.from_text(text).derive(salt, "kek/1") != before


async def test_a_backup_that_does_not_open_drops_nothing(
    rotated: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaging(*arguments: object) -> int:
        size = sealing(*arguments)
        part = tmp_path / "b.part"
        part.write_bytes(part.read_bytes()[:-1])
        return size

    sealing = backups._seal
    monkeypatch.setattr(backups, "_seal", damaging)
    made = await backups_of(rotated).make(tmp_path / "b")
    assert (made.dropped, await generations(rotated)) == ((), [1, 2])


async def test_one_with_a_record_that_does_not_open_drops_nothing(rotated: House, tmp_path: Path) -> None:
    def damage(tables: object) -> None:
        tables.conn.execute("UPDATE sealed SET label = 'another'")  # type: ignore[attr-defined]
        rotated.audit.record(tables, Deed("test", "sealed"))  # type: ignore[arg-type]

    await rotated.database.write(damage)
    made = await backups_of(rotated).make(tmp_path / "b")
    assert (made.dropped, await generations(rotated)) == ((), [1, 2])


async def test_a_generation_that_is_named_somewhere_stays(rotated: House, tmp_path: Path) -> None:
    await rotated.database.write(lambda tables: tables.conn.execute("UPDATE data_keys SET kek_id = 1"))
    made = await backups_of(rotated).make(tmp_path / "b")
    assert (made.dropped, await generations(rotated)) == ((), [1, 2])


async def test_a_rotation_that_is_not_at_its_end_drops_nothing(rotated: House, tmp_path: Path) -> None:
    await rotated.database.write(
        lambda tables: tables.conn.execute("INSERT INTO meta VALUES ('rotating_wrapping', 'yes')")
    )
    made = await backups_of(rotated).make(tmp_path / "b")
    assert (made.dropped, await generations(rotated)) == ((), [1, 2])


# after a leak


async def test_after_a_leak_every_credential_is_in_doubt_until_it_is_replaced(config: Path) -> None:
    row = "INSERT INTO connections (owner, provider, label, environment, created_at, tested_at)"
    async with opened(config) as rooms:
        await rooms.database.write(
            lambda tables: tables.conn.execute(f"{row} VALUES (1, 'deriv', 'main', 'live', 1, 1)")
        )
    said = await asyncio.to_thread(countersign, "key", "rotate", "--config", config, "--leaked")
    assert said.out.splitlines()[1:] == [
        "Every credential counts as copied now. Its owner was told, and /connections shows it until it is replaced.",
        "Revoke these at the providers:",
        (
            "  deriv/main (live): Delete the token at Deriv, in the settings under API token; "
            "a session token (a1-…) ends when you log out."
        ),
    ]
    async with opened(config) as rooms:
        (one,) = await rooms.connections.everything()
        assert one.leaked_at is not None
        (complaint,) = await rooms.hygiene.complaints()
        assert "rotated at the provider: no" in complaint.flaws
        titles = await rooms.database.read(
            lambda tables: tables.conn.execute("SELECT body FROM outbox WHERE dedupe LIKE 'leak/%'").fetchall()
        )
        assert len(titles) == 1
        assert "These credentials may have been copied" in titles[0][0]


def test_an_exchange_and_new_data_keys_are_two_rotations(config: Path) -> None:
    assert exchange(config, "other.key", "--data-keys").code == 2


async def test_a_conflict_changes_nothing(config: Path) -> None:
    from bot.operations.exchanging import move

    async with opened(config) as rooms:
        before = await meta(rooms)
        with pytest.raises(ConflictError):
            await move(rooms.database, rooms.keys, rooms.keys.master, rooms.audit, rooms.clock)
        assert await meta(rooms) == before


async def test_an_install_from_before_there_were_seeds_goes_on(tmp_path: Path) -> None:
    path, before = write_desk(tmp_path), "m006_second_signatures"
    async with opened(path) as rooms:
        await rooms.database.write(lambda tables: tables.conn.execute("UPDATE key_generations SET seed = x''"))
    async with opened(path) as rooms:
        await rooms.vault.keep(MAIN, fields(token="canary-token"))
    with closing(sqlite3.connect(tmp_path / "data" / DATABASE)) as hand:
        for table in ("key_generations", "audit_keys", "account_links"):
            hand.execute(f"DROP TABLE {table}")
        hand.execute("ALTER TABLE factors DROP COLUMN waiting")
        hand.execute("ALTER TABLE connections DROP COLUMN leaked_at")
        assert hand.execute("DELETE FROM _sqlite_migrations WHERE name = ?", (before,)).rowcount == 1
        hand.commit()
    assert countersign("check", "--config", path).code == 0
    async with opened(path) as rooms:
        assert (await token(rooms), await generations(rooms)) == ("canary-token", [1])
        await Rotation(rooms.database, rooms.vault.safe, rooms.audit).renew_wrapping(hush)
        made = await backups_of(rooms).make(tmp_path / "b")
        assert (made.dropped, await generations(rooms)) == ((1,), [2])
    async with opened(path) as rooms:
        assert await token(rooms) == "canary-token"

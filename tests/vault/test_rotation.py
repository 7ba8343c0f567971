"""New keys for old ones: nothing is lost, whatever comes between."""

import asyncio

import pytest

from bot.errors import ConflictError
from bot.store import Database, Tables
from bot.store import database as store
from bot.vault.keys import KeyTree
from bot.vault.rotation import Rotation, standing
from bot.vault.service import Vault
from tests.support.clock import HandClock
from tests.vault.conftest import Diary, Reopen, change, connection, everything_on_disk, fields, rows, shown

SUBJECTS = [connection(number, person_id=1 + number % 5) for number in range(12)]
LOGIN = {"api_key": "canary-api-key", "password": "canary-password"}


@pytest.fixture
async def rotation(vault: Vault, database: Database, diary: Diary) -> Rotation:
    for subject in SUBJECTS:
        await vault.keep(subject, fields(**LOGIN))
    return Rotation(database, vault.safe, diary)


class StoppedError(Exception):
    """The rotation was interrupted."""


class Heard:
    def __init__(self) -> None:
        self.lines: list[str] = []

    async def __call__(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def heard() -> Heard:
    return Heard()


async def all_open(vault: Vault) -> None:
    for subject in SUBJECTS:
        assert shown(await vault.open(subject)) == LOGIN


async def test_every_data_key_is_wrapped_anew_and_the_records_stay(
    rotation: Rotation, vault: Vault, database: Database, diary: Diary, heard: Heard, restarted: Reopen
) -> None:
    records = await rows(database, "SELECT * FROM sealed ORDER BY id")
    before = await rows(database, "SELECT id, wrapped FROM data_keys ORDER BY id")
    rotated = await rotation.renew_wrapping(heard)
    assert (rotated.generation, rotated.resumed, rotated.done, rotated.waiting, rotated.unreadable) == (
        2,
        False,
        5,
        0,
        [],
    )
    assert await rows(database, "SELECT DISTINCT kek_id FROM data_keys") == [(2,)]
    after = await rows(database, "SELECT id, wrapped FROM data_keys ORDER BY id")
    assert [key_id for key_id, _ in before] == [key_id for key_id, _ in after]
    assert not {wrapped for _, wrapped in before} & {wrapped for _, wrapped in after}
    assert await rows(database, "SELECT * FROM sealed ORDER BY id") == records
    await all_open(vault)
    await all_open(await restarted())
    assert diary.actions == ["key.rotation_begun", "key.rotated"]
    assert [dict(deed.details) for deed in diary.deeds] == [
        {"from": 1, "to": 2},
        {"generation": 2, "done": 5, "waiting": 0, "unreadable": 0},
    ]


async def test_new_data_keys_use_the_current_generation(
    rotation: Rotation, vault: Vault, database: Database, heard: Heard
) -> None:
    await rotation.renew_wrapping(heard)
    await rotation.renew_wrapping(heard)
    await change(database, "INSERT INTO persons (id, name, state, created_at) VALUES (6, 'Zoe', 'active', 0)")
    await vault.keep(connection(99, person_id=6), fields(a="canary-new"))
    assert await rows(database, "SELECT kek_id FROM data_keys WHERE person_id = 6") == [(3,)]
    assert shown(await vault.open(connection(99, person_id=6))) == {"a": "canary-new"}


async def test_one_key_is_one_transaction(
    rotation: Rotation, database: Database, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[int] = []
    whole = store.Database.write

    def counted(self: Database, work: object) -> object:
        commits.append(1)
        return whole(self, work)  # type: ignore[arg-type]

    monkeypatch.setattr(store.Database, "write", counted)
    await rotation.renew_wrapping(heard)
    assert len(commits) == 1 + 5 + 1


async def test_an_interrupted_rotation_goes_on_where_it_was(
    rotation: Rotation, vault: Vault, database: Database, diary: Diary, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = 0
    whole = vault.safe.data_keys.replace

    def stops(tables: Tables, *rows: object) -> None:
        nonlocal done
        done += 1
        if done == 3:
            raise StoppedError
        whole(tables, *rows)  # type: ignore[arg-type]

    monkeypatch.setattr(vault.safe.data_keys, "replace", stops)
    with pytest.raises(StoppedError):
        await rotation.renew_wrapping(heard)
    assert await rows(database, "SELECT kek_id, count(*) FROM data_keys GROUP BY kek_id") == [(1, 3), (2, 2)]
    await all_open(vault)
    found = await database.read(standing)
    assert (found.generation, found.behind, found.waiting, found.unfinished) == (2, 3, 0, ("key rotate",))

    rotated = await rotation.renew_wrapping(heard)
    assert (rotated.generation, rotated.resumed, rotated.done) == (2, True, 3)
    await all_open(vault)
    found = await database.read(standing)
    assert (found.generation, found.behind, found.waiting, found.unfinished) == (2, 0, 0, ())
    assert diary.actions == ["key.rotation_begun", "key.rotated"]


async def test_fresh_data_keys_seal_every_record_anew(
    rotation: Rotation, vault: Vault, database: Database, diary: Diary, heard: Heard, restarted: Reopen
) -> None:
    before = await rows(database, "SELECT id, record, version FROM sealed")
    old_keys = await rows(database, "SELECT id FROM data_keys")
    rotated = await rotation.renew_data_keys(heard)
    assert (rotated.resumed, rotated.done, rotated.waiting, rotated.unreadable) == (False, 24, 0, [])
    after = await rows(database, "SELECT id, record, version FROM sealed")
    assert {version for _, _, version in before} == {1}
    assert {version for _, _, version in after} == {2}
    assert not {row[0] for row in before} & {row[0] for row in after}
    assert not set(old_keys) & set(await rows(database, "SELECT id FROM data_keys"))  # erased: nothing names them
    assert await rows(database, "SELECT count(*), sum(retired) FROM data_keys") == [(5, 0)]
    await all_open(vault)
    await all_open(await restarted())
    assert diary.actions == ["data_keys.rotation_begun", "data_keys.rotated"]
    assert dict(diary.deeds[1].details) == {"generation": 1, "done": 24, "waiting": 0, "unreadable": 0}


async def test_fresh_data_keys_interrupted_go_on_where_they_were(
    rotation: Rotation, vault: Vault, database: Database, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = 0
    whole = vault.safe.put

    def stops(*said: object) -> None:
        nonlocal done
        done += 1
        if done == 8:
            raise StoppedError
        whole(*said)  # type: ignore[arg-type]

    monkeypatch.setattr(vault.safe, "put", stops)
    with pytest.raises(StoppedError):
        await rotation.renew_data_keys(heard)
    await all_open(vault)
    assert (await database.read(standing)).unfinished == ("key rotate --data-keys",)
    keys_then = await rows(database, "SELECT id FROM data_keys WHERE NOT retired")

    rotated = await rotation.renew_data_keys(heard)
    assert (rotated.resumed, rotated.done) == (True, 17)
    await all_open(vault)
    assert set(keys_then) <= set(await rows(database, "SELECT id FROM data_keys"))  # those were fresh already
    assert await rows(database, "SELECT DISTINCT version FROM sealed") == [(2,)]


async def test_what_is_kept_during_a_rotation_is_sealed_under_the_fresh_key(
    rotation: Rotation, vault: Vault, database: Database, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def meddling(subject: int) -> None:
        await vault.keep(SUBJECTS[subject], fields(**LOGIN))
        await vault.erase(SUBJECTS[subject + 1].name)
        await vault.keep(SUBJECTS[subject + 1], fields(**LOGIN))

    whole = database.write
    turns = 0

    async def interrupted(work: object) -> object:
        nonlocal turns
        turns += 1
        if turns == 4:
            monkeypatch.setattr(database, "write", whole)
            await meddling(10)
            monkeypatch.setattr(database, "write", interrupted)
        return await whole(work)  # type: ignore[arg-type]

    monkeypatch.setattr(database, "write", interrupted)
    rotated = await rotation.renew_data_keys(heard)
    assert rotated.unreadable == []
    await all_open(vault)
    assert await rows(database, "SELECT sum(retired) FROM data_keys") == [(0,)]


async def test_what_does_not_open_is_left_as_it_is_and_named(
    rotation: Rotation, vault: Vault, database: Database, heard: Heard
) -> None:
    await change(
        database,
        "UPDATE sealed SET record = CAST(substr(record, 1, 40) || x'00' || substr(record, 42) AS BLOB)"
        " WHERE subject = 'connection/3' AND field = 'password'",
    )
    broken = await rows(database, "SELECT record FROM sealed WHERE subject = 'connection/3' AND field = 'password'")
    rotated = await rotation.renew_data_keys(heard)
    assert rotated.unreadable == ["capital label-3, password"]
    assert rotated.done == 23
    assert broken == await rows(
        database, "SELECT record FROM sealed WHERE subject = 'connection/3' AND field = 'password'"
    )
    assert await rows(database, "SELECT count(*) FROM data_keys WHERE retired") == [(1,)]  # its key stays, too

    ((key_id,),) = await rows(database, "SELECT id FROM data_keys WHERE person_id = 5 AND NOT retired")
    await change(database, "UPDATE data_keys SET wrapped = zeroblob(length(wrapped)) WHERE id = ?", key_id)
    rotated = await rotation.renew_wrapping(heard)
    assert rotated.unreadable == [f"data key {key_id}"]
    assert (await database.read(standing)).behind == 1


async def test_of_two_that_rotate_at_once_one_comes_to_the_end_and_the_other_is_told(
    rotation: Rotation, vault: Vault, database: Database, heard: Heard, diary: Diary
) -> None:
    ends = await asyncio.gather(*(rotation.renew_wrapping(heard) for _ in range(2)), return_exceptions=True)
    (told,) = [end for end in ends if isinstance(end, Exception)]
    assert isinstance(told, ConflictError)
    assert told.reason == "another rotation has finished this one"
    assert diary.actions == ["key.rotation_begun", "key.rotated"]
    found = await database.read(standing)
    assert (found.generation, found.behind, found.unfinished) == (2, 0, ())
    await all_open(vault)


async def test_the_old_wrapping_is_not_in_the_files_afterwards(
    rotation: Rotation, vault: Vault, database: Database, heard: Heard
) -> None:
    old = [wrapped for (wrapped,) in await rows(database, "SELECT wrapped FROM data_keys")]
    old += [record for (record,) in await rows(database, "SELECT record FROM sealed")]
    await rotation.renew_wrapping(heard)
    await rotation.renew_data_keys(heard)
    disk = everything_on_disk(database.path.parent)
    assert [wrapped for wrapped in old if wrapped[22:70] in disk] == []


async def test_many_are_counted_aloud(
    vault: Vault, database: Database, diary: Diary, heard: Heard, keys: KeyTree, clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("bot.vault.rotation._TELL_EACH", 2)
    for number in range(1, 6):
        await vault.keep(connection(number, person_id=number), fields(a="canary-a"))
    await Rotation(database, vault.safe, diary).renew_wrapping(heard)
    assert heard.lines == ["… 2 data keys", "… 4 data keys"]

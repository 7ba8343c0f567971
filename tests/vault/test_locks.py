"""What its owner has put under a passphrase opens with it, and with nothing else."""

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest

from bot.errors import ConflictError, ConnectionLockedError, PassphraseError, RecordUnreadableError
from bot.secret import Secret
from bot.store import Database, Tables
from bot.vault import locks
from bot.vault.keys import KeyTree
from bot.vault.passphrase import Argon
from bot.vault.rotation import Rotation
from bot.vault.service import Vault
from tests.support.clock import HandClock
from tests.vault.conftest import Diary, Reopen, change, connection, everything_on_disk, fields, rows, shown

RIGHT = Secret("correct horse battery")
WRONG = Secret("correct horse batterz")
MAIN, SPARE, BEN = connection(1), connection(2), connection(3, person_id=2)
LOGIN = {"api_key": "canary-api-key", "password": "canary-password"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least that is allowed, for the sake of time."""
    monkeypatch.setattr(locks, "new_stretching", lambda: Argon(os.urandom(16), memory_kib=19 * 1024, passes=2))


def nothing(_: Tables) -> None:
    """No more changes."""


async def put_under(vault: Vault, subject: locks.Subject = MAIN, passphrase: Secret = RIGHT) -> None:
    chosen = None
    if not await vault.locks.has_passphrase(subject.person_id):
        chosen = await vault.locks.choose(subject.person_id, passphrase)
    await vault.locks.protect(subject, passphrase, chosen, nothing)


@pytest.fixture
async def locked(vault: Vault, restarted: Reopen) -> Vault:
    """A vault after a restart; one connection of the first person is under a passphrase, one is not."""
    for subject in (MAIN, SPARE, BEN):
        await vault.keep(subject, fields(**LOGIN))
    await put_under(vault)
    return await restarted()


async def test_until_a_restart_it_opens_as_before(vault: Vault) -> None:
    await vault.keep(MAIN, fields(**LOGIN))
    await put_under(vault)
    assert vault.locks.is_protected(MAIN)
    assert not vault.is_locked(MAIN)
    assert shown(await vault.open(MAIN)) == LOGIN


async def test_after_a_restart_it_is_locked_and_the_others_are_not(locked: Vault) -> None:
    assert (locked.is_locked(MAIN), locked.is_locked(SPARE), locked.is_locked(BEN)) == (True, False, False)
    with pytest.raises(ConnectionLockedError) as caught:
        await locked.open(MAIN)
    assert caught.value.label == "capital/label-1"
    with pytest.raises(ConnectionLockedError):
        async with locked.lender(MAIN)():
            pytest.fail("it was lent")
    assert shown(await locked.open(SPARE)) == shown(await locked.open(BEN)) == LOGIN
    assert [type(error) for error in await locked.survey()] == [ConnectionLockedError, ConnectionLockedError]


async def test_the_right_passphrase_unlocks_it_for_reading_until_the_next_restart(
    locked: Vault, clock: HandClock, restarted: Reopen
) -> None:
    assert locked.unlocked_since(1) is None
    await clock.move(100)
    await locked.locks.unlock(1, RIGHT, nothing)
    given = clock.now()
    await clock.move(40_000)
    assert shown(await locked.open(MAIN)) == LOGIN
    assert locked.unlocked_since(1) == given
    await locked.locks.unlock(1, RIGHT, nothing)  # once more, for an act that wants it given lately
    assert locked.unlocked_since(1) == clock.now()
    assert locked.unlocked_since(2) is None
    assert (await restarted()).is_locked(MAIN)


async def test_a_wrong_passphrase_opens_nothing(locked: Vault) -> None:
    for wrong in (WRONG, Secret("Correct Horse Battery"), Secret("too short")):
        with pytest.raises(PassphraseError) as caught:
            await locked.locks.unlock(1, wrong, nothing)
        assert wrong.reveal() not in str(caught.value)
        assert RIGHT.reveal() not in str(caught.value)
    assert locked.is_locked(MAIN)
    with pytest.raises(ConnectionLockedError):
        await locked.open(MAIN)


async def test_after_five_wrong_ones_not_even_the_right_one_is_tried_for_a_quarter_of_an_hour(
    locked: Vault, clock: HandClock
) -> None:
    for _ in range(5):
        with pytest.raises(PassphraseError, match="that is not the passphrase"):
            await locked.locks.unlock(1, WRONG, nothing)
        await clock.move(60)
    with pytest.raises(PassphraseError, match="wrong too often: wait 10 min"):
        await locked.locks.unlock(1, RIGHT, nothing)
    await clock.move(10 * 60)
    await locked.locks.unlock(1, RIGHT, nothing)
    assert not locked.is_locked(MAIN)


async def test_forgetting_a_person_locks_at_once_and_nobody_else(locked: Vault) -> None:
    await put_under(locked, BEN, Secret("the passphrase of Ben"))
    await locked.locks.unlock(1, RIGHT, nothing)
    assert locked.forget(1)
    assert not locked.forget(1)
    assert (locked.is_locked(MAIN), locked.is_locked(BEN)) == (True, False)
    with pytest.raises(ConnectionLockedError):
        await locked.open(MAIN)


async def test_one_passphrase_serves_all_connections_of_its_owner(locked: Vault, restarted: Reopen) -> None:
    with pytest.raises(PassphraseError):
        await put_under(locked, SPARE, WRONG)
    assert shown(await locked.open(SPARE)) == LOGIN  # nothing was changed
    await put_under(locked, SPARE)
    again = await restarted()
    assert (again.is_locked(MAIN), again.is_locked(SPARE)) == (True, True)
    await again.locks.unlock(1, RIGHT, nothing)
    assert shown(await again.open(MAIN)) == shown(await again.open(SPARE)) == LOGIN


async def test_taken_off_it_opens_without_and_the_last_one_takes_the_passphrase_with_it(
    locked: Vault, database: Database, restarted: Reopen
) -> None:
    await put_under(locked, SPARE)
    with pytest.raises(PassphraseError):
        await locked.locks.unprotect(MAIN, WRONG, nothing)
    await locked.locks.unprotect(MAIN, RIGHT, nothing)
    assert await locked.locks.has_passphrase(1)
    again = await restarted()
    assert (again.is_locked(MAIN), again.is_locked(SPARE)) == (False, True)
    assert shown(await again.open(MAIN)) == LOGIN
    await again.locks.unprotect(SPARE, RIGHT, nothing)
    assert not await again.locks.has_passphrase(1)
    assert await rows(database, "SELECT count(*) FROM data_keys WHERE mode = 'passphrase'") == [(0,)]
    await put_under(again, SPARE, Secret("another passphrase"))  # a new one may be chosen now


async def test_erasing_the_last_locked_connection_erases_its_key(locked: Vault, database: Database) -> None:
    await locked.erase(MAIN.name)
    assert await rows(database, "SELECT person_id FROM data_keys ORDER BY person_id") == [(1,), (2,)]
    assert not await locked.locks.has_passphrase(1)
    with pytest.raises(ConflictError, match="nothing of yours is under a passphrase"):
        await locked.locks.unlock(1, RIGHT, nothing)


async def test_a_new_passphrase_must_be_given_twice_the_same(vault: Vault) -> None:
    await vault.keep(MAIN, fields(**LOGIN))
    chosen = await vault.locks.choose(1, RIGHT)
    with pytest.raises(PassphraseError, match="not the same"):
        await vault.locks.protect(MAIN, WRONG, chosen, nothing)
    assert not await vault.locks.has_passphrase(1)
    with pytest.raises(PassphraseError, match="at least 12"):
        await vault.locks.choose(1, Secret("short"))


async def test_what_is_replaced_in_a_locked_connection_stays_under_the_passphrase(
    locked: Vault, database: Database, restarted: Reopen
) -> None:
    with pytest.raises(ConnectionLockedError):
        await locked.keep(MAIN, fields(password="canary-new"))
    await locked.locks.unlock(1, RIGHT, nothing)
    await locked.keep(MAIN, fields(password="canary-new"))
    again = await restarted()
    with pytest.raises(ConnectionLockedError):
        await again.open(MAIN)
    await again.locks.unlock(1, RIGHT, nothing)
    assert shown(await again.open(MAIN)) == LOGIN | {"password": "canary-new"}
    assert await rows(database, "SELECT uses FROM data_keys WHERE mode = 'passphrase'") == [(4,)]  # 1 + 2 fields + 1


async def test_the_key_file_and_the_database_are_not_enough(
    locked: Vault, database: Database, keys: KeyTree, tmp_path: Path
) -> None:
    """Whatever of the tables is turned, without the passphrase nothing of it opens."""
    ((protected,),) = await rows(database, "SELECT wrapped FROM data_keys WHERE mode = 'passphrase'")
    for statement in (
        "UPDATE data_keys SET mode = 'kek' WHERE mode = 'passphrase'",
        "UPDATE data_keys SET mode = 'kek', kdf = NULL",
        "UPDATE data_keys SET person_id = 2",
    ):
        await change(database, statement)
        with pytest.raises(RecordUnreadableError):
            await locked.open(MAIN)
    disk = everything_on_disk(tmp_path)
    assert b"canary" not in disk
    assert RIGHT.reveal().encode() not in disk
    assert protected in disk


async def test_a_row_that_asks_for_all_memory_is_no_passphrase(locked: Vault, database: Database) -> None:
    await change(database, "UPDATE data_keys SET kdf = json_set(kdf, '$.memory_kib', 67108864) WHERE kdf IS NOT NULL")
    with pytest.raises(PassphraseError, match="that is not the passphrase"):
        await locked.locks.unlock(1, RIGHT, nothing)


async def test_what_goes_along_shares_its_fate(locked: Vault) -> None:
    def refuses(_: Tables) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await locked.locks.unlock(1, RIGHT, refuses)
    assert locked.is_locked(MAIN)
    with pytest.raises(RuntimeError):
        await locked.locks.unprotect(MAIN, RIGHT, refuses)
    with pytest.raises(ConnectionLockedError):
        await locked.open(MAIN)
    with pytest.raises(RuntimeError):
        await locked.locks.protect(SPARE, RIGHT, None, refuses)
    assert not locked.locks.is_protected(SPARE)


async def test_a_rotation_reaches_a_locked_key_with_the_next_unlock(
    locked: Vault, database: Database, diary: Diary, restarted: Reopen
) -> None:
    async def hear(_: str) -> None:
        """Nobody listens."""

    rotated = await Rotation(database, locked.safe, diary).renew_wrapping(hear)
    assert (rotated.done, rotated.waiting) == (2, 1)
    generations = "SELECT mode, kek_id FROM data_keys ORDER BY mode, kek_id"
    assert await rows(database, generations) == [("kek", 2), ("kek", 2), ("passphrase", 1)]
    await locked.locks.unlock(1, RIGHT, nothing)
    assert await rows(database, generations) == [("kek", 2), ("kek", 2), ("passphrase", 2)]
    again = await restarted()
    await again.locks.unlock(1, RIGHT, nothing)
    assert shown(await again.open(MAIN)) == LOGIN


async def test_passphrases_are_stretched_one_at_a_time_and_beside_the_loop(
    locked: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    at_once: list[int] = []
    inside = 0
    whole = locks.stretch

    def watched(*said: object) -> bytes:
        nonlocal inside
        inside += 1
        at_once.append(inside)
        threads.append(threading.get_ident())
        time.sleep(0.02)
        try:
            return whole(*said)  # type: ignore[arg-type]
        finally:
            inside -= 1

    monkeypatch.setattr(locks, "stretch", watched)
    await asyncio.gather(*(locked.locks.unlock(1, RIGHT, nothing) for _ in range(4)))
    assert at_once == [1, 1, 1, 1]
    assert threading.get_ident() not in threads


async def test_what_was_sealed_without_the_passphrase_is_not_left_on_the_disk(vault: Vault, database: Database) -> None:
    await vault.keep(MAIN, fields(**LOGIN))
    before = [record for (record,) in await rows(database, "SELECT record FROM sealed")]
    await put_under(vault)
    journal = database.path.with_name(f"{database.path.name}-wal")
    disk = database.path.read_bytes() + (journal.read_bytes() if journal.exists() else b"")
    assert before
    assert not [record for record in before if record in disk]

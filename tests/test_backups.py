"""The drill: a desk is backed up while it works, lost, and restored; and everything that must stop a restore does."""

import asyncio
import json
import os
import shutil
import sqlite3
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot.approvals import records
from bot.approvals.model import Decision, Kind, Request, Rule, Seat, State, Vote, hash_of
from bot.commands.backup import backups_of
from bot.errors import (
    BackupUnreadableError,
    ConflictError,
    CountersignError,
    StartRefusedError,
    StoreError,
    StoreFullError,
    StoreNewerError,
    WrongKeyError,
)
from bot.operations import restoring
from bot.operations.restoring import Restored, restore
from bot.secret import Secret
from bot.store import Database, Tables
from bot.vault.archive import Header, opened, sealed
from bot.vault.keys import KeyTree, MasterKey
from bot.vault.service import Subject
from bot.wiring import DATABASE, House, holding
from tests.support.chatting import OLGA, at_work, configured, providers, telegram, until
from tests.support.clock import HandClock
from tests.support.desk import ADMIN, loaded, write_desk
from tests.support.desk import opened as standing

MADE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""What the clock of these tests says when a backup is made: second 1,772,442,000."""
LATER = HandClock(MADE + timedelta(days=3))
"""When it is restored: second 1,772,701,200."""
OLD = "This button is too old or not yours. Please ask again."


def master_of(config: Path) -> MasterKey:
    return MasterKey.from_text((config.parent / "master.key").read_text())


def database_of(config: Path) -> Path:
    return config.parent / "data" / DATABASE


async def restored(config: Path, backup: Path, *, replace: bool = False, clock: HandClock = LATER) -> Restored:
    with holding(loaded(config)):
        return await restore(master_of(config), backup, database_of(config), clock, replace=replace)


def state_of(folder: Path) -> dict[str, bytes]:
    """Every file of a data directory, byte for byte; the lock holds nothing but a process id."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != "lock"}


# copying the database


async def _fill(database: Database, megabytes: int) -> None:
    def change(tables: Tables) -> None:
        tables.conn.execute("CREATE TABLE IF NOT EXISTS ballast (id INTEGER PRIMARY KEY, text BLOB)")
        tables.conn.executemany("INSERT INTO ballast (text) VALUES (?)", [(bytes(100_000),)] * (10 * megabytes))

    await database.write(change)


async def test_work_goes_on_while_the_database_is_copied_and_is_in_the_copy(database: Database) -> None:
    await _fill(database, 40)
    order: list[str] = []

    async def copying() -> list[str]:
        async with database.copied() as path:
            order.append("copied")
            assert path.stat().st_mode & 0o777 == 0o600
            with sqlite3.connect(path) as copy:
                whole = [row[0] for row in copy.execute("PRAGMA integrity_check")]
                keys = [row[0] for row in copy.execute("SELECT key FROM meta ORDER BY key")]
            copy.close()
            return whole + keys

    async def working() -> None:
        for number in range(5):
            await database.write(
                lambda tables, number=number: tables.conn.execute("INSERT INTO meta VALUES (?, '')", (f"m{number}",))  # type: ignore[misc]
            )
            order.append(f"wrote {number}")
        assert await database.read(lambda tables: tables["meta"].count) == 5
        order.append("read")

    found, _ = await asyncio.gather(copying(), working())
    assert order == ["wrote 0", "wrote 1", "wrote 2", "wrote 3", "wrote 4", "read", "copied"]
    assert found == ["ok", "m0", "m1", "m2", "m3", "m4"]
    assert [path.name for path in database.path.parent.iterdir() if "copy" in path.name] == []


async def test_a_change_that_fails_while_copying_is_not_in_the_copy(database: Database) -> None:
    await _fill(database, 20)

    def failing(tables: Tables) -> None:
        tables.conn.execute("DELETE FROM ballast")
        raise ConflictError("no")

    async def copying() -> int:
        async with database.copied() as path:
            with sqlite3.connect(path) as copy:
                (count,) = copy.execute("SELECT count(*) FROM ballast").fetchone()
            copy.close()
            return int(count)

    copied = asyncio.create_task(copying())
    await asyncio.sleep(0)
    with pytest.raises(ConflictError):
        await database.write(failing)
    assert not copied.done()
    assert await copied == 200


async def test_there_is_one_copy_at_a_time(database: Database) -> None:
    async with database.copied() as path:
        with pytest.raises(ConflictError, match="being copied already"):
            async with database.copied():
                pass
        assert path.exists()
    async with database.copied():
        pass


async def test_a_copy_nobody_waits_for_is_given_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await _fill(database, 20)
    begun, go = threading.Event(), threading.Event()
    steps: list[None] = []

    def turn(_: Database, __: Tables) -> None:
        steps.append(None)
        begun.set()
        go.wait(10)

    monkeypatch.setattr(Database, "_turn_between", turn)

    async def copying() -> None:
        async with database.copied():
            raise AssertionError("it was finished")

    copied = asyncio.create_task(copying())
    await until(begun.is_set)
    copied.cancel()
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await copied
    assert len(steps) == 1
    assert not database.path.with_name("countersign.sqlite.copy").exists()
    async with database.copied():
        pass


async def test_a_database_that_closes_gives_up_its_copy(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "countersign.sqlite")
    await _fill(database, 20)

    async def copying() -> None:
        async with database.copied():
            raise AssertionError("it was finished")

    copied = asyncio.create_task(copying())
    await asyncio.sleep(0)
    await database.read(lambda tables: None)
    await database.close()
    with pytest.raises(StoreError):
        await copied
    assert list(state_of(tmp_path)) == ["countersign.sqlite"]


async def test_a_copy_that_a_killed_process_left_is_erased_at_the_next_start(tmp_path: Path) -> None:
    left = tmp_path / "countersign.sqlite.copy"
    left.write_text("what was in the database")
    database = await Database.open(tmp_path / "countersign.sqlite")
    await database.close()
    assert not left.exists()


# making a backup


async def test_a_backup_is_for_its_owner_sealed_and_in_the_audit_log(tmp_path: Path) -> None:
    config, out = write_desk(tmp_path), tmp_path / "out" / "desk.backup"
    out.parent.mkdir()
    async with standing(config, HandClock(MADE)) as house:
        made = await backups_of(house).make(out)
        assert (made.path, made.size, made.key) == (out, out.stat().st_size, house.keys.fingerprint)
        rows = await house.database.read(lambda tables: list(tables["audit"].rows))
        assert [(row["action"], row["object"], json.loads(row["details"])) for row in rows[-1:]] == [
            ("backup.made", "backup/desk.backup", {"via": "terminal", "bytes": made.size, "key": made.key})
        ]
    assert out.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in out.parent.iterdir()] == ["desk.backup"]
    line, _, rest = out.read_bytes().partition(b"\n")
    header = json.loads(line)
    assert (header["format"], header["made_at"]) == ("countersign backup 1", "2026-03-02T09:00:00.000Z")
    assert (header["key"], header["size"]) == (made.key, len(rest) - 16 * -(-len(rest) // 65_552))
    assert b"SQLite format 3" not in rest
    assert sorted(state_of(tmp_path / "data")) == [DATABASE]


async def test_a_backup_overwrites_nothing(tmp_path: Path) -> None:
    out = tmp_path / "desk.backup"
    out.write_text("mine")
    async with standing(write_desk(tmp_path)) as house:
        with pytest.raises(ConflictError, match=r"desk\.backup is there already"):
            await backups_of(house).make(out)
        assert await house.database.read(lambda tables: tables["audit"].count_where("action = 'backup.made'")) == 0
    assert out.read_text() == "mine"


async def test_a_backup_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    async with standing(write_desk(tmp_path)) as house:
        with pytest.raises(StartRefusedError, match=r"No such file or directory\. No backup was made"):
            await backups_of(house).make(tmp_path / "nowhere" / "desk.backup")
        assert await house.database.read(lambda tables: tables["audit"].count_where("action = 'backup.made'")) == 0
        assert not database_of(tmp_path / "config.toml").with_name(f"{DATABASE}.copy").exists()


async def test_a_backup_that_would_fill_the_disk_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with standing(write_desk(tmp_path)) as house:
        tight = shutil.disk_usage(tmp_path)._replace(
            free=200_000_000 + database_of(tmp_path / "config.toml").stat().st_size
        )
        monkeypatch.setattr(shutil, "disk_usage", lambda _: tight)
        with pytest.raises(StoreFullError):
            await backups_of(house).make(tmp_path / "desk.backup")
        monkeypatch.setattr(shutil, "disk_usage", lambda _: tight._replace(free=tight.free * 2))
        await backups_of(house).make(tmp_path / "desk.backup")


# the drill


async def _ask_for_things(rooms: House) -> dict[str, str]:
    """A request in every state it can stand in; state → id."""
    now, admin = rooms.clock.now(), _admin(rooms)
    ids = {}

    def change(tables: Tables) -> None:
        for state in State:
            about = {"about": state.value}
            request = Request(
                id=f"r-{state.value}",
                kind=Kind.ROLE,
                parameters=about,
                hash=hash_of(Kind.ROLE, admin, about),
                rule=Rule((Seat("role/admin", 2),)),
                state=state,
                version=3,
                asked_by=admin,
                asked_at=now,
                expires_at=now + timedelta(days=30),
            )
            records.insert(tables, request, None)
            records.vote(tables, request, Vote(admin, Decision.APPROVE, request.hash, now), ADMIN)
            ids[state.value] = request.id

    await rooms.database.write(change)
    return ids


def _admin(rooms: House) -> int:
    return next(iter(rooms.access.roster.admins)).id


STATES_AFTER = {
    "pending": "expired",
    "approved": "expired",
    "held": "cancelled",
    "sending": "unknown",
    "acked": "unknown",
    "unknown": "unknown",
    "succeeded": "succeeded",
    "failed": "failed",
    "denied": "denied",
    "expired": "expired",
    "cancelled": "cancelled",
    "settled_by_hand": "settled_by_hand",
}


async def test_the_drill(tmp_path: Path) -> None:
    backup = tmp_path / "elsewhere" / "desk.backup"
    backup.parent.mkdir()
    async with telegram() as chat, providers("crm", "deriv") as sides:
        config = configured(tmp_path / "desk", chat, sides)
        async with at_work(config, chat, sides) as desk:
            for name in ("crm", "deriv"):
                await desk.link(name)
            (question,) = await desk.says(OLGA, "/disconnect crm")
            credentials = await _credentials(desk.rooms)
            people = await _people(desk.rooms)
            await _ask_for_things(desk.rooms)
            await backups_of(desk.rooms).make(backup)
            await desk.link("deriv", label="later")

        shutil.rmtree(tmp_path / "desk" / "data")
        done = await restored(config, backup, clock=HandClock(datetime.now(UTC)))
        assert sorted(state_of(tmp_path / "desk" / "data")) == [DATABASE]
        assert (done.aside, done.ended, done.unknown) == (
            None,
            ("r-approved", "r-pending", "r-held"),
            ("r-acked", "r-sending"),
        )

        async with at_work(config, chat, sides) as desk:
            assert [one.name for one in await desk.rooms.connections.everything()] == ["crm/main", "deriv/main"]
            assert await _credentials(desk.rooms) == credentials
            assert await _people(desk.rooms) == people
            assert await desk.rooms.database.read(desk.rooms.audit.first_bad) is None
            assert not desk.rooms.pulse.after_crash
            states = await desk.rooms.database.read(
                lambda tables: {row["id"].removeprefix("r-"): row["state"] for row in tables["requests"].rows}
            )
            assert states == STATES_AFTER

            assert await desk.taps(OLGA, question, "Unlink") == []
            assert desk.toasts()[-1] == OLD
            assert len(await desk.rooms.connections.everything()) == 2
            for connection in await desk.rooms.connections.everything():
                async with desk.rooms.connections.session(connection) as provider:
                    assert await provider.check()


async def _credentials(rooms: House) -> dict[str, dict[str, str]]:
    return {
        one.name: {key: value.reveal() for key, value in (await rooms.vault.open(one.subject)).items()}
        for one in await rooms.connections.everything()
    }


async def _people(rooms: House) -> list[tuple[Any, ...]]:
    return await rooms.database.read(
        lambda tables: tables.conn.execute(
            "SELECT person_id, name, state, telegram_id, role FROM persons JOIN telegram_ids"
            " ON person_id = persons.id LEFT JOIN roles USING (person_id) ORDER BY 1, 4, 5"
        ).fetchall()
    )


# what does not go on by itself


@dataclass
class Lost:
    """A desk that was backed up with everything under way, and what it looked like."""

    config: Path
    backup: Path
    signed: bytes


@pytest.fixture
async def lost(tmp_path: Path) -> Lost:
    config, backup = write_desk(tmp_path / "desk"), tmp_path / "desk.backup"
    async with standing(config, HandClock(MADE)) as house:
        await _ask_for_things(house)
        admin = _admin(house)
        await house.cards.make("balance", admin, ADMIN, {})
        await house.vault.keep(Subject(f"draft/{admin}", admin, "crm", "main", "live"), {"api_key": Secret("k" * 20)})
        await house.database.write(lambda tables: _under_way(tables, admin))
        signed = house.signer.sign(b"a button")
        await backups_of(house).make(backup)
    return Lost(config, backup, signed)


def _under_way(tables: Tables, admin: int) -> None:
    hour = 3_600_000
    now = 1_772_442_000_000
    outbox = "INSERT INTO outbox (lane, chat_id, body, state, not_before, created_at)"
    invite = "INSERT INTO invites (code_hash, role, created_by, created_at, expires_at)"
    link = "INSERT INTO entry_links (token_hash, person_id, purpose, body, created_at, expires_at)"
    factor = "INSERT INTO factors (person_id, active_since, last_step, enrolling_until)"
    for statement, values in (
        ("INSERT INTO drafts VALUES (?, 'connect', '{}', ?)", (admin, now)),
        ("INSERT INTO inbox (update_id, chat_id, body, received_at) VALUES (77, 1, x'00', ?)", (now,)),
        (f"{outbox} VALUES (0, 1, ?, 'waiting', 0, ?)", ('{"title": "Sign?", "lines": []}', now)),
        (f"{invite} VALUES ('c', 'viewer', ?, ?, ?)", (admin, now, now + 999 * hour)),
        (f"{link} VALUES ('t', ?, 'connect', '{{}}', ?, ?)", (admin, now, now + 999 * hour)),
        (f"{factor} VALUES (?, ?, 5, ?)", (admin, now, now + 999 * hour)),
        ("INSERT INTO meta VALUES ('nonce_floor', '1772700000000')", ()),
    ):
        tables.conn.execute(statement, values)


async def _rows(config: Path, sql: str) -> list[tuple[Any, ...]]:
    async with standing(config, LATER) as house:
        return await house.database.read(lambda tables: tables.conn.execute(sql).fetchall())


async def test_the_epoch_is_raised_and_old_buttons_are_dead(lost: Lost) -> None:
    done = await restored(lost.config, lost.backup, replace=True)
    assert done.epoch == 1_772_701_200
    async with standing(lost.config, LATER) as house:
        assert house.signer.sign(b"a button") != lost.signed
        rows = await house.database.read(
            lambda tables: [(row["action"], row["epoch"]) for row in tables["audit"].rows if row["epoch"] != 1]
        )
        assert rows[0] == ("backup.restored", 1_772_701_200)
        assert await house.database.read(house.audit.first_bad) is None


async def test_restored_twice_the_first_life_s_buttons_are_dead_as_well(lost: Lost) -> None:
    await restored(lost.config, lost.backup, replace=True)
    async with standing(lost.config, LATER) as house:
        first = house.signer.sign(b"a button")
    again = await restored(lost.config, lost.backup, replace=True, clock=HandClock(MADE))  # by a clock that is wrong
    assert again.epoch == 1_772_701_201
    async with standing(lost.config, LATER) as house:
        assert house.signer.sign(b"a button") not in (first, lost.signed)


async def test_nothing_that_waited_goes_out_or_is_handled(lost: Lost) -> None:
    await restored(lost.config, lost.backup, replace=True)
    assert await _rows(lost.config, "SELECT state, trouble FROM outbox WHERE created_at = 1772442000000") == [
        ("dead", "a backup was restored")
    ]
    assert await _rows(lost.config, "SELECT done_at, body FROM inbox") == [(1_772_701_200_000, None)]


async def test_what_was_begun_is_void(lost: Lost) -> None:
    await restored(lost.config, lost.backup, replace=True)
    for table in ("cards", "drafts", "sealed"):
        assert await _rows(lost.config, f"SELECT count(*) FROM {table}") == [(0,)], table  # noqa: S608
    for table in ("invites", "entry_links"):
        assert await _rows(lost.config, f"SELECT expires_at FROM {table}") == [(1_772_701_200_000,)], table  # noqa: S608


async def test_no_code_and_no_nonce_is_used_twice(lost: Lost) -> None:
    await restored(lost.config, lost.backup, replace=True)
    assert await _rows(lost.config, "SELECT last_step, enrolling_until FROM factors") == [
        (59_090_040, 1_772_701_200_000)
    ]
    assert await _rows(lost.config, "SELECT value FROM meta WHERE key = 'nonce_floor'") == [("1772701201000",)]


async def test_a_nonce_floor_that_is_ahead_of_the_clock_only_rises(lost: Lost) -> None:
    await restored(lost.config, lost.backup, replace=True, clock=HandClock(MADE))
    assert await _rows(lost.config, "SELECT value FROM meta WHERE key = 'nonce_floor'") == [("1772700001000",)]


async def test_each_request_that_ended_is_in_the_audit_log_and_the_admins_are_told(lost: Lost) -> None:
    await restored(lost.config, lost.backup, replace=True)
    noted = await _rows(lost.config, "SELECT action, object FROM audit WHERE epoch > 1 ORDER BY seq")
    assert noted == [
        ("backup.restored", "desk"),
        ("request.unknown", "request/r-acked"),
        ("request.expired", "request/r-approved"),
        ("request.cancelled", "request/r-held"),
        ("request.expired", "request/r-pending"),
        ("request.unknown", "request/r-sending"),
        ("freeze.alarmed", "freeze/desk"),
    ]
    assert await _rows(lost.config, "SELECT scope, reason FROM freezes") == [("desk", "a backup was restored")]
    ((chat_id, body),) = await _rows(lost.config, "SELECT chat_id, body FROM outbox WHERE state = 'waiting'")
    told = json.loads(body)
    assert (chat_id, told["title"]) == (ADMIN, "A backup was restored")
    assert told["lines"] == [
        (
            "What happened after 2026-03-02T09:00:00.000Z is not known here: "
            "people, logins and requests are as they were then."
        ),
        "What was taken away since is back. Buttons from before do not work.",
        "The desk is frozen: no money leaves until others have signed for the thaw.",
        "Ended, to be asked for anew: r-approved, r-pending, r-held.",
        "Outcome unknown, look at the provider: r-acked, r-sending.",
    ]


async def test_the_votes_are_kept_as_they_were(lost: Lost) -> None:
    before = await _rows(lost.config, "SELECT * FROM votes ORDER BY request_id")
    await restored(lost.config, lost.backup, replace=True)
    assert await _rows(lost.config, "SELECT * FROM votes ORDER BY request_id") == before


# what is there already


async def test_a_database_that_is_there_stays_unless_it_may_be_moved(lost: Lost) -> None:
    before = state_of(lost.config.parent / "data")
    with pytest.raises(StartRefusedError, match="is there already: --replace moves it aside"):
        await restored(lost.config, lost.backup)
    assert state_of(lost.config.parent / "data") == before


async def test_a_database_that_was_replaced_is_kept_whole(lost: Lost) -> None:
    async with standing(lost.config, HandClock(MADE)) as house:
        await house.database.write(lambda tables: tables.conn.execute("INSERT INTO meta VALUES ('later', 'yes')"))
        files = {path.name: path.read_bytes() for path in (lost.config.parent / "data").glob("countersign*")}
    for name, content in files.items():  # as a killed process leaves it: the change is in the journal only
        (lost.config.parent / "data" / name).write_bytes(content)
    assert files[f"{DATABASE}-wal"]
    done = await restored(lost.config, lost.backup, replace=True)
    assert done.aside is not None
    assert done.aside.name == "countersign.sqlite.before-restore-20260305T090000Z"
    assert sorted(state_of(lost.config.parent / "data")) == [DATABASE, done.aside.name]
    with sqlite3.connect(done.aside) as old:
        assert old.execute("SELECT value FROM meta WHERE key = 'later'").fetchone() == ("yes",)
    old.close()
    assert await _rows(lost.config, "SELECT value FROM meta WHERE key = 'later'") == []


async def test_a_damaged_database_can_be_replaced_and_is_kept(lost: Lost) -> None:
    path = database_of(lost.config)
    path.write_bytes(b"\x00" * 4096)
    path.with_name(f"{DATABASE}-wal").write_bytes(b"\x01" * 64)
    done = await restored(lost.config, lost.backup, replace=True)
    assert done.aside is not None
    assert done.aside.read_bytes() == b"\x00" * 4096
    assert await _rows(lost.config, "SELECT count(*) FROM persons") == [(1,)]


async def test_a_journal_without_its_database_is_not_taken_for_the_new_one_s(lost: Lost) -> None:
    database_of(lost.config).unlink()
    database_of(lost.config).with_name(f"{DATABASE}-wal").write_bytes(b"\x01" * 64)
    await restored(lost.config, lost.backup)
    assert sorted(state_of(lost.config.parent / "data")) == [DATABASE]


# what is refused, and nothing changed


def resealed(lost: Lost, change: Any) -> Path:
    """The same backup after somebody who has the key changed the database in it."""
    line, end, rest = lost.backup.read_bytes().partition(b"\n")
    header = msgspec.json.decode(line, type=Header)
    keys = KeyTree(master_of(lost.config), header.install, bytes.fromhex(header.install_salt))
    frames = (rest[start : start + 65_552] for start in range(0, len(rest), 65_552))
    inside = lost.backup.with_name("inside")
    inside.write_bytes(b"".join(opened(keys.backup, line + end, frames)))
    change(inside)
    text = inside.read_bytes()
    header = msgspec.structs.replace(header, size=len(text))
    chunks = (text[start : start + 65_536] for start in range(0, len(text), 65_536))
    path = lost.backup.with_name("other.backup")
    path.write_bytes(b"".join(sealed(keys.backup, header, chunks)))
    return path


def _sql(*statements: str) -> Any:
    def change(path: Path) -> None:
        with sqlite3.connect(path, isolation_level=None) as inside:
            for statement in statements:
                inside.execute(statement)
        inside.close()

    return change


def _scratched(path: Path) -> None:
    """One page of a table that a restore does not look at."""
    with sqlite3.connect(path) as inside:
        (page,) = inside.execute("SELECT rootpage FROM sqlite_master WHERE name = 'group_moves'").fetchone()
    inside.close()
    content = bytearray(path.read_bytes())
    content[4096 * (page - 1) : 4096 * page] = b"\xff" * 4096
    path.write_bytes(content)


NEWER = _sql(
    "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('countersign', 'm999_later', 'now')"
)
TAMPERED = _sql("DROP TRIGGER audit_is_final", "UPDATE audit SET object = 'x' WHERE seq = 1")


async def _refused(lost: Lost, backup: Path, kind: type[CountersignError], why: str) -> None:
    """With a database that may be replaced, and without one: the refusal changes nothing."""
    before = state_of(lost.config.parent / "data")
    with pytest.raises(kind, match=why):
        await restored(lost.config, backup, replace=True)
    assert state_of(lost.config.parent / "data") == before
    shutil.rmtree(lost.config.parent / "data")
    with pytest.raises(kind, match=why):
        await restored(lost.config, backup)
    assert state_of(lost.config.parent / "data") == {}


async def test_a_truncated_backup_is_refused(lost: Lost) -> None:
    os.truncate(lost.backup, lost.backup.stat().st_size - 1)
    await _refused(lost, lost.backup, BackupUnreadableError, "damaged or was cut short")


async def test_a_backup_cut_between_frames_is_refused(lost: Lost) -> None:
    start = lost.backup.read_bytes().index(b"\n") + 1
    os.truncate(lost.backup, start + 65_552)
    await _refused(lost, lost.backup, BackupUnreadableError, "damaged or was cut short")


async def test_a_flipped_bit_is_refused(lost: Lost) -> None:
    content = bytearray(lost.backup.read_bytes())
    content[-5000] ^= 4
    lost.backup.write_bytes(content)
    await _refused(lost, lost.backup, BackupUnreadableError, "damaged or was cut short")


async def test_a_file_that_is_no_backup_is_refused(lost: Lost) -> None:
    lost.backup.write_bytes(database_of(lost.config).read_bytes())
    await _refused(lost, lost.backup, BackupUnreadableError, "no backup of a desk")


async def test_a_backup_that_is_not_there_is_refused(lost: Lost) -> None:
    lost.backup.unlink()
    await _refused(lost, lost.backup, StartRefusedError, r"No such file or directory\. Nothing was restored")


async def test_a_wrong_key_is_refused_and_both_fingerprints_are_named(lost: Lost) -> None:
    right = json.loads(lost.backup.read_bytes().partition(b"\n")[0])["key"]
    (lost.config.parent / "master.key").write_text(MasterKey.new().to_text())
    with pytest.raises(WrongKeyError) as refusal:
        await restored(lost.config, lost.backup, replace=True)
    assert refusal.value.expected == right
    assert refusal.value.got != right
    await _refused(lost, lost.backup, WrongKeyError, right)


async def test_a_header_that_claims_our_key_opens_nothing(lost: Lost) -> None:
    key = json.loads(lost.backup.read_bytes().partition(b"\n")[0])
    (lost.config.parent / "master.key").write_text(MasterKey.new().to_text())
    ours = KeyTree(master_of(lost.config), key["install"], bytes.fromhex(key["install_salt"])).fingerprint
    lost.backup.write_bytes(lost.backup.read_bytes().replace(key["key"].encode(), ours.encode(), 1))
    await _refused(lost, lost.backup, BackupUnreadableError, "damaged or was cut short")


async def test_a_newer_schema_is_refused(lost: Lost) -> None:
    await _refused(lost, resealed(lost, NEWER), StoreNewerError, "m999_later")


async def test_a_damaged_database_in_a_backup_is_refused(lost: Lost) -> None:
    await _refused(lost, resealed(lost, _scratched), BackupUnreadableError, "the database in it is damaged")


async def test_an_audit_log_somebody_has_had_hands_in_is_refused(lost: Lost) -> None:
    await _refused(lost, resealed(lost, TAMPERED), BackupUnreadableError, "audit log does not verify from row 1 on")


async def test_what_is_resealed_unchanged_is_restored(lost: Lost) -> None:
    """So that the three before are refused for what was changed."""
    await restored(lost.config, resealed(lost, _sql()), replace=True)


async def test_a_desk_that_is_in_use_is_not_restored(lost: Lost) -> None:
    async with standing(lost.config, HandClock(MADE)):
        before = state_of(lost.config.parent / "data")
        with pytest.raises(StartRefusedError, match=f"in use by process {os.getpid()}") as refusal:
            await restored(lost.config, lost.backup, replace=True)
        assert refusal.value.exit_code == 75
        assert state_of(lost.config.parent / "data") == before


async def test_a_restored_database_somebody_else_looks_at_meanwhile_is_refused_or_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was settled lies in the journal then, and moving the file alone would lose it."""
    config, backup = write_desk(tmp_path), tmp_path / "desk.backup"
    async with standing(config, LATER) as rooms:
        await backups_of(rooms).make(backup)
    held: list[sqlite3.Connection] = []
    examine = restoring._examine

    def examined(*arguments: Any) -> None:
        examine(*arguments)
        onlooker = sqlite3.connect(arguments[-1], isolation_level=None, check_same_thread=False)
        onlooker.execute("PRAGMA journal_mode=WAL")
        onlooker.execute("BEGIN")
        onlooker.execute("SELECT count(*) FROM meta").fetchone()
        held.append(onlooker)

    monkeypatch.setattr(restoring, "_examine", examined)
    before = database_of(config).read_bytes()
    with pytest.raises(StartRefusedError, match="could not be made one file"):
        await restored(config, backup, replace=True)
    held[0].close()
    assert database_of(config).read_bytes() == before


async def test_a_file_that_came_into_being_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "desk.backup"
    async with standing(write_desk(tmp_path), LATER) as rooms:
        backups = backups_of(rooms)
        note = backups._note

        def late(made: Any, tables: Any) -> None:
            out.write_text("somebody's")
            note(made, tables)

        backups._note = late  # type: ignore[method-assign]
        with pytest.raises(StartRefusedError, match="File exists"):
            await backups.make(out)
    assert out.read_text() == "somebody's"

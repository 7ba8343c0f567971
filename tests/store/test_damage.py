"""F49: what is missing of a database, or was changed behind its back, is seen before any money moves by it."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from shutil import copy

import pytest

from bot.approvals.records import is_as_recorded, pending
from bot.audit.service import Audit
from bot.errors import StoreDamagedError
from bot.ports import Deed
from bot.store import Database, Tables
from bot.store.file import inspect, peek
from bot.vault.keys import KeyTree, MasterKey
from tests.support.clock import HandClock
from tests.support.guarded import Guarded

KEYS = KeyTree(MasterKey.new(), "damage", bytes(32))
PAGE = 4096


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """Where the files of a desk lie that was killed."""
    return tmp_path / "killed"


def _as_it_lies(folder: Path, there: Path) -> None:
    there.mkdir()
    for each in folder.glob("desk.sqlite*"):
        copy(each, there)


async def _killed_after_a_row(folder: Path, killed: Path) -> Path:
    """As it lies on the disk in the middle of the work; the row is in the journal alone."""
    database = await Database.open(folder / "desk.sqlite")
    audit = Audit(HandClock(datetime(2026, 3, 2, tzinfo=UTC)), KEYS.audit_code, 1)
    await database.write(lambda tables: audit.record(tables, Deed("desk.stopped", "desk")))
    _as_it_lies(folder, killed)
    await database.close()
    return killed / "desk.sqlite"


async def test_f49_a_journal_that_was_taken_away_is_missed(tmp_path: Path, killed: Path) -> None:
    path = await _killed_after_a_row(tmp_path, killed)
    journal = path.with_name("desk.sqlite-wal")
    away = journal.rename(killed / "away")
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreDamagedError, match=r"row 1 was written: what came last lay in desk\.sqlite-wal"):
            await Database.open(path)
    assert path.read_bytes() == before

    journal.unlink(missing_ok=True)
    away.rename(journal)
    database = await Database.open(path)
    assert await database.read(lambda tables: tables.conn.execute("SELECT count(*) FROM audit").fetchone()) == (1,)
    await database.close()
    assert os.listdir(killed) == ["desk.sqlite"]


async def test_f49_a_journal_that_somebody_else_has_folded_in_is_not_missed(tmp_path: Path, killed: Path) -> None:
    path = await _killed_after_a_row(tmp_path, killed)
    with closing(sqlite3.connect(path)) as onlooker:
        onlooker.execute("SELECT * FROM audit").fetchall()
    assert not path.with_name("desk.sqlite-wal").exists()
    await (await Database.open(path)).close()


async def test_f49_a_database_that_was_in_use_and_is_gone_is_not_begun_anew(tmp_path: Path, killed: Path) -> None:
    path = await _killed_after_a_row(tmp_path, killed)
    path.unlink()
    with pytest.raises(StoreDamagedError, match=r"desk\.sqlite is gone, and was in use: put it back"):
        await Database.open(path)
    assert not path.exists()


async def test_f49_a_flipped_byte_is_refused_found_in_the_log_or_changes_nothing(tmp_path: Path) -> None:
    """In rows of requests and of the log, and in what leads to them: each some bytes further."""
    path = tmp_path / "desk.sqlite"
    database = await Database.open(path)
    desk = Guarded(database, HandClock(datetime(2026, 3, 2, tzinfo=UTC)))
    await desk.furnish(None)
    for number in range(12):
        await desk.asked(desk.wish(f"{10 + number}.00"))
    pages = await database.read(_indexes)
    await database.close()
    whole = path.read_bytes()
    for name, word in (("requests", b'"Harbour"'), ("audit", b"request.asked")):
        pages.append((name, whole.index(word) // PAGE + 1))
    true = _all_there_is(path)
    seen = {"refused": 0, "found": 0, "nothing": 0}
    for name, number in pages:
        for offset in (0, 3, *range(PAGE - 700 + number % 5, PAGE, 37)):  # what lies on a page begins at its end
            path.write_bytes(whole)
            with path.open("r+b") as file:
                file.seek((number - 1) * PAGE + offset)
                file.write(bytes([whole[(number - 1) * PAGE + offset] ^ 0x04]))
            try:
                inspect(path)
                found = _all_there_is(path)
            except StoreDamagedError:
                seen["refused"] += 1
                continue
            if found == true:
                seen["nothing"] += 1
                continue
            assert peek(path, lambda tables: _is_found(desk.audit, tables)), (name, number, offset)
            seen["found"] += 1
    assert min(seen.values()) > 0, seen


def _indexes(tables: Tables) -> list[tuple[str, int]]:
    """The first page of each that leads to what money goes by."""
    rows = tables.conn.execute(
        "SELECT name, rootpage FROM sqlite_master WHERE type = 'index' AND tbl_name = 'requests' ORDER BY name"
    )
    return [(str(name), int(number)) for name, number in rows]


def _all_there_is(path: Path) -> object:
    def look(tables: Tables) -> object:
        return [
            tables.conn.execute(f"SELECT * FROM {table} {way}").fetchall()  # noqa: S608  # words of this test
            for table, way in (
                ("requests", "ORDER BY rowid"),
                ("requests", "INDEXED BY requests_pending WHERE state = 'pending' ORDER BY rowid"),
                ("audit", "ORDER BY seq"),
            )
        ]

    return peek(path, look)


def _is_found(audit: Audit, tables: Tables) -> bool:
    """The log does not verify, or a request is not what it says, or cannot be read."""
    standing = pending(tables)
    return (
        audit.first_bad(tables) is not None
        or len(standing) < 12
        or not all(is_as_recorded(tables, one) for one in standing)
    )

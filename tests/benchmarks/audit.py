"""The audit log: rows written, commit included, against bare `sqlite3`; rows examined, against the promised pace."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from itertools import count, islice
from pathlib import Path
from typing import Any

from bot.audit.service import Audit
from bot.clock import SystemClock
from bot.operations.auditing import examined
from bot.ports import Deed
from bot.store import Database, Tables
from bot.vault.keys import KeyTree, MasterKey
from tests.benchmarks.figures import Figure, Limit, paired
from tests.benchmarks.processes import CannotMeasureError

ROUNDS = 5
TURNS = 60
ROWS_A_TURN = 50
EXAMINED = 200_000
DAYS = 30
PROMISED_PER_SECOND = 50_000
_DEEDS = (
    Deed("connection.linked", "capital/main", 3, 1_002_003_004, {"environment": "live"}),
    Deed("request.asked", "request/abcdefghij", 4, 1_002_003_005, {"kind": "transfer", "hash": "0123456789abcdef" * 4}),
    Deed("person.suspended", "person/7", 1, 1_002_003_001),
)


class _Hurrying(SystemClock):
    """Time that hurries, so that many days are in one log."""

    def __init__(self, step: timedelta) -> None:
        self._step = step
        self._moment = super().now()

    def now(self) -> datetime:
        self._moment += self._step
        return self._moment


def _deeds() -> Iterator[Deed]:
    for number in count():
        yield _DEEDS[number % len(_DEEDS)]


def _audit(clock: SystemClock) -> Audit:
    return Audit(clock, KeyTree(MasterKey.new(), "benchmark", bytes(32)).audit_code, 1)


async def recording(folder: Path) -> list[Figure]:
    """A row a commit, as the database's thread writes them: what the chain costs, with the disk's part included.

    Both write into a database of ours, do the same commits and take turns at being first; the peer's rows are
    ready-made.
    """
    rounds = []
    for number in range(ROUNDS):
        paths = [folder / f"{name}{number}.sqlite" for name in ("ours", "bare")]
        for path in paths:
            database = await Database.open(path)
            pragmas = await database.read(_pragmas)
            await database.close()
        with _connected(paths[0], pragmas) as ours, _connected(paths[1], pragmas) as bare:
            rounds.append(_in_turns(ours, bare))
    return [paired("audit_record", "rows/s", Limit("at least", 0.8), "bare sqlite3", rounds, digits=0)]


def _in_turns(ours: sqlite3.Connection, bare: sqlite3.Connection) -> tuple[float, float]:
    """Rows a second, ours and theirs. Some rows each, turn by turn: a disk has better and worse moments."""
    tables, audit, deeds = Tables(ours), _audit(SystemClock()), _deeds()
    insert = f"INSERT INTO audit VALUES ({', '.join('?' * len(tables['audit'].columns))})"  # noqa: S608  # marks only
    ready = iter(_rows_made_of(audit, tables, TURNS * ROWS_A_TURN))
    taken = {"ours": 0.0, "bare": 0.0}
    for turn in range(TURNS):
        sides = {
            "ours": (ours, lambda deed: audit.record(tables, deed), list(islice(deeds, ROWS_A_TURN))),
            "bare": (bare, lambda row: bare.execute(insert, row), list(islice(ready, ROWS_A_TURN))),
        }
        for side in ("ours", "bare") if turn % 2 else ("bare", "ours"):
            taken[side] += _seconds(*sides[side])
    rows = TURNS * ROWS_A_TURN
    return rows / taken["ours"], rows / taken["bare"]


def _rows_made_of(audit: Audit, tables: Tables, count: int) -> list[tuple[object, ...]]:
    """Rows as they would lie in the log; none is left there."""
    tables.conn.execute("BEGIN")
    for deed in islice(_deeds(), count):
        audit.record(tables, deed)
    rows = tables.conn.execute("SELECT * FROM audit ORDER BY seq").fetchall()
    tables.conn.execute("ROLLBACK")
    return rows


@contextmanager
def _connected(path: Path, pragmas: list[str]) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        yield connection


def _pragmas(tables: Tables) -> list[str]:
    """As our database has them."""
    names = ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "temp_store", "mmap_size")
    values = {name: tables.conn.execute(f"PRAGMA {name}").fetchone() for name in names}
    return [f"{name}={value[0]}" for name, value in values.items() if value is not None]


def _seconds(connection: sqlite3.Connection, write: Callable[[Any], None], things: Iterable[Any]) -> float:
    begun = time.perf_counter()
    for thing in things:
        connection.execute("BEGIN IMMEDIATE")
        write(thing)
        connection.execute("COMMIT")
    return time.perf_counter() - begun


async def examining(folder: Path) -> list[Figure]:
    """A month of rows, examined as `audit verify` does, page by page so that nobody else waits."""
    audit = _audit(_Hurrying(timedelta(days=DAYS) / EXAMINED))
    database, deeds = await Database.open(folder / "month.sqlite"), _deeds()

    def fill(tables: Tables) -> None:
        for _ in range(EXAMINED):
            audit.record(tables, next(deeds))

    try:
        await database.write(fill)
        paces = [await _examined(database, audit) for _ in range(ROUNDS)]
    finally:
        await database.close()
    rounds = [(pace, float(PROMISED_PER_SECOND)) for pace in paces]
    return [paired("audit_verify", "rows/s", Limit("at least", 1.0), "the promised pace", rounds, digits=0)]


async def _examined(database: Database, audit: Audit) -> float:
    begun = time.perf_counter()
    verdict = await examined(database, audit)
    taken = time.perf_counter() - begun
    if not verdict.is_whole or verdict.rows != EXAMINED:
        raise CannotMeasureError(f"the log is not whole: {verdict.flaws}")
    return verdict.rows / taken

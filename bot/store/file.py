"""The database as a file: made, connected to, looked at, folded and copied. The only place that opens it.

Whoever works in it while the bot runs does so through `database.py`; what is here either hands that the connection, or
is for a file that nobody has open.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from bot.errors import StoreDamagedError, StoreFullError, StoreNewerError
from bot.store.mark import noted, reached
from bot.store.refusals import translated
from bot.store.schema import known_names, migrations
from bot.store.tables import Tables

Result = TypeVar("Result")
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
    "temp_store=MEMORY",
    "mmap_size=0",
)
_FEW_PAGES = 10
_LOOKED_AT_CLOSELY = frozenset(("requests", "votes", "sendings", "cases", "nonces", "freezes", "beneficiaries"))
"""Tables whose indexes are compared with their rows at a start: a row that an index hides would not count for money."""


def opened(path: Path) -> Tables:
    """The database at `path`, created or checked, its schema up to date. Raises as `inspect`, or sqlite3's own."""
    copy_of(path).unlink(missing_ok=True)  # left by a process that was killed
    inspect(path)
    if not path.exists():
        _create(path)
    return _connected(path)


def _connected(path: Path) -> Tables:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        tables = Tables(connection)
        if known_names() - _applied(tables):
            migrations().apply(tables.library)
    except BaseException:
        connection.close()
        raise
    return tables


def stretch_journal(tables: Tables) -> None:
    """Write as many pages as the journal takes before it is folded, and take them back: it is used again from its
    beginning after that, and stays as long. For whoever works in it; silent where there is no room."""
    connection = tables.conn
    asked = ("wal_autocheckpoint", "page_size", "cache_size", "busy_timeout")
    pages, page_bytes, cache, patience = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in asked)
    try:
        connection.execute("PRAGMA busy_timeout=0")  # it is not worth waiting for
        connection.execute(f"PRAGMA cache_size={_FEW_PAGES}")  # what does not fit in is written at once
        with contextlib.suppress(sqlite3.Error):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE room (bytes BLOB)")
            connection.execute("INSERT INTO room VALUES (zeroblob(?))", (pages * page_bytes,))
    finally:
        with contextlib.suppress(sqlite3.Error):  # as after every change
            connection.execute("ROLLBACK")
        connection.execute(f"PRAGMA cache_size={cache}")
        connection.execute(f"PRAGMA busy_timeout={patience}")


def _create(path: Path) -> None:
    """Make a new database under another name and move it here when it is whole: an empty file is never one of ours."""
    making = path.with_name(f"{path.name}.new")
    for name in (making.name, f"{making.name}-wal", f"{making.name}-shm"):
        making.with_name(name).unlink(missing_ok=True)
    making.touch(mode=0o600)
    _connected(making).conn.close()
    making.replace(path)
    synced(path.parent)


def inspect(path: Path) -> None:
    """Refuse a damaged or newer file, before anything is written to it (R44). No file yet is fine."""

    def look(tables: Tables) -> tuple[str, set[str], int]:
        verdict = tables.conn.execute("PRAGMA quick_check(1)").fetchone()[0]
        for table in _LOOKED_AT_CLOSELY.intersection(tables.table_names()) if verdict == "ok" else ():
            verdict = tables.conn.execute(f"PRAGMA integrity_check({table})").fetchone()[0]
            if verdict != "ok":
                break
        return verdict, _applied(tables), reached(tables) if "audit" in tables.table_names() else 0

    written, found = noted(path), peek(path, look)
    if found is None:
        if written is not None:
            raise StoreDamagedError(f"{path.name} is gone, and was in use: put it back")
        return
    verdict, applied, last = found
    if verdict != "ok":
        raise StoreDamagedError("its own check fails")
    newer = applied - known_names()
    if newer:
        raise StoreNewerError(sorted(newer))
    if written is not None and last < written:
        raise StoreDamagedError(
            f"its audit log ends with row {last}, and row {written} was written: what came last lay in "
            f"{path.name}-wal, so put that back"
        )


def _applied(tables: Tables) -> set[str]:
    if "_sqlite_migrations" not in tables.table_names():
        return set()
    return {name for (name,) in tables.conn.execute("SELECT name FROM _sqlite_migrations")}


def peek(path: Path, question: Callable[[Tables], Result]) -> Result | None:
    """Ask a closed file one question, read-only; None when there is no file yet. For checks before anything changes.

    Raises:
        StoreDamagedError: The file is empty, or no database.
    """
    if not path.exists():
        return None
    if path.stat().st_size == 0:
        raise StoreDamagedError("it is empty")
    # Without a journal the file alone is the truth, and looking at it need not leave one behind.
    how = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)
    try:
        return question(Tables(connection))
    except sqlite3.Error as error:
        raise translated(error) from None
    finally:
        connection.close()


def fold(path: Path) -> None:
    """Let a database that nobody has open be one file, so that moving it is one step. A damaged one stays as it is."""
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def copy_of(path: Path) -> Path:
    """Where a copy of the database at `path` lies while it is needed."""
    return path.with_name(f"{path.name}.copy")


def keep_copy(path: Path, kept: Path) -> None:
    """A whole copy of a database that nobody has open, for its owner only; on disk under its name when this returns.

    Raises:
        StoreError: It could not be made.
    """
    making = copy_of(path)
    try:
        _touch_new(making)
        with (
            contextlib.closing(sqlite3.connect(path, isolation_level=None)) as source,
            contextlib.closing(sqlite3.connect(making, isolation_level=None)) as copy,
        ):
            copy.execute("PRAGMA journal_mode=OFF")
            source.backup(copy)
        synced(making)
        making.rename(kept)
        synced(kept.parent)
    except sqlite3.Error as error:
        raise translated(error) from None
    except OSError as error:
        raise StoreFullError(f"{kept}: {error.strerror}") from None
    finally:
        making.unlink(missing_ok=True)


@contextmanager
def blank(path: Path) -> Iterator[sqlite3.Connection]:
    """A new empty database for its owner only, to be filled with a copy that is thrown away if it is cut short."""
    _touch_new(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as copy:
        copy.execute("PRAGMA synchronous=OFF")
        copy.execute("PRAGMA journal_mode=OFF")
        yield copy


def synced(path: Path) -> None:
    """What was written to a file, or which files a folder has, is on disk when this returns."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _touch_new(path: Path) -> None:
    """A new empty file, for its owner only."""
    path.unlink(missing_ok=True)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise StoreFullError(f"{path}: {error.strerror}") from None

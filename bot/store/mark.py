"""A file that says which row of the audit log was committed last, as long as somebody has the database open.

It stays behind one who was killed. The latest rows are in SQLite's journal alone then, and SQLite takes a file
without its journal for whole: what was sent would look as if it had not been.
"""

import contextlib
import os
import sqlite3
from pathlib import Path

from bot.store.tables import Tables


class Mark:
    """The mark beside the database at `path`, for whoever has it open."""

    def __init__(self, path: Path) -> None:
        self._path = _mark_of(path)
        self._handle, self._written = -1, -1

    def open(self) -> None:
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)

    def note(self, tables: Tables) -> None:
        """How far it has come. Need not be on disk: of what a power cut takes from the file, SQLite's journal is."""
        with contextlib.suppress(OSError, sqlite3.Error):
            row = reached(tables)
            if row != self._written:
                os.pwrite(self._handle, b"%020d" % row, 0)
                self._written = row

    def remove(self) -> None:
        """The database is about to be closed as it should be."""
        with contextlib.suppress(OSError):
            os.close(self._handle)
            self._path.unlink(missing_ok=True)


def noted(path: Path) -> int | None:
    """The number in the mark of the database at `path`; None when there is no mark."""
    try:
        return int(_mark_of(path).read_bytes() or b"0")
    except FileNotFoundError:
        return None
    except ValueError:
        return 0


def reached(tables: Tables) -> int:
    """The last row of the audit log; each change that matters has one."""
    row = tables.conn.execute(
        "SELECT seq FROM audit WHERE typeof(seq) = 'integer' ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return 0 if row is None else int(row[0])


def _mark_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-open")

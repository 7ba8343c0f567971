"""`sqlite3` errors become ours here and nowhere else."""

import sqlite3

from bot.errors import StoreBusyError, StoreDamagedError, StoreError, StoreFullError

_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def translated(error: sqlite3.Error) -> StoreError:
    """What an operator can act on: another program holds the file, no room, damage, or none of these."""
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if primary in _BUSY:
        return StoreBusyError(str(error))
    if primary in _FULL:
        return StoreFullError(str(error))
    if primary in _DAMAGED:
        return StoreDamagedError(str(error))
    return StoreError(f"{type(error).__name__}: {error}")


def reason_of(error: BaseException) -> BaseException:
    """The same for whatever else a job may end with, which stays what it is."""
    return translated(error) if isinstance(error, sqlite3.Error) else error

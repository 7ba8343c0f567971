"""One database, one connection, one thread.

Everything that touches the file runs, one after the other, in the thread this object owns. A read is a function of the
tables; a change is a function that runs inside `BEGIN IMMEDIATE`, so that what it checked is still true when it writes.
Changes that wait together share one durable commit (`synchronous=FULL`): each has a savepoint of its own, so that one
that fails takes nothing of the others with it. A future resolves only after its commit.

`sqlite3` errors become ours here and nowhere else.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import sqlite_utils

from bot.errors import StoreBusyError, StoreDamagedError, StoreError, StoreFullError
from bot.store.schema import MIGRATIONS, known_names

Tables = sqlite_utils.Database
"""What a read or a change gets: the tables, through sqlite-utils or `.conn`."""

Result = TypeVar("Result")
_SHARED_COMMIT = 256
"""At most this many changes in one commit."""


@dataclass(slots=True)
class _Job:
    work: Callable[[Tables], Any]
    changes: bool
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"

    def resolve(self, result: Any, error: BaseException | None) -> None:
        self.loop.call_soon_threadsafe(self._finish, result, error)

    def _finish(self, result: Any, error: BaseException | None) -> None:
        if self.future.done():
            return
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class Database:
    """The file, open. `await Database.open(path)`; then `read` and `write`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="database", daemon=True)
        self._tables: Tables | None = None
        self._held: _Job | None = None

    @classmethod
    async def open(cls, path: Path) -> "Database":
        """Open or create the file, check it, and bring its schema up to date.

        Raises:
            StoreDamagedError: Not a database, fails its check, or written by a newer program. Nothing was changed.
        """
        database = cls(path)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, database._prepare)
        database._thread.start()
        return database

    def read(self, question: Callable[[Tables], Result]) -> Awaitable[Result]:
        """Answer a question about committed state."""
        return self._submit(question, changes=False)

    def write(self, change: Callable[[Tables], Result]) -> Awaitable[Result]:
        """Run `change` in a transaction of its own; the result comes once it is on disk. An error changes nothing."""
        return self._submit(change, changes=True)

    async def close(self) -> None:
        """Finish what was asked, then close the file. A second call does nothing."""
        if self._thread.is_alive():
            self._jobs.put(None)
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _submit(self, work: Callable[[Tables], Result], *, changes: bool) -> "asyncio.Future[Result]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        if not self._thread.is_alive():
            future.set_exception(StoreError("the database is closed"))
            return future
        self._jobs.put(_Job(work, changes, loop, future))
        return future

    def _prepare(self) -> None:
        try:
            if self.path.exists() and self.path.stat().st_size > 0:
                _inspect(self.path)
            self.path.touch(mode=0o600)
            connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5)
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                "secure_delete=ON",
                "temp_store=MEMORY",
                "mmap_size=0",
            ):
                connection.execute(f"PRAGMA {pragma}")
            self._tables = Tables(connection)
            MIGRATIONS.apply(self._tables)
        except sqlite3.Error as error:
            raise _translated(error) from None

    def _run(self) -> None:
        tables = self._tables
        if tables is None:
            raise StoreError("not prepared")
        while True:
            job = self._held or self._jobs.get()
            self._held = None
            if job is None:
                break
            if job.changes:
                self._commit_together(tables, self._waiting_with(job))
            else:
                self._answer(tables, job)
        tables.conn.close()

    def _waiting_with(self, first: _Job) -> list[_Job]:
        """`first` and the changes right behind it in the queue; what ends the run is held for the next turn."""
        batch = [first]
        while len(batch) < _SHARED_COMMIT:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None or not job.changes:
                if job is None:
                    self._jobs.put(None)
                else:
                    self._held = job
                break
            batch.append(job)
        return batch

    def _answer(self, tables: Tables, job: _Job) -> None:
        try:
            job.resolve(job.work(tables), None)
        except sqlite3.Error as error:
            job.resolve(None, _translated(error))
        except BaseException as error:  # noqa: BLE001  # belongs to the asker, who gets it
            job.resolve(None, error)

    def _commit_together(self, tables: Tables, batch: list[_Job]) -> None:
        results: list[tuple[_Job, Any, BaseException | None]] = []
        connection = tables.conn
        try:
            connection.execute("BEGIN IMMEDIATE")
            if len(batch) == 1:
                results.append((batch[0], batch[0].work(tables), None))
            else:
                results.extend(self._in_savepoint(tables, job) for job in batch)
            connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001  # every asker of this commit gets it
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for job in batch:
                job.resolve(None, _translated(error) if isinstance(error, sqlite3.Error) else error)
            return
        for job, result, failure in results:
            job.resolve(result, failure)

    def _in_savepoint(self, tables: Tables, job: _Job) -> tuple[_Job, Any, BaseException | None]:
        tables.conn.execute("SAVEPOINT one")
        try:
            result = job.work(tables)
        except sqlite3.Error as error:
            if not tables.conn.in_transaction:
                raise  # the error took the whole transaction with it
            tables.conn.execute("ROLLBACK TO one")
            tables.conn.execute("RELEASE one")
            return job, None, _translated(error)
        except BaseException as error:  # noqa: BLE001  # belongs to the asker, who gets it
            tables.conn.execute("ROLLBACK TO one")
            tables.conn.execute("RELEASE one")
            return job, None, error
        tables.conn.execute("RELEASE one")
        return job, result, None


def peek(path: Path, question: Callable[[Tables], Result]) -> Result | None:
    """Ask a closed file one question, read-only; None when there is no file yet. For checks before anything changes."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    try:
        return question(Tables(connection))
    except sqlite3.Error as error:
        raise _translated(error) from None
    finally:
        connection.close()


def _inspect(path: Path) -> None:
    """Refuse a damaged or newer file before anything is written to it (R44)."""

    def look(tables: Tables) -> tuple[str, set[str]]:
        verdict = tables.conn.execute("PRAGMA quick_check(1)").fetchone()[0]
        has = "_sqlite_migrations" in tables.table_names()
        names = {row["name"] for row in tables["_sqlite_migrations"].rows} if has else set()
        return verdict, names

    found = peek(path, look)
    if found is None:
        return
    verdict, applied = found
    if verdict != "ok":
        raise StoreDamagedError("its own check fails")
    newer = applied - known_names()
    if newer:
        raise StoreDamagedError(f"written by a newer version of this program ({', '.join(sorted(newer))})")


_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _translated(error: sqlite3.Error) -> StoreError:
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if primary in _BUSY:
        return StoreBusyError(str(error))
    if primary in _FULL:
        return StoreFullError(str(error))
    if primary in _DAMAGED:
        return StoreDamagedError(str(error))
    return StoreError(f"{type(error).__name__}: {error}")

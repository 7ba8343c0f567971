"""One database, one connection, one thread.

Everything that touches the file runs, one after the other, in the thread this object owns. A read is a function of the
tables; a change is a function that runs inside `BEGIN IMMEDIATE`, so that what it checked is still true when it writes.
Changes that wait together share one durable commit (`synchronous=FULL`): each has a savepoint of its own, so that one
that fails takes nothing of the others with it. A future resolves only after its commit. Reads that wait together are
answered together: waking the loop for each would cost more than the reads do.

`sqlite3` errors become ours here and nowhere else.
"""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from bot.errors import ConflictError, StoreBusyError, StoreDamagedError, StoreError, StoreFullError, StoreNewerError
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
_SHARED_COMMIT = 256
"""At most this many changes in one commit."""
_IMPATIENCE = 25
"""By so much a change waits shorter for a file that the change before it has waited for in vain."""
_STEP_PAGES = 64
"""Pages of 4 KiB that a copy writes before others have their turn."""
_LOOKED_AT_CLOSELY = frozenset(("requests", "votes", "sendings", "cases", "nonces", "freezes", "beneficiaries"))
"""Tables whose indexes are compared with their rows at a start: a row that an index hides would not count for money."""
_SHARED_ANSWER = 32
"""At most this many reads before the first of them is answered."""


class _Kind(Enum):
    READ = "read"
    WRITE = "write"
    COPY = "copy"


@dataclass(slots=True)
class _Job:
    work: Callable[[Tables], Any]
    kind: _Kind
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"

    def finish(self, result: Any, error: BaseException | None) -> None:
        """In the asker's loop only."""
        if self.future.done():
            return
        if isinstance(error, StopIteration):
            error = RuntimeError("a database job ended with StopIteration")  # a future refuses that one
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


_Done = tuple[_Job, Any, BaseException | None]
"""A job with its result, or with what went wrong."""


def _hand_back(done: Iterable[_Done]) -> None:
    """Finish the jobs in the loops they came from, waking each loop once."""
    for loop, jobs in groupby(done, key=lambda each: each[0].loop):
        with contextlib.suppress(RuntimeError):  # the askers' loop has ended: nobody waits any more
            loop.call_soon_threadsafe(_finish_all, list(jobs))


def _finish_all(done: Iterable[_Done]) -> None:
    for job, result, error in done:
        job.finish(result, error)


class Database:
    """The file, open. `await Database.open(path)`; then `read` and `write`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="database", daemon=True)
        self._tables: Tables | None = None
        self._held: _Job | None = None
        self._mark, self._marked = -1, -1
        self._patience: int | None = None
        """What the busy timeout is again when nobody else holds the file any more."""
        self._closing = False
        self._copying = False

    @classmethod
    async def open(cls, path: Path) -> "Database":
        """Open or create the file, check it, and bring its schema up to date.

        Raises:
            StoreDamagedError: Not a database, empty, or fails its check. Nothing was changed.
            StoreNewerError: Written by a newer version of this program. Nothing was changed.
        """
        database = cls(path)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, database._prepare)
        database._thread.start()
        return database

    def read(self, question: Callable[[Tables], Result]) -> Awaitable[Result]:
        """Answer a question about committed state."""
        return self._submit(question, _Kind.READ)

    def write(self, change: Callable[[Tables], Result]) -> Awaitable[Result]:
        """Run `change` in a transaction of its own; the result comes once it is on disk. An error changes nothing."""
        return self._submit(change, _Kind.WRITE)

    @asynccontextmanager
    async def copied(self) -> AsyncIterator[Path]:
        """A whole copy in a file beside the database, for its owner only and for the length of the block.

        By SQLite's online backup, step by step; reads and changes go on in between, and are in the copy as well.

        Raises:
            ConflictError: There is one already.
            StoreError: It could not be made.
        """
        if self._copying:
            raise ConflictError("the database is being copied already")
        self._copying = True
        path = copy_of(self.path)
        try:
            await self._copy_to(path)
            yield path
        finally:
            path.unlink(missing_ok=True)
            self._copying = False

    async def _copy_to(self, path: Path) -> None:
        unwanted = threading.Event()
        copying = asyncio.ensure_future(self._submit(lambda tables: self._copy(tables, path, unwanted), _Kind.COPY))
        try:
            await asyncio.shield(copying)
        except asyncio.CancelledError:
            unwanted.set()
            await asyncio.wait({copying})
            copying.exception()  # that it was given up is no news
            raise

    async def close(self) -> None:
        """Finish what was asked, then close the file. A second call does nothing."""
        self._closing = True
        if self._thread.is_alive():
            self._jobs.put(None)
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _submit(self, work: Callable[[Tables], Result], kind: _Kind) -> "asyncio.Future[Result]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        if self._closing or not self._thread.is_alive():
            future.set_exception(StoreError("the database is closed"))
            return future
        self._jobs.put(_Job(work, kind, loop, future))
        return future

    def _prepare(self) -> None:
        try:
            copy_of(self.path).unlink(missing_ok=True)  # left by a process that was killed
            inspect(self.path)
            if not self.path.exists():
                _create(self.path)
            self._tables = _connected(self.path)
            self._mark = os.open(_mark_of(self.path), os.O_RDWR | os.O_CREAT, 0o600)
            self._note(self._tables)
        except sqlite3.Error as error:
            raise _translated(error) from None
        except OSError as error:
            raise StoreFullError(f"{self.path}: {error.strerror}") from None

    def _run(self) -> None:
        tables = self._tables
        if tables is None:
            raise StoreError("not prepared")
        while True:
            job = self._held or self._jobs.get()
            self._held = None
            if job is None:
                break
            self._do(tables, job)
        with contextlib.suppress(OSError):
            os.close(self._mark)
            _mark_of(self.path).unlink(missing_ok=True)
        tables.conn.close()

    def _note(self, tables: Tables) -> None:
        """How far it has come. Need not be on disk: of what a power cut takes from the file, SQLite's journal is."""
        with contextlib.suppress(OSError, sqlite3.Error):
            reached = _reached(tables)
            if reached != self._marked:
                os.pwrite(self._mark, b"%020d" % reached, 0)
                self._marked = reached

    def _do(self, tables: Tables, job: _Job) -> None:
        """One job, and its like that wait behind it."""
        if job.kind is _Kind.COPY:
            _hand_back([_answered(tables, job)])
        elif job.kind is _Kind.WRITE:
            _hand_back(self._committed(tables, self._waiting_with(job, _SHARED_COMMIT)))
        else:
            _hand_back([_answered(tables, each) for each in self._waiting_with(job, _SHARED_ANSWER)])

    def _copy(self, tables: Tables, path: Path, unwanted: threading.Event) -> None:
        """Runs in the thread like every job, and lets the others have their turn after each step.

        What they change goes into the copy as well: it is the same connection, so SQLite sees to that.
        """

        def between(_: int, __: int, ___: int) -> None:
            if unwanted.is_set() or self._closing:
                raise StoreError("the copy was given up")
            self._turn_between(tables)

        _touch_new(path)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous=OFF")  # a copy that was cut short is thrown away
            copy.execute("PRAGMA journal_mode=OFF")
            tables.conn.backup(copy, pages=_STEP_PAGES, progress=between)

    def _turn_between(self, tables: Tables) -> None:
        """At most one job and its like."""
        job, self._held = self._held, None
        if job is None:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
        if job is None:
            self._jobs.put(None)
        else:
            self._do(tables, job)

    def _waiting_with(self, first: _Job, limit: int) -> list[_Job]:
        """`first` and its like right behind it in the queue; what ends the run is held for the next turn."""
        batch = [first]
        while len(batch) < limit:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None or job.kind is not first.kind:
                if job is None:
                    self._jobs.put(None)
                else:
                    self._held = job
                break
            batch.append(job)
        return batch

    def _committed(self, tables: Tables, batch: list[_Job]) -> list[_Done]:
        results: list[_Done] = []
        connection = tables.conn
        try:
            self._begin(connection)
            if len(batch) == 1:
                results.append((batch[0], batch[0].work(tables), None))
            else:
                results.extend(self._in_savepoint(tables, job) for job in batch)
            connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001  # every asker of this commit gets it
            if connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):  # the next BEGIN says so again; this thread must live
                    connection.execute("ROLLBACK")
            return [(job, None, _reason_of(error)) for job in batch]  # an error of its own for each
        self._note(tables)
        return results

    def _begin(self, connection: sqlite3.Connection) -> None:
        """For as long as another program holds the file, only the first who meets it waits for it with all patience:
        reads, and other changes, wait behind whoever waits (R43)."""
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if self._patience is None and error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                (self._patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
                connection.execute(f"PRAGMA busy_timeout={(self._patience or 0) // _IMPATIENCE}")
            raise
        if self._patience is not None:
            connection.execute(f"PRAGMA busy_timeout={self._patience}")
            self._patience = None

    def _in_savepoint(self, tables: Tables, job: _Job) -> _Done:
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


def _reason_of(error: BaseException) -> BaseException:
    return _translated(error) if isinstance(error, sqlite3.Error) else error


def _answered(tables: Tables, job: _Job) -> _Done:
    try:
        return job, job.work(tables), None
    except sqlite3.Error as error:
        return job, None, _translated(error)
    except BaseException as error:  # noqa: BLE001  # belongs to the asker, who gets it
        return job, None, error


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


def _mark_of(path: Path) -> Path:
    """A file that says which row of the audit log was committed last, as long as somebody has the database open.

    It stays behind one who was killed. The latest rows are in SQLite's journal alone then, and SQLite takes a file
    without its journal for whole: what was sent would look as if it had not been.
    """
    return path.with_name(f"{path.name}-open")


def _noted(path: Path) -> int | None:
    """The number in the mark; None when there is no mark."""
    try:
        return int(_mark_of(path).read_bytes() or b"0")
    except FileNotFoundError:
        return None
    except ValueError:
        return 0


def _reached(tables: Tables) -> int:
    """The last row of the audit log; each change that matters has one."""
    row = tables.conn.execute(
        "SELECT seq FROM audit WHERE typeof(seq) = 'integer' ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return 0 if row is None else int(row[0])


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
        _sync(making)
        making.rename(kept)
        _sync(kept.parent)
    except sqlite3.Error as error:
        raise _translated(error) from None
    except OSError as error:
        raise StoreFullError(f"{kept}: {error.strerror}") from None
    finally:
        making.unlink(missing_ok=True)


def _sync(path: Path) -> None:
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


def _create(path: Path) -> None:
    """Make a new database under another name and move it here when it is whole: an empty file is never one of ours."""
    making = path.with_name(f"{path.name}.new")
    for name in (making.name, f"{making.name}-wal", f"{making.name}-shm"):
        making.with_name(name).unlink(missing_ok=True)
    making.touch(mode=0o600)
    _connected(making).conn.close()
    making.replace(path)
    _sync(path.parent)


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
        raise _translated(error) from None
    finally:
        connection.close()


def fold(path: Path) -> None:
    """Let a database that nobody has open be one file, so that moving it is one step. A damaged one stays as it is."""
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def inspect(path: Path) -> None:
    """Refuse a damaged or newer file, before anything is written to it (R44). No file yet is fine."""

    def look(tables: Tables) -> tuple[str, set[str], int]:
        verdict = tables.conn.execute("PRAGMA quick_check(1)").fetchone()[0]
        for table in _LOOKED_AT_CLOSELY.intersection(tables.table_names()) if verdict == "ok" else ():
            verdict = tables.conn.execute(f"PRAGMA integrity_check({table})").fetchone()[0]
            if verdict != "ok":
                break
        return verdict, _applied(tables), _reached(tables) if "audit" in tables.table_names() else 0

    noted, found = _noted(path), peek(path, look)
    if found is None:
        if noted is not None:
            raise StoreDamagedError(f"{path.name} is gone, and was in use: put it back")
        return
    verdict, applied, reached = found
    if verdict != "ok":
        raise StoreDamagedError("its own check fails")
    newer = applied - known_names()
    if newer:
        raise StoreNewerError(sorted(newer))
    if noted is not None and reached < noted:
        raise StoreDamagedError(
            f"its audit log ends with row {reached}, and row {noted} was written: what came last lay in "
            f"{path.name}-wal, so put that back"
        )


def _applied(tables: Tables) -> set[str]:
    if "_sqlite_migrations" not in tables.table_names():
        return set()
    return {name for (name,) in tables.conn.execute("SELECT name FROM _sqlite_migrations")}


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

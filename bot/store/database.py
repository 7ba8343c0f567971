"""One database, one connection, one thread.

Everything that touches the file runs, one after the other, in the thread this object owns. A read is a function of the
tables; a change is a function that runs inside `BEGIN IMMEDIATE`, so that what it checked is still true when it writes.
Changes that wait together share one durable commit (`synchronous=FULL`): each has a savepoint of its own, so that one
that fails takes nothing of the others with it. A future resolves only after its commit. Reads that wait together are
answered together: waking the loop for each would cost more than the reads do.

The file itself is made, looked at and opened in `file.py`; how far it has come is marked beside it by `mark.py`.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from bot.errors import ConflictError, StoreError, StoreFullError
from bot.store.file import blank, copy_of, opened, stretch_journal
from bot.store.jobs import Done, Job, Kind, answered, hand_back
from bot.store.mark import Mark
from bot.store.refusals import reason_of, translated
from bot.store.tables import Tables

Result = TypeVar("Result")
_SHARED_COMMIT = 256
"""At most this many changes in one commit."""
_IMPATIENCE = 25
"""By so much a change waits shorter for a file that the change before it has waited for in vain."""
_STEP_PAGES = 64
"""Pages of 4 KiB that a copy writes before others have their turn."""
_SHARED_ANSWER = 32
"""At most this many reads before the first of them is answered."""


class Database:
    """The file, open. `await Database.open(path)`; then `read` and `write`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="database", daemon=True)
        self._tables: Tables | None = None
        self._held: Job | None = None
        self._mark = Mark(path)
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
        return self._submit(question, Kind.READ)

    def write(self, change: Callable[[Tables], Result]) -> Awaitable[Result]:
        """Run `change` in a transaction of its own; the result comes once it is on disk. An error changes nothing."""
        return self._submit(change, Kind.WRITE)

    def stretch_journal(self) -> Awaitable[None]:
        """Let the journal be as long as it will become anyway: a commit that need not grow the file is on disk sooner.

        Takes milliseconds and a few MB, or less: where there is no room for it, or somebody else holds the file.
        """
        return self._submit(stretch_journal, Kind.READ)

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
        copying = asyncio.ensure_future(self._submit(lambda tables: self._copy(tables, path, unwanted), Kind.COPY))
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

    def _submit(self, work: Callable[[Tables], Result], kind: Kind) -> "asyncio.Future[Result]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        if self._closing or not self._thread.is_alive():
            future.set_exception(StoreError("the database is closed"))
            return future
        self._jobs.put(Job(work, kind, loop, future))
        return future

    def _prepare(self) -> None:
        try:
            self._tables = opened(self.path)
            self._mark.open()
            self._mark.note(self._tables)
        except sqlite3.Error as error:
            raise translated(error) from None
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
        self._mark.remove()
        tables.conn.close()

    def _do(self, tables: Tables, job: Job) -> None:
        """One job, and its like that wait behind it."""
        if job.kind is Kind.COPY:
            hand_back([answered(tables, job)])
        elif job.kind is Kind.WRITE:
            hand_back(self._committed(tables, self._waiting_with(job, _SHARED_COMMIT)))
        else:
            hand_back([answered(tables, each) for each in self._waiting_with(job, _SHARED_ANSWER)])

    def _copy(self, tables: Tables, path: Path, unwanted: threading.Event) -> None:
        """Runs in the thread like every job, and lets the others have their turn after each step.

        What they change goes into the copy as well: it is the same connection, so SQLite sees to that.
        """

        def between(_: int, __: int, ___: int) -> None:
            if unwanted.is_set() or self._closing:
                raise StoreError("the copy was given up")
            self._turn_between(tables)

        with blank(path) as copy:
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

    def _waiting_with(self, first: Job, limit: int) -> list[Job]:
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

    def _committed(self, tables: Tables, batch: list[Job]) -> list[Done]:
        results: list[Done] = []
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
            return [(job, None, reason_of(error)) for job in batch]  # an error of its own for each
        self._mark.note(tables)
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

    def _in_savepoint(self, tables: Tables, job: Job) -> Done:
        tables.conn.execute("SAVEPOINT one")
        try:
            result = job.work(tables)
        except sqlite3.Error as error:
            if not tables.conn.in_transaction:
                raise  # the error took the whole transaction with it
            tables.conn.execute("ROLLBACK TO one")
            tables.conn.execute("RELEASE one")
            return job, None, translated(error)
        except BaseException as error:  # noqa: BLE001  # belongs to the asker, who gets it
            tables.conn.execute("ROLLBACK TO one")
            tables.conn.execute("RELEASE one")
            return job, None, error
        tables.conn.execute("RELEASE one")
        return job, result, None

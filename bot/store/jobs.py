"""What is asked of the database's thread, and how the answer comes back to the loop that asked."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from typing import Any

from bot.store.refusals import translated
from bot.store.tables import Tables


class Kind(Enum):
    READ = "read"
    WRITE = "write"
    COPY = "copy"


@dataclass(slots=True)
class Job:
    """One question or change, and who waits for it."""

    work: Callable[[Tables], Any]
    kind: Kind
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


Done = tuple[Job, Any, BaseException | None]
"""A job with its result, or with what went wrong."""


def hand_back(done: Iterable[Done]) -> None:
    """Finish the jobs in the loops they came from, waking each loop once."""
    for loop, jobs in groupby(done, key=lambda each: each[0].loop):
        with contextlib.suppress(RuntimeError):  # the askers' loop has ended: nobody waits any more
            loop.call_soon_threadsafe(_finish_all, list(jobs))


def _finish_all(done: Iterable[Done]) -> None:
    for job, result, error in done:
        job.finish(result, error)


def answered(tables: Tables, job: Job) -> Done:
    """The job done outside any transaction."""
    try:
        return job, job.work(tables), None
    except sqlite3.Error as error:
        return job, None, translated(error)
    except BaseException as error:  # noqa: BLE001  # belongs to the asker, who gets it
        return job, None, error

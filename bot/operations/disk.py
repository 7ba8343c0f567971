"""Room on the disk: with too little of it no money is asked for any more (SAFETY R42).

What has been asked for goes on to its end, and needs room for that. Admins hear of it once, and when it is over.
"""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bot.access.model import Role
from bot.access.records import people_in
from bot.errors import DiskShortError
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.ports import Deed, Recorder
from bot.store import Database, Tables

LEAST_BYTES = 200_000_000
LEAST_PERCENT = 5
MOST_WANTED_BYTES = 5_000_000_000
"""Five in a hundred of a large disk are more than this desk writes in years: nobody needs to be stopped for that."""
_ROW = "disk_short"


class Usage(Protocol):
    """What `shutil.disk_usage` answers."""

    @property
    def total(self) -> int: ...

    @property
    def free(self) -> int: ...


class Disk:
    """Looks at the disk that the data directory lies on."""

    def __init__(self, database: Database, audit: Recorder, outbox: Outbox) -> None:
        self._database = database
        self._audit = audit
        self._outbox = outbox
        self.usage: Callable[[Path], Usage] = shutil.disk_usage

    def check(self) -> None:
        """`DiskShortError` when there is too little room. What cannot be measured is left to the database to find."""
        with contextlib.suppress(OSError):
            found = self.usage(self._database.path.parent)
            wanted = max(LEAST_BYTES, min(found.total * LEAST_PERCENT // 100, MOST_WANTED_BYTES))
            if found.free < wanted:
                raise DiskShortError(found.free, wanted)

    async def watch(self) -> None:
        """Tell every admin that it has begun or ended, once. Late, `check` refuses all the same."""
        short: DiskShortError | None = None
        try:
            self.check()
        except DiskShortError as error:
            short = error
        if (short is not None) is not await self._database.read(_is_known):
            await self._database.write(lambda tables: self._turned(tables, short))

    def _turned(self, tables: Tables, short: DiskShortError | None) -> None:
        if short is None:
            tables.conn.execute("DELETE FROM meta WHERE key = ?", (_ROW,))
            self._audit.record(tables, Deed("disk.enough", "desk"))
            self._tell(tables, "There is room on the disk again", "Money can be asked for again.")
            return
        tables.conn.execute("INSERT OR REPLACE INTO meta VALUES (?, 'yes')", (_ROW,))
        free = {"free": str(short.free_bytes)}
        self._audit.record(tables, Deed("disk.short", "desk", details=free))
        line = (
            f"{short.free_bytes // 1_000_000:,} MB are free, and {short.wanted_bytes // 1_000_000:,} MB should be. "
            "No money can be asked for until there is room; what was asked for before goes on."
        )
        self._tell(tables, "The disk is nearly full", line)

    def _tell(self, tables: Tables, title: str, line: str) -> None:
        for person in people_in(tables):
            for number in person.telegram_ids if Role.ADMIN in person.roles else ():
                self._outbox.put(tables, Notice(Lane.SECURITY, number, title, (line,)))


def _is_known(tables: Tables) -> bool:
    return tables.conn.execute("SELECT 1 FROM meta WHERE key = ?", (_ROW,)).fetchone() is not None

"""A backup each day, made while the desk works.

A day's backup carries the day's name, so it is made once, whatever happens on the way: what was missed while the bot
was away is made up by the latest day's. One that could not be made is tried again, and told to the admins once for
that day.
"""

import asyncio
import logging
import re
from datetime import datetime, timedelta
from pathlib import Path

from bot.access.model import Role
from bot.access.records import people_in
from bot.clock import Clock
from bot.config import BackupConfig
from bot.errors import CountersignError
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.backups import Backups
from bot.operations.schedules import slots
from bot.store import Database, Tables

_log = logging.getLogger(__name__)
_OURS = re.compile(r"countersign-[0-9]{4}-[0-9]{2}-[0-9]{2}\.backup", re.ASCII)
_MADE = "backed_up_for"
"""The row of `meta` with the last day that has one."""


class Nightly:
    """Sees to it that there is one."""

    def __init__(
        self,
        database: Database,
        backups: Backups,
        outbox: Outbox,
        clock: Clock,
        *,
        zone: str,
        config: BackupConfig,
    ) -> None:
        self._database = database
        self._backups = backups
        self._outbox = outbox
        self._clock = clock
        self._zone = zone
        self._config = config

    async def make_when_due(self) -> bool:
        """The latest day's, unless it is there; answers whether one was made. Work for the clock."""
        day = f"{self._latest():%Y-%m-%d}"
        last = await self._database.read(_last)
        if last == day:
            return False
        if last is None and self._latest() < slots.local(self._clock.now(), self._zone) - timedelta(hours=1):
            await self._database.write(lambda tables: _note(tables, day))  # a desk that has just begun need not hurry
            return False
        path = self._config.folder / f"countersign-{day}.backup"
        try:
            if not path.exists():  # otherwise it was made, and the program ended before that was written down
                await self._backups.make(path)
        except CountersignError as error:
            why = str(error)
            _log.warning("backup not made", extra={"error": why})
            await self._database.write(lambda tables: self._tell(tables, day, why))
            return False
        await self._database.write(lambda tables: _note(tables, day))
        await asyncio.to_thread(self._forget)
        return True

    def _latest(self) -> datetime:
        """The last time of day that has come."""
        now = self._clock.now()
        today = slots.local(now, self._zone).replace(
            hour=self._config.hour, minute=self._config.minute, second=0, microsecond=0
        )
        return today if slots.instant(today, self._zone) <= now else today - timedelta(days=1)

    def _forget(self) -> None:
        """The oldest of those with our names, as many as are too many."""
        for path in self._too_many():
            path.unlink(missing_ok=True)

    def _too_many(self) -> list[Path]:
        ours = sorted(path for path in self._config.folder.iterdir() if _OURS.fullmatch(path.name))
        return ours[: -self._config.keep]

    def _tell(self, tables: Tables, day: str, why: str) -> None:
        lines = (f"The backup of {day} could not be made: {why}.", "It is tried again every few minutes.")
        for admin in people_in(tables):
            for number in sorted(admin.telegram_ids) if Role.ADMIN in admin.roles else ():
                notice = Notice(Lane.SECURITY, number, "No backup", lines, f"backup/{day}/{number}")
                self._outbox.put(tables, notice)


def _last(tables: Tables) -> str | None:
    row = tables.conn.execute("SELECT value FROM meta WHERE key = ?", (_MADE,)).fetchone()
    return None if row is None else str(row[0])


def _note(tables: Tables, day: str) -> None:
    tables.conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_MADE, day))

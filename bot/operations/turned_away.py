"""Strangers in the audit log: a sample of them, so that a flood of them is seen and costs nothing that lasts (R22).

Of each Telegram id the first five updates of an hour are rows, and of everybody together no more than sixty. Nothing
waits for it: whoever is turned away is turned away at once, and the rows follow in a commit of their own, or in one
with whatever else is being written.
"""

import asyncio
import logging
from collections import Counter
from datetime import datetime

from bot.clock import Clock
from bot.ports import Deed, Recorder
from bot.store import Database, Tables
from bot.store.columns import at, moment

OF_ONE_AN_HOUR = 5
OF_ALL_AN_HOUR = 60
STRANGER = "stranger"
"""The object of these rows; which stranger it was, is the row's Telegram id."""
_HOUR_MILLIS = 3_600_000
_log = logging.getLogger(__name__)


class TurnedAway:
    """Notes strangers, and writes some of them down."""

    def __init__(self, database: Database, audit: Recorder, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._hour = 0
        self._noted: Counter[int] = Counter()
        """Of this hour, by Telegram id; no more in all than can become rows."""
        self._unwritten: list[Deed] = []

    def note(self, telegram_id: int, what: str) -> None:
        """An update of theirs was dropped; `what` it was, such as a message. Asks no disk."""
        hour = at(self._clock.now()) // _HOUR_MILLIS
        if hour != self._hour:
            self._hour = hour
            self._noted.clear()
        if self._noted.total() >= OF_ALL_AN_HOUR or self._noted[telegram_id] >= OF_ONE_AN_HOUR:
            return
        self._noted[telegram_id] += 1
        deed = Deed("stranger.turned_away", STRANGER, telegram_id=telegram_id, details={"what": what})
        self._unwritten.append(deed)

    def write(self) -> None:
        """Let what was noted become rows. Nobody waits for that; a database that refuses costs the sample."""
        if not self._unwritten:
            return
        deeds, self._unwritten = self._unwritten, []
        writing = asyncio.ensure_future(self._database.write(lambda tables: self._record(tables, deeds)))
        writing.add_done_callback(_told)

    def _record(self, tables: Tables, deeds: list[Deed]) -> None:
        """As many as the hour has room for, rows of an earlier run counted."""
        began = moment(at(self._clock.now()) // _HOUR_MILLIS * _HOUR_MILLIS)
        there = _there(tables, began)
        for deed in deeds:
            if there.total() >= OF_ALL_AN_HOUR or there[deed.telegram_id] >= OF_ONE_AN_HOUR:
                continue
            there[deed.telegram_id] += 1
            self._audit.record(tables, deed)


def _there(tables: Tables, since: datetime) -> Counter[int | None]:
    return Counter(
        dict(
            tables.conn.execute(
                "SELECT telegram_id, count(*) FROM audit WHERE object = ? AND at >= ? GROUP BY telegram_id",
                (STRANGER, at(since)),
            ).fetchall()
        )
    )


def _told(writing: "asyncio.Future[None]") -> None:
    if not writing.cancelled() and (error := writing.exception()) is not None:
        _log.warning("strangers not written down", extra={"error": type(error).__name__})

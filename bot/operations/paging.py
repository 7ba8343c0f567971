"""The second channel: when Telegram cannot say it, or somebody must hear it even when their phone is off (SAFETY R15).

Paged are: Telegram silent for more than some minutes, and its coming back; a token that is refused; every freeze and
alarm, which an audit log that does not fit its anchors is one of; a database that fails its check. What happened is
read from where it is written anyhow, so that a page is not forgotten because the program ended before it. It is a row
for each way, sent until that way takes it or a day has passed. A person's own words are left out of it.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.access.model import Person, Right
from bot.access.service import check_right
from bot.clock import Clock
from bot.errors import ConflictError, StoreError
from bot.messages.second_channel import Way
from bot.operations.freezing import called
from bot.operations.pulse import Pulse
from bot.store import Database, Tables
from bot.store.columns import at, moment

_log = logging.getLogger(__name__)
_SEEN = "paged_upto"
"""The row of `meta` with the last row of the audit log that was looked at."""
_MAX_AGE = timedelta(days=1)
_LONGEST_PAUSE = timedelta(minutes=30)
_AT_ONCE_SECONDS = 10.0
Page = tuple[str, str, str]
"""What makes it one and the same, its subject, its text."""


class Paging:
    """Notices what must be heard, and tells it by every way there is."""

    def __init__(
        self, database: Database, ways: Mapping[str, Way], pulse: Pulse, clock: Clock, *, desk: str, patience: timedelta
    ) -> None:
        self._database = database
        self._ways = ways
        self._pulse = pulse
        self._clock = clock
        self._desk = desk
        self._patience = patience
        self._silent_since: datetime | None = None
        """The silence that was paged last."""

    async def look(self) -> None:
        """Write down what is to be told, and try to tell what is left. Work for the clock; nothing without a way."""
        if not self._ways:
            return
        seen = [*self._of_telegram(), *self._of_database()]

        def change(tables: Tables) -> None:
            for page in (*seen, *_from_log(tables)):
                self._put(tables, page)

        await self._database.write(change)
        await self._send()

    async def at_once(self, key: str, subject: str, text: str) -> None:
        """Tell it before the program goes on, or ends; what is not taken within seconds is left for the next run."""
        if not self._ways:
            return
        await self._database.write(lambda tables: self._put(tables, (key, subject, text)))
        try:
            async with asyncio.timeout(_AT_ONCE_SECONDS):
                await self._send()
        except TimeoutError:
            _log.warning("second channel too slow")

    async def trial(self, by: Person) -> dict[str, str]:
        """Say by each way that this is one; what went wrong with it, or nothing, by way.

        Raises:
            NotAllowedError: They are not to try it (any more).
            ConflictError: There is no second channel.
        """
        if not self._ways:
            raise ConflictError("this desk has no second channel; [second_channel] in the configuration makes one")
        key = f"trial/{at(self._clock.now())}"
        text = f"{by.name} tries whether you are reached without Telegram. Nothing is wrong."

        def change(tables: Tables) -> None:
            check_right(tables, by, Right.POLICY)
            self._put(tables, (key, "A trial", text))

        await self._database.write(change)
        await self._send()
        rows = await self._database.read(
            lambda tables: tables.conn.execute("SELECT way, trouble FROM pages WHERE dedupe = ?", (key,)).fetchall()
        )
        await self._database.write(
            lambda tables: tables.conn.execute(
                "UPDATE pages SET ended_at = created_at WHERE dedupe = ? AND ended_at IS NULL", (key,)
            )
        )
        return dict(rows)

    def _of_telegram(self) -> Sequence[Page]:
        since, now = self._pulse.silent_since, self._clock.now()
        before = self._silent_since
        if since is not None and now - since >= self._patience and since != before:
            self._silent_since = since
            text = (
                f"Since {_hour(since)} Telegram has not answered. What is to be told waits and will be sent when it "
                "answers again; approvals cannot be given meanwhile."
            )
            return [(f"telegram/silent/{at(since)}", "Telegram cannot be reached", text)]
        if since is None and before is not None:
            self._silent_since = None
            text = f"It had been silent since {_hour(before)}. What has waited is being sent."
            return [(f"telegram/answers/{at(before)}", "Telegram answers again", text)]
        return []

    def _of_database(self) -> Sequence[Page]:
        if self._pulse.database == "ok":
            return []
        text = "SQLite's own check of the database found damage. Stop the bot, keep the file, and restore a backup."
        return [(f"database/{self._clock.now():%Y-%m-%d}", "The database is damaged", text)]

    def _put(self, tables: Tables, page: Page) -> None:
        key, subject, text = page
        now = at(self._clock.now())
        for way in self._ways:
            tables.conn.execute(
                "INSERT OR IGNORE INTO pages (dedupe, way, subject, body, created_at, not_before)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (key, way, f"{self._desk}: {subject}", text, now, now),
            )

    async def _send(self) -> None:
        """Each way by itself: one that hangs does not hold up the others."""
        now = at(self._clock.now())
        rows = await self._database.read(
            lambda tables: tables.conn.execute(
                "SELECT id, way, subject, body, tries, created_at FROM pages"
                " WHERE ended_at IS NULL AND not_before <= ? ORDER BY id",
                (now,),
            ).fetchall()
        )
        await asyncio.gather(*(self._by(way, [row for row in rows if row[1] == way]) for way in self._ways))

    async def _by(self, way: str, rows: Sequence[tuple[int, str, str, str, int, int]]) -> None:
        for number, _, subject, text, tries, created_at in rows:
            trouble = ""
            try:
                await self._ways[way](subject, text)
            except (OSError, ValueError) as error:  # what a library finds unfit to be sent is a ValueError
                trouble = str(error) if type(error) is OSError else type(error).__name__
                _log.warning("second channel failed", extra={"way": way, "error": trouble})
            else:
                _log.info("paged", extra={"way": way, "page": number})
            await self._note(number, tries, moment(created_at), trouble)
            if trouble:
                return

    async def _note(self, number: int, tries: int, created_at: datetime, trouble: str) -> None:
        now = self._clock.now()
        ended = at(now) if not trouble or now - created_at > _MAX_AGE else None
        later = now + min(timedelta(seconds=30 * 2.0 ** min(tries, 10)), _LONGEST_PAUSE)
        try:
            await self._database.write(
                lambda tables: tables.conn.execute(
                    "UPDATE pages SET tries = tries + 1, trouble = ?, ended_at = ?, not_before = ? WHERE id = ?",
                    (trouble, ended, at(later), number),
                )
            )
        except StoreError as error:  # told twice rather than never
            _log.warning("page not marked", extra={"error": type(error).__name__})


def troubles_in(tables: Tables) -> dict[str, str]:
    """The ways that did not take what they were given last, and why."""
    rows = tables.conn.execute(
        "SELECT way, trouble FROM pages WHERE ended_at IS NULL AND trouble != '' ORDER BY id"
    ).fetchall()
    return dict(rows)


def _from_log(tables: Tables) -> Sequence[Page]:
    """Freezes and alarms since the last look; whoever begins to use this is not told of what was before."""
    row = tables.conn.execute("SELECT value FROM meta WHERE key = ?", (_SEEN,)).fetchone()
    (last,) = tables.conn.execute("SELECT coalesce(max(seq), 0) FROM audit").fetchone()
    if row is None or int(row[0]) != last:
        tables.conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_SEEN, str(last)))
    if row is None:
        return []
    rows = tables.conn.execute(
        "SELECT seq, at, action, object, details, name FROM audit LEFT JOIN persons ON persons.id = audit.person_id"
        " WHERE seq > ? AND seq <= ? AND action IN ('freeze.begun', 'freeze.alarmed') ORDER BY seq",
        (int(row[0]), last),
    ).fetchall()
    return [_of_freeze(*found) for found in rows]


def _of_freeze(seq: int, when: int, action: str, scope: str, details: str, name: str | None) -> Page:
    which = called(scope.removeprefix("freeze/"))
    who = f"{name} froze it" if name else f"This program raised the alarm: {json.loads(details).get('reason', '')}"
    subject = f"Frozen: {which}" if action == "freeze.begun" else f"Alarm: {which}"
    text = f"At {_hour(moment(when))}. {who}. No money leaves there; /status in Telegram shows it."
    return f"freeze/{seq}", subject, text


def _hour(moment_: datetime) -> str:
    return f"{moment_:%Y-%m-%d %H:%M} UTC"

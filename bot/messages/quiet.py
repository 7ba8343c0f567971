"""When a person is not to be disturbed.

Nothing is held back for that: what comes then comes without a sound. Decisions and security are never silent; of what
else there is, a person may want none to be heard in certain hours, and at most so many in any hour.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.clock import Clock
from bot.messages.notice import Lane
from bot.ports import Deed, Recorder
from bot.store import Database, Tables
from bot.store.columns import at

_AN_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """What one person wants. Minutes of the day in their zone; the end may lie on the next day."""

    zone: str
    from_minute: int | None = None
    until_minute: int | None = None
    hourly: int | None = None
    """The most that may be heard in an hour; None: as many as there are."""

    def covers(self, now: datetime) -> bool:
        """Whether it is quiet then."""
        if self.from_minute is None or self.until_minute is None:
            return False
        local = now.astimezone(ZoneInfo(self.zone))
        minute = local.hour * 60 + local.minute
        if self.from_minute <= self.until_minute:
            return self.from_minute <= minute < self.until_minute
        return minute >= self.from_minute or minute < self.until_minute


class Quiet:
    """Keeps what people want, and says what may be heard."""

    def __init__(self, database: Database, audit: Recorder, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    async def of(self, person_id: int) -> QuietHours | None:
        """What that person wants; None where nothing was said."""
        return await self._database.read(lambda tables: _of(tables, person_id))

    async def want(self, person_id: int, wanted: QuietHours | None, *, telegram_id: int) -> None:
        """From now on. None: everything is heard."""

        def change(tables: Tables) -> None:
            if _of(tables, person_id) == wanted:
                return
            tables.conn.execute("DELETE FROM quiet_hours WHERE person_id = ?", (person_id,))
            details: dict[str, str | int] = {}
            if wanted is not None:
                tables.conn.execute(
                    "INSERT INTO quiet_hours VALUES (?, ?, ?, ?, ?)",
                    (person_id, wanted.from_minute, wanted.until_minute, wanted.zone, wanted.hourly),
                )
                known = {"from": wanted.from_minute, "until": wanted.until_minute, "hourly": wanted.hourly}
                details = {"zone": wanted.zone} | {key: value for key, value in known.items() if value is not None}
            self._audit.record(tables, Deed("quiet.changed", f"person/{person_id}", person_id, telegram_id, details))

        await self._database.write(change)

    async def may_ring(self, chat_id: int, lane: Lane) -> bool:
        """Whether a message of that lane is heard in that chat now. A group is nobody's: there it always is."""
        if lane <= Lane.SECURITY or chat_id < 0:
            return True
        now = self._clock.now()

        def look(tables: Tables) -> bool:
            row = tables.conn.execute("SELECT person_id FROM telegram_ids WHERE telegram_id = ?", (chat_id,)).fetchone()
            wanted = _of(tables, row[0]) if row is not None else None
            if wanted is None:
                return True
            if wanted.covers(now):
                return False
            return wanted.hourly is None or _heard(tables, row[0], at(now - _AN_HOUR)) < wanted.hourly

        return await self._database.read(look)


def _of(tables: Tables, person_id: int) -> QuietHours | None:
    row = tables.conn.execute(
        "SELECT zone, from_minute, until_minute, hourly FROM quiet_hours WHERE person_id = ?", (person_id,)
    ).fetchone()
    return None if row is None else QuietHours(*row)


def _heard(tables: Tables, person_id: int, since: int) -> int:
    """What a person heard since then, in all their chats; what is never silent does not count."""
    (count,) = tables.conn.execute(
        "SELECT count(*) FROM outbox WHERE rang_at > ?"
        " AND chat_id IN (SELECT telegram_id FROM telegram_ids WHERE person_id = ?)",
        (since, person_id),
    ).fetchone()
    return int(count)

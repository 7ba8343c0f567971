"""What could not be delivered: looked at, and sent again when somebody says so (SAFETY R14)."""

from dataclasses import dataclass
from datetime import datetime

from bot.clock import Clock
from bot.errors import ConflictError, NotFoundError
from bot.messages.notice import Notice, noted
from bot.ports import Deed, Recorder
from bot.store import Database, Tables
from bot.store.columns import at, moment

_REPLAY = """
UPDATE outbox SET state = 'waiting', tries = 0, trouble = NULL, not_before = ?1, created_at = ?1, burst = NULL
WHERE state = 'dead' AND (?2 IS NULL OR id = ?2) AND chat_id NOT IN
    (SELECT telegram_id FROM telegram_ids JOIN persons ON persons.id = person_id WHERE persons.state = 'suspended')
"""


@dataclass(frozen=True, slots=True)
class Dead:
    """A notice that nobody got."""

    id: int
    notice: Notice
    tries: int
    trouble: str
    since: datetime


class Undelivered:
    """The rows that were given up."""

    def __init__(self, database: Database, audit: Recorder, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    async def newest(self, most: int) -> tuple[list[Dead], int]:
        """The newest of them, and how many there are."""

        def look(tables: Tables) -> tuple[list[Dead], int]:
            rows = tables.conn.execute(
                "SELECT id, lane, chat_id, CAST(body AS BLOB), tries, coalesce(trouble, ''), created_at FROM outbox"
                " WHERE state = 'dead' ORDER BY id DESC LIMIT ?",
                (most,),
            ).fetchall()
            (count,) = tables.conn.execute("SELECT count(*) FROM outbox WHERE state = 'dead'").fetchone()
            dead = [
                Dead(number, noted(lane, chat_id, body), tries, trouble, moment(created_at))
                for number, lane, chat_id, body, tries, trouble, created_at in rows
            ]
            return dead, int(count)

        return await self._database.read(look)

    async def replay(self, person_id: int, number: int | None = None, *, telegram_id: int) -> int:
        """Let one of them, or all, wait again as if they were new; answers how many.

        What was for somebody who is suspended stays where it is.

        Raises:
            NotFoundError: There is none of that number any more.
            ConflictError: It was for somebody who is suspended.
        """
        now = at(self._clock.now())

        def change(tables: Tables) -> int:
            count = tables.conn.execute(_REPLAY, (now, number)).rowcount
            if number is not None and not count:
                if tables.conn.execute("SELECT 1 FROM outbox WHERE id = ? AND state = 'dead'", (number,)).fetchone():
                    raise ConflictError("it was for somebody who is suspended")
                raise NotFoundError("undelivered message", str(number))
            if count:
                details: dict[str, str | int] = {"count": count}
                if number is not None:
                    details["number"] = number
                self._audit.record(tables, Deed("undelivered.replayed", "outbox", person_id, telegram_id, details))
            return count

        return await self._database.write(change)

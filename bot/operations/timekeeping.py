"""Whether this machine's clock can be believed (SAFETY R33).

Expiries, codes and approvals hang on the wall clock, and whoever may set it could revive old ones. A jump of more than
five seconds is logged; after more than a minute in all, whatever asks here is refused until an admin has said that the
clock is right now. The doubt is a row: a restart does not end it.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.access.model import Person, Right, Role
from bot.access.records import people_in
from bot.access.service import check_right
from bot.clock import DOUBTFUL_SECONDS, Clock, Divergence
from bot.errors import ClockDoubtedError, ConflictError
from bot.ids import short_id
from bot.messages.cards import Cards
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.ports import Deed, Recorder
from bot.store import Database, Tables
from bot.store.columns import at, moment, packed

CARD = "clock"
IT_IS_RIGHT = 1
"""The choice on a notice's card."""
_BUTTONS = ((("The clock is right now", IT_IS_RIGHT),),)
_ROW = "clock_doubted"
_CARD_LIFE = timedelta(days=2)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A jump nobody has answered for. `seconds` is by how much; negative for backwards."""

    id: str
    seconds: int
    since: datetime

    @property
    def details(self) -> dict[str, str | int]:
        """For the audit log."""
        return {"doubt": self.id, "seconds": self.seconds}


class Timekeeping:
    """Looks from one clock to the other."""

    def __init__(self, database: Database, audit: Recorder, outbox: Outbox, cards: Cards, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._outbox = outbox
        self._cards = cards
        self._clock = clock
        self._divergence = Divergence.begun(clock)
        self._doubted_at: float | None = None

    async def start(self) -> None:
        """Time that has gone back since the last thing that was written down is doubted too."""
        now = self._clock.now()
        last = await self._database.read(_last_deed)
        back = (last - at(now)) / 1000
        if back > DOUBTFUL_SECONDS:
            _log.warning("the clock has gone back since the last run", extra={"seconds": round(back)})
            await self._database.write(lambda tables: self._doubting(tables, -back, now))

    async def watch(self) -> None:
        """Look, and tell the admins when there is something to doubt. Work for the clock."""
        self._look()
        if self._divergence.is_doubtful:
            await self._database.write(self.looking())

    async def doubt(self) -> Doubt | None:
        """What no admin has answered for yet."""
        return await self._database.read(doubt_in)

    def looking(self) -> Callable[[Tables], ClockDoubtedError | None]:
        """Look at the clocks; a change that answers why not, and tells the admins, or None when they can be believed.

        Answered, not raised: what it wrote down is to be kept.
        """
        divergence, now = self._look(), self._clock.now()

        def change(tables: Tables) -> ClockDoubtedError | None:
            doubt = doubt_in(tables)
            if doubt is None and divergence.is_doubtful:
                self._doubted_at = divergence.now
                self._doubting(tables, divergence.jump, now)
            elif doubt is not None:
                self._tell(tables, doubt, now)
            else:
                return None
            return ClockDoubtedError()

        return change

    async def acknowledge(self, by: Person, doubt_id: str, *, telegram_id: int) -> datetime:
        """An admin says that the clock is right now. Answers the time they said it of.

        Raises:
            ConflictError: That was settled already; or the clock was set yet again, and is doubted anew.
        """
        divergence, now = self._look(), self._clock.now()

        def change(tables: Tables) -> ConflictError | None:
            check_right(tables, by, Right.POLICY)
            doubt = doubt_in(tables)
            if doubt is None or doubt.id != doubt_id:
                raise ConflictError("that was settled already")
            settled = f"Settled by {by.name}: the clock is right."
            if not self._stands_as_shown(divergence):
                settled = "The clock was set again since."
            self._redraw(tables, doubt, settled)
            if not self._stands_as_shown(divergence):
                self._doubted_at = divergence.now
                self._doubting(tables, divergence.jump, now)
                return ConflictError("the clock was set again since; look at the new message")
            tables.conn.execute("DELETE FROM meta WHERE key = ?", (_ROW,))
            self._audit.record(tables, Deed("clock.acknowledged", "clock", by.id, telegram_id, doubt.details))
            return None

        refused = await self._database.write(change)
        if refused is not None:
            raise refused
        self._divergence = divergence.as_trusted()
        self._doubted_at = None
        return now

    def _look(self) -> Divergence:
        self._divergence = self._divergence.seen(self._clock)
        if self._divergence.is_noteworthy:
            _log.warning("this machine's clock was set", extra={"seconds": round(self._divergence.jump, 1)})
            self._divergence = self._divergence.as_noted()
        return self._divergence

    def _stands_as_shown(self, divergence: Divergence) -> bool:
        """Whether it was not moved since the doubt, or was put back to where it was before."""
        moved = None if self._doubted_at is None else abs(divergence.now - self._doubted_at)
        return not divergence.is_doubtful or (moved is not None and moved <= DOUBTFUL_SECONDS)

    def _doubting(self, tables: Tables, seconds: float, now: datetime) -> None:
        doubt = Doubt(short_id(), round(seconds), now)
        row = packed({"id": doubt.id, "seconds": doubt.seconds, "since": at(now)})
        tables.conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_ROW, row))
        self._audit.record(
            tables, Deed("clock.doubted", "clock", details={"seconds": doubt.seconds, "doubt": doubt.id})
        )
        self._tell(tables, doubt, now)

    def _tell(self, tables: Tables, doubt: Doubt, now: datetime) -> None:
        """Every admin, with a button; once a day for as long as it lasts."""
        for admin in people_in(tables):
            for number in admin.telegram_ids if Role.ADMIN in admin.roles else ():
                dedupe = f"clock/{doubt.id}/{now:%Y%m%d}/{number}"
                if self._is_told(tables, dedupe):
                    continue
                body = {"doubt": doubt.id, "dedupe": dedupe}
                card = self._cards.making(tables, CARD, admin.id, number, body, _CARD_LIFE)
                notice = Notice(Lane.SECURITY, number, _TITLE, _lines(doubt), dedupe, card=card.id, choices=_BUTTONS)
                self._outbox.put(tables, notice)

    @staticmethod
    def _is_told(tables: Tables, dedupe: str) -> bool:
        found = tables.conn.execute("SELECT 1 FROM outbox WHERE dedupe = ?", (dedupe,)).fetchone()
        return found is not None

    def _redraw(self, tables: Tables, doubt: Doubt, settled: str) -> None:
        """Take the buttons off, and say what became of it."""
        for card in self._cards.about(tables, CARD, "doubt", doubt.id):
            shown = str(card.body["dedupe"])
            notice = Notice(
                Lane.SECURITY,
                card.chat_id,
                _TITLE,
                (*_lines(doubt), settled),
                f"{shown}/settled",
                card=card.id,
                replaces=shown,
            )
            self._outbox.put(tables, notice)


_TITLE = "This machine's clock was set"


def _lines(doubt: Doubt) -> tuple[str, ...]:
    way = "forward" if doubt.seconds > 0 else "back"
    until = "Until an admin says that it is right, no money leaves and no code of a second factor is accepted."
    return (
        f"It was put {way} by about {abs(doubt.seconds)} seconds, and said {doubt.since:%Y-%m-%d %H:%M:%S} UTC then.",
        f"{until} Compare it with another clock.",
    )


def _last_deed(tables: Tables) -> int:
    """When the last audit row was written, in milliseconds."""
    row = tables.conn.execute("SELECT at FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    return int(row[0]) if row else 0


def doubt_in(tables: Tables) -> Doubt | None:
    """What no admin has answered for yet, as of this transaction."""
    row = tables.conn.execute("SELECT value FROM meta WHERE key = ?", (_ROW,)).fetchone()
    if row is None:
        return None
    found = json.loads(row[0])
    return Doubt(found["id"], found["seconds"], moment(found["since"]))

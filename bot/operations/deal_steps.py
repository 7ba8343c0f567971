"""A deal, put together step by step: what is known so far, what would be refused of it, and what to ask next.

What has one answer only is not asked. A sketch is plain texts, so that it can lie in a row between two steps.
"""

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from bot.access.model import Person
from bot.errors import NotFoundError
from bot.operations import deal_line
from bot.operations.deal_line import Line
from bot.operations.deal_terms import NONE, number_of
from bot.operations.deals import DealDesk, Where
from bot.operations.linked import Connection
from bot.operations.moving.plans import Plan
from bot.providers.records import Market

_NUMBER = re.compile(r"[0-9][0-9.]*", re.ASCII)
_TIMES_THE_LEAST = (1, 10, 100)


class Asking(StrEnum):
    """What the next question is about."""

    CONNECTION = "connection"
    MARKET = "market"
    SIZE = "size"
    PRICE = "price"
    STOP = "stop"
    LIMIT = "limit"
    TILL = "till"


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is known so far. Of the terms, None: nobody was asked; empty: to be without."""

    side: str
    """buy, sell."""
    on: str = ""
    market: str = ""
    size: str = ""
    level: str | None = None
    stop: str | None = None
    limit: str | None = None
    till: str | None = None

    @property
    def is_whole(self) -> bool:
        return bool(self.market and self.size) and None not in (self.level, self.stop, self.limit, self.till)

    @property
    def line(self) -> Line:
        """As if it had been written so."""
        terms = (self.level or "", self.stop or "", self.limit or "", self.till or "")
        return Line(self.market, self.size, *terms, self.on)


@dataclass(frozen=True, slots=True)
class Step:
    """The next question, and what there is to choose from."""

    asking: Asking
    sketch: Sketch
    connections: tuple[Connection, ...] = ()
    markets: tuple[Market, ...] = ()
    market: Market | None = None
    """The one it is about, with its price, where that is known."""

    @property
    def sizes(self) -> tuple[Decimal, ...]:
        """Some that could be dealt in."""
        if self.asking is not Asking.SIZE or self.market is None or not self.market.least:
            return ()
        sizes = [self.market.least * times for times in _TIMES_THE_LEAST]
        return tuple(size for size in sizes if self.market.most is None or size <= self.market.most)

    @property
    def may_be_without(self) -> bool:
        """Whether nothing is an answer: at once, no stop, no limit, until it is taken back."""
        if self.asking is Asking.PRICE:
            return self.market is None or self.market.is_open is not False
        return self.asking in (Asking.STOP, Asking.LIMIT, Asking.TILL)

    @property
    def values(self) -> list[str]:
        """What each choice stands for, in order; an empty text: to be without."""
        return [
            *(one.name for one in self.connections),
            *(one.symbol for one in self.markets),
            *(f"{size:f}" for size in self.sizes),
            *([""] if self.may_be_without else ()),
        ]


class DealSteps:
    """The conversation, without its words."""

    def __init__(self, desk: DealDesk, side: str) -> None:
        self._desk = desk
        self._side = side

    async def sketched(self, by: Person, words: list[str]) -> Sketch:
        """What one line says. With a size and a market it is whole: what it does not name is not wished for."""
        line = deal_line.read(words)
        if not line.size and _NUMBER.fullmatch(line.what):
            line = replace(line, what="", size=line.what)
        is_whole = bool(line.what and line.size)
        level, stop, limit, till = (
            text if text or is_whole else None for text in (line.level, line.stop, line.limit, line.till)
        )
        return Sketch(self._side, line.on, line.what, line.size, level, stop, limit, till)

    async def next(
        self, by: Person, sketch: Sketch, *, asked_in: str | None = None, chat_id: int | None = None
    ) -> Step | Plan:
        """The next question; or, when nothing is missing, the plan. Raises as `DealDesk.order`."""
        if sketch.is_whole:
            return await self._desk.order(by, sketch.side, sketch.line, Where(asked_in, chat_id))
        connections = await self._desk.ordering(by, sketch.on)
        if len(connections) > 1:
            return Step(Asking.CONNECTION, sketch, connections=tuple(connections))
        connection = connections[0]
        sketch = replace(sketch, on=connection.name)
        if not sketch.market:
            return Step(Asking.MARKET, sketch, markets=await self._desk.markets_dealt_in(connection))
        found = await self._desk.markets_called(connection, sketch.market)
        if len(found) > 1:
            return Step(Asking.MARKET, sketch, markets=found)
        (market,) = found
        sketch = replace(sketch, market=market.symbol)
        self._desk.check(sketch.side, sketch.line, market, may_wait=sketch.level is None)
        asking = _missing(sketch)
        if asking is None:
            return await self.next(by, replace(sketch, till=""), asked_in=asked_in, chat_id=chat_id)
        return Step(asking, sketch, market=market)

    async def answered(self, by: Person, sketch: Sketch, asking: str, text: str) -> Sketch:
        """The sketch with one answer more, typed or tapped; whether it can be, the next question shows.

        Raises:
            NotFoundError, InputError: It is none.
        """
        said = "" if text.casefold() in ("now", NONE) else text
        match Asking(asking):
            case Asking.CONNECTION:
                found = await self._desk.ordering(by, text)
                if len(found) != 1:
                    raise NotFoundError("connection", text, [one.name for one in found])
                return replace(sketch, on=found[0].name)
            case Asking.MARKET:
                return replace(sketch, market=text)
            case Asking.SIZE:
                number_of(text, "a size", "2")
                return replace(sketch, size=text)
            case Asking.PRICE:
                return replace(sketch, level=said)
            case Asking.STOP:
                return replace(sketch, stop=said)
            case Asking.LIMIT:
                return replace(sketch, limit=said)
            case Asking.TILL:
                return replace(sketch, till=said)


def _missing(sketch: Sketch) -> Asking | None:
    """None when only the time could still be asked for, and nothing waits."""
    if not sketch.size:
        return Asking.SIZE
    for asking, text in ((Asking.PRICE, sketch.level), (Asking.STOP, sketch.stop), (Asking.LIMIT, sketch.limit)):
        if text is None:
            return asking
    return Asking.TILL if sketch.level and sketch.till is None else None

"""What one subject has told so far, and whether something is news. Pure.

Events come live, and again from history, with overlap: each is news once (its natural key), and what is older than
what was told never goes back over it (R05). A state (a balance, a contract) is news when anything but its moment
differs from what was told.

A history of prices may be one of candles. A minute of which quotes were told already is narrowed to what it adds: the
extremes nobody had heard of, and where the price stood then. So a crossing that was told live is not found again in
the minute's candle, and one that nobody heard is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import assert_never

from bot.providers.records import Balance, Candle, Entry, Position, Quote
from bot.providers.streams import Told, Topic

KEPT = timedelta(days=4)
"""Lines of a statement have a day, and no time: so long their keys are remembered, and what is older is history."""
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a subject was told, in what can be stored."""

    at: datetime
    """The last event's own time."""
    until: datetime
    """Until when it was listened to; silence before is silence, and after it is not known."""
    price: Decimal | None = None
    low: Decimal | None = None
    """Of what was told in the minute of `at`."""
    high: Decimal | None = None
    keys: tuple[str, ...] = ()
    """`2026-11-20/account/id` of the lines of a statement that were told."""


class News:
    """What one subject has told."""

    def __init__(self, mark: Mark | None = None) -> None:
        self._at = None if mark is None else mark.at
        self._same: list[Quote] | None = None
        """The quotes told of the moment `_at`; None where that is not known, and all of it counts as told."""
        self._price = None if mark is None else mark.price
        self._minute: datetime | None = None
        """The last minute of which prices were told, and between which they lay."""
        self._next_minute: datetime | None = None
        self._low = self._high = Decimal()
        if mark is not None and mark.low is not None and mark.high is not None:
            self._begin_minute(mark.at, mark.low, mark.high)
        self._lines: dict[str, date] = {} if mark is None else {key[11:]: _day(key) for key in mark.keys}
        self._states: dict[str, Balance | Position] = {}

    def begins(self, at: datetime) -> None:
        """Here the feed begins, though perhaps nothing was told yet: lines much older are history for ever."""
        self._at = at if self._at is None else max(self._at, at)

    @property
    def at(self) -> datetime | None:
        """The last event's own time; None before the first."""
        return self._at

    @property
    def price(self) -> Decimal | None:
        """Where the last told price stood."""
        return self._price

    def mark(self, until: datetime) -> Mark | None:
        """How far it was told; None before the first event."""
        if self._at is None:
            return None
        keys = tuple(f"{day.isoformat()}/{key}" for key, day in self._lines.items())
        low, high = (self._low, self._high) if self._minute == _minute_of(self._at) else (None, None)
        return Mark(self._at, max(until, self._at), self._price, low, high, keys)

    def takes(self, told: Told, now: datetime | None = None) -> bool:
        """Whether it is news; from now on it is not.

        Args:
            now: Of a line that bears a later day, which may be the day it is booked for or a slip, no later moment is
                remembered than this: what comes after it would count as history.
        """
        if type(told) is Quote:  # first: there are thousands a second of these
            return self._takes_quote(told)
        match told:
            case Candle():
                return self._later(told.at)
            case Entry():
                return self._takes_line(told, now)
            case Balance():
                return self._takes_state(told.account, told)
            case Position():
                return self._takes_state(told.id, told)
            case Quote():
                return self._takes_quote(told)
            case _:
                assert_never(told)

    def catch_up(
        self,
        topic: Topic,
        history: Iterable[Told],
        live: Sequence[Told],
        heard_until: datetime | None = None,
        now: datetime | None = None,
    ) -> list[tuple[Told, bool]]:
        """What is news of both, in the order of their own times; with each whether it came from history only.

        Args:
            live: What was heard since, and held back until the history was there. A line of a statement that is in
                both is one of the history: some providers tell their statements line by line, to whoever listens.
            heard_until: Before that nothing was missed: what is left of a candle that began earlier, begins then.
            now: As for `takes`.
        """
        quotes = [one for one in live if type(one) is Quote]
        pieces = [(moment_of(one), 1, one) for one in live]
        pieces += [(moment_of(one), 0 if isinstance(one, Candle | Entry) else 2, one) for one in history]
        pieces.sort(key=lambda piece: piece[:2])
        news: list[tuple[Told, bool]] = []
        for _, rank, told in pieces:
            if topic is Topic.QUOTE and isinstance(told, Candle):
                narrowed = self._narrowed(told, quotes)
                if narrowed is not None:
                    news.append((_from(heard_until, narrowed), True))
            elif rank != 1 and isinstance(told, Quote) and told.at == self._at:
                continue  # its key was told, perhaps with more digits than history keeps
            elif self.takes(told, now):
                news.append((told, rank != 1))
                if rank != 1 and type(told) is Quote:
                    self._same = None  # a history may be ahead of the stream, which tells the same again
        return news

    def _takes_quote(self, quote: Quote) -> bool:
        at = quote.at
        if self._at is None or at > self._at:
            self._at = at
            self._same = [quote]
        elif at == self._at and self._same is not None and quote not in self._same:
            self._same.append(quote)  # within one tick of their clock it moved again
        else:
            return False
        price = self._price = (quote.bid + quote.ask) / 2
        if self._next_minute is None or at >= self._next_minute:
            self._begin_minute(at, price, price)
        elif price < self._low:
            self._low = price
        elif price > self._high:
            self._high = price
        return True

    def _begin_minute(self, at: datetime, low: Decimal, high: Decimal) -> None:
        self._minute = _minute_of(at)
        self._next_minute = self._minute + _MINUTE
        self._low, self._high = low, high

    def _later(self, at: datetime) -> bool:
        if self._at is not None and at <= self._at:
            return False
        self._at = at
        return True

    def _takes_line(self, entry: Entry, now: datetime | None) -> bool:
        key = f"{entry.account}/{entry.id}"
        if key in self._lines or (self._at is not None and entry.on < self._at.date() - KEPT):
            return False  # what is older than all keys that are kept was told, or is from before the beginning
        self._lines[key] = entry.on
        moment = moment_of(entry) if now is None else min(moment_of(entry), now)
        if self._at is None or moment > self._at:
            self._at = moment
            self._lines = {one: day for one, day in self._lines.items() if day >= moment.date() - KEPT}
        return True

    def _takes_state(self, key: str, state: Balance | Position) -> bool:
        before = self._states.get(key)
        if before is not None and state.as_of < before.as_of:
            return False
        self._states[key] = state
        if before is not None and replace(before, as_of=state.as_of) == state:
            return False
        self._at = state.as_of if self._at is None else max(self._at, state.as_of)
        return True

    def _narrowed(self, candle: Candle, live: Sequence[Quote]) -> Candle | None:
        """The candle, less what was told of its minute, or will be at once; None when nothing is left."""
        if self._minute is not None and candle.at < self._minute:
            return None
        ends = candle.at + candle.step
        following = [one for one in live if candle.at <= one.at < ends and (self._at is None or one.at > self._at)]
        within = [one.mid for one in following]
        known = [*within, self._low, self._high] if self._minute == candle.at else within
        is_wider = not known or candle.low < min(known) or candle.high > max(known)
        if not is_wider and (within or candle.close == self._price):
            return None
        narrowed = self._beyond(candle, known, within[0] if within else candle.close) if known else candle
        if following and following[0].at > candle.at:
            narrowed = replace(narrowed, step=following[0].at - candle.at)  # what comes after it is told by itself
        self._begin_minute(candle.at, min([candle.low, *known]), max([candle.high, *known]))
        if self._at is None or candle.at > self._at:
            self._at, self._same = candle.at, []
        self._price = narrowed.close
        return narrowed

    def _beyond(self, candle: Candle, known: Sequence[Decimal], ends_at: Decimal) -> Candle:
        """The way from the last told price over the extremes nobody had heard of to where it stood then."""
        starts_at = candle.open if self._price is None else self._price
        low = min([starts_at, ends_at] + ([candle.low] if candle.low < min(known) else []))
        high = max([starts_at, ends_at] + ([candle.high] if candle.high > max(known) else []))
        return replace(candle, open=starts_at, high=high, low=low, close=ends_at)


def _from(heard_until: datetime | None, candle: Candle) -> Candle:
    ends = candle.at + candle.step
    if heard_until is None or not candle.at < heard_until < ends:
        return candle
    return replace(candle, at=heard_until, step=ends - heard_until)


def moment_of(told: Told) -> datetime:
    """Its own time: of a candle its beginning, of a line of a statement its day's."""
    match told:
        case Quote() | Candle():
            return told.at
        case Entry():
            return datetime.combine(told.on, time(), UTC)
        case Balance() | Position():
            return told.as_of
        case _:
            assert_never(told)


def _minute_of(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _day(key: str) -> date:
    return date.fromisoformat(key[:10])

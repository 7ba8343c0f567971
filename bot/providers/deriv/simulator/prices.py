"""Where prices walk, and at which seconds they are told.

A price is a pure function of seed, symbol and second, times the moves somebody ordered through `/_sim/`; a tick falls
on every interval of the symbol and on every move. Only moves and changed paces are stored, so a restart, a cut
connection and a stream that nobody heard find the same history. Between two turning points prices run straight, so a
candle is exact from few of its ticks. Currency pairs rest from Friday 21:00 to Sunday 21:00 UTC.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from hashlib import sha256

import msgspec

_WAVES = ((86400, Decimal("0.60")), (3600, Decimal("0.25")), (300, Decimal("0.10")), (20, Decimal("0.05")))
"""Seconds between two turning points, and this wave's share of a symbol's swing."""

_KNOTS = ((20, 300), (300, 7200), (3600, 86400))
"""How far apart a candle's price is looked up, and up to which width; within the first step it runs straight, so the
narrow candles are exact and the wide ones leave out their smallest waves."""

_DAY = 86400
_WEEK = 7 * _DAY
_CLOSES = _DAY + 21 * 3600
"""Friday 21:00 as seconds since the epoch's own Thursday 00:00."""
_CLOSED_SECONDS = 2 * _DAY


class Move(msgspec.Struct, frozen=True):
    """From second `at` on, the price is `factor` times what the walk alone would have it."""

    at: int
    factor: Decimal


class Pace(msgspec.Struct, frozen=True):
    """From second `at` on, a tick falls on each multiple of so many seconds; on 0 there is none but by moves."""

    at: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """One underlying, with the words the service uses for its place in the catalogue."""

    name: str
    title: str
    base: Decimal
    digits: int
    interval_seconds: int
    """One tick each so many seconds."""
    swing: Decimal
    """Largest distance of the walk from `base`, as a fraction of it."""
    market: tuple[str, str]
    submarket: tuple[str, str]
    subgroup: tuple[str, str]
    kind: str
    quoted_in: str
    rests_at_weekends: bool = False

    @property
    def pip(self) -> Decimal:
        return Decimal(1).scaleb(-self.digits)

    def is_open(self, second: int) -> bool:
        return self.awake(second) == second

    def awake(self, second: int) -> int:
        """`second`, or the last one before it in which the market was open."""
        since_close = (second - _CLOSES) % _WEEK
        return second - since_close - 1 if self.rests_at_weekends and since_close < _CLOSED_SECONDS else second


@dataclass(frozen=True, slots=True)
class Feed:
    """One symbol's prices in one world, past and present."""

    seed: int
    symbol: Symbol
    moves: Sequence[Move]
    paces: Sequence[Pace]

    def quote(self, second: int) -> Decimal:
        """The middle price in that second, at the symbol's pip."""
        place = bisect_right(self.moves, second, key=lambda move: move.at)
        factor = self.moves[place - 1].factor if place else Decimal(1)
        raw = walked(self.seed, self.symbol, self.symbol.awake(second)) * factor
        return max(raw.quantize(self.symbol.pip, ROUND_HALF_EVEN), self.symbol.pip)

    def latest(self, now: int) -> int:
        """The second of the newest tick; a move that had to wait for its own second counts already."""
        return self.last(max(now, self.moves[-1].at) if self.moves else now)

    def last(self, second: int) -> int:
        """The second of the last tick that is not after `second`."""
        place = bisect_right(self.moves, second, key=lambda move: move.at)
        moved = self.moves[place - 1].at if place else 0
        return max(self._paced(second), moved)

    def back(self, second: int) -> Iterator[int]:
        """The seconds of all ticks from `second` on, newest first, as far back as one likes."""
        while second > 0:
            second = self.last(second)
            yield second
            second -= 1

    def candle(self, opening: int, until: int, width: int) -> "Candle | None":
        """What the ticks from `opening` up to and with `until` make; None when none falls there."""
        closing = self.last(until)
        if closing < opening:
            return None
        near = range(opening, min(until, opening + _KNOTS[0][0]) + 1)
        first = next((second for second in near if self.last(second) == second), closing)
        seconds = {first, closing}
        knots = next(step for step, widest in _KNOTS if width <= widest)
        for knot in range(opening - opening % knots + knots, until + 1, knots):
            before = self.last(knot)
            seconds |= {before, before if before == knot else self.last(knot + self.symbol.interval_seconds - 1)}
        low = bisect_right(self.moves, opening - 1, key=lambda move: move.at)
        for move in self.moves[low : bisect_right(self.moves, until, key=lambda move: move.at)]:
            seconds |= {self.last(move.at - 1), move.at}
        prices = [self.quote(second) for second in seconds if first <= second <= closing]
        return Candle(opening, closing, self.quote(first), max(prices), min(prices), self.quote(closing))

    def _paced(self, second: int) -> int:
        for pace, following in self._paces(second):
            if pace.seconds:
                awake = self.symbol.awake(min(second, following - 1))
                aligned = awake - awake % pace.seconds
                if aligned >= pace.at:
                    return aligned
        return 0

    def _paces(self, second: int) -> Iterator[tuple[Pace, int]]:
        """Each pace that had begun by then with the second of its end, newest first."""
        following = second + 1
        for pace in (*reversed(self.paces), Pace(0, self.symbol.interval_seconds)):
            if pace.at <= second:
                yield pace, following
                following = pace.at


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle; `closing` is the second of its last tick."""

    opening: int
    closing: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


def walked(seed: int, symbol: Symbol, second: int) -> Decimal:
    """Where the walk alone stands, before anybody moved it."""
    return symbol.base * (1 + symbol.swing * _walk(seed, symbol.name, second))


def _walk(seed: int, name: str, second: int) -> Decimal:
    """Between −1 and 1: four waves of turning points drawn from the seed, joined by straight lines."""
    total = Decimal(0)
    for period, share in _WAVES:
        step, past = divmod(second, period)
        here, there = _turning_point(seed, name, period, step), _turning_point(seed, name, period, step + 1)
        total += share * (here + (there - here) * past / period)
    return total


@lru_cache(maxsize=32768)
def _turning_point(seed: int, name: str, period: int, step: int) -> Decimal:
    digest = sha256(f"{seed}/{name}/{period}/{step}".encode()).digest()
    return Decimal(int.from_bytes(digest[:4])) / (1 << 31) - 1

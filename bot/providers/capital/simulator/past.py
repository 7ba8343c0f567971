"""The invented past: what prices did before the broker's first moment.

A pure function of seed, epic and time, ending exactly in the opening quote. Every quarter of an hour has its knot; the
minutes between two knots never leave the room between them. So a coarse bar can be read off the knots, and bars of all
resolutions agree. Outside an instrument's weekly hours there was no price.
"""

from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b

from bot.providers.capital.simulator.market import INSTRUMENTS, WEEK_MINUTES, is_open, open_minutes
from bot.providers.capital.simulator.tape import Bar, Origin, Side

MINUTE_MS = 60_000
DEPTH_MINUTES = timedelta(days=730) // timedelta(minutes=1)
"""Nothing is known from before that."""

_QUARTER = 15
_ONE = 10**8
_SWINGS = ((35_040, 6_000_000), (2_880, 2_500_000), (672, 1_000_000), (96, 400_000), (13, 120_000))
"""Period in quarters of an hour, height in parts of `_ONE`."""
_NOISE = 60_000


class Past:
    """One epic before `origin`."""

    def __init__(self, seed: int, epic: str, origin: Origin) -> None:
        self._key = f"{seed}/{epic}"
        self._kind = INSTRUMENTS[epic].kind
        self._tick = INSTRUMENTS[epic].tick
        self._origin = origin
        self.end = origin.at_ms // MINUTE_MS
        """The first minute that is no longer invented."""
        self.begin = self.end - DEPTH_MINUTES
        self._unit = self._level(self.end)

    def bar(self, start: int, end: int) -> Bar | None:
        """What happened in the minutes from `start` until before `end`; None when nothing was dealt."""
        first = high = low = last = ticks = 0
        minute, end = max(start, self.begin), min(end, self.end)
        while minute < end:
            number, into = divmod(minute, _QUARTER)
            whole = not into and minute + _QUARTER <= end and self._dealt_throughout(minute)
            step = _QUARTER if whole else 1
            if whole or is_open(self._kind, minute):
                here, there = self._level(minute), self._level(minute + step)
                high = max(high, here, there)
                low = min(low or here, here, there)
                first, last = first or here, there
                ticks += step * (20 + number * 7919 % 61)
            minute += step
        if not ticks:
            return None
        bid = Side(self._price(first), self._price(high), self._price(low), self._price(last))
        spread = self._origin.spread
        return Bar(bid, Side(bid.opened + spread, bid.high + spread, bid.low + spread, bid.closed + spread), ticks)

    def _dealt_throughout(self, quarter_start: int) -> bool:
        into = quarter_start % WEEK_MINUTES
        return open_minutes(self._kind).issuperset(range(into, into + _QUARTER))

    def _price(self, level: int) -> Decimal:
        return (self._origin.bid * level / self._unit).quantize(self._tick)

    def _level(self, minute: int) -> int:
        number, into = divmod(minute, _QUARTER)
        here = _knot(self._key, number)
        if not into:
            return here
        there = _knot(self._key, number + 1)
        straight = here + (there - here) * into // _QUARTER
        return min(max(straight + _noise(f"{self._key}/minute/{minute}") // 2, min(here, there)), max(here, there))


@lru_cache(maxsize=1 << 17)
def _knot(key: str, number: int) -> int:
    swings = (_swing(number + _phase(key, period), period, height) for period, height in _SWINGS)
    return _ONE + sum(swings) + _noise(f"{key}/{number}")


def _swing(position: int, period: int, height: int) -> int:
    """Up and down in straight lines."""
    return height * (2 * abs(2 * (position % period) - period) - period) // period


@lru_cache(maxsize=1 << 10)
def _phase(key: str, period: int) -> int:
    return _hash(f"{key}/phase/{period}") % period


def _noise(what: str) -> int:
    return _hash(what) % (2 * _NOISE) - _NOISE


def _hash(what: str) -> int:
    return int.from_bytes(blake2b(what.encode(), digest_size=6).digest())

"""How far a number went within a window, at the cost of one comparison a value: two queues of extremes."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

_Seen = tuple[datetime, Decimal]


class Swing:
    """The lowest and highest value of the last `window`."""

    __slots__ = ("_highs", "_known_since", "_lows", "window")

    def __init__(self, window: timedelta) -> None:
        self.window = window
        self._known_since: datetime | None = None
        """Where its values begin: before the window was over since then, it may have gone further than is known."""
        self._lows: deque[_Seen] = deque()
        """Rising: each is lower than all that came after it."""
        self._highs: deque[_Seen] = deque()

    def went(self, low: Decimal, high: Decimal, at: datetime) -> tuple[Decimal, Decimal]:
        """Take what it went through; answer by how many percent it rose from the lowest, and fell from the highest."""
        if self._known_since is None:
            self._known_since = at
        self._push(at, low, high)
        lows, highs = self._lows, self._highs
        oldest = at - self.window
        while lows[0][0] < oldest:
            lows.popleft()
        while highs[0][0] < oldest:
            highs.popleft()
        lowest, highest = lows[0][1], highs[0][1]
        return (high - lowest) * 100 / lowest, (highest - low) * 100 / highest

    def is_whole(self, at: datetime) -> bool:
        """Whether all of the window that ends then is known."""
        return self._known_since is not None and at - self._known_since >= self.window

    def begins_earlier(self, since: datetime, spans: Iterable[tuple[datetime, Decimal, Decimal]]) -> None:
        """What it went through before, known from `since` on; oldest first, each a moment, the low and the high."""
        lows, highs, known = self._lows, self._highs, self._known_since
        if known is not None and since >= known:
            return
        self._lows, self._highs, self._known_since = deque(), deque(), since
        for at, low, high in spans:
            if known is None or at < known:
                self._push(at, low, high)
        for at, low in lows:
            self._push_low(at, low)
        for at, high in highs:
            self._push_high(at, high)

    def _push(self, at: datetime, low: Decimal, high: Decimal) -> None:
        self._push_low(at, low)
        self._push_high(at, high)

    def _push_low(self, at: datetime, low: Decimal) -> None:
        lows = self._lows
        while lows and lows[-1][1] >= low:
            lows.pop()
        lows.append((at, low))

    def _push_high(self, at: datetime, high: Decimal) -> None:
        highs = self._highs
        while highs and highs[-1][1] <= high:
            highs.pop()
        highs.append((at, high))

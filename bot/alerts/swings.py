"""How far a number went within a window, at the cost of one comparison a value: two queues of extremes."""

from collections import deque
from datetime import datetime, timedelta
from decimal import Decimal

_Seen = tuple[datetime, Decimal]


class Swing:
    """The lowest and highest value of the last `window`."""

    __slots__ = ("_highs", "_lows", "window")

    def __init__(self, window: timedelta) -> None:
        self.window = window
        self._lows: deque[_Seen] = deque()
        """Rising: each is lower than all that came after it."""
        self._highs: deque[_Seen] = deque()

    def went(self, low: Decimal, high: Decimal, at: datetime) -> tuple[Decimal, Decimal]:
        """Take what it went through; answer by how many percent it rose from the lowest, and fell from the highest."""
        lows, highs = self._lows, self._highs
        while lows and lows[-1][1] >= low:
            lows.pop()
        lows.append((at, low))
        while highs and highs[-1][1] <= high:
            highs.pop()
        highs.append((at, high))
        oldest = at - self.window
        while lows[0][0] < oldest:
            lows.popleft()
        while highs[0][0] < oldest:
            highs.popleft()
        lowest, highest = lows[0][1], highs[0][1]
        return (high - lowest) * 100 / lowest, (highest - low) * 100 / highest

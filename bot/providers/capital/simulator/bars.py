"""Bars of every resolution: the invented past and what was recorded since, in one row."""

from collections.abc import Iterable, Iterator
from enum import Enum

from bot.providers.capital.simulator.past import MINUTE_MS, Past
from bot.providers.capital.simulator.state import Quote, State
from bot.providers.capital.simulator.tape import Bar, Recorded, Side

_MOST_MINUTES = 1500
"""Recorded minutes of one epic; the hours are kept for good."""


class Resolution(Enum):
    """Length and first beginning, in epoch minutes; a week begins on Monday."""

    MINUTE = (1, 0)
    MINUTE_5 = (5, 0)
    MINUTE_15 = (15, 0)
    MINUTE_30 = (30, 0)
    HOUR = (60, 0)
    HOUR_4 = (240, 0)
    DAY = (1440, 0)
    WEEK = (10080, 5760)

    @property
    def minutes(self) -> int:
        return self.value[0]

    def start(self, at_ms: int) -> int:
        """The minute in which the bar that holds this moment opens."""
        length, offset = self.value
        return (at_ms // MINUTE_MS - offset) // length * length + offset


class Bars:
    """The only writer of recorded bars."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._pasts: dict[str, Past] = {}

    def past(self, epic: str) -> Past:
        if epic not in self._pasts:
            self._pasts[epic] = Past(self._state.seed, epic, self._state.origins[epic])
        return self._pasts[epic]

    def record(self, epic: str, quote: Quote, at_ms: int) -> None:
        recorded = self._state.recorded.setdefault(epic, Recorded())
        minute = at_ms // MINUTE_MS
        for bars, key in ((recorded.minutes, minute), (recorded.hours, minute // 60)):
            tick = Bar(Side.of(quote.bid), Side.of(quote.offer), 1)
            if key in bars:
                bars[key].add(tick)
            else:
                bars[key] = tick
        while len(recorded.minutes) > _MOST_MINUTES:
            del recorded.minutes[next(iter(recorded.minutes))]

    def bar(self, epic: str, resolution: Resolution, start: int) -> Bar | None:
        """The bar that opens in minute `start`, as far as it has come; None when nothing was dealt in it."""
        end = start + resolution.minutes
        past = self.past(epic)
        whole = past.bar(start, end) if start < past.end else None
        for part in self._recorded(epic, max(start, past.end), end, resolution):
            if whole is None:
                whole = Bar(Side.of(part.bid.opened), Side.of(part.ask.opened), 0)
            whole.add(part)
        return whole

    def _recorded(self, epic: str, start: int, end: int, resolution: Resolution) -> Iterator[Bar]:
        recorded = self._state.recorded.get(epic, Recorded())
        if resolution.minutes < Resolution.HOUR.minutes:
            rows = (recorded.minutes.get(minute) for minute in range(start, end))
        else:
            rows = (recorded.hours.get(hour) for hour in range(start // 60, -(-end // 60)))
        return (row for row in rows if row is not None)

    def forward(self, epic: str, resolution: Resolution, start: int, end: int) -> Iterator[tuple[int, Bar]]:
        """Bars that open in `start` or later, in `end` at the latest."""
        first = self._earliest(epic, resolution, start)
        yield from self._known(epic, resolution, range(first, end + 1, resolution.minutes))

    def backward(self, epic: str, resolution: Resolution, end: int) -> Iterator[tuple[int, Bar]]:
        """Bars that open in `end` or earlier, the latest first."""
        first = self._earliest(epic, resolution, 0)
        yield from self._known(epic, resolution, reversed(range(first, end + 1, resolution.minutes)))

    def _known(self, epic: str, resolution: Resolution, starts: Iterable[int]) -> Iterator[tuple[int, Bar]]:
        for start in starts:
            bar = self.bar(epic, resolution, start)
            if bar is not None:
                yield start, bar

    def _earliest(self, epic: str, resolution: Resolution, start: int) -> int:
        """The first beginning of a bar at or after both `start` and the beginning of what is known."""
        wanted = max(start, self.past(epic).begin)
        begun = resolution.start(wanted * MINUTE_MS)
        return begun if begun == wanted else begun + resolution.minutes

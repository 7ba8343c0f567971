"""Time, from one place that tests can hold still.

Wall time is aware UTC and is for people and rows; the monotonic clock measures waiting. Epoch numbers live only at the
wire, in rows (milliseconds) and in tokens.
"""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

NOTEWORTHY_SECONDS = 5.0
DOUBTFUL_SECONDS = 60.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Clock(Protocol):
    """What the program asks about time."""

    def now(self) -> datetime:
        """Aware UTC."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean something."""

    async def sleep(self, seconds: float) -> None:
        """Wait on this clock."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Divergence:
    """How far the wall clock stands from the monotonic one: whoever sets it moves it away (R33).

    The numbers are wall minus monotonic, in seconds. Small jumps add up until somebody says that the clock is right.
    """

    now: float
    trusted: float
    noted: float

    @classmethod
    def begun(cls, clock: Clock) -> "Divergence":
        """As the clocks stand now, which is taken for right."""
        now = _apart(clock)
        return cls(now, now, now)

    def seen(self, clock: Clock) -> "Divergence":
        """As the clocks stand now."""
        return replace(self, now=_apart(clock))

    @property
    def jump(self) -> float:
        """By how many seconds the wall clock was set since it was trusted; negative for backwards."""
        return self.now - self.trusted

    @property
    def is_noteworthy(self) -> bool:
        """Whether it was set by more than five seconds since that was last noted."""
        return abs(self.now - self.noted) > NOTEWORTHY_SECONDS

    @property
    def is_doubtful(self) -> bool:
        """Whether it was set by more than a minute since it was trusted."""
        return abs(self.jump) > DOUBTFUL_SECONDS

    def as_noted(self) -> "Divergence":
        return replace(self, noted=self.now)

    def as_trusted(self) -> "Divergence":
        return replace(self, trusted=self.now)


def _apart(clock: Clock) -> float:
    return clock.now().timestamp() - clock.monotonic()


def to_millis(moment: datetime) -> int:
    """Aware time → epoch milliseconds, as rows hold it. Reckoned in whole numbers: a float loses one now and then."""
    return (moment - _EPOCH) // _MILLISECOND


def from_millis(millis: int) -> datetime:
    """Epoch milliseconds → aware UTC."""
    return _EPOCH + timedelta(milliseconds=millis)

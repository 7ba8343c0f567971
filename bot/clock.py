"""Time, from one place that tests can hold still.

Wall time is aware UTC and is for people and rows; the monotonic clock measures waiting. Epoch numbers live only at the
wire, in rows (milliseconds) and in tokens.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


def to_millis(moment: datetime) -> int:
    """Aware time → epoch milliseconds, as rows hold it. Reckoned in whole numbers: a float loses one now and then."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def from_millis(millis: int) -> datetime:
    """Epoch milliseconds → aware UTC."""
    return _EPOCH + timedelta(milliseconds=millis)

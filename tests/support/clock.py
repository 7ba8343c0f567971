"""Clocks moved by hand."""

import asyncio
from datetime import UTC, datetime, timedelta


class HandClock:
    """Time stands still until a test moves it; whoever sleeps wakes when their hour has come."""

    def __init__(self, moment: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)) -> None:
        self.moment = moment
        self._moved = asyncio.Condition()

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        until = self.moment + timedelta(seconds=seconds)
        async with self._moved:
            await self._moved.wait_for(lambda: self.moment >= until)

    async def move(self, seconds: float) -> None:
        """Let time pass, and let the sleepers know."""
        async with self._moved:
            self.moment += timedelta(seconds=seconds)
            self._moved.notify_all()


class PassingClock:
    """Time passes when somebody sleeps, or when a test says so."""

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.seconds = 0.0
        """So many have passed."""

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return 1000.0 + self.seconds

    async def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)
        await asyncio.sleep(0)

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds

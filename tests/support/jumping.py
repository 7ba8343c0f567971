"""A clock by hand whose wall time can be set without time passing."""

from datetime import datetime, timedelta

from tests.support.clock import HandClock


class JumpingClock(HandClock):
    def __init__(self) -> None:
        super().__init__()
        self.set_by = timedelta()

    def now(self) -> datetime:
        return self.moment + self.set_by

    def put(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.set_by += timedelta(seconds=seconds)

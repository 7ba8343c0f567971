"""How often, and how long to wait. Pure: the caller brings the time.

`backoff` is full jitter: a random wait below a ceiling that doubles, so that many clients do not return in step.
`Bucket` answers "may I now, and if not, in how many seconds"; `retry_after` reads that header within bounds.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER_SECONDS = 900.0


def backoff(
    attempt: int, *, base_seconds: float = 0.5, cap_seconds: float = 60.0, jitter: float | None = None
) -> float:
    """Seconds to wait before attempt number `attempt` (0 is the first retry)."""
    ceiling = min(cap_seconds, base_seconds * 2.0 ** min(attempt, 30))
    return ceiling * (random.random() if jitter is None else jitter)  # noqa: S311  # spreads load, guards nothing


def retry_after(header: str | None, now: datetime) -> float | None:
    """The Retry-After header in seconds, between 0 and 15 minutes; None when absent or garbage (F13)."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except (ValueError, OverflowError):  # a year of twelve digits
            return None
        seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
    if seconds != seconds or seconds < 0:
        return None
    return min(seconds, MAX_RETRY_AFTER_SECONDS)


@dataclass(slots=True)
class Bucket:
    """A token bucket: `rate` a second on average, `burst` at once."""

    rate: float
    burst: float
    level: float = field(init=False)
    at: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.level = self.burst

    def wait(self, now: float) -> float:
        """Seconds until one token is there (0 = now). `now` is monotonic."""
        self._fill(now)
        return 0.0 if self.level >= 1 else (1 - self.level) / self.rate

    def take(self, now: float) -> None:
        """Use one token, also one that is not there yet: the next caller waits the longer."""
        self._fill(now)
        self.level -= 1

    def _fill(self, now: float) -> None:
        if self.at is not None:
            self.level = min(self.burst, self.level + (now - self.at) * self.rate)
        self.at = now


@dataclass(slots=True)
class Breaker:
    """Opens after `limit` failures within `window_seconds`, for `open_seconds` (R46)."""

    limit: int = 5
    window_seconds: float = 30.0
    open_seconds: float = 15.0
    failures: list[float] = field(default_factory=list)
    opened_at: float | None = None

    def refuses(self, now: float) -> bool:
        """Whether to fail at once instead of asking. After `open_seconds` one probe is let through."""
        if self.opened_at is None:
            return False
        if now - self.opened_at >= self.open_seconds:
            self.opened_at = now  # the probe is under way; others wait for its result
            return False
        return True

    def succeeded(self) -> None:
        self.failures.clear()
        self.opened_at = None

    def failed(self, now: float) -> None:
        self.failures = [moment for moment in self.failures if now - moment < self.window_seconds]
        self.failures.append(now)
        if len(self.failures) >= self.limit:
            self.opened_at = now

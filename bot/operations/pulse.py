"""What the Telegram side notes while it works, for /status."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class Pulse:
    """What the Telegram side notes while it works; numbers only grow."""

    started_at: datetime
    mode: str = "polling"
    asked_at: datetime | None = None
    """Last completed getUpdates, or last webhook call."""
    silent_since: datetime | None = None
    """Since when Telegram has not answered whatever was asked; None: it does."""
    update_at: datetime | None = None
    taken: int = 0
    strangers: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    incidents: int = 0
    database: str = "ok"
    """Verdict of the last whole check of the file: at start, then every hour."""
    database_checked_at: datetime | None = None
    after_crash: bool = False
    """The run before this one did not end cleanly."""

    def answered(self) -> None:
        """Telegram has, if only to refuse."""
        self.silent_since = None

    def unanswered(self, now: datetime) -> None:
        """Telegram was asked, and nothing of its own came back."""
        self.silent_since = self.silent_since or now

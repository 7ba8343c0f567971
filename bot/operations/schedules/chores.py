"""What the desk does by the clock of its own accord, and when next. The work is elsewhere; this only says so."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bot.config import BackupConfig
from bot.operations.schedules import slots

_HYGIENE: Final = "0 7 * * 1"


@dataclass(frozen=True, slots=True)
class Chore:
    """One kind of work. `cron` is empty, and nothing is next, where it goes on all the time."""

    name: str
    cron: str = ""
    zone: str = "UTC"
    next_at: datetime | None = None
    often: str = ""


def chores(backup: BackupConfig | None, zone: str, now: datetime) -> list[Chore]:
    """Those of a desk in that zone."""
    found = []
    if backup is not None:
        cron = f"{backup.minute} {backup.hour} * * *"
        found.append(Chore("backup", cron, zone, slots.upcoming(cron, zone, now)))
    return [
        *found,
        Chore("word about keys", _HYGIENE, "UTC", slots.upcoming(_HYGIENE, "UTC", now)),
        Chore("anchor of the audit log", often="every hour"),
        Chore("reminders of what waits for signatures", often="every minute, as the policy says"),
    ]

"""What a schedule is. Opens nothing."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What is told."""

    BALANCES = "balances"
    POSITIONS = "positions"
    STATEMENT = "statement"
    """What came and went that day, as a file."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """One of a person's."""

    id: int
    person_id: int
    telegram_id: int
    """The account that made it; it is told in that one's private chat."""
    kind: Kind
    connection: str | None
    """The one it is about; None: all that the person may see."""
    cron: str
    """Five fields, as cron has them."""
    zone: str
    created_at: datetime
    is_paused: bool = False
    group: int | None = None
    """The group of the desk that is told when it has come, without what is private; by the id it had then."""
    thread: int | None = None
    """The topic of it."""


@dataclass(frozen=True, slots=True)
class Run:
    """A slot of one that has come."""

    schedule: Schedule
    slot: datetime
    """Local time, as the clock on the wall there says it; without a zone."""
    due_at: datetime
    is_late: bool = False
    missed: int = 0
    """Slots before it that nobody was there for: this one stands for them."""
    first: datetime | None = None
    """The first of them."""


class End(StrEnum):
    """What became of a slot."""

    BEGUN = "begun"
    DONE = "done"
    MISSED = "missed"
    """A later one stood for it, or the person was not there any more."""
    FAILED = "failed"

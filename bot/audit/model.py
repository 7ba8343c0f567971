"""The audit log, as plain records. Opens nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

RESTORED: Final = "backup.restored"
"""The deed of a restore. After it the epoch is another."""
RECOVERED: Final = "desk.recovered"
"""The deed of going on without a master key that was lost: after it, too, the epoch is another, and so is the key."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was done."""

    seq: int
    at: datetime
    epoch: int
    person_id: int | None
    telegram_id: int | None
    action: str
    object: str
    details: Mapping[str, str | int]
    prev: bytes
    hash: bytes
    mac: bytes


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows are asked for; whatever is None does not narrow."""

    person_id: int | None = None
    """What this person did, and what was done to them."""
    object: str | None = None
    since: datetime | None = None
    """Inclusive."""
    until: datetime | None = None
    """Exclusive."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last row of the chain."""

    seq: int
    hash: bytes
    epoch: int


@dataclass(frozen=True, slots=True)
class Anchor:
    """What somebody outside remembers of one row."""

    seq: int
    hash: bytes
    epoch: int | None = None
    """None when it was not said."""


class Wrong(StrEnum):
    """What can be wrong with a row."""

    MISSING = "missing"
    """One or more rows before this one are not there."""
    MISPLACED = "misplaced"
    """It stands where another row belongs."""
    UNREADABLE = "unreadable"
    CHANGED = "changed"
    """Its fields are not those that were hashed."""
    UNLINKED = "unlinked"
    """It does not continue the row before."""
    FORGED = "forged"
    """Its code was not made with the key of its day."""
    EPOCH = "epoch"
    """The epoch changes, and no restore says why."""
    ANCHORED = "anchored"
    """An anchor remembers another row with this number."""
    CUT = "cut"
    """An anchor remembers this row, and the log ends before it."""
    HIDDEN = "hidden"
    """There are more rows than can be read in their order."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """The row numbered `seq` is wrong. `last` is the last good number before a gap or a cut."""

    seq: int
    wrong: Wrong
    last: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an examination of the whole chain found."""

    rows: int
    head: Head | None
    flaws: tuple[Flaw, ...]
    """The first ones, by row."""
    flaw_count: int
    anchors: int
    """How many were compared, those left behind included."""
    left_behind: tuple[Anchor, ...]
    """Anchors of rows that a restore took away: they prove nothing any more, and that restore is in the log."""
    vouched: int = 0
    """The rows up to this one have codes of a lost master key; a later row, whose own code fits, continues them."""

    @property
    def is_whole(self) -> bool:
        return not self.flaw_count

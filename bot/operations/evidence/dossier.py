"""Everything that is known of one request, as plain records."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.approvals.enclosures import Enclosure, Remark
from bot.approvals.model import Request
from bot.operations.moving.records import Said, Sending, Sighting
from bot.operations.rates import Entered


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row of the audit log. Of other matters only the hashes are told."""

    seq: int
    prev: str
    hash: str
    fields: tuple[Any, ...] | None
    """As they were hashed."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """An anchor: a row of the log that is known outside of it."""

    at: datetime
    seq: int
    hash: str
    epoch: int
    source: str
    """Where: in words."""


@dataclass(frozen=True, slots=True)
class PolicyText:
    """The policy that it was judged by."""

    version: int
    document: str


@dataclass(frozen=True, slots=True)
class Dossier:
    """All of it."""

    made_at: datetime
    request: Request
    lines: tuple[str, ...]
    """What was asked for, as the signers read it."""
    names: Mapping[int, str]
    tier: str
    policy: PolicyText | None
    rates: tuple[Entered, ...]
    """What limits over every currency could weigh it by, until it was sent last."""
    sendings: tuple[Sending, ...]
    sightings: tuple[Sighting, ...]
    answers: tuple[Said, ...]
    remarks: tuple[Remark, ...]
    files: tuple[tuple[Enclosure, bytes], ...]
    log: tuple[LogRow, ...]
    anchors: tuple[Remembered, ...]

    def name(self, person_id: int) -> str:
        return self.names.get(person_id, f"person {person_id}")

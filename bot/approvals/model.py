"""Requests, votes, and who must sign, as plain records. Opens nothing."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec

from bot.access.model import Person


class Kind(StrEnum):
    """What can be asked for."""

    ROLE = "role"
    FACTOR_RESET = "factor_reset"
    FACTOR_FIRST = "factor_first"
    ACCOUNT = "account"


class State(StrEnum):
    """Where a request stands (SAFETY 3.1). What is carried out within this house passes from pending to its end at
    once; what goes to a provider passes through the states in between."""

    PENDING = "pending"
    APPROVED = "approved"
    HELD = "held"
    SENDING = "sending"
    ACKED = "acked"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SETTLED_BY_HAND = "settled_by_hand"


class Decision(StrEnum):
    """What a vote says."""

    APPROVE = "approve"
    DENY = "deny"


Circle = str
"""A set of people who may sign: `role/admin`, `group/finance`."""


def circles_of(person: Person) -> frozenset[Circle]:
    """All circles a person stands in."""
    return frozenset({f"role/{role}" for role in person.roles} | {f"group/{group}" for group in person.groups})


@dataclass(frozen=True, slots=True)
class Seat:
    """So many people out of one circle."""

    circle: Circle
    count: int = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """Who must sign: every seat is to be filled, and nobody sits on two."""

    seats: tuple[Seat, ...]
    barred: frozenset[int] = frozenset()
    """People (our ids) who may not sign whatever circle they stand in: whom the request is about."""

    def concerns(self, person: Person) -> bool:
        """Whether this person could fill a seat."""
        if person.id in self.barred:
            return False
        circles = circles_of(person)
        return any(seat.circle in circles for seat in self.seats)

    def missing(self, signed: Iterable[Person]) -> tuple[Circle, ...]:
        """The circles of the seats that stay empty however the signers are seated; none when the rule is met."""
        chairs = [seat.circle for seat in self.seats for _ in range(seat.count)]
        sitting: dict[int, frozenset[Circle]] = {}
        for person in signed:
            if person.id not in self.barred:
                _seat(circles_of(person), chairs, sitting, set())
        return tuple(circle for number, circle in enumerate(chairs) if number not in sitting)


def _seat(
    circles: frozenset[Circle], chairs: list[Circle], sitting: dict[int, frozenset[Circle]], asked: set[int]
) -> bool:
    """Find a chair for one more, asking those who sit to move where they can."""
    for number, circle in enumerate(chairs):
        if circle not in circles or number in asked:
            continue
        asked.add(number)
        if number not in sitting or _seat(sitting[number], chairs, sitting, asked):
            sitting[number] = circles
            return True
    return False


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's decision on one request. `hash` is that of what they were shown."""

    person_id: int
    decision: Decision
    hash: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """Something that needs more than one person. Kind, parameters and asker never change; a change is a new request."""

    id: str
    kind: Kind
    parameters: Mapping[str, str]
    hash: str
    """64 hex digits over kind, asker and parameters."""
    rule: Rule
    state: State
    version: int
    asked_by: int
    asked_at: datetime
    expires_at: datetime
    votes: tuple[Vote, ...] = ()
    outcome: str = ""
    """Once it has ended: what came of it, in a few plain words."""

    @property
    def approvals(self) -> tuple[Vote, ...]:
        """The votes that say yes to exactly this."""
        return tuple(vote for vote in self.votes if vote.decision is Decision.APPROVE and vote.hash == self.hash)


def hash_of(kind: Kind, asked_by: int, parameters: Mapping[str, str]) -> str:
    """What a vote is bound to. Canonical JSON: texts only, keys sorted, so there is one reading."""
    content = {"by": asked_by, "kind": kind.value, "parameters": dict(parameters)}
    return hashlib.sha256(b"countersign/request/1\n" + msgspec.json.encode(content, order="deterministic")).hexdigest()

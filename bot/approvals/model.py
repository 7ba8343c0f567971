"""Requests, votes, and who must sign, as plain records. Opens nothing."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

import msgspec

from bot.access.model import Person
from bot.money import Money


class Kind(StrEnum):
    """What can be asked for."""

    ROLE = "role"
    FACTOR_RESET = "factor_reset"
    FACTOR_FIRST = "factor_first"
    ACCOUNT = "account"
    TRANSFER = "transfer"
    WITHDRAWAL = "withdrawal"
    """A decision on a client's withdrawal."""
    WALLET = "wallet"
    TRADING = "trading"
    """A deposit to a client's trading account, or a withdrawal from it."""
    ORDER = "order"
    """Something is bought or sold, now or when it has its price."""
    CLOSE = "close"
    """An open position or contract is closed."""
    CHANGE = "change"
    """The stop, limit or price of what is open or waits; or what waits is taken back."""
    BENEFICIARY = "beneficiary"
    POLICY = "policy"
    RATE = "rate"
    """What one currency is worth in another, for limits that count every currency."""
    THAW = "thaw"
    SETTLE = "settle"
    """What became of a request whose outcome is unknown, said by hand."""
    REPEAT = "repeat"
    """Another request like one whose outcome is unknown."""

    @property
    def is_sent(self) -> bool:
        """Whether it is carried out by a provider, so that its outcome may be unknown for a while."""
        return self in _SENT


_SENT = frozenset(
    {Kind.TRANSFER, Kind.WITHDRAWAL, Kind.WALLET, Kind.TRADING, Kind.ORDER, Kind.CLOSE, Kind.CHANGE},
)


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


class Proof(IntEnum):
    """How an approval is authorised, beyond a tap. The values stand in rows.

    What somebody shows is nothing, the number or a code, and a higher one serves where a lower one is asked for. What a
    rule asks for may depend on who signs, and of that neither is more than the other: the number proves that the signer
    looks at the same request as its asker, a code that nobody else holds their telephone. So where two rules ask, what
    counts is `both`, not the larger.
    """

    NONE = 0
    CODE_IF_SET_UP = 1
    """A code by whoever has a second factor."""
    NUMBER = 2
    """The number that the asker's screen shows, picked among four (SAFETY M15)."""
    CODE = 3
    """A code of the second factor, used up by this one vote."""
    CODE_OR_NUMBER = 4
    """A code by whoever has a second factor, the number by anybody else."""

    @property
    def takes_number(self) -> bool:
        """Whether the asker's screen shows one."""
        return self in (Proof.NUMBER, Proof.CODE_OR_NUMBER)

    def asked_of(self, has_factor: Callable[[], bool]) -> "Proof":
        """What one signer shows."""
        match self:
            case Proof.CODE_IF_SET_UP:
                return Proof.CODE if has_factor() else Proof.NONE
            case Proof.CODE_OR_NUMBER:
                return Proof.CODE if has_factor() else Proof.NUMBER
            case _:
                return self


def both(one: Proof, other: Proof) -> Proof:
    """The least that satisfies each of two, whoever signs."""
    if Proof.CODE in (one, other):
        return Proof.CODE
    return Proof.CODE_OR_NUMBER if {one, other} == {Proof.CODE_IF_SET_UP, Proof.NUMBER} else max(one, other)


LIFE = timedelta(minutes=30)
SHORTEST_LIFE, LONGEST_LIFE = timedelta(minutes=5), timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Rule:
    """Who must sign, and how: every seat is to be filled, and nobody sits on two. No seats: it is met at once."""

    seats: tuple[Seat, ...]
    barred: frozenset[int] = frozenset()
    """People (our ids) who may not sign whatever circle they stand in: whom the request is about."""
    proof: Proof = Proof.NONE
    hold: timedelta = timedelta()
    """How long it then waits, and can be called off, before it is carried out (M11)."""
    life: timedelta = LIFE
    """How long votes are taken."""
    name: str = ""
    """What it is called in the policy."""
    is_uncounted: bool = False
    """It takes what the strictest amount would, because limits are kept and none of them counts its currency."""

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
    proof: Proof = Proof.NONE
    """What it was authorised with."""
    shown: str = ""
    """64 hex digits over the text they were shown (M13)."""
    message_id: int | None = None
    """The message they saw it in."""


@dataclass(frozen=True, slots=True)
class Stake:
    """The money a request is about, for limits and for telling two requests apart."""

    connection_id: int
    amount: Money | None
    same: str
    """Equal for two requests that would do the same thing: one of them at a time (M06)."""


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
    """What came of it so far, in a few plain words."""
    stake: Stake | None = None
    number: int | None = None
    """Two digits on the asker's screen, where signers are to pick them (`Proof.NUMBER`)."""
    held_until: datetime | None = None
    asked_in_chat: int | None = None
    """The group it was asked in; None for a private chat."""

    @property
    def send_by(self) -> datetime:
        """When it is too late to send it: what was held has its life anew from the end of that."""
        return self.expires_at if self.held_until is None else self.held_until + self.rule.life

    @property
    def approvals(self) -> tuple[Vote, ...]:
        """The votes that say yes to exactly this."""
        return tuple(vote for vote in self.votes if vote.decision is Decision.APPROVE and vote.hash == self.hash)


def hash_of(kind: Kind, asked_by: int, parameters: Mapping[str, str]) -> str:
    """What a vote is bound to. Canonical JSON: texts only, keys sorted, so there is one reading."""
    content = {"by": asked_by, "kind": kind.value, "parameters": dict(parameters)}
    return hashlib.sha256(b"countersign/request/1\n" + msgspec.json.encode(content, order="deterministic")).hexdigest()

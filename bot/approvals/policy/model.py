"""What a policy says and what it speaks about, as plain records. Opens nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from bot.access.model import Person
from bot.approvals.model import Circle, Seat
from bot.money import Money
from bot.providers.records import Environment


class Act(StrEnum):
    """What moves money or a position, and what lets it move."""

    TRANSFER = "transfer"
    APPROVE_WITHDRAWAL = "approve withdrawal"
    REJECT_WITHDRAWAL = "reject withdrawal"
    WALLET_CHANGE = "change wallet"
    MT_DEPOSIT = "mt deposit"
    MT_WITHDRAWAL = "mt withdrawal"
    ORDER = "order"
    CLOSE = "close"


class _Ranked(StrEnum):
    """From the least strict to the strictest."""

    @property
    def rank(self) -> int:
        return list(type(self)).index(self)


class Tier(_Ranked):
    """How much stands between the wish and the act; each tier asks for what the one before it does."""

    FREE = "free"
    """Done when asked."""
    CONFIRM = "confirm"
    """Done when the asker has seen it once more and says so."""
    QUORUM = "quorum"
    """Done when others have signed."""
    REFUSE = "refuse"


class Proof(_Ranked):
    """What whoever decides (at `Tier.CONFIRM`, the asker) shows with the decision."""

    NONE = "none"
    NUMBER = "number"
    """The right one of some numbers, as on the card."""
    CODE = "code"
    """A one-time code of their second factor."""


class Per(StrEnum):
    """Whose amounts a limit adds up."""

    PERSON = "person"
    """The requester's."""
    CONNECTION = "connection"
    DESK = "desk"


class Window(StrEnum):
    """Over which time."""

    TRANSACTION = "transaction"
    """None: each one by itself."""
    ROLLING = "24h"
    DAY = "day"
    """The calendar day in the policy's zone."""


class Guarded(StrEnum):
    """What is changed by a request that the rules do not speak of."""

    BENEFICIARY = "beneficiary"
    ROLE = "role"
    FACTOR_RESET = "factor_reset"
    POLICY = "policy"
    THAW = "thaw"
    SETTLE = "settle"
    """An unknown outcome, settled by hand."""
    REPEAT = "repeat"
    """Another one like that whose outcome is unknown."""


@dataclass(frozen=True, slots=True)
class Case:
    """One wish, as the rules look at it."""

    act: Act
    provider: str
    environment: Environment
    connection: str
    """`cryptocapital/main`: what stands before the slash is `provider`."""
    source: str
    """An account number; empty where the act has none. So with the beneficiary."""
    beneficiary: str
    amount: Money | None
    """Never negative. Without one, only rules and limits that do not ask for a currency apply."""
    at: datetime
    """Aware UTC."""
    requester: Person

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("a case has an aware time")
        if self.connection.partition("/")[0] != self.provider:
            raise ValueError("a case has a connection of its provider")
        if self.amount is not None and self.amount.amount < 0:
            raise ValueError("a case has no negative amount")


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of each day, by the clock on the wall: minutes since midnight, from inclusive, until exclusive.

    `until` before `start` goes over midnight; the weekday is then that of the moment, not of the evening it began.
    """

    start: int
    until: int

    def holds(self, minute: int) -> bool:
        if self.start < self.until:
            return self.start <= minute < self.until
        return minute >= self.start or minute < self.until

    @property
    def words(self) -> str:
        """`22:00 and 05:00`."""
        return f"{self.start // 60:02d}:{self.start % 60:02d} and {self.until // 60:02d}:{self.until % 60:02d}"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which cases are meant: all conditions must hold, and an empty one always does. `judging.applies` reads it."""

    acts: frozenset[Act] = frozenset()
    providers: frozenset[str] = frozenset()
    environments: frozenset[Environment] = frozenset()
    connections: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    beneficiaries: frozenset[str] = frozenset()
    currencies: frozenset[str] = frozenset()
    at_least: Decimal | None = None
    """Inclusive, in each of `currencies`. A band never stands without them."""
    below: Decimal | None = None
    """Exclusive."""
    hours: Hours | None = None
    weekdays: frozenset[int] = frozenset()
    """Monday is 0."""
    requesters: frozenset[Circle] = frozenset()
    """Whoever stands in one of them."""


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """What is asked for in some cases. The first rule that applies decides."""

    name: str
    scope: Scope
    tier: Tier
    needs: tuple[Seat, ...] = ()
    """At `Tier.QUORUM` at least one, elsewhere none."""
    proof: Proof = Proof.NONE
    hold: timedelta = timedelta()
    """How long it waits between the last signature and the act."""
    life: timedelta | None = None
    """How long it may be decided on; None for the policy's own."""
    reason: str = ""
    """What the asker is told about it."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How much may go. Its scope has neither currencies, band nor hours."""

    name: str
    scope: Scope
    most: Money
    per: Per
    window: Window
    every_currency: bool = False
    """Whether amounts in others than its own are counted as well, for what they are worth (`rates`)."""

    def counts_in(self, code: str) -> bool:
        """Whether an amount in that currency counts."""
        return self.every_currency or code == self.most.currency.code


@dataclass(frozen=True, slots=True)
class Guard:
    """Who must sign for a change."""

    needs: tuple[Seat, ...]
    proof: Proof = Proof.NONE


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who else hears of a request that waits, and when."""

    after: timedelta
    to: Circle


_TWO_APPROVERS = Guard((Seat("role/approver", 2),), Proof.CODE)
GUARDS: Mapping[Guarded, Guard] = {
    Guarded.BENEFICIARY: _TWO_APPROVERS,
    Guarded.ROLE: Guard((Seat("role/admin"),)),
    Guarded.FACTOR_RESET: Guard((Seat("role/admin"),)),
    Guarded.POLICY: Guard((Seat("role/admin"),), Proof.CODE),
    Guarded.THAW: _TWO_APPROVERS,
    Guarded.SETTLE: _TWO_APPROVERS,
    Guarded.REPEAT: _TWO_APPROVERS,
}
"""Of a policy that does not say otherwise."""


UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Policy:
    """All of it. Which version this is, and since when, its row knows."""

    zone: ZoneInfo = UTC
    life: timedelta = timedelta(minutes=30)
    rules: tuple[PolicyRule, ...] = ()
    limits: tuple[Limit, ...] = ()
    guards: Mapping[Guarded, Guard] = field(default_factory=lambda: dict(GUARDS))
    """One for each."""
    beneficiary_cooldown: timedelta = timedelta(hours=24)
    """How long a new beneficiary waits before money may go there."""
    first_payment_hold: timedelta = timedelta()
    """How long the first payment to a beneficiary waits at least between the last signature and the act (M11)."""
    loosening_delay: timedelta = timedelta(hours=24)
    """How long a change that makes anything less strict waits."""
    remind_at_percent: tuple[int, ...] = (50, 80)
    """After which parts of a request's life those who could sign are reminded."""
    escalations: tuple[Escalation, ...] = ()


DEFAULT = Policy()
"""Of a desk that has none: no rule, so that what the last resort asks for is asked for everything."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one case needs."""

    tier: Tier
    rule: str
    """The rule's name; empty when none applied."""
    needs: tuple[Seat, ...]
    proof: Proof
    hold: timedelta
    life: timedelta
    reason: str = ""
    is_uncounted: bool = False
    """It takes what the strictest amount would: limits are kept, and none of them counts its currency."""

"""Rules and their states, as plain records. Opens nothing.

A rule looks at a *number* (a price, a balance, a margin …) or waits for an *occasion* (a position closed, a stream
down). What it looks at is its `Source`; where it stands is its `State`, which alone changes while it works.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum


class Measure(StrEnum):
    """A number that has a value at every moment. The value is the word that people use for it."""

    PRICE = "price"
    BALANCE = "balance"
    FREE_MARGIN = "free margin"
    MARGIN_LEVEL = "margin level"
    """In percent: the account's value over the margin in use."""
    PROFIT = "profit"
    """Of one position; a loss is below nought."""
    STOP_DISTANCE = "distance to stop"
    """In percent of the present price."""
    LIQUIDATION_DISTANCE = "distance to liquidation"
    """Of a position, in percent of the present price: where the provider tells at which price it closes it."""
    MARGIN_DISTANCE = "distance to full margin"
    """In percent of what the account is worth: what it may lose until all its margin is in use."""

    @property
    def is_percent(self) -> bool:
        return self in (
            Measure.MARGIN_LEVEL,
            Measure.STOP_DISTANCE,
            Measure.LIQUIDATION_DISTANCE,
            Measure.MARGIN_DISTANCE,
        )

    @property
    def must_be_positive(self) -> bool:
        """A price of nought or less is a fault of whoever told it."""
        return self is Measure.PRICE


class Occasion(StrEnum):
    """Something that happens. The value finishes the sentence "tell me: …"."""

    FILLED = "order filled"
    OPENED = "position opened"
    CLOSED = "position closed"
    STOPPED = "position stopped out"
    MONEY_IN = "transfer in"
    MONEY_OUT = "transfer out"
    TRANSFER_FAILED = "transfer failed"
    WITHDRAWAL_NEW = "client withdrawal new"
    WITHDRAWAL_WAITING = "client withdrawal waiting"
    REQUEST_WAITING = "request waiting"
    REQUEST_EXPIRING = "request about to expire"
    STREAM_DOWN = "stream down"
    PROVIDER_DOWN = "provider down"
    CLOCK_OFF = "clock off"
    DISK_LOW = "disk low"
    KEY_OLD = "key old"

    @property
    def takes_time(self) -> bool:
        """Whether a rule may say how long it must have lasted, or is yet to last."""
        return self in (
            Occasion.WITHDRAWAL_WAITING,
            Occasion.REQUEST_WAITING,
            Occasion.REQUEST_EXPIRING,
            Occasion.STREAM_DOWN,
            Occasion.PROVIDER_DOWN,
            Occasion.KEY_OLD,
        )

    @property
    def lasts(self) -> bool:
        """Whether it goes on for a while, so that a rule made meanwhile still hears of it."""
        return self.takes_time or self in (Occasion.CLOCK_OFF, Occasion.DISK_LOW)

    @property
    def of_desk(self) -> bool:
        """Whether it is no connection's."""
        return self in (Occasion.REQUEST_WAITING, Occasion.REQUEST_EXPIRING, Occasion.CLOCK_OFF, Occasion.DISK_LOW)


class Test(StrEnum):
    """What a number is asked."""

    __test__ = False  # nothing for pytest

    ABOVE = "above"
    BELOW = "below"
    CROSSES = "crosses"
    """Passes the threshold, either way."""
    MOVES = "moves"
    """By so many percent within the window, either way."""
    CHANGES = "changes"
    """By more than the threshold since it was last told, or first seen."""
    HAPPENS = "happens"


def stays(what: Measure | Occasion, test: Test) -> bool:
    """Whether it is so for a while, once it has come: only that can be over, and be said again meanwhile."""
    return what.lasts if isinstance(what, Occasion) else test in (Test.ABOVE, Test.BELOW, Test.MOVES)


class Repeat(StrEnum):
    """When a rule that has come is armed again."""

    ONCE = "once"
    EACH = "each time"
    """As soon as it is no longer so, by at least the hysteresis."""
    EVERY = "every"
    """The same; and while it stays so, again after each interval."""


class Severity(StrEnum):
    """How much it matters. What is critical goes first, and is escalated when nobody acknowledges it."""

    NORMAL = "normal"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, order=True)
class Escalation:
    """One step of what happens to an alert that nobody acknowledges: those who were told hear again."""

    after: timedelta
    tells_admins: bool = False
    """Every admin hears of it, too."""


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """What a rule looks at."""

    connection: int
    """Nought: the desk itself."""
    what: Measure | Occasion
    subject: str = ""
    """A symbol, a position, or an account and its currency (`"123 USD"`); of profits a symbol,
    or `all`, and a currency; empty: whatever the connection has."""


@dataclass(frozen=True, slots=True)
class Target:
    """Who is told: a person in each of their private chats, or a group of the desk, perhaps one topic of it."""

    person: int | None = None
    chat: int | None = None
    thread: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What somebody wants to be told of. Changed by replacing it as a whole."""

    id: str
    owner: int
    source: Source
    test: Test
    created_at: datetime
    threshold: Decimal = Decimal(0)
    currency: str = ""
    """Of the threshold; empty for prices and percents."""
    window: timedelta = timedelta()
    """For MOVES: within which time; for occasions: how long it has lasted, or is yet to last."""
    repeat: Repeat = Repeat.ONCE
    every: timedelta = timedelta()
    hysteresis: Decimal = Decimal(0)
    """How far it must go back before it is armed again, in the unit of the number."""
    expires_at: datetime | None = None
    severity: Severity = Severity.NORMAL
    target: Target = Target()
    """Nobody named: its owner."""
    rest: timedelta = timedelta()
    """How long it is silent after it has come: "less like this"."""
    is_paused: bool = False


class Phase(StrEnum):
    """Where a rule stands."""

    NEW = "new"
    """It has seen no value yet."""
    ARMED = "armed"
    HELD = "held"
    """It has come, and is still so."""
    DONE = "done"
    """It came, and was to come once."""


class Side(StrEnum):
    """On which side of its threshold a number was seen last; the direction of a firing, too."""

    NONE = ""
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class State:
    """How a rule stands. `since`: the time of the event that led here; nothing that was before it counts any more."""

    phase: Phase = Phase.NEW
    side: Side = Side.NONE
    since: datetime | None = None
    reference: Decimal | None = None
    """For CHANGES: the value it is compared with."""
    told_at: datetime | None = None
    """When it last came."""
    times: int = 0
    muted_until: datetime | None = None
    muted_while_held: bool = False
    """Until it is no longer so."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How often a rule has come, how often of these it was silent, and when it came last."""

    times: int
    silent: int
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which nothing was heard, as it was filled from the provider's history later."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """Where a number went: one value at a time, or from `low` to `high` until it was `last`."""

    low: Decimal
    high: Decimal
    last: Decimal
    start: datetime
    end: datetime
    is_news: bool = False
    """Whatever of it had been told before was left out: its extremes are later than that, though it begins earlier."""

    @classmethod
    def point(cls, value: Decimal, at: datetime) -> "Span":
        return cls(value, value, value, at, at)


@dataclass(frozen=True, slots=True)
class Firing:
    """One time that a rule came. (`rule`, `bucket`, `direction`) is what makes it the same one when seen again."""

    rule: Rule
    bucket: str
    direction: Side
    at: datetime
    """When it happened, as the provider states it."""
    value: Decimal | None = None
    detail: str = ""
    """For occasions: what happened, in plain words; may hold words of outside."""
    outage: Outage | None = None
    audience: frozenset[int] | None = None
    """Whose business it is, where that is fewer than may read its connection."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A rule whose state has changed; it may have come, or be over."""

    rule: Rule
    state: State
    firing: Firing | None = None
    is_released: bool = False

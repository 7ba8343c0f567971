"""What every adapter hands back: plain frozen records in our own words.

A number without the time it was true is not shown, so each record says when it was read (`as_of`).
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from bot.money import Currency, Money

Item = TypeVar("Item")


class Environment(StrEnum):
    """Whether an account holds real money."""

    LIVE = "live"
    DEMO = "demo"

    @property
    def other(self) -> "Environment":
        return Environment.DEMO if self is Environment.LIVE else Environment.LIVE


class Power(StrEnum):
    """What a login can do. The value finishes the sentence "it can …"."""

    READ = "read"
    TRADE = "trade"
    PAY_OUT = "pay out"
    DECIDE = "decide on withdrawals"
    MANAGE = "manage the account"


class Way(StrEnum):
    """Whether money came or went."""

    IN = "in"
    OUT = "out"


class Direction(StrEnum):
    """Which way a position gains."""

    LONG = "long"
    SHORT = "short"


@dataclass(frozen=True, slots=True)
class Findings:
    """What a harmless look at a login found out about it."""

    summary: str
    """A few plain words ("2 accounts, USD and EUR")."""
    accounts: tuple[str, ...] = ()
    """The account numbers it sees, where they were looked at."""
    environment: Environment | None = None
    """As the provider tells it; None where it does not."""
    powers: frozenset[Power] = frozenset({Power.READ})
    """What it can do: told by the provider, or what its documents give to every login."""
    untold: frozenset[Power] = frozenset()
    """What it may be able to do, too: nobody can tell without trying."""
    facts: tuple[str, ...] = ()
    """Plain sentences worth telling; no secret among them."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account number inside a connection."""

    id: str
    name: str
    currency: Currency | None
    environment: Environment
    kind: str = ""
    """The provider's own word for the kind of account, for showing only."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What one account, or one wallet, holds.

    `amount` is the account's value as the provider states it; `available` what may leave it now, when it says so.
    """

    account: str
    name: str
    amount: Money
    as_of: datetime
    environment: Environment
    available: Money | None = None
    profit: Money | None = None
    """Open profit or loss that is part of `amount`."""
    kind: str = ""
    owner: str = ""
    """Whose it is, where a connection sees several people's accounts (the CRM)."""


@dataclass(frozen=True, slots=True)
class Position:
    """One open position or contract."""

    account: str
    id: str
    symbol: str
    name: str
    as_of: datetime
    direction: Direction | None = None
    size: Decimal | None = None
    size_unit: str = ""
    entry: Decimal | None = None
    now: Decimal | None = None
    profit: Money | None = None
    margin: Money | None = None
    stop: Decimal | None = None
    limit: Decimal | None = None
    opened_at: datetime | None = None
    expires_at: datetime | None = None
    price_paid: Money | None = None
    payout: Money | None = None
    description: str = ""
    owner: str = ""
    worth: Money | None = None
    """What closing it gives now, or gave."""
    is_open: bool = True
    can_be_closed: bool | None = None
    """Whether the provider would take it back now; None where that was not told."""
    status: str = ""
    """The provider's own word for how it stands, for showing only."""
    overnight: Money | None = None
    """What holding it for the next night brings, or costs; looked up where that was asked for."""
    overnight_at: datetime | None = None
    stop_kind: str = ""
    """What its stop is beyond a price: guaranteed, trailing."""
    stop_distance: Decimal | None = None
    """How far a stop that trails is away."""
    stop_out: Decimal | None = None
    """The price at which the provider closes it for want of margin, where that is told."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an account's statement."""

    account: str
    id: str
    on: date
    way: Way
    amount: Money
    """What came to this account, or left it."""
    other: str
    """The account on the other side."""
    narrative: str
    """Somebody's words: shown literally, never read as ours."""
    other_amount: Money | None = None
    """What it was on the other side, where that has another currency."""
    at: datetime | None = None
    """When, where the provider tells more than the day; aware UTC."""
    balance_after: Money | None = None
    kind: str = ""
    """The provider's own word, for showing only."""
    reference: str = ""
    """What it belongs to, in the provider's numbers: a contract, a deal."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened on an account, whether money was booked for it or not."""

    account: str
    at: datetime
    what: str
    """In plain words: "position accepted, by its stop"."""
    id: str = ""
    """Of the position or order it happened to."""
    symbol: str = ""
    name: str = ""
    direction: Direction | None = None
    """Of the deal: a long is closed by a short one."""
    size: Decimal | None = None
    level: Decimal | None = None
    """The price it happened at, or is to."""


class Quote(msgspec.Struct, frozen=True, gc=False):
    """What a market is bought and sold at, at one moment. There are thousands a second, and each is made once."""

    symbol: str
    bid: Decimal
    ask: Decimal
    at: datetime
    """As the provider states it; aware UTC."""

    @property
    def key(self) -> tuple[str, datetime]:
        """Two with the same key are the same event, however often and by whichever way they are told."""
        return self.symbol, self.at

    @property
    def mid(self) -> Decimal:
        """Halfway between the two: what charts and alerts look at."""
        return (self.bid + self.ask) / 2


@dataclass(frozen=True, slots=True)
class Candle:
    """Where a price went in one step of time."""

    symbol: str
    at: datetime
    """Where the step begins."""
    step: timedelta
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal

    @property
    def key(self) -> tuple[str, timedelta, datetime]:
        return self.symbol, self.step, self.at


@dataclass(frozen=True, slots=True)
class Market:
    """Something that can be traded."""

    symbol: str
    """The provider's own name of it, as its calls want it."""
    name: str
    kind: str = ""
    """The provider's own word, for showing only."""
    is_open: bool | None = None
    """Whether it can be traded now; None where that was not told."""
    quote: Quote | None = None
    hours: tuple[str, ...] = ()
    """When it is open, a line each, in plain words."""
    facts: tuple[str, ...] = ()
    """Other plain sentences worth telling: the least size, the margin, how others are positioned."""
    currency: Currency | None = None
    """What its price is in."""
    least: Decimal | None = None
    most: Decimal | None = None
    step: Decimal | None = None
    """What one deal may be of, where the provider says so."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order that waits at the provider for its price."""

    account: str
    id: str
    symbol: str
    name: str
    as_of: datetime
    direction: Direction
    size: Decimal
    level: Decimal
    """The price it waits for."""
    kind: str = ""
    """limit, stop."""
    stop: Decimal | None = None
    limit: Decimal | None = None
    created_at: datetime | None = None
    good_till: datetime | None = None
    currency: Currency | None = None


class Fate(StrEnum):
    """What became of an order or a position."""

    FILLED = "filled"
    """The order was carried out."""
    OPENED = "opened"
    CLOSED = "closed"
    STOPPED = "stopped"
    """It was closed by its stop, or by the provider because its margin was used up. It was CLOSED, too."""


@dataclass(frozen=True, slots=True)
class Dealing:
    """One such thing, as the provider's history has it."""

    account: str
    id: str
    """The position's; empty where an order was filled and it was not told what came of it."""
    symbol: str
    at: datetime
    fate: Fate
    name: str = ""
    direction: Direction | None = None
    """Of the deal: a long is closed by a short one."""
    size: Decimal | None = None
    level: Decimal | None = None
    """The price it happened at, where that was told."""
    order: str = ""
    """Of FILLED: the order's number."""
    by_provider: bool = False
    """Of STOPPED: for want of margin, and not by its stop."""
    profit: Money | None = None


@dataclass(frozen=True, slots=True)
class Reading(Generic[Item]):
    """One answer to one question: the items, and what the reader must know about them."""

    items: tuple[Item, ...]
    as_of: datetime
    notes: tuple[str, ...] = ()
    """Plain sentences, for example that only the first 200 clients were read."""
    is_whole: bool = True
    """Whether nothing is missing of what answered at all; a note about what is not there takes nothing from that."""

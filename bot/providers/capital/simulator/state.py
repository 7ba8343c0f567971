"""All that the broker remembers; plain data, so that it can be written down and taken up again as a whole."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from bot.loopback.simulator import LedgerEntry
from bot.providers.capital.simulator.options import Options
from bot.providers.capital.simulator.tape import Origin, Recorded


class Direction(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        return 1 if self is Direction.BUY else -1

    @property
    def opposite(self) -> "Direction":
        return Direction.SELL if self is Direction.BUY else Direction.BUY


@dataclass(slots=True)
class User:
    identifier: str
    client_id: str
    password: str = field(repr=False)
    account_ids: list[str] = field(default_factory=list)
    """Empty for somebody whose accounts are all in the other environment."""


@dataclass(slots=True)
class Leverage:
    current: int
    available: list[int]


@dataclass(slots=True)
class Account:
    id: str
    name: str
    currency: str
    deposit: Decimal
    """Cash, without the profit or loss of open positions."""
    preferred: bool
    leverages: dict[str, Leverage]
    hedging: bool = False


@dataclass(slots=True)
class Quote:
    bid: Decimal
    offer: Decimal
    opened: Decimal
    """Bid at the start of the day; net change is measured from it."""
    high: Decimal
    low: Decimal
    updated: datetime
    status: str = "TRADEABLE"


@dataclass(frozen=True, slots=True)
class Bracket:
    """What closes a position by itself."""

    stop_level: Decimal | None = None
    profit_level: Decimal | None = None
    stop_distance: Decimal | None = None
    """Only of a trailing stop."""
    trailing: bool = False
    guaranteed: bool = False


@dataclass(slots=True)
class Position:
    deal_id: str
    order_id: str
    account_id: str
    epic: str
    direction: Direction
    size: Decimal
    level: Decimal
    leverage: int
    created: datetime
    bracket: Bracket

    @property
    def reference(self) -> str:
        return f"p_{self.deal_id}"


@dataclass(slots=True)
class WorkingOrder:
    """Waits for its price. Stop and take-profit are kept as distances, so that they move with the level."""

    deal_id: str
    account_id: str
    epic: str
    direction: Direction
    size: Decimal
    level: Decimal
    kind: Literal["LIMIT", "STOP"]
    leverage: int
    created: datetime
    good_till: datetime | None = None
    stop_distance: Decimal | None = None
    """Always above zero, as is the other."""
    profit_distance: Decimal | None = None
    trailing: bool = False
    guaranteed: bool = False

    def bracket(self, level: Decimal) -> Bracket:
        """What protects a position that this order opened at `level`."""
        sign = self.direction.sign
        return Bracket(
            None if self.stop_distance is None else level - self.stop_distance * sign,
            None if self.profit_distance is None else level + self.profit_distance * sign,
            self.stop_distance if self.trailing else None,
            self.trailing,
            self.guaranteed,
        )


@dataclass(frozen=True, slots=True)
class Activity:
    """One line of the history of deals."""

    at: datetime
    account_id: str
    epic: str
    deal_id: str
    source: str
    type: str
    status: str
    reference: str
    size: Decimal
    direction: Direction
    level: Decimal
    guaranteed: bool = False
    order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """One line of the history of money."""

    at: datetime
    account_id: str
    type: str
    note: str
    number: int
    amount: Decimal
    currency: str
    epic: str | None = None


@dataclass(slots=True)
class Watchlist:
    id: str
    owner: str
    name: str
    epics: list[str]
    editable: bool = True
    system: bool = False


@dataclass(slots=True)
class Walk:
    """Prices moving by themselves."""

    on: bool = False
    step_ms: int = 1000
    walked_ms: int = 0
    """Up to when they have moved."""
    taken: int = 0
    """How many steps, ever: each follows from the seed and its number."""


@dataclass(frozen=True, slots=True)
class Rejecting:
    """The next `times` openings, orders or closes are taken and then rejected."""

    reason: str
    times: int


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The broker's word about one order, close or change."""

    at: datetime
    reference: str
    deal_id: str
    epic: str
    direction: Direction
    size: Decimal
    accepted: bool
    reason: str = "SUCCESS"
    status: str | None = None
    level: Decimal | None = None
    affected: list[tuple[str, str]] = field(default_factory=list)
    profit: Decimal | None = None
    profit_currency: str | None = None
    bracket: Bracket = field(default_factory=Bracket)


@dataclass(slots=True)
class Filed:
    """A confirmation under its reference, and what a reader may get instead of it."""

    confirmation: Confirmation
    ready_ms: int = 0
    """Not found before this moment."""
    earlier: Confirmation | None = None
    stale_reads: int = 0
    """How many readers still get `earlier`."""
    misses: int = 0
    """How many readers still find nothing."""


@dataclass(slots=True)
class Session:
    identifier: str
    created_ms: int
    used_ms: int
    tokens: dict[str, str] = field(repr=False)
    """Account token → account id; switching adds one, and the older keep naming their account."""


@dataclass(slots=True)
class State:
    """The whole memory. Dictionaries keep the order in which things came about."""

    seed: int
    next_deal: int
    users: dict[str, User]
    api_keys: dict[str, str] = field(repr=False)
    """API key → identifier."""
    accounts: dict[str, Account]
    quotes: dict[str, Quote]
    origins: dict[str, Origin]
    positions: dict[str, Position] = field(default_factory=dict)
    orders: dict[str, WorkingOrder] = field(default_factory=dict)
    activities: list[Activity] = field(default_factory=list)
    """Oldest first, as are the transactions."""
    transactions: list[Transaction] = field(default_factory=list)
    watchlists: dict[str, Watchlist] = field(default_factory=dict)
    next_watchlist: int = 503
    recorded: dict[str, Recorded] = field(default_factory=dict)
    walk: Walk = field(default_factory=Walk)
    held_quotes: list[str] = field(default_factory=list)
    """Epics whose quotes move and are not streamed; likewise the bars of the next."""
    held_bars: list[str] = field(default_factory=list)
    rejecting: Rejecting | None = None
    skipped_ms: int = 0
    """How far the control side has moved the broker's clock ahead of the real one."""
    confirmations: dict[str, Filed] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict, repr=False)
    """By CST."""
    ledger: list[LedgerEntry] = field(default_factory=list)
    options: Options = field(default_factory=Options)
    recent_ms: dict[str, list[int]] = field(default_factory=dict, repr=False)
    """When each limited thing happened lately, by what is limited."""
    logins: int = 0
    drawn: int = 0
    """How many ids and tokens were made; each follows from the seed and this number."""

"""All that the broker remembers; plain data, so that it can be written down and taken up again as a whole."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from bot.loopback.server import LedgerEntry

LIMITS_ON_AT_START = False
"""The documented request limits are implemented, and off until the control side turns them on."""


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


@dataclass(slots=True)
class Session:
    identifier: str
    created_ms: int
    used_ms: int
    tokens: dict[str, str] = field(repr=False)
    """Account token → account id; switching adds one, and the older keep naming their account."""


@dataclass(slots=True)
class Options:
    """Behaviour that is disputed or rare; the control side sets it."""

    rates: bool = LIMITS_ON_AT_START
    raw_password: bool = True
    """Also accept ciphertext made without the inner base64."""
    rotate_tokens: bool = False
    """Each authenticated reply brings a new pair, and the old one is dead."""
    one_session: bool = False
    """A login ends the user's other sessions."""
    environments: Literal["both", "live", "demo"] = "both"
    """Where its users have active accounts, as a login tells it."""
    session_cap_seconds: int = 0
    """A session dies this long after login however much it is used; 0 = never."""
    confirm_delay_ms: int = 0
    stale_closes: int = 0
    """After a close the first so many readers of `p_…` still get the opening's confirmation."""


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
    positions: dict[str, Position] = field(default_factory=dict)
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

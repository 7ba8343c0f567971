"""The tenant's state: people, wallets, trading servers, accounts, trades, withdrawals and what was told to whom.

Everything is a msgspec Struct, so that the whole world goes to JSON and back in one call. Balances of trading accounts
are not stored: they are the sum of the account's closed trades and balance operations (see `standing.py`), which keeps
history and balance from ever disagreeing. Wallets have no history on the vendor's side and hold their balance.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct, field

from bot.clock import Clock
from bot.loopback.server import LedgerEntry
from bot.providers.crm.simulator.settings import Settings

ZERO = Decimal(0)
WALLET = "WALLET"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class Status(StrEnum):
    """Of a withdrawal request."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class Client(Struct, kw_only=True):
    """A person or introducing broker in the CRM."""

    id: str
    name: str
    email: str
    country_code: str
    phone: str
    type: str = "trader"
    group_id: str = "grp00001"
    kyc_status: str = "verified"
    kyc_processing: bool = False
    suspended: bool = False
    language: str = "en-us"
    referral_code: str = ""
    referrer_id: str = ""
    owner_id: str = ""
    participant_ids: list[str] = field(default_factory=list)
    created_at: datetime
    updated_at: datetime


class Staff(Struct):
    """Somebody in the back office."""

    id: str
    name: str
    email: str


class Server(Struct):
    """A trading server connection."""

    id: str
    platform: str
    name: str
    groups: list[str]


class Account(Struct, kw_only=True):
    """A trading account; logins are unique per connection only."""

    connection_id: str
    platform: str
    login: int
    user_id: str
    group: str
    currency: str
    leverage: int
    credit: Decimal = ZERO
    created_at: datetime
    comment: str = ""
    enabled: bool = True


class Trade(Struct, kw_only=True):
    """An order, position or balance operation; `cmd` as MetaTrader numbers it, `profit` meaningful once closed."""

    connection_id: str
    login: int
    order_id: int
    cmd: int
    symbol: str = ""
    volume: Decimal = ZERO
    open_price: Decimal = ZERO
    close_price: Decimal = ZERO
    open_time: datetime
    close_time: datetime | None = None
    swaps: Decimal = ZERO
    commission: Decimal = ZERO
    stop_loss: Decimal = ZERO
    take_profit: Decimal = ZERO
    profit: Decimal = ZERO
    comment: str = ""


class Symbol(Struct):
    """What is traded: the size of one lot, the currency it is quoted in, its price and the digits of that."""

    contract: Decimal
    quote: str
    price: Decimal
    digits: int


class Wallet(Struct):
    """One currency of one client."""

    id: str
    balance: Decimal


class Place(Struct, frozen=True):
    """Where a client's money lies: a wallet, or (with a login) a trading account."""

    user_id: str
    currency: str
    platform: str = ""
    connection_id: str = ""
    login: int | None = None

    @property
    def label(self) -> str:
        if self.login is None:
            return f"wallet:{self.user_id}:{self.currency}"
        return f"{self.platform}:{self.connection_id}:{self.login}"


class Transaction(Struct, kw_only=True):
    """A row of the transactions report; a withdrawal request's row takes its status and amount from the request."""

    id: str
    place: Place
    type: str
    amount: Decimal
    at: datetime
    comment: str
    previous_balance: Decimal
    new_balance: Decimal
    payment_method: str = ""
    ref_id: str = ""
    request_id: str = ""


class Order(Struct, frozen=True):
    """A wallet booking by order id."""

    user_id: str
    currency: str
    amount: Decimal


class Log(Struct, kw_only=True):
    """One line in a request's history."""

    event: str
    at: datetime
    admin: str
    before: dict[str, str] | None = None
    after: dict[str, str] | None = None


class Withdrawal(Struct, kw_only=True):
    """A client's withdrawal request; `approved` counts the nodes that said yes since the last reset."""

    id: str
    place: Place
    amount: Decimal
    method: str
    created_at: datetime
    updated_at: datetime
    total_nodes: int
    approved: int = 0
    previous_node: int = 0
    status: Status = Status.PENDING
    comment: str = ""
    logs: list[Log] = field(default_factory=list)


class Delivery(Struct, kw_only=True):
    """One sending of one event to one webhook: exactly these bytes under exactly this signature."""

    id: str
    name: str
    url: str
    event: str
    request_id: str
    body: str
    signature: str
    at: datetime
    state: str = "waiting"
    """waiting, held, delivered, failed; lost when the simulator ended before it went out."""
    attempts: int = 0
    status: int | None = None
    replay_of: str = ""


class World(Struct, kw_only=True):
    """Everything the tenant knows."""

    seed: int
    settings: Settings
    staff: dict[str, Staff] = field(default_factory=dict)
    groups: dict[str, dict[str, str]] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    wallets: dict[str, dict[str, Wallet]] = field(default_factory=dict)
    servers: dict[str, Server] = field(default_factory=dict)
    accounts: list[Account] = field(default_factory=list)
    symbols: dict[str, Symbol] = field(default_factory=dict)
    usd_rates: dict[str, Decimal] = field(default_factory=dict)
    """What one unit of each currency is worth in US dollars; also the list of wallet currencies."""
    trades: list[Trade] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    comments: dict[str, datetime] = field(default_factory=dict)
    """When a trading account's deposit or withdrawal with a comment was last booked (the repeat rule)."""
    withdrawals: dict[str, Withdrawal] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    ledger: list[LedgerEntry] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)

    def count(self, kind: str) -> int:
        """The next number of its kind, from 1."""
        self.counters[kind] = self.counters.get(kind, 0) + 1
        return self.counters[kind]

    def new_id(self, kind: str) -> str:
        """Eight lower-case letters and digits that look drawn, yet follow from the seed."""
        digest = hashlib.sha256(f"{self.seed}:{kind}:{self.count(kind)}".encode()).digest()
        return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:8])

    def new_order_id(self) -> int:
        return 7_400_000 + self.count("order")

    def account(self, connection_id: str, login: int | None) -> Account | None:
        found = (item for item in self.accounts if (item.connection_id, item.login) == (connection_id, login))
        return next(found, None)

    def trades_of(self, account: Account) -> Iterator[Trade]:
        key = (account.connection_id, account.login)
        return (trade for trade in self.trades if (trade.connection_id, trade.login) == key)


class Tenant:
    """The world as it is now and the clock it lives by; what every part of the simulator holds on to."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.world = world
        self.clock = clock

    def now(self) -> datetime:
        return self.clock.now()


def stamp(moment: datetime) -> str:
    """The vendor's way to write a time, UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def plain(number: Decimal) -> Decimal | int:
    """A number as JavaScript writes it: `1000`, not `1000.00`."""
    return int(number) if number == number.to_integral_value() else number.normalize()


def written(amount: Decimal) -> str:
    """An amount as the vendor writes one in text: two decimals, more only when it has more."""
    return f"{amount:.2f}" if amount == round(amount, 2) else f"{amount.normalize():f}"

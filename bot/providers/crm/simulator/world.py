"""The tenant's state: people, wallets, trading servers, accounts, trades, withdrawals and what was told to whom.

Everything is a msgspec Struct, so that the whole world goes to JSON and back in one call. Balances of trading accounts
are not stored: they are the sum of the account's closed trades and balance operations (see `standing.py`), which keeps
history and balance from ever disagreeing. Wallets have no history on the vendor's side and hold their balance.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from msgspec import Struct, field

from bot.clock import Clock
from bot.loopback.simulator import LedgerEntry
from bot.providers.crm.simulator.flaws import Flaw
from bot.providers.crm.simulator.notation import ZERO, Place
from bot.providers.crm.simulator.people import BankCard, Client, Code, Lead, Staff
from bot.providers.crm.simulator.reviews import Petition, Withdrawal
from bot.providers.crm.simulator.settings import Settings

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


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
    readonly: bool = False
    type_id: str = ""
    rebate_user_id: str = ""


class AccountType(Struct):
    """A kind of trading account that clients may open."""

    id: str
    name: str
    platform: str
    connection_id: str


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


class Order(Struct, kw_only=True):
    """A wallet booking by order id; `status` is pending, success or failed."""

    user_id: str
    currency: str
    amount: Decimal
    status: str = "success"

    def asks_the_same(self, other: "Order") -> bool:
        return (self.user_id, self.currency, self.amount) == (other.user_id, other.currency, other.amount)


class Competition(Struct):
    """A trading competition; its board follows from the accounts of those who take part."""

    id: str
    name: str
    user_ids: list[str]
    suspended_ids: list[str] = field(default_factory=list)


class Challenger(Struct, kw_only=True):
    """Somebody in a prop-trading programme; `step` counts from 1, `status` is ongoing or failed."""

    init_request_id: str
    user_id: str
    platform: str
    connection_id: str
    login: int
    step: int = 1
    last_step: int = 3
    status: str = "ongoing"
    may_retry: bool = False
    reason: str = ""


class Archive(Struct, kw_only=True):
    """A long past for the report: so many rows, `step_seconds` apart, made anew from these few values when read."""

    user_id: str
    count: int
    first_at: datetime
    step_seconds: int


class Race(Struct, kw_only=True):
    """A decision the back office makes at the worst moment: around the next call that names the request."""

    decision: str
    when: str
    request_id: str = ""
    admin: str = ""
    comment: str = ""


class Merchant(Struct, kw_only=True):
    """The payment provider as this tenant has it set up; `token` is both its header and the secret of its `sign`."""

    url: str
    merchant_id: str
    token: str

    def __repr__(self) -> str:
        return f"Merchant(url={self.url!r})"


class Delivery(Struct, kw_only=True):
    """One sending of one event to one webhook: exactly these bytes under exactly these signature headers."""

    id: str
    name: str
    url: str
    event: str
    request_id: str
    body: str
    signatures: list[str]
    flaw: Flaw = Flaw.NONE
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
    petitions: dict[str, Petition] = field(default_factory=dict)
    leads: list[Lead] = field(default_factory=list)
    cards: list[BankCard] = field(default_factory=list)
    codes: list[Code] = field(default_factory=list)
    form_ids: dict[str, str] = field(default_factory=dict)
    """By purpose: registration, kyc, collection."""
    account_types: list[AccountType] = field(default_factory=list)
    competitions: list[Competition] = field(default_factory=list)
    challengers: list[Challenger] = field(default_factory=list)
    paid_commissions: list[str] = field(default_factory=list)
    archive: Archive | None = None
    races: list[Race] = field(default_factory=list)
    merchant: Merchant | None = None
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

    def new_login(self, connection_id: str) -> int:
        """The next free login of a server."""
        return max((item.login for item in self.accounts if item.connection_id == connection_id), default=80000) + 1

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

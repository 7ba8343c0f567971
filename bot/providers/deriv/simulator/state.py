"""What this side remembers: people, accounts, tokens, movements, contracts, and the words for each."""

from decimal import Decimal

import msgspec

from bot.providers.deriv.simulator import contracts
from bot.providers.deriv.simulator.prices import Move, Pace
from bot.providers.deriv.simulator.symbols import SYMBOLS


class Currency(msgspec.Struct, frozen=True):
    """One currency of the service."""

    name: str
    digits: int
    kind: str
    symbol: str
    """The symbol that prices it in dollars; empty for the dollar."""
    stake_default: Decimal


CURRENCIES = {
    "USD": Currency("US Dollar", 2, "fiat", "", Decimal(10)),
    "EUR": Currency("Euro", 2, "fiat", "frxEURUSD", Decimal(10)),
    "BTC": Currency("Bitcoin", 8, "crypto", "cryBTCUSD", Decimal("0.00020000")),
    "ETH": Currency("Ethereum", 8, "crypto", "cryETHUSD", Decimal("0.00500000")),
}


class User(msgspec.Struct):
    """A person with accounts."""

    user_id: int
    email: str
    full_name: str
    country: str
    language: str
    profile: dict[str, str] = {}
    """What the person told when a real account was opened; dates as yyyy-mm-dd."""

    def __repr__(self) -> str:
        return f"User({self.user_id})"


class Account(msgspec.Struct):
    """One account: a login id, a currency, a balance."""

    loginid: str
    user_id: int
    currency: str
    is_virtual: bool
    company: str
    company_name: str
    created_at: int
    balance: Decimal = Decimal(0)
    disabled: bool = False
    cashier_locked: bool = False
    asked_for: str = ""
    """The ASK_ word with which the cashier refuses until it is done; empty when nothing is missing."""

    @property
    def broker(self) -> str:
        return self.loginid.rstrip("0123456789")


class Token(msgspec.Struct):
    """What a token opens. The token's text is its key in the state and nowhere else."""

    loginid: str
    scopes: list[str]
    oauth: bool = False
    app_id: int | None = None
    """OAuth tokens work for the app that asked for them, API tokens for any."""
    expires_at: int | None = None
    """Epoch second from which it is refused."""
    display_name: str = ""
    """What `api_token` lists it under; only tokens with a name are listed."""
    ip: str = ""
    """The only address it works from; empty for any."""
    used_at: int | None = None


class App(msgspec.Struct):
    """An application that `app_register` made."""

    app_id: int
    name: str
    scopes: list[str]
    addresses: dict[str, str]
    markup: Decimal


class Agent(msgspec.Struct):
    """A payment agent; the account's login id is its key in the state."""

    name: str
    country: str
    currency: str
    email: str
    phone: str
    url: str
    summary: str
    methods: list[str]
    deposit_percent: Decimal = Decimal(0)
    withdrawal_percent: Decimal = Decimal(0)
    least: Decimal | None = None
    most: Decimal | None = None


class Mail(msgspec.Struct):
    """A verification code on its way: one purpose, one use, one hour."""

    code: str
    address: str
    purpose: str
    sent_at: int
    used: bool = False

    def __repr__(self) -> str:
        return f"Mail({self.purpose})"


class Movement(msgspec.Struct):
    """One change of one balance."""

    transaction_id: int
    loginid: str
    action: str
    amount: Decimal
    """Signed: negative for a buy."""
    currency: str
    balance_after: Decimal
    at_ms: int
    contract_id: int | None = None
    reference_id: int | None = None
    """On a sale: the transaction id of the buy."""
    app_id: int | None = None
    remark: str = ""
    opening: bool = False
    """Part of the past this world began with; nobody carried it out."""
    act: str = ""
    """The call that moved money from account to account; empty for everything else."""
    other: str = ""
    """The account on the other side of such a move."""
    mirrors: bool = False
    """The receiving side of it: a row for its account, no act of its own."""
    fee: Decimal | None = None
    """Kept back on the way, in this movement's currency."""

    @property
    def at(self) -> int:
        return self.at_ms // 1000


class Contract(msgspec.Struct):
    """One contract, open until `sold_at` is set."""

    contract_id: int
    loginid: str
    contract_type: str
    symbol: str
    currency: str
    buy_price: Decimal
    payout: Decimal
    entry_spot: Decimal
    start: int
    expiry: int
    app_id: int | None
    transaction_id: int
    sold_at: int | None = None
    barrier: Decimal | None = None
    """The price to beat; None for the entry spot."""
    ticks: int = 0
    """Its length in ticks; 0 when it is measured in time."""
    sold_for: Decimal | None = None
    sale_id: int | None = None
    exit_spot: Decimal | None = None
    exit_at: int | None = None

    @property
    def target(self) -> Decimal:
        return self.entry_spot if self.barrier is None else self.barrier

    @property
    def longcode(self) -> str:
        return contracts.longcode(self.contract_type, SYMBOLS[self.symbol], self.length, self.barrier)

    @property
    def shortcode(self) -> str:
        return contracts.shortcode(
            self.contract_type, SYMBOLS[self.symbol], self.payout, self.start, self.expiry, self.ticks, self.barrier
        )

    @property
    def length(self) -> str:
        return contracts.length(self.expiry - self.start, self.ticks)

    @property
    def status(self) -> str:
        if self.sold_at is None:
            return "open"
        if self.exit_at is None:
            return "sold"
        return "won" if self.sold_for else "lost"


class State(msgspec.Struct):
    """The whole of it, as it goes into the state file."""

    users: dict[int, User] = {}
    accounts: dict[str, Account] = {}
    tokens: dict[str, Token] = {}
    apps: list[int] = []
    redirects: dict[int, str] = {}
    """By app: where the login page sends people afterwards."""
    ahead: float = 0.0
    """Seconds this world is ahead of its clock."""
    logins: int = 0
    """Session tokens the login page ever made."""
    movements: list[Movement] = []
    contracts: dict[int, Contract] = {}
    moves: dict[str, list[Move]] = {}
    paces: dict[str, list[Pace]] = {}
    closed: list[str] = []
    """Symbols whose market somebody has closed."""
    agents: dict[str, Agent] = {}
    mails: list[Mail] = []
    registered: dict[int, App] = {}
    refuses_repeats: bool = False
    """Whether an agent's transfer that repeats one of the last two minutes is refused."""
    registers_apps: bool = True
    names: int = 0
    """Secret texts ever drawn; each is another one."""
    site_status: str = "up"
    authorizations: int = 0
    next_transaction_id: int = 540000001
    next_contract_id: int = 270000001

    def __repr__(self) -> str:
        return f"State({len(self.accounts)} accounts, {len(self.movements)} movements)"

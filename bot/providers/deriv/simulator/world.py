"""Everything this side remembers, and the verbs that change it.

Each change of a balance is one `Movement` with a growing transaction id; `statement`, `transaction`, `balance` and the
ledger all read the same list, so they cannot disagree. Whoever changes the world collects `fresh` movements afterwards
and tells the streams.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from bot.clock import Clock
from bot.providers.deriv.simulator import contracts, prices
from bot.providers.deriv.simulator.contracts import Terms
from bot.providers.deriv.simulator.prices import SYMBOLS, Move, Symbol
from bot.providers.deriv.simulator.rules import RefusalError

SETTLEMENT_SECONDS = 3
"""How long an expired contract stays listed before the service settles it by itself."""


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
}


class User(msgspec.Struct):
    """A person with accounts."""

    user_id: int
    email: str
    full_name: str
    country: str
    language: str


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

    @property
    def longcode(self) -> str:
        return contracts.longcode(self.contract_type, SYMBOLS[self.symbol], self.expiry - self.start)

    @property
    def shortcode(self) -> str:
        return contracts.shortcode(self.contract_type, SYMBOLS[self.symbol], self.payout, self.start, self.expiry)


class State(msgspec.Struct):
    """The whole of it, as it goes into the state file."""

    users: dict[int, User] = {}
    accounts: dict[str, Account] = {}
    tokens: dict[str, Token] = {}
    apps: list[int] = []
    redirects: dict[int, str] = {}
    """By app: where the login page sends people afterwards."""
    logins: int = 0
    """Session tokens the login page ever made."""
    movements: list[Movement] = []
    contracts: dict[int, Contract] = {}
    moves: dict[str, list[Move]] = {}
    site_status: str = "up"
    authorizations: int = 0
    next_transaction_id: int = 540000001
    next_contract_id: int = 270000001

    def __repr__(self) -> str:
        return f"State({len(self.accounts)} accounts, {len(self.movements)} movements)"


class World:
    """The state, with the verbs that keep it consistent."""

    def __init__(self, seed: int, clock: Clock) -> None:
        self.seed = seed
        self.clock = clock
        self.state = State()
        self.fresh: list[Movement] = []
        """Movements nobody has told the streams about yet."""

    def now(self) -> int:
        return int(self.clock.now().timestamp())

    def accounts_of(self, user_id: int) -> list[Account]:
        return [account for account in self.state.accounts.values() if account.user_id == user_id]

    def usable(self, token: str, app_id: int) -> Token:
        """The token, if this app may use it now.

        Raises:
            RefusalError: `InvalidToken`.
        """
        known = self.state.tokens.get(token)
        if known is None or (known.expires_at is not None and known.expires_at <= self.now()):
            raise RefusalError("InvalidToken", "The token is invalid.")
        if known.app_id not in (None, app_id):
            raise RefusalError("InvalidToken", "Token is not valid for current app ID.")
        return known

    def expire(self, token: str) -> None:
        """From now on the token is refused, also on connections that have used it."""
        self.state.tokens[token].expires_at = self.now()

    def quote(self, symbol: Symbol, at: int | None = None) -> Decimal:
        moves = self.state.moves.get(symbol.name, [])
        return prices.quote(self.seed, symbol, self.now() if at is None else at, moves)

    def move(self, symbol: Symbol, percent: Decimal) -> Decimal:
        """Shift a price for good from this second on; the new price."""
        self.state.moves.setdefault(symbol.name, []).append(Move(self.now(), percent))
        return self.quote(symbol)

    def convert(self, amount: Decimal, source: str, target: str) -> Decimal:
        """Through the dollar, at the middle price of now, half-even to the target's digits."""
        worth = amount if source == target else amount * self._in_dollars(source) / self._in_dollars(target)
        return worth.quantize(Decimal(1).scaleb(-CURRENCIES[target].digits), ROUND_HALF_EVEN)

    def _in_dollars(self, currency: str) -> Decimal:
        symbol = CURRENCIES[currency].symbol
        return self.quote(SYMBOLS[symbol]) if symbol else Decimal(1)

    def deposit(self, account: Account, amount: Decimal, remark: str) -> Movement:
        """Money arrives from outside; a demo account calls it virtual credit."""
        return self._book(account, "virtual_credit" if account.is_virtual else "deposit", amount, remark=remark)

    def buy(self, account: Account, terms: Terms, app_id: int | None) -> tuple[Contract, Movement]:
        """Take the price from the balance and open the contract.

        Raises:
            RefusalError: `InsufficientBalance`.
        """
        if terms.ask > account.balance:
            raise RefusalError(
                "InsufficientBalance",
                f"Your account balance ({account.balance:f} {account.currency}) is insufficient to buy this contract "
                f"({terms.ask:f} {account.currency}).",
            )
        contract_id = self.state.next_contract_id
        self.state.next_contract_id += 1
        movement = self._book(account, "buy", -terms.ask, contract_id=contract_id, app_id=app_id)
        contract = Contract(
            contract_id,
            account.loginid,
            terms.contract_type,
            terms.symbol.name,
            account.currency,
            terms.ask,
            terms.payout,
            self.quote(terms.symbol, terms.start),
            terms.start,
            terms.expiry,
            app_id,
            movement.transaction_id,
        )
        self.state.contracts[contract_id] = contract
        return contract, movement

    def bid(self, contract: Contract) -> Decimal:
        spot = self.quote(SYMBOLS[contract.symbol])
        digits = CURRENCIES[contract.currency].digits
        return contracts.bid(contract.contract_type, contract.payout, contract.entry_spot, spot, digits)

    def close(self, contract: Contract, price: Decimal, app_id: int | None = None) -> Movement:
        """End a contract at `price`, by resale or by settlement."""
        contract.sold_at = self.now()
        return self._book(
            self.state.accounts[contract.loginid],
            "sell",
            price,
            contract_id=contract.contract_id,
            reference_id=contract.transaction_id,
            app_id=app_id,
        )

    def settle(self) -> None:
        """Close what expired a while ago, at the price of its last second."""
        now = self.now()
        for contract in list(self.open_contracts()):
            if contract.expiry + SETTLEMENT_SECONDS <= now:
                exit_spot = self.quote(SYMBOLS[contract.symbol], contract.expiry)
                self.close(
                    contract,
                    contracts.outcome(contract.contract_type, contract.payout, contract.entry_spot, exit_spot),
                )

    def open_contracts(self, loginid: str | None = None) -> Iterator[Contract]:
        """In the order in which they were bought."""
        for contract in self.state.contracts.values():
            if contract.sold_at is None and loginid in (None, contract.loginid):
                yield contract

    def _book(
        self,
        account: Account,
        action: str,
        amount: Decimal,
        *,
        contract_id: int | None = None,
        reference_id: int | None = None,
        app_id: int | None = None,
        remark: str = "",
    ) -> Movement:
        amount = amount.quantize(Decimal(1).scaleb(-CURRENCIES[account.currency].digits))
        account.balance += amount
        movement = Movement(
            self.state.next_transaction_id,
            account.loginid,
            action,
            amount,
            account.currency,
            account.balance,
            int(self.clock.now().timestamp() * 1000),
            contract_id,
            reference_id,
            app_id,
            remark,
        )
        self.state.next_transaction_id += 1
        self.state.movements.append(movement)
        self.fresh.append(movement)
        return movement


class PastClock:
    """A clock that stands wherever it is put: the opening's history is booked with the verbs above."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def put(self, second: int) -> None:
        self.moment = datetime.fromtimestamp(second, UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError("the past does not wait")

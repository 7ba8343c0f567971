"""The verbs that change what this side remembers, and keep it consistent.

Each change of a balance is one `Movement` with a growing transaction id; `statement`, `transaction`, `balance` and the
ledger all read the same list, so they cannot disagree. Whoever changes the world collects `fresh` movements afterwards
and tells the streams.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from hashlib import sha256

from bot.clock import Clock
from bot.providers.deriv.simulator import contracts
from bot.providers.deriv.simulator.contracts import Terms
from bot.providers.deriv.simulator.prices import Feed, Move, Pace, Symbol, walked
from bot.providers.deriv.simulator.rules import RefusalError
from bot.providers.deriv.simulator.state import (
    CURRENCIES,
    Account,
    Contract,
    Mail,
    Movement,
    State,
    Token,
)
from bot.providers.deriv.simulator.symbols import SYMBOLS

SETTLEMENT_SECONDS = 3
"""How long an expired contract stays listed before the service settles it by itself."""
CODE_SECONDS = 3600
"""How long a mailed code is good."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class World:
    """The state, with the verbs that keep it consistent."""

    def __init__(self, seed: int, clock: Clock) -> None:
        self.seed = seed
        self.clock = clock
        self.state = State()
        self.fresh: list[Movement] = []
        """Movements nobody has told the streams about yet."""

    def moment(self) -> datetime:
        """The clock's time, as far ahead as `/_sim/clock` has put this world."""
        return self.clock.now() + timedelta(seconds=self.state.ahead)

    def now(self) -> int:
        return int(self.moment().timestamp())

    def accounts_of(self, user_id: int) -> list[Account]:
        return [account for account in self.state.accounts.values() if account.user_id == user_id]

    # Tokens and codes

    def drawn(self, purpose: str, length: int) -> str:
        """Letters and digits nobody has seen before; equal seeds and histories draw the same."""
        self.state.names += 1
        raw = sha256(f"deriv/{self.seed}/{purpose}/{self.state.names}".encode()).digest()
        return "".join(_LETTERS[byte % len(_LETTERS)] for byte in raw)[:length]

    def usable(self, token: str, app_id: int, ip: str = "") -> Token:
        """The token, if this app may use it now, from there.

        Raises:
            RefusalError: `InvalidToken`.
        """
        known = self.state.tokens.get(token)
        if known is None or (known.expires_at is not None and known.expires_at <= self.now()):
            raise RefusalError("InvalidToken", "The token is invalid.")
        if known.app_id not in (None, app_id):
            raise RefusalError("InvalidToken", "Token is not valid for current app ID.")
        if known.ip and ip and known.ip != ip:
            raise RefusalError("InvalidToken", "Token is not valid for current ip address.")
        known.used_at = self.now()
        return known

    def session_token(self, loginid: str, scopes: list[str], app_id: int) -> str:
        """A new OAuth token, bound to the app."""
        text = f"a1-{self.drawn('session', 29)}"
        self.state.tokens[text] = Token(loginid, scopes, oauth=True, app_id=app_id)
        return text

    def expire(self, token: str) -> None:
        """From now on the token is refused, also on connections that have used it."""
        self.state.tokens[token].expires_at = self.now()

    def send_code(self, address: str, purpose: str) -> None:
        """Put a new code into the mailbox."""
        self.state.mails.append(Mail(self.drawn("code", 8), address, purpose, self.now()))

    def code(self, text: str, purpose: str, address: str | None = None) -> Mail:
        """The mail with this code, if it is for that purpose and still good; whoever acts on it marks it used.

        Raises:
            RefusalError: `InvalidToken`.
        """
        for mail in self.state.mails:
            meant = (mail.code, mail.purpose) == (text, purpose) and address in (None, mail.address)
            if meant and not mail.used and self.now() < mail.sent_at + CODE_SECONDS:
                return mail
        raise RefusalError("InvalidToken", "Your token has expired or is invalid.")

    # Prices

    def feed(self, symbol: Symbol) -> Feed:
        return Feed(self.seed, symbol, self.state.moves.get(symbol.name, ()), self.state.paces.get(symbol.name, ()))

    def is_open(self, symbol: Symbol) -> bool:
        """Whether its market trades now."""
        return symbol.name not in self.state.closed and symbol.is_open(self.now())

    def quote(self, symbol: Symbol, at: int | None = None) -> Decimal:
        """The price of the last tick, now or at a second of the past."""
        feed = self.feed(symbol)
        return feed.quote(feed.latest(self.now()) if at is None else feed.last(at))

    def move(self, symbol: Symbol, percent: Decimal) -> Decimal:
        """Shift a price for good; the tick that tells of it comes at once, with a second of its own. The new price."""
        return self.put(symbol, self.quote(symbol) * (1 + percent / 100))

    def put(self, symbol: Symbol, price: Decimal) -> Decimal:
        """Set a price; from there it walks on."""
        second = self._free_second(symbol)
        return self._stamp(symbol, price / walked(self.seed, symbol, symbol.awake(second)))

    def burst(self, symbol: Symbol, count: int) -> None:
        """So many ticks at once, each with a second of its own, the last ones ahead of the clock."""
        for _ in range(count):
            self._stamp(symbol, self._factor(symbol))

    def pace(self, symbol: Symbol, seconds: int) -> None:
        """From now on a tick each so many seconds; 0 holds the symbol."""
        self.state.paces.setdefault(symbol.name, []).append(Pace(self._free_second(symbol), seconds))

    def _factor(self, symbol: Symbol) -> Decimal:
        moves = self.state.moves.get(symbol.name)
        return moves[-1].factor if moves else Decimal(1)

    def _free_second(self, symbol: Symbol) -> int:
        return max(self.now(), self.feed(symbol).latest(self.now()) + 1)

    def _stamp(self, symbol: Symbol, factor: Decimal) -> Decimal:
        second = self._free_second(symbol)
        self.state.moves.setdefault(symbol.name, []).append(Move(second, factor))
        return self.quote(symbol)

    def convert(self, amount: Decimal, source: str, target: str) -> Decimal:
        """Through the dollar, at the middle price of now, half-even to the target's digits."""
        worth = amount if source == target else amount * self._in_dollars(source) / self._in_dollars(target)
        return worth.quantize(Decimal(1).scaleb(-CURRENCIES[target].digits), ROUND_HALF_EVEN)

    def _in_dollars(self, currency: str) -> Decimal:
        symbol = CURRENCIES[currency].symbol
        return self.quote(SYMBOLS[symbol]) if symbol else Decimal(1)

    # Money

    def deposit(self, account: Account, amount: Decimal, remark: str) -> Movement:
        """Money arrives from outside; a demo account calls it virtual credit."""
        return self._book(account, "virtual_credit" if account.is_virtual else "deposit", amount, remark=remark)

    def withdraw(self, account: Account, amount: Decimal, remark: str) -> Movement:
        """Money leaves for outside."""
        return self._book(account, "withdrawal", -amount, remark=remark)

    def hand_over(
        self, act: str, source: Account, target: Account, amount: Decimal, remark: str, app_id: int
    ) -> Movement:
        """Money goes from one person's account to another's; the giver's movement."""
        gave = self._book(source, "withdrawal", -amount, remark=remark, app_id=app_id)
        took = self._book(target, "deposit", amount, remark=remark)
        _pair(act, gave, took)
        return gave

    def carry(self, source: Account, target: Account, amount: Decimal, fee: Decimal, app_id: int) -> Movement:
        """Money goes between two accounts of one person, converted after the fee; the giver's movement."""
        arriving = self.convert(amount - fee, source.currency, target.currency)
        gave = self._book(source, "transfer", -amount, remark="Account transfer", app_id=app_id)
        took = self._book(target, "transfer", arriving, remark="Account transfer", app_id=app_id)
        _pair("transfer_between_accounts", gave, took)
        gave.fee = took.fee = fee
        return gave

    def transfers_today(self, account: Account) -> int:
        """How often money has left it for another account of its person since midnight."""
        since = self.now() - self.now() % 86400
        return sum(
            (movement.act, movement.loginid) == ("transfer_between_accounts", account.loginid)
            and not movement.mirrors
            and movement.at >= since
            for movement in self.state.movements
        )

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
            self.quote(terms.symbol, None if terms.start == self.now() else terms.start),
            terms.start,
            terms.expiry,
            app_id,
            movement.transaction_id,
            barrier=terms.barrier,
            ticks=terms.ticks,
        )
        self.state.contracts[contract_id] = contract
        return contract, movement

    def bid(self, contract: Contract) -> Decimal:
        spot = self.quote(SYMBOLS[contract.symbol])
        digits = CURRENCIES[contract.currency].digits
        if contract.expiry <= self.now():
            return self._outcome(contract)
        return contracts.bid(contract.contract_type, contract.payout, contract.target, spot, digits)

    def close(self, contract: Contract, price: Decimal, app_id: int | None = None) -> Movement:
        """End a contract at `price`, by resale or by settlement."""
        contract.sold_at = self.now()
        contract.sold_for = price
        movement = self._book(
            self.state.accounts[contract.loginid],
            "sell",
            price,
            contract_id=contract.contract_id,
            reference_id=contract.transaction_id,
            app_id=app_id,
        )
        contract.sale_id = movement.transaction_id
        return movement

    def settle(self, loginid: str | None = None) -> int:
        """Close what expired a while ago, of one account what has expired at all; how many that were."""
        latest = self.now() - (SETTLEMENT_SECONDS if loginid is None else 0)
        due = [contract for contract in self.open_contracts(loginid) if contract.expiry <= latest]
        for contract in due:
            contract.exit_at = self.feed(SYMBOLS[contract.symbol]).last(contract.expiry)
            contract.exit_spot = self.quote(SYMBOLS[contract.symbol], contract.expiry)
            self.close(contract, self._outcome(contract))
        return len(due)

    def _outcome(self, contract: Contract) -> Decimal:
        """At the price of its last second."""
        exit_spot = self.quote(SYMBOLS[contract.symbol], contract.expiry)
        return contracts.outcome(contract.contract_type, contract.payout, contract.target, exit_spot)

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
            int(self.moment().timestamp() * 1000),
            contract_id,
            reference_id,
            app_id,
            remark,
        )
        self.state.next_transaction_id += 1
        self.state.movements.append(movement)
        self.fresh.append(movement)
        return movement


def _pair(act: str, gave: Movement, took: Movement) -> None:
    """The two rows of one act know of each other."""
    gave.act = took.act = act
    gave.other, took.other = took.loginid, gave.loginid
    took.mirrors = True


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

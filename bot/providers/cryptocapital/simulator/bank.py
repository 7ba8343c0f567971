"""Accounts, money and what was booked: the bank without its counter.

Nothing here knows messages or signatures. A verb either books and says whom to tell, or returns `Refused` and has
changed nothing. All currencies have two decimals here, the yen too; the other side of a conversion is rounded half up,
and there is no fee.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any

from bot.clock import from_millis
from bot.providers.cryptocapital.simulator.signatures import read_public_key

REGISTRATION_ACCOUNTS: Mapping[str, str] = {
    "USD": "9120231592",
    "EUR": "9120231638",
    "GBP": "9120231677",
    "CAD": "9120231625",
    "JPY": "9120231773",
    "CNY": "9120231746",
    "AUD": "9120231731",
    "PLN": "9120231707",
}
"""Where 1.00 with a key as narrative links the key (section Account registration)."""

_CENT = Decimal("0.01")
_FEE_OF_REGISTRATION = Decimal("1.00")
_CEILING = Decimal(10) ** 15
"""More than anybody has; keeps absurd amounts out of the arithmetic."""


class Kind(StrEnum):
    HISTORY = "history"
    TRANSFER = "transfer"
    DEPOSIT = "deposit"
    REFUND = "refund"


@dataclass(slots=True)
class Account:
    """`key` is the public key it answers to, empty while it is not registered."""

    number: str
    name: str
    currency: str
    balance: Decimal
    hold: Decimal = Decimal("0.00")
    key: str = ""

    @property
    def available(self) -> Decimal:
        return self.balance - self.hold


@dataclass(frozen=True, slots=True)
class Movement:
    """One booked transfer, seen from both sides."""

    id: int
    kind: Kind
    at_ms: int
    send_account: str
    receive_account: str
    send_currency: str
    receive_currency: str
    send_amount: Decimal
    receive_amount: Decimal
    narrative: str

    @property
    def date(self) -> str:
        return from_millis(self.at_ms).date().isoformat()


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody to be told of a movement. One key on both sides is told twice."""

    key: str
    movement: Movement


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing was booked."""

    reason: str


class Bank:
    """The state, and the verbs that change it."""

    def __init__(self, accounts: Sequence[Account], rates: Mapping[str, Decimal], first_id: int) -> None:
        """`rates` says what one unit of a currency is worth in US dollars."""
        self.accounts = {account.number: account for account in accounts}
        self.movements: list[Movement] = []
        self.rates = dict(rates)
        self.next_id = first_id

    def linked(self, key: str, number: str) -> Account | Refused:
        """The account if it answers to `key`. Whether it exists for others is nobody's business."""
        account = self.accounts.get(number)
        if account is None or account.key != key:
            return Refused("account is not linked to this key")
        return account

    def statement(
        self,
        number: str,
        limit: int | None = None,
        transaction_id: int | None = None,
        from_time: Decimal | None = None,
    ) -> Sequence[Movement]:
        """Both directions, oldest first. `limit` keeps the newest; `from_time` (seconds) is inclusive."""
        rows = [one for one in self.movements if number in (one.send_account, one.receive_account)]
        if transaction_id is not None:
            return [one for one in rows if one.id == transaction_id]
        if from_time is not None:
            return [one for one in rows if one.at_ms >= from_time * 1000]
        return rows if limit is None else rows[max(len(rows) - limit, 0) :]

    def transfer(
        self, source: Account, target_number: str, currency: str, amount: Decimal, narrative: str, at_ms: int
    ) -> Sequence[Notice] | Refused:
        """Carry out an order, the registration it may mean, and the refund that follows one.

        `currency` is the sender's, then `amount` leaves, or the beneficiary's, then `amount` arrives.
        """
        target = self.accounts.get(target_number)
        if target is None:
            return Refused("unknown beneficiary")
        if target is source:  # own choice, the documents do not say
            return Refused("beneficiary is the sending account")
        sums = self._both_sides(source, target, currency, amount)
        if isinstance(sums, Refused):
            return sums
        if sums[0] > source.available:
            return Refused("insufficient available funds")
        movement = self._book(Kind.TRANSFER, source, target, sums, narrative, at_ms)
        return [*self._notices(movement), *self._register(movement, at_ms)]

    def deposit(
        self, target: Account, sender: str, amount: Decimal, narrative: str, at_ms: int, currency: str = ""
    ) -> Sequence[Notice] | Refused:
        """`amount` arrives unasked. A sender that banks here pays for it, any other sends it from elsewhere.

        `currency` is what one from elsewhere pays in, by default what arrives.
        """
        source = self.accounts.get(sender)
        if source is not None:
            return self.transfer(source, target.number, target.currency, amount, narrative, at_ms)
        elsewhere = Account(sender, "", currency or target.currency, amount)
        sums = self._both_sides(elsewhere, target, target.currency, amount)
        if isinstance(sums, Refused):
            return sums
        return self._notices(self._book(Kind.DEPOSIT, elsewhere, target, sums, narrative, at_ms))

    def told_of(self, number: str) -> Sequence[Notice]:
        """Who is to hear of a booked transfer now; nobody when there is no such one."""
        return [notice for one in self.movements if str(one.id) == number for notice in self._notices(one)]

    def rate(self, source: str, target: str) -> Decimal | None:
        """How many `target` one `source` buys, unrounded."""
        worth, price = self.rates.get(source), self.rates.get(target)
        return worth / price if worth and price else None

    def _both_sides(
        self, source: Account, target: Account, currency: str, amount: Decimal
    ) -> tuple[Decimal, Decimal] | Refused:
        """What leaves and what arrives, or why neither may."""
        if amount <= 0:
            return Refused("amount is not above zero")
        if amount >= _CEILING:
            return Refused("insufficient available funds")
        if amount != amount.quantize(_CENT):
            return Refused("amount has more than two decimals")
        if currency not in (source.currency, target.currency):
            return Refused("currency is of neither account")
        if source.currency == target.currency:
            return amount, amount
        rate = self.rate(source.currency, target.currency)
        if rate is None:
            return Refused("no exchange rate")
        sums = (amount, _cents(amount * rate)) if currency == source.currency else (_cents(amount / rate), amount)
        return sums if min(sums) > 0 else Refused("amount is not above zero")  # a cent's fraction moves nothing

    def _book(
        self,
        kind: Kind,
        source: Account,
        target: Account,
        sums: tuple[Decimal, Decimal],
        narrative: str,
        at_ms: int,
    ) -> Movement:
        source.balance -= sums[0]
        target.balance += sums[1]
        currencies = (source.currency, target.currency)
        movement = Movement(self.next_id, kind, at_ms, source.number, target.number, *currencies, *sums, narrative)
        self.next_id += 1
        self.movements.append(movement)
        return movement

    def _notices(self, movement: Movement) -> list[Notice]:
        """Who is told: the keys both accounts answer to at this moment."""
        sides = [self.accounts.get(movement.send_account), self.accounts.get(movement.receive_account)]
        return [Notice(side.key, movement) for side in sides if side is not None and side.key]

    def _register(self, movement: Movement, at_ms: int) -> Sequence[Notice]:
        """Link the key in the narrative, the newest in place of an older; refund when no money was changed."""
        if movement.receive_account not in REGISTRATION_ACCOUNTS.values():
            return []
        if movement.receive_amount != _FEE_OF_REGISTRATION or not _is_key(movement.narrative):
            return []
        account, office = self.accounts[movement.send_account], self.accounts[movement.receive_account]
        account.key = movement.narrative
        if movement.send_currency != movement.receive_currency:
            return []
        sums = (movement.receive_amount, movement.send_amount)
        narrative = f"Registration refund {movement.id}"
        return self._notices(self._book(Kind.REFUND, office, account, sums, narrative, at_ms))

    def dump(self) -> dict[str, Any]:
        return {
            "accounts": [_as_json(account) for account in self.accounts.values()],
            "movements": [_as_json(movement) for movement in self.movements],
            "rates": {currency: str(worth) for currency, worth in self.rates.items()},
            "next_id": self.next_id,
        }

    @classmethod
    def loaded(cls, state: Mapping[str, Any]) -> "Bank":
        accounts = [_decimals(row, "balance", "hold") for row in state["accounts"]]
        rates = {currency: Decimal(worth) for currency, worth in state["rates"].items()}
        bank = cls([Account(**row) for row in accounts], rates, int(state["next_id"]))
        movements = [_decimals(row, "send_amount", "receive_amount") for row in state["movements"]]
        bank.movements = [Movement(**{**row, "kind": Kind(row["kind"])}) for row in movements]
        return bank


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


def _is_key(text: str) -> bool:
    try:
        read_public_key(text)
    except ValueError:
        return False
    return True


def _as_json(row: Account | Movement) -> dict[str, Any]:
    """Not by `asdict`, whose deep copies cost seconds where a state is kept and much has been booked."""
    values = {one.name: getattr(row, one.name) for one in fields(row)}
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in values.items()}


def _decimals(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {**row, **{name: Decimal(row[name]) for name in names}}

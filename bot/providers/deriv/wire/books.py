"""What was booked: `statement`, `profit_table`, and `transaction` as it happens. Pure."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from bot.money import Currency, Money
from bot.providers.deriv.wire.grammar import (
    Body,
    Call,
    Number,
    Request,
    ask,
    currency_of,
    documented,
    epoch_of,
    moment_of,
    moment_or_none,
    money_of,
    payload,
)
from bot.providers.records import Entry, Way

MOST_ROWS = 999
"""Of a statement, at once."""
MOST_CLOSED = 500
"""Of the profit table, at once."""


class Action(StrEnum):
    """What a statement can be asked for; rows of an escrow say `hold` and `release`."""

    BUY = "buy"
    SELL = "sell"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    ESCROW = "escrow"
    ADJUSTMENT = "adjustment"
    VIRTUAL_CREDIT = "virtual_credit"
    TRANSFER = "transfer"


# -- statement ---------------------------------------------------------------------------------------------------


def build_statement(
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    action: Action | None = None,
    limit: int = MOST_ROWS,
    offset: int = 0,
) -> Request:
    """Rows within `[since, until)`, the newest first."""
    return ask(
        Call.STATEMENT,
        date_from=None if since is None else epoch_of(since),
        date_to=None if until is None else epoch_of(until),
        action_type=None if action is None else action.value,
        description=1,
        limit=limit,
        offset=offset or None,
    )


class _Side(msgspec.Struct):
    loginid: str = ""


class _Fees(msgspec.Struct):
    amount: Number | None = None
    currency: str = ""


class _Row(msgspec.Struct, rename={"source": "from", "target": "to"}):
    action_type: str
    amount: Number
    transaction_id: int
    transaction_time: int
    balance_after: Number | None = None
    contract_id: int | None = None
    reference_id: int | None = None
    app_id: int | None = None
    longcode: str | None = None
    shortcode: str | None = None
    payout: Number | None = None
    purchase_time: int | None = None
    source: _Side | None = None
    target: _Side | None = None
    fees: _Fees | None = None
    withdrawal_details: str | None = None


class _Statement(msgspec.Struct):
    transactions: list[_Row] = []


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an account's statement."""

    account: str
    id: int
    at: datetime
    action: str
    amount: Money
    """Signed: what the account gained by it."""
    balance_after: Money | None
    contract_id: int | None
    reference_id: int | None
    """Of a sale: the transaction of the purchase."""
    app_id: int | None
    text: str
    """What the contract is about; of a payment the remark."""
    shortcode: str
    payout: Money | None
    source: str
    target: str
    fee: Money | None
    details: str
    bought_at: datetime | None = None
    """Of a sale: when that was bought."""

    @property
    def entry(self) -> Entry:
        """As the house keeps it."""
        amount = self.amount
        way = Way.OUT if amount.amount < 0 else Way.IN
        other = self.target if way is Way.OUT else self.source
        return Entry(
            self.account,
            str(self.id),
            self.at.date(),
            way,
            -amount if way is Way.OUT else amount,
            other,
            self.text,
            at=self.at,
            balance_after=self.balance_after,
            kind=self.action,
            reference="" if self.contract_id is None else str(self.contract_id),
        )


def parse_statement(body: Body, account: str, currency: Currency) -> tuple[Row, ...]:
    """As they came: the newest first.

    Raises:
        ProviderError: The call was refused, or the reply cannot be read; one wrong row spoils it.
    """
    with documented(Call.STATEMENT):
        said = payload(Call.STATEMENT, body, _Statement)
        return tuple(_row(one, account, currency) for one in said.transactions)


def _row(said: _Row, account: str, currency: Currency) -> Row:
    fees = said.fees or _Fees()
    return Row(
        account,
        said.transaction_id,
        moment_of(said.transaction_time),
        said.action_type,
        Money.reading(said.amount, currency),
        money_of(said.balance_after, currency),
        said.contract_id,
        said.reference_id,
        said.app_id,
        said.longcode or "",
        said.shortcode or "",
        money_of(said.payout, currency),
        (said.source or _Side()).loginid,
        (said.target or _Side()).loginid,
        money_of(fees.amount or None, currency_of(fees.currency) or currency),
        said.withdrawal_details or "",
        moment_or_none(said.purchase_time),
    )


# -- profit table ------------------------------------------------------------------------------------------------


def build_profit_table(
    since: datetime | None = None, until: datetime | None = None, *, limit: int = MOST_CLOSED, offset: int = 0
) -> Request:
    """Closed contracts bought within two moments, the newest first. Here times are text."""
    return ask(
        Call.PROFIT_TABLE,
        date_from=None if since is None else str(epoch_of(since)),
        date_to=None if until is None else str(epoch_of(until)),
        description=1,
        limit=limit,
        offset=offset or None,
        sort="DESC",
    )


class _Closed(msgspec.Struct):
    transaction_id: int
    buy_price: Number
    sell_price: Number
    contract_id: int | None = None
    contract_type: str = ""
    longcode: str = ""
    payout: Number | None = None
    purchase_time: int | None = None
    sell_time: int | None = None
    shortcode: str = ""
    underlying_symbol: str = ""


class _Profits(msgspec.Struct):
    transactions: list[_Closed] = []


@dataclass(frozen=True, slots=True)
class Closed:
    """A contract that is over."""

    account: str
    id: int
    """The transaction by which it was bought."""
    contract_id: int | None
    contract_type: str
    symbol: str
    description: str
    bought_at: datetime | None
    sold_at: datetime | None
    paid: Money
    received: Money
    payout: Money | None

    @property
    def profit(self) -> Money:
        return self.received + -self.paid


def parse_profit_table(body: Body, account: str, currency: Currency) -> tuple[Closed, ...]:
    with documented(Call.PROFIT_TABLE):
        said = payload(Call.PROFIT_TABLE, body, _Profits)
        return tuple(
            Closed(
                account,
                one.transaction_id,
                one.contract_id,
                one.contract_type,
                one.underlying_symbol,
                one.longcode,
                moment_or_none(one.purchase_time),
                moment_or_none(one.sell_time),
                Money.reading(one.buy_price, currency),
                Money.reading(one.sell_price, currency),
                money_of(one.payout or None, currency),
            )
            for one in said.transactions
        )


# -- as it happens -----------------------------------------------------------------------------------------------


def build_transaction() -> Request:
    """Every movement from now on; there is no other form of this call."""
    return ask(Call.TRANSACTION).streamed()


class _Moved(msgspec.Struct):
    action: str = ""
    amount: Number | None = None
    balance: Number | None = None
    contract_id: int | None = None
    currency: str = ""
    longcode: str | None = None
    transaction_id: int | None = None
    transaction_time: int | None = None


def parse_transaction(body: Body, account: str) -> Entry | None:
    """A movement; None for the first reply, which only says that it will tell."""
    with documented(Call.TRANSACTION):
        said = payload(Call.TRANSACTION, body, _Moved)
        if said.transaction_id is None:
            return None
        currency = currency_of(said.currency)
        if currency is None or said.amount is None or said.transaction_time is None:
            raise ValueError("a movement of nothing, or never")
        amount = Money.reading(said.amount, currency)
        out = amount.amount < Decimal(0)
        at = moment_of(said.transaction_time)
        return Entry(
            account,
            str(said.transaction_id),
            at.date(),
            Way.OUT if out else Way.IN,
            -amount if out else amount,
            "",
            said.longcode or "",
            at=at,
            balance_after=money_of(said.balance, currency),
            kind=said.action,
            reference="" if said.contract_id is None else str(said.contract_id),
        )

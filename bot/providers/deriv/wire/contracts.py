"""Contracts: the open ones (`portfolio`), one as it stands (`proposal_open_contract`), `sell_expired`. Pure."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from bot.providers.deriv.wire.grammar import (
    Body,
    Call,
    Flag,
    Number,
    Request,
    ask,
    currency_of,
    documented,
    moment_or_none,
    money_of,
    number_or_none,
    number_said,
    payload,
    refusal,
    typed,
)
from bot.providers.records import Direction, Position

_RISES = {
    *("CALL", "CALLE", "CALLSPREAD", "VANILLALONGCALL", "RESETCALL", "LBFLOATCALL"),
    *("ASIANU", "RUNHIGH", "MULTUP", "TURBOSLONG"),
}
_FALLS = {
    *("PUT", "PUTE", "PUTSPREAD", "VANILLALONGPUT", "RESETPUT", "LBFLOATPUT"),
    *("ASIAND", "RUNLOW", "MULTDOWN", "TURBOSSHORT"),
}


def build_portfolio() -> Request:
    """The open contracts of the token's account."""
    return ask(Call.PORTFOLIO)


def build_open_contract(contract: int | None = None) -> Request:
    """One contract as it stands; None: each of the open ones, which only makes sense as a stream."""
    return ask(Call.PROPOSAL_OPEN_CONTRACT, contract_id=contract)


def build_sell_expired() -> Request:
    """Settle the contracts that have run out."""
    return ask(Call.SELL_EXPIRED)


class _Sold(msgspec.Struct):
    count: int = 0


def parse_sell_expired(body: Body) -> int:
    """How many were settled."""
    with documented(Call.SELL_EXPIRED):
        return payload(Call.SELL_EXPIRED, body, _Sold).count


class _Contract(msgspec.Struct):
    contract_id: int
    currency: str = ""
    buy_price: Number | None = None
    payout: Number | None = None
    contract_type: str = ""
    longcode: str = ""
    symbol: str = ""
    purchase_time: int | None = None
    expiry_time: int | None = None


class _Portfolio(msgspec.Struct):
    contracts: list[_Contract]


def parse_portfolio(body: Body, account: str, as_of: datetime) -> tuple[Position, ...]:
    """The open contracts. There is no price of the moment in this reply; expired ones stay listed until settled.

    Raises:
        ProviderError: The call was refused, or the reply cannot be read; one wrong entry spoils it.
    """
    with documented(Call.PORTFOLIO):
        said = payload(Call.PORTFOLIO, body, _Portfolio)
        return tuple(_position(contract, account, as_of) for contract in said.contracts)


def _position(contract: _Contract, account: str, as_of: datetime) -> Position:
    currency = currency_of(contract.currency)
    return Position(
        account,
        str(contract.contract_id),
        contract.symbol,
        contract.symbol,
        as_of,
        direction=_direction(contract.contract_type),
        opened_at=moment_or_none(contract.purchase_time),
        expires_at=moment_or_none(contract.expiry_time),
        price_paid=money_of(contract.buy_price, currency),
        payout=money_of(contract.payout or None, currency),  # 0 where the contract promises no fixed amount
        description=contract.longcode,
    )


def _direction(contract_type: str) -> Direction | None:
    """Which way it gains; None where it is about neither (digits, ranges, touches)."""
    if contract_type in _RISES:
        return Direction.LONG
    return Direction.SHORT if contract_type in _FALLS else None


class _Order(msgspec.Struct):
    value: Any = None
    """The price it waits for."""


class _Orders(msgspec.Struct):
    stop_loss: _Order | None = None
    stop_out: _Order | None = None
    take_profit: _Order | None = None


class _Open(msgspec.Struct):
    contract_id: int | None = None
    bid_price: Number | None = None
    buy_price: Number | None = None
    contract_type: str = ""
    currency: str = ""
    current_spot: Number | None = None
    date_expiry: int | None = None
    display_name: str = ""
    entry_spot: Number | None = None
    entry_tick: Number | None = None
    exit_tick: Number | None = None
    expiry_time: int | None = None
    is_expired: Flag = 0
    is_sold: Flag = 0
    is_valid_to_sell: Flag = 0
    limit_order: _Orders | None = None
    longcode: str = ""
    multiplier: Number | None = None
    payout: Number | None = None
    profit: Number | None = None
    purchase_time: int | None = None
    sell_price: Number | None = None
    status: str | None = None
    underlying: str = ""


def parse_open_contract(body: Body, account: str, as_of: datetime) -> Position | None:
    """One contract; None where the reply only says that nothing is open.

    Raises:
        ProviderError: The call was refused, or the reply cannot be read.
    """
    call = Call.PROPOSAL_OPEN_CONTRACT
    with documented(call):
        refused = refusal(call, body)
        if refused is not None:
            raise refused
        if body.get("msg_type", call.value) != call.value:  # the schema does not even promise the field
            raise ValueError("another call's")
        said = typed(body.get(call.value), _Open)
        return None if said.contract_id is None else _standing(said, account, as_of)


def _standing(said: _Open, account: str, as_of: datetime) -> Position:
    currency = currency_of(said.currency)
    is_open = said.is_sold == 0
    orders = said.limit_order or _Orders()
    worth = money_of(said.bid_price if is_open else said.sell_price, currency)
    return Position(
        account,
        str(said.contract_id),
        said.underlying,
        said.display_name or said.underlying,
        as_of,
        direction=_direction(said.contract_type),
        entry=number_or_none(said.entry_spot if said.entry_tick is None else said.entry_tick),
        now=number_or_none(said.current_spot if is_open or said.exit_tick is None else said.exit_tick),
        profit=money_of(said.profit, currency),
        stop=_level(orders.stop_loss),
        limit=_level(orders.take_profit),
        opened_at=moment_or_none(said.purchase_time),
        expires_at=moment_or_none(said.date_expiry if said.expiry_time is None else said.expiry_time),
        price_paid=money_of(said.buy_price, currency),
        payout=money_of(said.payout or None, currency),
        description=said.longcode,
        worth=worth,
        is_open=is_open,
        can_be_closed=is_open and said.is_valid_to_sell == 1,
        status=said.status or "",
        stop_out=_level(orders.stop_out),
    )


def _level(order: _Order | None) -> Decimal | None:
    return None if order is None else number_said(order.value)

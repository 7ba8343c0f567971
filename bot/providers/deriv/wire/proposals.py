"""What a contract would cost: `proposal`, once and as its price moves. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from bot.money import Currency, Money
from bot.providers.deriv.wire.grammar import (
    Body,
    Call,
    Number,
    Request,
    Value,
    ask,
    documented,
    epoch_of,
    moment_of,
    moment_or_none,
    money_of,
    number_of,
    number_said,
    payload,
)

_TYPES = (
    "ACCU ASIAND ASIANU CALL CALLE CALLSPREAD DIGITDIFF DIGITEVEN DIGITMATCH DIGITODD DIGITOVER DIGITUNDER EXPIRYMISS "
    "EXPIRYMISSE EXPIRYRANGE EXPIRYRANGEE LBFLOATCALL LBFLOATPUT LBHIGHLOW MULTDOWN MULTUP NOTOUCH ONETOUCH PUT PUTE "
    "PUTSPREAD RANGE RESETCALL RESETPUT RUNHIGH RUNLOW SNOWDOWN SNOWUP TICKHIGH TICKLOW TURBOSLONG TURBOSSHORT "
    "UPORDOWN VANILLALONGCALL VANILLALONGPUT"
)
CONTRACT_TYPES = frozenset(_TYPES.split())


class Basis(StrEnum):
    """What the amount of a contract is."""

    STAKE = "stake"
    """What is paid."""
    PAYOUT = "payout"
    """What is won."""


class Unit(StrEnum):
    """Of how long a contract lasts."""

    TICKS = "t"
    SECONDS = "s"
    MINUTES = "m"
    HOURS = "h"
    DAYS = "d"


@dataclass(frozen=True, slots=True)
class Terms:
    """A contract as it is asked for. `lasts` with its `unit`, or `expires_at`; neither for multipliers and the like."""

    contract_type: str
    symbol: str
    currency: Currency
    amount: Decimal
    basis: Basis = Basis.STAKE
    lasts: int | None = None
    unit: Unit = Unit.MINUTES
    expires_at: datetime | None = None
    starts_at: datetime | None = None
    """Later than now."""
    barrier: str | None = None
    """A price, or with a sign the distance from that of the start; of digits the digit."""
    barrier2: str | None = None
    multiplier: Decimal | None = None
    growth_rate: Decimal | None = None
    selected_tick: int | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None


def parameters_of(terms: Terms) -> Mapping[str, Value]:
    """The terms by Deriv's names: of a proposal, and of a purchase without one."""
    lasts = terms.lasts is not None
    orders = {"stop_loss": terms.stop_loss, "take_profit": terms.take_profit}
    given: dict[str, Value | None] = {
        "amount": terms.amount,
        "barrier": terms.barrier,
        "barrier2": terms.barrier2,
        "basis": terms.basis.value,
        "contract_type": terms.contract_type,
        "currency": terms.currency.code,
        "date_expiry": None if terms.expires_at is None else epoch_of(terms.expires_at),
        "date_start": None if terms.starts_at is None else epoch_of(terms.starts_at),
        "duration": terms.lasts,
        "duration_unit": terms.unit.value if lasts else None,
        "growth_rate": terms.growth_rate,
        "limit_order": {key: price for key, price in orders.items() if price is not None} or None,
        "multiplier": terms.multiplier,
        "selected_tick": terms.selected_tick,
        "symbol": terms.symbol,
    }
    return {key: value for key, value in given.items() if value is not None}


def build_proposal(terms: Terms) -> Request:
    """What it would cost now. The answer's id can be bought for about a minute, or as long as it is streamed."""
    return ask(Call.PROPOSAL, **parameters_of(terms))


class _Limits(msgspec.Struct):
    min: Any = None
    max: Any = None


class _Params(msgspec.Struct):
    stake: _Limits | None = None


class _Proposal(msgspec.Struct):
    id: str
    ask_price: Number
    payout: Number
    longcode: str
    spot: Number
    spot_time: int
    date_start: int
    date_expiry: int | None = None
    commission: Number | None = None
    min_stake: Number | None = None
    max_stake: Number | None = None
    validation_params: _Params | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A price, and the id by which exactly that is bought."""

    id: str
    price: Money
    payout: Money | None
    """None where it promises no fixed amount."""
    text: str
    spot: Decimal
    spot_at: datetime
    starts_at: datetime
    expires_at: datetime | None
    commission: Money | None
    least_stake: Decimal | None
    most_stake: Decimal | None


def parse_proposal(body: Body, currency: Currency) -> Proposal:
    """
    Raises:
        ProviderError: It is not offered like that, or the reply cannot be read.
    """
    with documented(Call.PROPOSAL):
        said = payload(Call.PROPOSAL, body, _Proposal)
        stake = (said.validation_params or _Params()).stake or _Limits()
        return Proposal(
            said.id,
            Money.reading(said.ask_price, currency),
            money_of(said.payout or None, currency),
            said.longcode,
            number_of(said.spot),
            moment_of(said.spot_time),
            moment_of(said.date_start),
            moment_or_none(said.date_expiry),
            money_of(said.commission, currency),
            number_said(stake.min if said.min_stake is None else said.min_stake),
            number_said(stake.max if said.max_stake is None else said.max_stake),
        )

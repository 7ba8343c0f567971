"""What is open. Pure. Source: reference, Positions."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

import msgspec

from bot.money import Currency, Money
from bot.providers.capital.wire.grammar import (
    BASE,
    Code,
    Id,
    Name,
    Number,
    Request,
    fit,
    money,
    path,
    plain,
    utc,
)
from bot.providers.records import Direction, Position

Side = Literal["BUY", "SELL"]


class Deal(msgspec.Struct, frozen=True, rename="camel"):
    """The position itself."""

    deal_id: Id
    direction: Side
    size: Number
    level: Number
    upl: Number
    currency: Code
    stop_level: Number | None = None
    profit_level: Number | None = None
    stop_distance: Number | None = None
    trailing_stop: bool | None = None
    guaranteed_stop: bool | None = None
    created_date_utc: datetime | None = msgspec.field(default=None, name="createdDateUTC")
    working_order_id: Id | None = None
    leverage: Number | None = None


class Traded(msgspec.Struct, frozen=True, rename="camel"):
    """The market it is in, as it stands."""

    epic: Id
    instrument_name: Name
    bid: Number | None = None
    offer: Number | None = None


class PositionRow(msgspec.Struct, frozen=True):
    """A position and its market."""

    position: Deal
    market: Traded

    @property
    def opened_at(self) -> datetime | None:
        return utc(self.position.created_date_utc)


class _Positions(msgspec.Struct, frozen=True):
    positions: tuple[PositionRow, ...]


def build_positions() -> Request:
    """Ask for the open positions of the session's active account."""
    return Request("GET", f"{BASE}/positions")


def build_position(deal_id: str) -> Request:
    return Request("GET", path("positions", deal_id))


def parse_position_rows(body: bytes) -> tuple[PositionRow, ...]:
    return fit("positions", body, _Positions).positions


def parse_position(body: bytes) -> PositionRow:
    return fit("position", body, PositionRow)


def parse_positions(body: bytes, account: str, as_of: datetime) -> tuple[Position, ...]:
    """The open positions of `account`, which the reply itself does not name."""
    return tuple(position_of(row, account, as_of) for row in parse_position_rows(body))


def position_of(row: PositionRow, account: str, as_of: datetime) -> Position:
    """A row as the house's position."""
    deal, market = row.position, row.market
    long = deal.direction == "BUY"
    return Position(
        account=account,
        id=deal.deal_id,
        symbol=market.epic,
        name=market.instrument_name,
        as_of=as_of,
        direction=Direction.LONG if long else Direction.SHORT,
        size=Decimal(deal.size),
        size_unit="units",
        entry=Decimal(deal.level),
        now=plain(market.bid if long else market.offer),  # the side it would be closed at
        profit=money(deal.upl, deal.currency),
        margin=_margin(deal, market),
        stop=plain(deal.stop_level),
        limit=plain(deal.profit_level),
        opened_at=row.opened_at,
        stop_kind="trailing" if deal.trailing_stop else "guaranteed" if deal.guaranteed_stop else "",
        stop_distance=plain(deal.stop_distance) if deal.trailing_stop else None,
    )


def _margin(deal: Deal, market: Traded) -> Money | None:
    """Price × size ÷ leverage, at the price it would be closed at, in the position's currency."""
    price = market.bid if deal.direction == "BUY" else market.offer
    if price is None or not deal.leverage:
        return None
    held = Decimal(price) * Decimal(deal.size) / Decimal(deal.leverage)
    currency = Currency.of(deal.currency)
    return Money.reading(held.quantize(Decimal(1).scaleb(-currency.digits), ROUND_HALF_UP), currency)

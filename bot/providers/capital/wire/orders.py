"""Orders that wait for their price, and what became of a deal. Pure. Source: reference, Orders and Confirms."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from bot.money import Currency
from bot.providers.capital.wire.grammar import BASE, Code, Id, Number, Request, fit, path, utc
from bot.providers.capital.wire.positions import Side, Traded
from bot.providers.records import Direction, Order

Word = Annotated[str, msgspec.Meta(max_length=100)]


class WorkingOrder(msgspec.Struct, frozen=True, rename="camel"):
    """The order itself. What is attached to it comes as distances, signed as its price goes, however it was set."""

    deal_id: Id
    direction: Side
    epic: Id
    order_size: Number
    order_level: Number
    order_type: Word
    time_in_force: Word | None = None
    good_till_date_utc: datetime | None = msgspec.field(default=None, name="goodTillDateUTC")
    created_date_utc: datetime | None = msgspec.field(default=None, name="createdDateUTC")
    guaranteed_stop: bool | None = None
    trailing_stop: bool | None = None
    stop_distance: Number | None = None
    profit_distance: Number | None = None
    currency_code: Code | None = None

    @property
    def stop(self) -> Decimal | None:
        """The price it stands for."""
        return self._away(self.stop_distance, loses=True)

    @property
    def limit(self) -> Decimal | None:
        return self._away(self.profit_distance, loses=False)

    def _away(self, distance: Number | None, *, loses: bool) -> Decimal | None:
        """The sign follows from what it is for: samples show a buy's stop with a minus, a sell's are nowhere shown."""
        if not distance:
            return None
        down = (self.direction == "BUY") == loses
        return Decimal(self.order_level) + (-abs(Decimal(distance)) if down else abs(Decimal(distance)))


class OrderRow(msgspec.Struct, frozen=True, rename="camel"):
    """An order and its market."""

    working_order_data: WorkingOrder
    market_data: Traded

    @property
    def created_at(self) -> datetime | None:
        return utc(self.working_order_data.created_date_utc)


class _Orders(msgspec.Struct, frozen=True, rename="camel"):
    working_orders: tuple[OrderRow, ...]


class Affected(msgspec.Struct, frozen=True, rename="camel"):
    """What a deal did to one position or order."""

    deal_id: Id
    status: Word


class Confirmation(msgspec.Struct, frozen=True, rename="camel"):
    """The broker's verdict on a deal. `status` is the life of the thing, and may be old news."""

    deal_status: Literal["ACCEPTED", "REJECTED"] | None = None
    status: Word | None = None
    reason: Word | None = None
    reject_reason: Word | None = None
    deal_id: Id | None = None
    deal_reference: Id | None = None
    affected_deals: tuple[Affected, ...] | None = None
    epic: Id | None = None
    direction: Side | None = None
    size: Number | None = None
    level: Number | None = None
    stop_level: Number | None = None
    profit_level: Number | None = None
    date: datetime | None = None
    profit: Number | None = None
    profit_currency: Word | None = None

    @property
    def at(self) -> datetime | None:
        """UTC, though it does not say so."""
        return utc(self.date)

    @property
    def affected(self) -> tuple[Affected, ...]:
        return self.affected_deals or ()

    @property
    def why(self) -> str:
        """Why it was rejected, in the provider's word."""
        words = [word for word in (self.reject_reason, self.reason) if word and word != "SUCCESS"]
        return words[0] if words else "no reason told"


class _Taken(msgspec.Struct, frozen=True, rename="camel"):
    deal_reference: Id


def build_orders() -> Request:
    """Ask for the waiting orders of the session's active account."""
    return Request("GET", f"{BASE}/workingorders")


def build_confirm(reference: str) -> Request:
    return Request("GET", path("confirms", reference))


def parse_order_rows(body: bytes) -> tuple[OrderRow, ...]:
    return fit("working orders", body, _Orders).working_orders


def parse_confirm(body: bytes) -> Confirmation:
    return fit("confirmation", body, Confirmation)


def parse_taken(body: bytes) -> str:
    """The reference a deal was given: it has been taken, and nothing is said of what becomes of it."""
    return fit("deal", body, _Taken).deal_reference


def order_of(row: OrderRow, account: str, as_of: datetime) -> Order:
    """A row as the house's order."""
    order = row.working_order_data
    return Order(
        account=account,
        id=order.deal_id,
        symbol=order.epic,
        name=row.market_data.instrument_name,
        as_of=as_of,
        direction=Direction.LONG if order.direction == "BUY" else Direction.SHORT,
        size=Decimal(order.order_size),
        level=Decimal(order.order_level),
        kind=order.order_type.lower(),
        stop=order.stop,
        limit=order.limit,
        created_at=row.created_at,
        good_till=utc(order.good_till_date_utc),
        currency=None if order.currency_code is None else Currency.of(order.currency_code),
    )

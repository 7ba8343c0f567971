"""What happened on an account, and what was booked. Pure. Source: reference, History."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from bot.errors import ReplyError
from bot.money import Currency, Money
from bot.providers.capital.wire.grammar import (
    BASE,
    NAME,
    Code,
    Id,
    Name,
    Number,
    Request,
    asked,
    fit,
    moment,
    plain,
    sure,
)
from bot.providers.capital.wire.orders import Word
from bot.providers.capital.wire.positions import Side
from bot.providers.records import Direction, Entry, Happening, Way

_SOURCES = {
    "USER": "by its owner",
    "SL": "by its stop",
    "TP": "by its limit",
    "CLOSE_OUT": "for want of margin",
    "DEALER": "by the broker",
    "SYSTEM": "by the broker's machine",
}
_AMOUNT = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,18})?", re.ASCII)
_Text = Annotated[str, msgspec.Meta(max_length=1000)]


class Details(msgspec.Struct, frozen=True, rename="camel"):
    """What an activity was about, as far as it is told. `direction` is that of the deal: a long is closed by SELL."""

    deal_reference: Id | None = None
    market_name: Name | None = None
    currency: Word | None = None
    size: Number | None = None
    direction: Side | None = None
    level: Number | None = None
    stop_level: Number | None = None
    profit_level: Number | None = None
    working_order_id: Id | None = None


class Activity(msgspec.Struct, frozen=True, rename="camel"):
    """Something that happened. It has no number of its own."""

    date_utc: datetime = msgspec.field(name="dateUTC")
    deal_id: Id | None = None
    epic: Id | None = None
    source: Word = ""
    type: Word = ""
    status: Word = ""
    details: Details | None = None

    @property
    def at(self) -> datetime:
        return sure(self.date_utc)

    @property
    def told(self) -> Details:
        return self.details or Details()


class Transaction(msgspec.Struct, frozen=True, rename="camel"):
    """Something that was booked. `size` is a text, and holds money."""

    date_utc: datetime = msgspec.field(name="dateUtc")
    transaction_type: Word
    reference: Id
    size: Annotated[str, msgspec.Meta(max_length=40)]
    currency: Code
    note: _Text | None = None
    instrument_name: Name | None = None
    status: Word | None = None

    @property
    def at(self) -> datetime:
        return sure(self.date_utc)


class _Activities(msgspec.Struct, frozen=True):
    activities: tuple[Activity, ...]


class _Transactions(msgspec.Struct, frozen=True):
    transactions: tuple[Transaction, ...]


def build_activity(
    since: datetime | None, until: datetime | None, last_seconds: int | None, deal_id: str | None = None
) -> Request:
    """Ask for at most a day: from and to, or so many seconds up to now. With details."""
    return asked(f"{BASE}/history/activity", **_window(since, until, last_seconds), detailed="true", dealId=deal_id)


def build_transactions(since: datetime | None, until: datetime | None, last_seconds: int | None) -> Request:
    return asked(f"{BASE}/history/transactions", **_window(since, until, last_seconds))


def _window(since: datetime | None, until: datetime | None, last_seconds: int | None) -> dict[str, str | None]:
    return {
        "from": None if since is None else moment(since),
        "to": None if until is None else moment(until),
        "lastPeriod": None if last_seconds is None else str(last_seconds),
    }


def parse_activities(body: bytes) -> tuple[Activity, ...]:
    """Newest first."""
    return fit("activity", body, _Activities).activities


def parse_transactions(body: bytes) -> tuple[Transaction, ...]:
    """Newest first."""
    return fit("transactions", body, _Transactions).transactions


def entry_of(one: Transaction, account: str) -> Entry:
    """A booking as a line of the account's statement."""
    if not _AMOUNT.fullmatch(one.size):
        raise ReplyError(NAME, "transactions: an amount that is none")
    amount = Decimal(one.size)
    return Entry(
        account=account,
        id=one.reference,
        on=one.at.date(),
        way=Way.OUT if amount < 0 else Way.IN,
        amount=Money.reading(abs(amount), Currency.of(one.currency)),
        other="",
        narrative=one.note or "",
        at=one.at,
        kind=", ".join(filter(None, (one.transaction_type.lower().replace("_", " "), one.instrument_name))),
    )


def happening_of(one: Activity, account: str) -> Happening:
    """An activity as what happened on the account."""
    told = one.told
    what = " ".join(filter(None, (one.type, one.status))).lower().replace("_", " ")
    source = _SOURCES.get(one.source, one.source.lower().replace("_", " "))
    directions = {"BUY": Direction.LONG, "SELL": Direction.SHORT, None: None}
    return Happening(
        account=account,
        at=one.at,
        what=", ".join(filter(None, (what, source))),
        id=one.deal_id or "",
        symbol=one.epic or "",
        name=told.market_name or one.epic or "",
        direction=directions[told.direction],
        size=plain(told.size),
        level=plain(told.level),
    )

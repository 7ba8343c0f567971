"""Where prices went. Pure. Source: reference, Prices."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated

import msgspec

from bot.providers.capital.wire.grammar import Number, Request, asked, fit, moment, path, sure
from bot.providers.records import Candle

MOST_BARS = 1000
MOST_STEPS = MOST_BARS - 1
"""Between `from` and `to`, by the calendar: what is closed counts, and so do both ends."""
RESOLUTIONS = {
    timedelta(minutes=1): "MINUTE",
    timedelta(minutes=5): "MINUTE_5",
    timedelta(minutes=15): "MINUTE_15",
    timedelta(minutes=30): "MINUTE_30",
    timedelta(hours=1): "HOUR",
    timedelta(hours=4): "HOUR_4",
    timedelta(days=1): "DAY",
    timedelta(weeks=1): "WEEK",
}


class _Two(msgspec.Struct, frozen=True):
    bid: Number
    ask: Number

    @property
    def mid(self) -> Decimal:
        return (Decimal(self.bid) + Decimal(self.ask)) / 2


class Bar(msgspec.Struct, frozen=True, rename="camel"):
    """One step of time, which begins when it says. The last one may not be over yet."""

    snapshot_time_utc: datetime = msgspec.field(name="snapshotTimeUTC")
    open_price: _Two
    close_price: _Two
    high_price: _Two
    low_price: _Two
    last_traded_volume: Annotated[int, msgspec.Meta(ge=0)] | None = None

    @property
    def at(self) -> datetime:
        return sure(self.snapshot_time_utc)


class _Prices(msgspec.Struct, frozen=True):
    prices: tuple[Bar, ...]


def build_prices(epic: str, step: timedelta, since: datetime, until: datetime | None) -> Request:
    """Forward from `since`, and no further than `until`; both are part of it."""
    query = {
        "resolution": RESOLUTIONS[step],
        "max": str(MOST_BARS),
        "from": moment(since),
        "to": None if until is None else moment(until),
    }
    return asked(path("prices", epic), **query)


def parse_prices(body: bytes) -> tuple[Bar, ...]:
    """Oldest first."""
    return fit("prices", body, _Prices).prices


def candle_of(bar: Bar, epic: str, step: timedelta) -> Candle:
    """Halfway between what it was bought and sold at."""
    return Candle(epic, bar.at, step, bar.open_price.mid, bar.high_price.mid, bar.low_price.mid, bar.close_price.mid)

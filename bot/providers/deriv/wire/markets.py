"""Market data: `active_symbols`, `contracts_for`, `ticks`, `ticks_history`. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from bot.providers.deriv.wire.grammar import (
    Body,
    Call,
    Flag,
    Number,
    Request,
    ask,
    documented,
    epoch_of,
    moment_of,
    moment_or_none,
    number_in,
    number_of,
    number_or_none,
    payload,
)
from bot.providers.records import Candle, Quote

SYMBOL = re.compile(r"\w{2,30}", re.ASCII)
STEPS = (60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
"""Widths of candles, in seconds."""
MOST_ROWS = 5000
"""As many rows of history come at once, at most."""
_PLAIN = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_PLAIN_CHARACTERS = 14
_FAR = 1 << 33
"""Seconds since 1970: the year 2242."""
TICK = "tick"
"""What a `ticks` reply is called."""


# -- symbols -----------------------------------------------------------------------------------------------------


def build_active_symbols(detail: Literal["brief", "full"] = "brief") -> Request:
    """Everything that can be traded."""
    return ask(Call.ACTIVE_SYMBOLS, detail)


class _Symbol(msgspec.Struct):
    symbol: str
    display_name: str
    pip: Number
    exchange_is_open: Flag
    is_trading_suspended: Flag
    market_display_name: str = ""
    submarket_display_name: str = ""
    spot: Number | None = None


@dataclass(frozen=True, slots=True)
class Symbol:
    """One underlying."""

    symbol: str
    name: str
    kind: str
    """Market and part of it, in Deriv's words."""
    pip: Decimal
    """The smallest step of its price."""
    is_open: bool
    spot: Decimal | None = None


def parse_active_symbols(body: Body) -> tuple[Symbol, ...]:
    with documented(Call.ACTIVE_SYMBOLS):
        return tuple(_symbol(one) for one in payload(Call.ACTIVE_SYMBOLS, body, list[_Symbol]))


def _symbol(said: _Symbol) -> Symbol:
    if not SYMBOL.fullmatch(said.symbol):
        raise ValueError("not a symbol")
    kind = ", ".join(dict.fromkeys(filter(None, (said.market_display_name, said.submarket_display_name))))
    is_open = said.exchange_is_open == 1 and said.is_trading_suspended == 0
    return Symbol(said.symbol, said.display_name, kind, number_of(said.pip), is_open, number_or_none(said.spot))


# -- what can be bought on one -----------------------------------------------------------------------------------


def build_contracts_for(symbol: str, currency: str | None = None, company: str | None = None) -> Request:
    """What can be bought on a symbol, in a currency, under a landing company (by its short code)."""
    return ask(Call.CONTRACTS_FOR, symbol, currency=currency, landing_company_short=company)


class _Offer(msgspec.Struct):
    contract_type: str
    contract_category: str
    min_contract_duration: str
    max_contract_duration: str
    expiry_type: str
    start_type: str
    barriers: Number
    contract_category_display: str = ""
    contract_display: str = ""
    barrier: str | None = None
    high_barrier: str | None = None
    low_barrier: str | None = None
    sentiment: str = ""
    min_stake: Number | None = None
    max_stake: Number | None = None
    multiplier_range: list[Number] = []
    last_digit_range: list[Number] = []


class _Offers(msgspec.Struct):
    available: list[_Offer]
    open: int | None = None
    close: int | None = None
    spot: Number | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """One kind of contract on one symbol."""

    contract_type: str
    category: str
    name: str
    """As people call it: "Higher"."""
    category_name: str
    shortest: str
    """5t, 15s, 1m, 1d."""
    longest: str
    expiry: str
    """tick, intraday, daily, no_expiry."""
    start: str
    """spot or forward."""
    barriers: int
    barrier: str
    """What Deriv would take of itself; empty for none."""
    barrier2: str
    least_stake: Decimal | None
    most_stake: Decimal | None
    multipliers: tuple[Decimal, ...]
    digits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Offers:
    """What can be bought on a symbol, and when its day of trading begins and ends."""

    available: tuple[Offer, ...]
    opens_at: datetime | None
    closes_at: datetime | None
    spot: Decimal | None


def parse_contracts_for(body: Body) -> Offers:
    with documented(Call.CONTRACTS_FOR):
        said = payload(Call.CONTRACTS_FOR, body, _Offers)
        offers = tuple(_offer(one) for one in said.available)
        return Offers(offers, moment_or_none(said.open), moment_or_none(said.close), number_or_none(said.spot))


def _offer(said: _Offer) -> Offer:
    return Offer(
        said.contract_type,
        said.contract_category,
        said.contract_display or said.contract_type,
        said.contract_category_display or said.contract_category,
        said.min_contract_duration,
        said.max_contract_duration,
        said.expiry_type,
        said.start_type,
        int(said.barriers),
        said.high_barrier or said.barrier or "",
        said.low_barrier or "",
        number_or_none(said.min_stake),
        number_or_none(said.max_stake),
        tuple(number_of(one) for one in said.multiplier_range),
        tuple(int(one) for one in said.last_digit_range),
    )


# -- prices ------------------------------------------------------------------------------------------------------


def build_ticks(symbols: str | Sequence[str]) -> Request:
    """The price of one symbol, or of each of several: one reply for each, in whatever order."""
    return ask(Call.TICKS, symbols if isinstance(symbols, str) else list(symbols))


class _Tick(msgspec.Struct):
    symbol: str
    epoch: int
    quote: Number | None = None
    bid: Number | None = None
    ask: Number | None = None


def parse_tick(body: Body) -> Quote:
    """One price. Without both sides, the middle stands for both."""
    with documented(Call.TICKS):
        said = payload(Call.TICKS, body, _Tick, under=TICK)
        bid, asked = (said.bid, said.ask) if said.bid is not None and said.ask is not None else (said.quote, said.quote)
        if bid is None or asked is None or not SYMBOL.fullmatch(said.symbol):
            raise ValueError("no price of a symbol")
        return Quote(said.symbol, number_of(bid), number_of(asked), moment_of(said.epoch))


@dataclass(frozen=True, slots=True)
class Price:
    """One frame of a stream of prices."""

    req_id: int
    subscription: str
    quote: Quote


_Whole = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=1 << 53)]


class _Named(msgspec.Struct, gc=False):
    id: str


class _Spot(msgspec.Struct, gc=False):
    ask: msgspec.Raw
    bid: msgspec.Raw
    epoch: _Whole
    id: str
    pip_size: _Whole
    quote: msgspec.Raw
    symbol: str


class _Priced(msgspec.Struct, gc=False):
    """Most frames of a stream are exactly this one."""

    echo_req: dict[str, str | _Whole | list[str]]
    msg_type: Literal["tick"]
    req_id: _Whole
    subscription: _Named
    tick: _Spot


_PAIRS = len(_Priced.__struct_fields__) + len(_Named.__struct_fields__) + len(_Spot.__struct_fields__)
_priced = msgspec.json.Decoder(_Priced)


def read_price(frame: str | bytes) -> Price | None:
    """A frame that holds a price in full and in plain digits, as `parse_tick` reads it after the strict parser, and in
    a third of the time; None for any other, and wherever the two might differ.

    No key is there twice: every pair has a colon, and there are no more of those than different keys.
    """
    if type(frame) is not str or '"msg_type":"tick"' not in frame or "\\" in frame:
        return None
    try:
        said = _priced.decode(frame)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    spot = said.tick
    bid, asked, middle = _plain(spot.bid), _plain(spot.ask), _plain(spot.quote)
    if (
        bid is None
        or asked is None
        or middle is None
        or frame.count(":") != _PAIRS + len(said.echo_req)
        or not said.subscription.id
        or not SYMBOL.fullmatch(spot.symbol)
        or not 0 < spot.epoch < _FAR
    ):
        return None
    return Price(said.req_id, said.subscription.id, Quote(spot.symbol, bid, asked, moment_of(spot.epoch)))


def _plain(raw: msgspec.Raw) -> Decimal | None:
    """A number of so few plain digits that it is within every bound."""
    text = str(raw, "utf-8")
    return Decimal(text) if len(text) <= _PLAIN_CHARACTERS and _PLAIN.fullmatch(text) else None


def build_ticks_history(symbol: str, since: datetime | None, until: datetime | None, count: int) -> Request:
    """The latest `count` prices between two moments; None: as far back as it goes, and until now."""
    return _history(symbol, since, until, count, style="ticks")


def build_candles(
    symbol: str, step_seconds: int, since: datetime | None, until: datetime | None, count: int
) -> Request:
    """The latest `count` candles between two moments."""
    return _history(symbol, since, until, count, style="candles", granularity=step_seconds)


def _history(
    symbol: str,
    since: datetime | None,
    until: datetime | None,
    count: int,
    *,
    style: str,
    granularity: int | None = None,
) -> Request:
    return ask(
        Call.TICKS_HISTORY,
        symbol,
        start=None if since is None else epoch_of(since),
        end="latest" if until is None else str(epoch_of(until)),
        count=count,
        style=style,
        granularity=granularity,
    )


class _History(msgspec.Struct):
    prices: list[Number]
    times: list[int]


def parse_history(body: Body, symbol: str) -> tuple[Quote, ...]:
    """Past prices, oldest first; only the middle between bid and ask is kept there."""
    with documented(Call.TICKS_HISTORY):
        said = payload(Call.TICKS_HISTORY, body, _History, under="history")
        quotes = [
            Quote(symbol, number_of(price), number_of(price), moment_of(epoch))
            for epoch, price in zip(said.times, said.prices, strict=True)
        ]
        return tuple(sorted(quotes, key=lambda quote: quote.at))


class _Candle(msgspec.Struct):
    epoch: int
    open: Number
    high: Number
    low: Number
    close: Number


def parse_candles(body: Body, symbol: str, step_seconds: int) -> tuple[Candle, ...]:
    """Oldest first."""
    with documented(Call.TICKS_HISTORY):
        said = payload(Call.TICKS_HISTORY, body, list[_Candle], under="candles")
        candles = [_candle(symbol, step_seconds, one.epoch, (one.open, one.high, one.low, one.close)) for one in said]
        return tuple(sorted(candles, key=lambda candle: candle.at))


class _Running(msgspec.Struct):
    open_time: int
    granularity: int
    symbol: str
    open: str
    high: str
    low: str
    close: str


def parse_running_candle(body: Body) -> Candle:
    """The candle of this moment, as its stream tells it: with prices as text."""
    with documented(Call.TICKS_HISTORY):
        said = payload(Call.TICKS_HISTORY, body, _Running, under="ohlc")
        prices = [number_in(text) for text in (said.open, said.high, said.low, said.close)]
        return _candle(said.symbol, said.granularity, said.open_time, prices)


def _candle(symbol: str, step_seconds: int, epoch: int, prices: Iterable[Number]) -> Candle:
    first, high, low, last = (number_of(price) for price in prices)
    return Candle(symbol, moment_of(epoch), timedelta(seconds=step_seconds), first, high, low, last)

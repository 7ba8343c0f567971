"""What can be traded, where it stands in the tree, and how others are positioned. Pure.

Source: reference, Markets and Client sentiment.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated

import msgspec

from bot.money import Currency, Money
from bot.providers.capital.wire.grammar import (
    BASE,
    Id,
    Millis,
    Name,
    Number,
    Request,
    asked,
    fit,
    from_millis,
    path,
    utc,
)
from bot.providers.capital.wire.orders import Word
from bot.providers.records import Direction, Market, Position, Quote

MOST_EPICS = 50
MOST_IN_A_NODE = 500
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_Hours = tuple[Annotated[str, msgspec.Meta(max_length=40)], ...]


class Node(msgspec.Struct, frozen=True):
    """A branch of the tree of markets."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    name: Name


class Summary(msgspec.Struct, frozen=True, rename="camel"):
    """A market in a list."""

    epic: Id
    instrument_name: Name
    instrument_type: Word = ""
    market_status: Word = ""
    bid: Number | None = None
    offer: Number | None = None
    update_time_utc: datetime | None = msgspec.field(default=None, name="updateTimeUTC")
    percentage_change: Number | None = None


class _Rule(msgspec.Struct, frozen=True):
    unit: Word
    value: Number


class Rules(msgspec.Struct, frozen=True, rename="camel"):
    """How it may be dealt in. The names of 2023 are taken, too."""

    min_deal_size: _Rule | None = None
    max_deal_size: _Rule | None = None
    min_size_increment: _Rule | None = None
    min_step_distance: _Rule | None = None
    min_stop_or_profit_distance: _Rule | None = None
    max_stop_or_profit_distance: _Rule | None = None
    min_normal_stop_or_limit_distance: _Rule | None = None
    max_stop_or_limit_distance: _Rule | None = None
    market_order_preference: Word | None = None
    trailing_stops_preference: Word | None = None

    @property
    def size_step(self) -> Decimal | None:
        """What a size is a multiple of. `min_step_distance` is a step of the price."""
        rule = self.min_size_increment or self.min_deal_size
        return None if rule is None else Decimal(rule.value)


class _Hours7(msgspec.Struct, frozen=True):
    mon: _Hours = ()
    tue: _Hours = ()
    wed: _Hours = ()
    thu: _Hours = ()
    fri: _Hours = ()
    sat: _Hours = ()
    sun: _Hours = ()
    zone: Word = "UTC"


class Overnight(msgspec.Struct, frozen=True, rename="camel"):
    """What holding it over night costs, in percent of its worth; a minus is paid by the holder."""

    long_rate: Number | None = None
    short_rate: Number | None = None
    swap_charge_timestamp: Millis | None = None
    swap_charge_interval: Annotated[int, msgspec.Meta(ge=0, le=10**6)] | None = None

    @property
    def next_at(self) -> datetime | None:
        return None if self.swap_charge_timestamp is None else from_millis(self.swap_charge_timestamp)


class Instrument(msgspec.Struct, frozen=True, rename="camel"):
    """What it is."""

    epic: Id
    name: Name
    type: Word = ""
    currency: Word | None = None
    margin_factor: Number | None = None
    margin_factor_unit: Word | None = None
    opening_hours: _Hours7 | None = None
    overnight_fee: Overnight | None = None
    guaranteed_stop_allowed: bool | None = None


class Snapshot(msgspec.Struct, frozen=True, rename="camel"):
    """How it stands. Its time is local, and never read."""

    market_status: Word = ""
    bid: Number | None = None
    offer: Number | None = None
    percentage_change: Number | None = None
    decimal_places_factor: Annotated[int, msgspec.Meta(ge=0, le=18)] | None = None


class MarketDetails(msgspec.Struct, frozen=True, rename="camel"):
    """One market, whole."""

    instrument: Instrument
    snapshot: Snapshot
    dealing_rules: Rules = Rules()


class Sentiment(msgspec.Struct, frozen=True, rename="camel"):
    """How the clients who hold it are divided, in percent."""

    market_id: Id
    long_position_percentage: Number
    short_position_percentage: Number


class _Nodes(msgspec.Struct, frozen=True):
    nodes: tuple[Node, ...] = ()
    markets: tuple[Summary, ...] = ()


class _Markets(msgspec.Struct, frozen=True):
    markets: tuple[Summary, ...]


class _Detailed(msgspec.Struct, frozen=True, rename="camel"):
    market_details: tuple[MarketDetails, ...] | None = None
    markets: tuple[MarketDetails, ...] | None = None


class _Sentiments(msgspec.Struct, frozen=True, rename="camel"):
    client_sentiments: tuple[Sentiment, ...]


def build_tree() -> Request:
    return Request("GET", f"{BASE}/marketnavigation")


def build_node(node: str) -> Request:
    return asked(path("marketnavigation", node), limit=str(MOST_IN_A_NODE))


def build_search(term: str) -> Request:
    return asked(f"{BASE}/markets", searchTerm=term)


def build_several(epics: Sequence[str]) -> Request:
    """Whole markets, at most fifty."""
    return asked(f"{BASE}/markets", epics=",".join(epics))


def build_market(epic: str) -> Request:
    return Request("GET", path("markets", epic))


def build_sentiments(epics: Sequence[str]) -> Request:
    return asked(f"{BASE}/clientsentiment", marketIds=",".join(epics))


def build_sentiment(epic: str) -> Request:
    return Request("GET", path("clientsentiment", epic))


def parse_node(body: bytes) -> tuple[tuple[Node, ...], tuple[Summary, ...]]:
    """Its branches, and its leaves."""
    found = fit("market navigation", body, _Nodes)
    return found.nodes, found.markets


def parse_markets(body: bytes) -> tuple[Summary, ...]:
    return fit("markets", body, _Markets).markets


def parse_several(body: bytes) -> tuple[MarketDetails, ...]:
    """Under either of the two names that are in use."""
    found = fit("markets", body, _Detailed)
    return found.market_details or found.markets or ()


def parse_market(body: bytes) -> MarketDetails:
    return fit("market", body, MarketDetails)


def parse_sentiments(body: bytes) -> tuple[Sentiment, ...]:
    return fit("sentiment", body, _Sentiments).client_sentiments


def parse_sentiment(body: bytes) -> Sentiment:
    return fit("sentiment", body, Sentiment)


def market_of(one: Summary) -> Market:
    """A line of a list as the house's market."""
    at = utc(one.update_time_utc)
    quote = None if at is None else quote_of(one.epic, one.bid, one.offer, at)
    return Market(one.epic, one.instrument_name, _kind(one.instrument_type), _is_open(one.market_status), quote)


def whole_market_of(one: MarketDetails, sentiment: Sentiment | None, now: datetime) -> Market:
    """A whole market; its prices are those of `now`, as it states no time that could be read."""
    instrument, snapshot, rules = one.instrument, one.snapshot, one.dealing_rules
    return Market(
        symbol=instrument.epic,
        name=instrument.name,
        kind=_kind(instrument.type),
        is_open=_is_open(snapshot.market_status),
        quote=quote_of(instrument.epic, snapshot.bid, snapshot.offer, now),
        hours=hours_of(instrument.opening_hours),
        facts=(*_rules(one), *_overnight(instrument.overnight_fee), *_divided(sentiment)),
        currency=_currency(instrument.currency),
        least=_bound(rules.min_deal_size),
        most=_bound(rules.max_deal_size),
        step=rules.size_step,
    )


def _currency(word: str | None) -> Currency | None:
    try:
        return Currency.of(word) if word else None
    except ValueError:
        return None


def _bound(rule: "_Rule | None") -> Decimal | None:
    return None if rule is None else Decimal(rule.value)


def quote_of(epic: str, bid: Number | None, offer: Number | None, at: datetime) -> Quote | None:
    return None if bid is None or offer is None else Quote(epic, Decimal(bid), Decimal(offer), at)


def hours_of(hours: _Hours7 | None) -> tuple[str, ...]:
    """ "Mon 00:00-22:00, 23:05-24:00 UTC"; a line each day, in the provider's zone."""
    if hours is None:
        return ()
    lines = []
    for day in _DAYS:
        cells = [_cell(cell) for cell in getattr(hours, day) if cell.strip() not in ("", "-")]
        open_then = f"{', '.join(cells)} {hours.zone}" if cells else "closed"
        lines.append(f"{day.title()} {open_then}")
    return tuple(lines)


def _cell(cell: str) -> str:
    """Midnight stands for either end of the day."""
    begins, _, ends = (part.strip() for part in cell.partition("-"))
    if (begins, ends) == ("00:00", "00:00"):
        return "all day"
    return f"{begins}-{'24:00' if ends == '00:00' else ends}"


def _rules(one: MarketDetails) -> tuple[str, ...]:
    rules, instrument = one.dealing_rules, one.instrument
    facts = []
    if rules.min_deal_size is not None:
        most = f", at most {rules.max_deal_size.value:f}" if rules.max_deal_size is not None else ""
        facts.append(f"A deal has at least {rules.min_deal_size.value:f} units{most}.")
    if rules.size_step is not None:
        facts.append(f"Sizes go in steps of {rules.size_step:f}.")
    if instrument.margin_factor is not None:
        unit = "%" if instrument.margin_factor_unit in (None, "PERCENTAGE") else f" {instrument.margin_factor_unit}"
        facts.append(f"Its margin is {instrument.margin_factor:f}{unit}.")
    if instrument.currency:
        facts.append(f"It is priced in {instrument.currency}.")
    return tuple(facts)


def _overnight(fee: Overnight | None) -> tuple[str, ...]:
    if fee is None or fee.long_rate is None or fee.short_rate is None:
        return ()
    due = f", next at {fee.next_at:%Y-%m-%d %H:%M} UTC" if fee.next_at is not None else ""
    return (f"Over night {fee.long_rate:+f}% for a long, {fee.short_rate:+f}% for a short{due}.",)


def over_night(held: Position, fee: Overnight | None) -> Position:
    """With what the next night brings or costs: the rate of what it is worth now, in the position's currency."""
    rate = None if fee is None else fee.long_rate if held.direction is Direction.LONG else fee.short_rate
    if fee is None or rate is None or held.size is None or held.now is None or held.profit is None:
        return held
    currency = held.profit.currency
    due = (held.size * held.now * Decimal(rate) / 100).quantize(Decimal(1).scaleb(-currency.digits), ROUND_HALF_UP)
    return replace(held, overnight=Money.reading(due, currency), overnight_at=fee.next_at)


def _divided(sentiment: Sentiment | None) -> tuple[str, ...]:
    if sentiment is None:
        return ()
    longs, shorts = sentiment.long_position_percentage, sentiment.short_position_percentage
    return (f"Of the clients who hold it {longs:f}% are long and {shorts:f}% short.",)


def _kind(word: str) -> str:
    return word.lower().replace("_", " ")


def _is_open(status: str) -> bool | None:
    return None if not status else status == "TRADEABLE"

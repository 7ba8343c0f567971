"""How markets, past prices, sentiment and watchlists look on the wire. Numbers are exact."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zlib import crc32

from bot.clock import from_millis, to_millis
from bot.providers.capital.simulator.market import HOURS, INSTRUMENTS, Instrument
from bot.providers.capital.simulator.past import MINUTE_MS
from bot.providers.capital.simulator.state import Account, Quote, Watchlist
from bot.providers.capital.simulator.tape import Bar
from bot.providers.capital.simulator.world import World

Body = dict[str, object]

ACCOUNT_HOURS = 3
"""What the account endpoints call local time runs this far ahead of UTC, the market endpoints' less far."""
MARKET_HOURS = 2
_SECONDS = len("2026-03-01T12:00:00")


def local(moment: datetime, hours: int = 0) -> str:
    """Milliseconds and no zone, as everywhere in this API; 0 hours is UTC."""
    return (moment.astimezone(UTC) + timedelta(hours=hours)).replace(tzinfo=None).isoformat(timespec="milliseconds")


def market(world: World, epic: str, hours: int = MARKET_HOURS) -> Body:
    """The market summary, as lists and positions show it."""
    instrument, quote = INSTRUMENTS[epic], world.state.quotes[epic]
    return {
        "instrumentName": instrument.name,
        "expiry": "-",
        "epic": epic,
        "symbol": instrument.name,
        "instrumentType": instrument.kind,
        "lotSize": 1,
        "streamingPricesAvailable": True,
        "pipPosition": instrument.digits,
        "tickSize": instrument.tick,
        "updateTimeUTC": local(quote.updated),
        **_prices(quote, hours),
    }


def _prices(quote: Quote, hours: int) -> Body:
    change = quote.bid - quote.opened
    return {
        "marketStatus": quote.status,
        "netChange": change,
        "percentageChange": (change / quote.opened * 100).quantize(Decimal("0.01")),
        "updateTime": local(quote.updated, hours),
        "delayTime": 0,
        "bid": quote.bid,
        "offer": quote.offer,
        "high": quote.high,
        "low": quote.low,
        "scalingFactor": 1,
        "marketModes": ["REGULAR"],
    }


def details(world: World, account: Account, epic: str) -> Body:
    """One market in full; the margin is that of the account's own leverage."""
    instrument, quote = INSTRUMENTS[epic], world.state.quotes[epic]
    leverage = account.leverages[instrument.kind].current
    return {
        "instrument": _instrument(instrument, leverage, world.now()),
        "dealingRules": _rules(instrument),
        "snapshot": {**_prices(quote, MARKET_HOURS), "decimalPlacesFactor": instrument.digits},
    }


def _instrument(instrument: Instrument, leverage: int, now: datetime) -> Body:
    return {
        "epic": instrument.epic,
        "symbol": instrument.name,
        "expiry": "-",
        "name": instrument.name,
        "lotSize": 1,
        "type": instrument.kind,
        "guaranteedStopAllowed": instrument.guaranteed_allowed,
        "streamingPricesAvailable": True,
        "currency": instrument.currency,
        "marginFactor": (Decimal(100) / leverage).quantize(Decimal("0.01")),
        "marginFactorUnit": "PERCENTAGE",
        "openingHours": {**HOURS[instrument.kind], "zone": "UTC"},
        "country": instrument.country,
        "overnightFee": {
            "longRate": instrument.overnight(True),
            "shortRate": instrument.overnight(False),
            "swapChargeTimestamp": to_millis(_next_swap(now)),
            "swapChargeInterval": 1440,
        },
    }


def _next_swap(now: datetime) -> datetime:
    today = now.replace(hour=22, minute=0, second=0, microsecond=0)
    return today if now < today else today + timedelta(days=1)


def _rules(instrument: Instrument) -> Body:
    def points(value: Decimal) -> Body:
        return {"unit": "POINTS", "value": value}

    def percent(value: Decimal) -> Body:
        return {"unit": "PERCENTAGE", "value": value}

    return {
        "minStepDistance": points(instrument.tick),
        "minDealSize": points(instrument.min_size),
        "maxDealSize": points(instrument.max_size),
        "minSizeIncrement": points(instrument.size_step),
        "minGuaranteedStopDistance": percent(instrument.min_guaranteed),
        "minStopOrProfitDistance": percent(instrument.min_distance),
        "maxStopOrProfitDistance": percent(instrument.max_distance),
        "marketOrderPreference": "AVAILABLE_DEFAULT_ON",
        "trailingStopsPreference": "AVAILABLE",
    }


def price(start: int, bar: Bar) -> Body:
    """One bar; `start` is the epoch minute in which it opens."""
    opens = from_millis(start * MINUTE_MS)
    sides: Body = {
        f"{name}Price": {"bid": bid, "ask": ask}
        for name, bid, ask in (
            ("open", bar.bid.opened, bar.ask.opened),
            ("close", bar.bid.closed, bar.ask.closed),
            ("high", bar.bid.high, bar.ask.high),
            ("low", bar.bid.low, bar.ask.low),
        )
    }
    return {
        "snapshotTime": local(opens, MARKET_HOURS)[:_SECONDS],
        "snapshotTimeUTC": local(opens)[:_SECONDS],
        **sides,
        "lastTradedVolume": bar.ticks,
    }


def sentiment(epic: str) -> Body:
    """Invented, the same at all times."""
    long = Decimal(2000 + crc32(epic.encode()) % 6001) / 100
    return {"marketId": epic, "longPositionPercentage": long, "shortPositionPercentage": 100 - long}


def watchlist(row: Watchlist) -> Body:
    return {
        "id": row.id,
        "name": row.name,
        "editable": row.editable,
        "deleteable": row.editable,
        "defaultSystemWatchlist": row.system,
    }

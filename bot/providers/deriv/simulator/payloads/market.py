"""What prices, histories and the catalogue of symbols answer, and their streams."""

from bot.providers.deriv.simulator import contracts
from bot.providers.deriv.simulator.payloads import Payload, streamed
from bot.providers.deriv.simulator.prices import Candle, Feed, Symbol
from bot.providers.deriv.simulator.state import CURRENCIES
from bot.providers.deriv.simulator.world import World


def tick(world: World, symbol: Symbol, second: int, stream_id: str | None = None) -> Payload:
    """One price; bid and ask lie a pip to either side of it."""
    middle = world.feed(symbol).quote(second)
    inner: Payload = {
        "ask": middle + symbol.pip,
        "bid": max(middle - symbol.pip, symbol.pip),
        "epoch": second,
        "pip_size": symbol.digits,
        "quote": middle,
        "symbol": symbol.name,
    }
    if stream_id is not None:
        inner["id"] = stream_id
    return streamed({"tick": inner}, stream_id)


def active_symbol(world: World, symbol: Symbol, order: int, *, full: bool) -> Payload:
    """One underlying of the catalogue."""
    now = world.now()
    row: Payload = {
        "allow_forward_starting": 0,
        "display_name": symbol.title,
        "display_order": order,
        "exchange_is_open": int(world.is_open(symbol)),
        "is_trading_suspended": 0,
        "market": symbol.market[0],
        "market_display_name": symbol.market[1],
        "pip": symbol.pip,
        "subgroup": symbol.subgroup[0],
        "subgroup_display_name": symbol.subgroup[1],
        "submarket": symbol.submarket[0],
        "submarket_display_name": symbol.submarket[1],
        "symbol": symbol.name,
        "symbol_type": symbol.kind,
    }
    if full:
        second = world.feed(symbol).latest(now)
        row |= {
            "delay_amount": 0,
            "intraday_interval_minutes": 1,
            "quoted_currency_symbol": symbol.quoted_in,
            "spot": world.quote(symbol),
            "spot_age": str(max(now - second, 0)),
            "spot_time": str(second),
        }
    return row


def candle(candle: Candle) -> Payload:
    """One row of a history of candles."""
    return {
        "close": candle.close,
        "epoch": candle.opening,
        "high": candle.high,
        "low": candle.low,
        "open": candle.open,
    }


def ohlc(feed: Feed, second: int, width: int, stream_id: str) -> Payload:
    """The candle that runs at that second, as it stands; prices are texts here."""
    opening = second - second % width
    running = feed.candle(opening, second, width)
    if running is None:
        raise ValueError("no tick fell in this second")
    inner: Payload = {
        "close": f"{running.close:f}",
        "epoch": second,
        "granularity": width,
        "high": f"{running.high:f}",
        "id": stream_id,
        "low": f"{running.low:f}",
        "open": f"{running.open:f}",
        "open_time": opening,
        "pip_size": feed.symbol.digits,
        "symbol": feed.symbol.name,
    }
    return streamed({"ohlc": inner}, stream_id)


def contracts_for(world: World, symbol: Symbol, currency: str) -> Payload:
    """What can be bought on one symbol, by type, barrier and kind of duration."""
    least, most = contracts.BOUNDS[currency]
    available = [
        {
            "barrier_category": category,
            "barriers": barriers,
            "contract_category": "callput" if kind in ("CALL", "PUT") else "callputequal",
            "contract_category_display": "Up/Down" if kind in ("CALL", "PUT") else "Rise/Fall Equal",
            "contract_display": "Higher" if direction > 0 else "Lower",
            "contract_type": kind,
            "default_stake": CURRENCIES[currency].stake_default,
            "exchange_name": "RANDOM" if symbol.market[0] == "synthetic_index" else symbol.market[0].upper(),
            "expiry_type": expiry,
            "market": symbol.market[0],
            "max_contract_duration": longest,
            "max_stake": most,
            "min_contract_duration": shortest,
            "min_stake": least,
            "sentiment": "up" if direction > 0 else "down",
            "start_type": "spot",
            "submarket": symbol.submarket[0],
            "underlying_symbol": symbol.name,
            **({"barrier": f"+{symbol.pip * 10:f}"} if barriers else {}),
        }
        for kind, (_, direction) in contracts.OFFERED.items()
        for category, barriers in (("euro_atm", 0), ("euro_non_atm", 1))
        for expiry, shortest, longest in (("tick", "1t", "10t"), ("intraday", "15s", "1d"), ("daily", "1d", "365d"))
    ]
    day = world.now() - world.now() % 86400
    return {
        "available": available,
        "close": day + 86399,
        "feed_license": "realtime",
        "hit_count": len(available),
        "open": day,
        "spot": world.quote(symbol),
    }

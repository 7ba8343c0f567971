"""Market data: active_symbols, contracts_for, ticks, ticks_history."""

from collections.abc import Sequence
from itertools import islice, takewhile

from bot.providers.deriv.simulator import contracts
from bot.providers.deriv.simulator.connection import Body
from bot.providers.deriv.simulator.hub import Play, Request
from bot.providers.deriv.simulator.payloads import market as shown
from bot.providers.deriv.simulator.prices import Feed, Symbol
from bot.providers.deriv.simulator.rules import Kind, RefusalError, Rule
from bot.providers.deriv.simulator.shapes import (
    COMPANY,
    CURRENCY,
    EPOCH,
    INTEGER,
    LOGIN_ID,
    ON,
    READABLE_CONTRACTS,
    SYMBOL,
    call,
)
from bot.providers.deriv.simulator.symbols import SYMBOLS, known

_WIDTHS = (60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
_USUAL_ROWS, _MOST_ROWS = 1000, 5000
_DAY = 86400
_BARRIER_CATEGORIES = ("american", "asian", "euro_atm", "euro_non_atm", "non_financial", "lookback", "reset")


def active_symbols(request: Request) -> Sequence[Body]:
    """All underlyings, or none when only contract types are wanted that nobody offers here."""
    wanted = request.arguments.texts("contract_type")
    full = request.arguments.text("active_symbols") == "full"
    offered = not wanted or bool(set(wanted) & set(contracts.OFFERED))
    rows = [
        shown.active_symbol(request.world, symbol, order, full=full)
        for order, symbol in enumerate(SYMBOLS.values(), start=1)
        if offered
    ]
    return [{"active_symbols": rows}]


def contracts_for(request: Request) -> Sequence[Body]:
    """What can be bought on one symbol."""
    symbol = known(request.arguments.text("contracts_for"))
    currency = request.arguments.text("currency", "USD")
    if currency not in contracts.BOUNDS:
        raise RefusalError("InvalidCurrency", "The provided currency is invalid.")
    return [{"contracts_for": shown.contracts_for(request.world, symbol, currency)}]


def ticks(request: Request) -> Sequence[Body]:
    """The latest price of each symbol; with subscribe a stream each. What fails, fails for its symbol alone."""
    names = request.arguments.texts("ticks")
    if not names:
        raise RefusalError("NoSymbolProvided", "Please provide a symbol.")
    return [_tick(request, name) for name in names]


def _tick(request: Request, name: str) -> Body:
    try:
        symbol = known(name)
        latest = request.world.feed(symbol).latest(request.world.now())
        if not request.arguments.integer("subscribe"):
            return shown.tick(request.world, symbol, latest)
        _streams(request, symbol)
        stream = request.subscribe("ticks", name, public=True)
        stream.symbol, stream.last_second = symbol, latest
        return shown.tick(request.world, symbol, latest, stream.id)
    except RefusalError as refusal:
        return refusal.body()


def _streams(request: Request, symbol: Symbol) -> None:
    if not request.world.is_open(symbol):
        raise RefusalError("MarketIsClosed", "This market is presently closed.")


def ticks_history(request: Request) -> Sequence[Body]:
    """Past ticks or candles, the latest of the window; with subscribe the stream goes on where they end."""
    asked, now = request.arguments, request.world.now()
    symbol = known(asked.text("ticks_history"))
    feed = request.world.feed(symbol)
    latest = feed.latest(now)
    end = latest if asked.text("end") == "latest" else min(int(asked.text("end")), latest)
    if not symbol.is_open(end) and "adjust_start_time" in asked:
        end = symbol.awake(end)
    count = asked.integer("count", _USUAL_ROWS)
    if count < 1 or ("start" in asked and asked.integer("start") > end):
        raise RefusalError("InvalidStartEnd", f"Start time {asked.integer('start')} must be before end time {end}.")
    rows = min(count, _MOST_ROWS)
    if asked.text("style", "ticks") == "ticks":
        body = _past_ticks(feed, asked.integer("start", end - _DAY), end, rows)
    else:
        width = asked.integer("granularity", 60)
        floor = asked.integer("start", 0 if "count" in asked or "granularity" in asked else end - _DAY)
        body = _past_candles(feed, floor, end, rows, width)
    if asked.integer("subscribe"):
        _streams(request, symbol)
        body["subscription"] = {"id": _follow(request, symbol, latest)}
    return [body]


def _follow(request: Request, symbol: Symbol, latest: int) -> str:
    """The id of the stream that continues a history; ticks are the same stream the call `ticks` starts."""
    if request.arguments.text("style", "ticks") == "ticks":
        stream = request.subscribe("ticks", symbol.name, public=True, msg_type="tick")
    else:
        width = request.arguments.integer("granularity", 60)
        stream = request.subscribe("candles", f"{symbol.name} {width}", public=True, msg_type="ohlc")
        stream.width = width
    stream.symbol, stream.last_second = symbol, latest
    return stream.id


def _past_ticks(feed: Feed, start: int, end: int, rows: int) -> dict[str, object]:
    seconds = list(islice(takewhile(lambda second: second >= start, feed.back(end)), rows))[::-1]
    history = {"prices": [feed.quote(second) for second in seconds], "times": seconds}
    return {"msg_type": "history", "history": history, "pip_size": feed.symbol.digits}


def _past_candles(feed: Feed, start: int, end: int, rows: int, width: int) -> dict[str, object]:
    """Each candle of the window in which a tick fell; the last one may still be running."""
    found: list[dict[str, object]] = []
    opening = end - end % width
    while len(found) < rows and opening + width > max(start, end - rows * width * 3):
        candle = feed.candle(opening, min(opening + width - 1, end), width)
        if candle is not None:
            found.append(shown.candle(candle))
        opening -= width
    return {"msg_type": "candles", "candles": found[::-1], "pip_size": feed.symbol.digits}


PLAYS: tuple[Play, ...] = (
    (
        call(
            "active_symbols",
            {
                "active_symbols": Rule(Kind.STRING, required=True, one_of=("brief", "full")),
                "barrier_category": Rule(Kind.ARRAY, items=Rule(Kind.STRING, one_of=_BARRIER_CATEGORIES)),
                "contract_type": Rule(Kind.ARRAY, items=Rule(Kind.STRING, one_of=READABLE_CONTRACTS)),
                "landing_company": COMPANY,
                "landing_company_short": COMPANY,
                "product_type": Rule(Kind.STRING, one_of=("basic",)),
                **LOGIN_ID,
            },
        ),
        active_symbols,
    ),
    (
        call(
            "contracts_for",
            {
                "contracts_for": Rule(Kind.STRING, required=True, pattern=r"\w{2,30}"),
                "currency": CURRENCY,
                "landing_company": COMPANY,
                "landing_company_short": COMPANY,
                "product_type": Rule(Kind.STRING, one_of=("basic",)),
                **LOGIN_ID,
            },
        ),
        contracts_for,
    ),
    (
        call(
            "ticks_history",
            {
                "ticks_history": Rule(Kind.STRING, required=True, pattern=r"\w{2,30}"),
                "adjust_start_time": ON,
                "count": INTEGER,
                "end": Rule(Kind.STRING, required=True, pattern=r"latest|[0-9]{1,10}"),
                "granularity": Rule(Kind.INTEGER, one_of=_WIDTHS),
                "start": EPOCH,
                "style": Rule(Kind.STRING, one_of=("candles", "ticks")),
                "subscribe": ON,
            },
            msg_type="history",
        ),
        ticks_history,
    ),
    (
        call(
            "ticks",
            {"ticks": Rule(Kind.STRING, required=True, pattern=r"\w{2,30}", or_list=SYMBOL), "subscribe": ON},
            msg_type="tick",
        ),
        ticks,
    ),
)

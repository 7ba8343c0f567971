"""Prices by hand, below `/_sim/`.

POST /_sim/move     {"symbol","percent"}   a price moves for good; price streams hear of it at once
POST /_sim/price    {"symbol","quote"}     a price is set, and walks on from there
POST /_sim/rate     {"seconds","symbol"?}  from now on a tick each so many whole seconds; all symbols without one
POST /_sim/hold     {"symbol"}             no more ticks of this symbol but those of `move`, `price` and `burst`
POST /_sim/release  {"symbol"}             back to the symbol's own pace
POST /_sim/market   {"symbol","open"}      false: its market closes, its streams end with MarketIsClosed; true: opens
POST /_sim/burst    {"count","symbol"?}    so many ticks at once, each with a second of its own ahead of the clock

A tick that was told, or would have been, is in `ticks_history` at the same second with the same price.
"""

from collections.abc import Mapping
from decimal import Decimal

from starlette.routing import Route

from bot.providers.deriv.simulator import doors
from bot.providers.deriv.simulator.doors import Given, number, switch, text
from bot.providers.deriv.simulator.hub import Hub
from bot.providers.deriv.simulator.prices import Symbol
from bot.providers.deriv.simulator.symbols import SYMBOLS

_HALF, _TENFOLD = Decimal(-50), Decimal(1000)
_LARGEST_QUOTE = Decimal(10**9)
_HOUR, _MOST_AT_ONCE = 3600, 1000


class Markets:
    """The control routes about prices."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def routes(self) -> list[Route]:
        deeds: dict[str, doors.Deed] = {
            "move": self.move,
            "price": self.price,
            "rate": self.rate,
            "hold": self.hold,
            "release": self.release,
            "market": self.market,
            "burst": self.burst,
        }
        return doors.posts(deeds)

    def move(self, given: Given) -> Mapping[str, object]:
        symbol = SYMBOLS[text(given, "symbol")]
        quote = self.hub.world.move(symbol, number(given, "percent", _HALF, _TENFOLD))
        self.hub.tick()
        return {"symbol": symbol.name, "quote": str(quote)}

    def price(self, given: Given) -> Mapping[str, object]:
        symbol = SYMBOLS[text(given, "symbol")]
        quote = self.hub.world.put(symbol, number(given, "quote", symbol.pip, _LARGEST_QUOTE))
        self.hub.tick()
        return {"symbol": symbol.name, "quote": str(quote)}

    def rate(self, given: Given) -> Mapping[str, object]:
        seconds = number(given, "seconds", 1, _HOUR)
        if seconds != int(seconds):
            raise ValueError("whole seconds are expected")
        for symbol in _meant(given):
            self.hub.world.pace(symbol, int(seconds))
        return {"seconds": int(seconds)}

    def hold(self, given: Given) -> Mapping[str, object]:
        symbol = SYMBOLS[text(given, "symbol")]
        self.hub.world.pace(symbol, 0)
        return {"symbol": symbol.name, "quote": str(self.hub.world.quote(symbol))}

    def release(self, given: Given) -> Mapping[str, object]:
        symbol = SYMBOLS[text(given, "symbol")]
        self.hub.world.pace(symbol, symbol.interval_seconds)
        return {"symbol": symbol.name}

    def market(self, given: Given) -> Mapping[str, object]:
        symbol, wanted, closed = SYMBOLS[text(given, "symbol")], switch(given, "open"), self.hub.world.state.closed
        if wanted and symbol.name in closed:
            closed.remove(symbol.name)
            self.hub.world.pace(symbol, symbol.interval_seconds)
        elif not wanted and symbol.name not in closed:
            closed.append(symbol.name)
            self.hub.world.pace(symbol, 0)
        self.hub.tick()
        return {"symbol": symbol.name, "open": wanted}

    def burst(self, given: Given) -> Mapping[str, object]:
        count = int(number(given, "count", 1, _MOST_AT_ONCE))
        for symbol in _meant(given):
            self.hub.world.burst(symbol, count)
        self.hub.tick()
        return {"count": count}


def _meant(given: Given) -> list[Symbol]:
    """The symbol that is named, else every one."""
    return [SYMBOLS[text(given, "symbol")]] if "symbol" in given else list(SYMBOLS.values())

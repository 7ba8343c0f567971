"""Deriv's markets. Fits `bot.providers.markets.TellsPrices`."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from bot.clock import Clock
from bot.errors import InputError, NotFoundError, RefusedError
from bot.providers.deriv.client.line import DerivLine
from bot.providers.deriv.wire import markets as wire
from bot.providers.deriv.wire import service
from bot.providers.deriv.wire.grammar import Body, Request, subscription_of
from bot.providers.deriv.wire.markets import MOST_ROWS, STEPS, SYMBOL, Offer, Offers, Symbol
from bot.providers.records import Candle, Market, Quote, Reading

SYMBOLS_KEPT_SECONDS = 60.0
MOST_PAGES = 40
"""Of history, for one question: 200 000 rows."""
_NO_WINDOW = "InvalidStartEnd"
_CLOSED = {"MarketIsClosed", "StreamingNotAllowed", "NoRealtimeQuotes"}
_NEAREST = 8
Timed = TypeVar("Timed", Candle, Quote)


class Markets:
    """What can be traded, and at which price."""

    def __init__(self, line: DerivLine, clock: Clock) -> None:
        self._line = line
        self._clock = clock
        self._symbols: tuple[Symbol, ...] = ()
        self._read_at: float | None = None

    async def find_markets(self, text: str, *, most: int = 20) -> Reading[Market]:
        symbols, as_of = await self.symbols(), self._clock.now()
        ranked = sorted((rank, place) for place, one in enumerate(symbols) if (rank := _rank(one, text)) is not None)
        return Reading(tuple(_market(symbols[place]) for _, place in ranked[:most]), as_of)

    async def market(self, symbol: str) -> Market:
        """With what can be bought on it, and how long its day lasts."""
        known = await self._known(symbol)
        offers = await self.offers(symbol)
        market = _market(known)
        return Market(
            market.symbol,
            market.name,
            market.kind,
            market.is_open,
            await self.quote(symbol),
            hours=_hours(offers),
            facts=(f"The smallest step of its price is {known.pip:f}.", *_facts(offers.available)),
        )

    async def quote(self, symbol: str) -> Quote:
        """The price of the moment; of a closed market, or one that is not told live, the last one there was."""
        try:
            _, body = await self._line.read(wire.build_ticks(_checked(symbol)))
        except RefusedError as refused:
            if refused.code not in _CLOSED:
                raise _no_such(symbol, refused) from None
            return await self._last(symbol)
        if subscription := subscription_of(body):  # old servers begin a stream unasked
            await self._line.read(service.build_forget(subscription))
        return wire.parse_tick(body)

    async def candles(self, symbol: str, step: timedelta, since: datetime, until: datetime) -> Reading[Candle]:
        seconds = int(step.total_seconds())
        if seconds not in STEPS or step != timedelta(seconds=seconds):
            raise InputError(f"Deriv has candles of {_steps()}", "1 h")

        async def page(last: datetime) -> Sequence[Candle]:
            request = wire.build_candles(symbol, seconds, since, last, MOST_ROWS)
            return wire.parse_candles(await self._history(symbol, request), symbol, seconds)

        return await self._paged(symbol, page, since, until)

    async def prices(self, symbol: str, since: datetime, until: datetime) -> Reading[Quote]:
        """Every price there was within `[since, until)`, oldest first: the middle of each."""

        async def page(last: datetime) -> Sequence[Quote]:
            request = wire.build_ticks_history(symbol, since, last, MOST_ROWS)
            return wire.parse_history(await self._history(symbol, request), symbol)

        return await self._paged(symbol, page, since, until)

    async def _paged(
        self, symbol: str, page: Callable[[datetime], Awaitable[Sequence[Timed]]], since: datetime, until: datetime
    ) -> Reading[Timed]:
        """All within `[since, until)`: a page has the last rows there are until a time, the next goes on before it."""
        found: dict[datetime, Timed] = {}
        whole = False
        last = until
        for _ in range(MOST_PAGES):
            try:
                rows = await page(last)
            except RefusedError as refused:
                if refused.code != _NO_WINDOW or (await self._last(symbol)).at >= since:
                    raise
                rows = ()  # a market at rest: a window that begins behind its last price is refused
            fresh = [one for one in rows if one.at not in found]
            found |= {one.at: one for one in fresh}
            whole = len(rows) < MOST_ROWS or not fresh or rows[0].at <= since
            if whole:
                break
            last = rows[0].at
        items = tuple(found[at] for at in sorted(found) if since <= at < until)
        return Reading(items, self._clock.now(), () if whole else (_cut(items[0].at),), is_whole=whole)

    async def offers(self, symbol: str, currency: str | None = None, company: str | None = None) -> Offers:
        """What can be bought on it.

        Raises:
            NotFoundError: There is no such symbol here.
        """
        try:
            _, body = await self._line.read(wire.build_contracts_for(_checked(symbol), currency, company))
        except RefusedError as refused:
            raise _no_such(symbol, refused) from None
        return wire.parse_contracts_for(body)

    async def symbols(self) -> tuple[Symbol, ...]:
        """All of them; read anew once a minute."""
        now = self._clock.monotonic()
        if self._read_at is None or now - self._read_at > SYMBOLS_KEPT_SECONDS:
            _, body = await self._line.read(wire.build_active_symbols())
            self._symbols, self._read_at = wire.parse_active_symbols(body), now
        return self._symbols

    async def _known(self, symbol: str) -> Symbol:
        symbols = await self.symbols()
        for one in symbols:
            if one.symbol == symbol:
                return one
        near = [one.symbol for one in symbols if _rank(one, symbol) is not None]
        raise NotFoundError("symbol", symbol, near[:_NEAREST])

    async def _last(self, symbol: str) -> Quote:
        page = wire.parse_history(await self._history(symbol, wire.build_ticks_history(symbol, None, None, 1)), symbol)
        if not page:
            raise NotFoundError("price of", symbol)
        return page[-1]

    async def _history(self, symbol: str, request: Request) -> Body:
        _checked(symbol)
        try:
            _, body = await self._line.read(request)
        except RefusedError as refused:
            raise _no_such(symbol, refused) from None
        return body


def _checked(symbol: str) -> str:
    if not SYMBOL.fullmatch(symbol):
        raise NotFoundError("symbol", symbol)
    return symbol


def _no_such(symbol: str, refused: RefusedError) -> Exception:
    return NotFoundError("symbol", symbol) if refused.code == "InvalidSymbol" else refused


def _rank(one: Symbol, text: str) -> int | None:
    """The likeliest first; None for one that does not fit."""
    wanted, symbol, name = text.casefold().strip(), one.symbol.casefold(), one.name.casefold()
    tests = (
        one.symbol == text,
        wanted in (symbol, name),
        symbol.removeprefix("frx").removeprefix("cry") == wanted.replace("/", ""),
        symbol.startswith(wanted) or name.startswith(wanted),
        wanted in symbol or wanted in name,
        all(word in f"{symbol} {name} {one.kind.casefold()}" for word in wanted.split()),
    )
    return next((rank for rank, fits in enumerate(tests) if fits), None)


def _market(one: Symbol) -> Market:
    return Market(one.symbol, one.name, one.kind, one.is_open)


def _hours(offers: Offers) -> tuple[str, ...]:
    if offers.opens_at is None or offers.closes_at is None:
        return ()
    return (f"{offers.opens_at:%a %H:%M} to {offers.closes_at:%a %H:%M} UTC",)


def _facts(available: Sequence[Offer]) -> tuple[str, ...]:
    """One line for each family of contracts."""
    families: dict[str, list[str]] = {}
    for offer in available:
        names = families.setdefault(offer.category_name, [])
        if offer.name not in names:
            names.append(offer.name)
    return tuple(f"{family}: {', '.join(names)}." for family, names in families.items())


def _steps() -> str:
    words = [f"{one // 60} min" if one < 3600 else f"{one // 3600} h" for one in STEPS]
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _cut(since: datetime) -> str:
    return f"Before {since:%Y-%m-%d %H:%M:%S} UTC there is more than was read."

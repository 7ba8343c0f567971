"""What can be traded, what it costs, and where it went."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.errors import InputError, NotFoundError, ProviderError, RefusedError
from bot.providers.capital import wire
from bot.providers.capital.client.sessions import Sessions
from bot.providers.capital.wire import markets, prices
from bot.providers.capital.wire.failures import NO_PRICES
from bot.providers.records import Candle, Market, Position, Quote, Reading


class Markets:
    """The sections Markets, Prices and Client sentiment. None of it belongs to an account."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    # the provider's own calls

    async def tree(self) -> tuple[markets.Node, ...]:
        """Where navigation begins."""
        return markets.parse_node(await self._read(markets.build_tree()))[0]

    async def node(self, node: str) -> tuple[tuple[markets.Node, ...], tuple[markets.Summary, ...]]:
        """What is below it: branches, and markets. `NotFoundError`."""
        try:
            return markets.parse_node(await self._read(markets.build_node(node)))
        except RefusedError as refused:
            raise _missing(refused, "node", node) from None

    async def search(self, term: str) -> tuple[markets.Summary, ...]:
        """As the provider finds them."""
        return markets.parse_markets(await self._read(markets.build_search(term)))

    async def several(self, epics: Sequence[str]) -> tuple[markets.MarketDetails, ...]:
        """Whole markets; those that there are not are left out. Asked for fifty at a time."""
        found: list[markets.MarketDetails] = []
        for start in range(0, len(epics), markets.MOST_EPICS):
            part = epics[start : start + markets.MOST_EPICS]
            found += markets.parse_several(await self._read(markets.build_several(part)))
        return tuple(found)

    async def details(self, epic: str) -> markets.MarketDetails:
        """One market, whole. `NotFoundError`."""
        try:
            return markets.parse_market(await self._read(markets.build_market(epic)))
        except RefusedError as refused:
            raise _missing(refused, "market", epic) from None

    async def sentiment(self, epic: str) -> markets.Sentiment | None:
        """How those who hold it are divided; None where nobody knows."""
        try:
            return markets.parse_sentiment(await self._read(markets.build_sentiment(epic)))
        except RefusedError as refused:
            if wire.is_missing(refused):
                return None
            raise

    async def sentiments(self, epics: Sequence[str]) -> tuple[markets.Sentiment, ...]:
        """The same of several; one that is not there costs them all. `NotFoundError`."""
        try:
            return markets.parse_sentiments(await self._read(markets.build_sentiments(epics)))
        except RefusedError as refused:
            raise _missing(refused, "market", ", ".join(epics)) from None

    async def bars(self, epic: str, step: timedelta, since: datetime, until: datetime) -> tuple[prices.Bar, ...]:
        """Those that begin within `[since, until)`, in windows that the provider allows."""
        found: dict[datetime, prices.Bar] = {}
        now = self._clock.now()
        start, widest = since, (prices.MOST_STEPS - 1) * step
        while start < min(until, now):
            end = min(start + widest, until)
            for bar in await self._window(epic, step, start, end if end < now - step else None):
                if since <= bar.at < until:
                    found[bar.at] = bar
            start = end
        return tuple(found[at] for at in sorted(found))

    async def _window(
        self, epic: str, step: timedelta, since: datetime, until: datetime | None
    ) -> tuple[prices.Bar, ...]:
        """`until` None: up to now, by the provider's clock. A window may be empty: nobody trades at night."""
        try:
            return prices.parse_prices(await self._read(prices.build_prices(epic, step, since, until)))
        except RefusedError as refused:
            if refused.code == NO_PRICES:
                return ()
            raise _missing(refused, "market", epic) from None

    # as `bot.providers.markets.TellsPrices` says

    async def find(self, text: str, *, most: int = 20) -> Reading[Market]:
        term = text.strip()
        found = [markets.market_of(one) for one in await self.search(term)] if term else []
        found.sort(key=lambda one: one.symbol.upper() != term.upper())  # the rest as it came
        return Reading(tuple(found[:most]), self._clock.now(), is_whole=len(found) <= most)

    async def market(self, symbol: str) -> Market:
        details = await self.details(symbol)
        return markets.whole_market_of(details, await self.sentiment(symbol), self._clock.now())

    async def quote(self, symbol: str) -> Quote:
        """Stamped by our clock: what states this price states its time in a zone that nobody names."""
        snapshot = (await self.details(symbol)).snapshot
        quote = markets.quote_of(symbol, snapshot.bid, snapshot.offer, self._clock.now())
        if quote is None:
            raise NotFoundError("price of", symbol)
        return quote

    async def candles(self, symbol: str, step: timedelta, since: datetime, until: datetime) -> Reading[Candle]:
        """Halfway between bid and offer. The last one may not be over yet."""
        if step not in prices.RESOLUTIONS:
            raise InputError("steps are 1, 5, 15 or 30 minutes, 1 or 4 hours, a day, a week", "15 minutes")
        bars = await self.bars(symbol, step, since, until)
        return Reading(tuple(prices.candle_of(bar, symbol, step) for bar in bars), self._clock.now())

    async def with_nights(self, positions: Reading[Position]) -> Reading[Position]:
        """As `bot.providers.markets.ReckonsNights` says: one question for fifty markets."""
        try:
            found = await self.several(tuple(dict.fromkeys(one.symbol for one in positions.items)))
        except ProviderError:
            return positions
        fees = {one.instrument.epic: one.instrument.overnight_fee for one in found}
        return replace(positions, items=tuple(markets.over_night(one, fees.get(one.symbol)) for one in positions.items))

    async def _read(self, request: wire.Request) -> bytes:
        answer, _ = await self._sessions.read(request)
        return answer.body


def _missing(refused: RefusedError, what: str, name: str) -> RefusedError | NotFoundError:
    return NotFoundError(what, name) if wire.is_missing(refused) else refused

"""Markets of the connections a person may see: what they are called, what they cost, and how that went."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from bot.access.model import Person
from bot.clock import Clock
from bot.errors import (
    InputError,
    NotFoundError,
    ProviderError,
)
from bot.operations.adapters import orders_of, prices_of
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.operations.sheets import Sheet, Sheets
from bot.providers.base import Ability, Provider
from bot.providers.markets import TellsPrices
from bot.providers.records import Candle, Market, Order, Position, Reading

Item = TypeVar("Item")
ANSWER_SECONDS = 20.0
MOST_FOUND = 8
"""Markets of one connection that answer to what was asked for."""


@dataclass(frozen=True, slots=True)
class Span:
    """So far back a picture goes, and in which steps."""

    name: str
    back: timedelta
    step: timedelta


SPANS = (
    Span("1h", timedelta(hours=1), timedelta(minutes=1)),
    Span("6h", timedelta(hours=6), timedelta(minutes=5)),
    Span("1d", timedelta(days=1), timedelta(minutes=15)),
    Span("1w", timedelta(days=7), timedelta(hours=1)),
    Span("1mo", timedelta(days=30), timedelta(hours=4)),
    Span("1y", timedelta(days=365), timedelta(days=1)),
)


@dataclass(frozen=True, slots=True)
class Path:
    """How a price went, and what the account has open there."""

    connection: Connection
    market: Market
    span: Span
    candles: tuple[Candle, ...]
    positions: tuple[Position, ...]
    as_of: datetime


class MarketDesk:
    """Asks whoever has markets, side by side."""

    def __init__(self, connections: Connections, clock: Clock) -> None:
        self._sheets = Sheets(connections, clock, seconds=ANSWER_SECONDS)
        self._clock = clock

    async def quoted(self, person: Person, words: Sequence[str]) -> Sheet[Market]:
        """What answers to the words, with its price: the one with that very symbol, or those that fit.

        Args:
            words: A connection's name may be the first.
        """
        return await self._found(person, words, _quoted)

    async def described(self, person: Person, words: Sequence[str]) -> Sheet[Market]:
        """The same with everything that is known of it, where it is one."""
        return await self._found(person, words, _described)

    async def orders(self, person: Person, word: str | None) -> Sheet[Order]:
        """What waits for its price, of one connection or of all that have such a thing."""

        async def waiting(provider: Provider) -> Reading[Order]:
            return await orders_of(provider).orders()

        chosen = await self._sheets.whom(person, word, Ability.ORDERS)
        return await self._ask(chosen, waiting)

    async def has_any(self, person: Person) -> bool:
        """Whether this person can see a login with markets."""
        return bool(await self._sheets.whom(person, None, Ability.MARKETS))

    async def held(self, person: Person) -> list[tuple[Connection, Market]]:
        """Those in which something is open; who cannot say so just now has none."""

        async def open_there(provider: Provider) -> Reading[Position]:
            return await provider.positions()

        sheet = await self._ask(await self._sheets.whom(person, None, Ability.MARKETS), open_there)
        found = {
            (answer.connection.id, one.symbol): (answer.connection, Market(one.symbol, one.name))
            for answer in sheet.answers
            for one in (answer.reading.items if answer.reading is not None else ())
        }
        return list(found.values())

    async def path(self, person: Person, words: Sequence[str], span: Span) -> Path:
        """How the price of the one market that answers to the words went, at the first connection that has it.

        Raises:
            NotFoundError: None does; it names those that are near.
            CountersignError: Whoever has it could not say.
        """
        chosen, text = await self._meant(person, words)
        now = self._clock.now()
        near: list[str] = []

        async def drawn(provider: Provider) -> Reading[tuple[Market, Reading[Candle], tuple[Position, ...]]]:
            prices = prices_of(provider)
            try:
                market = await the_one(prices, text)
            except NotFoundError as error:
                near.extend(error.known)
                raise
            candles = await prices.candles(market.symbol, span.step, now - span.back, now)
            return Reading(((market, candles, await _held(provider, market.symbol)),), candles.as_of)

        sheet = await self._ask(chosen, drawn)
        for answer in sheet.answers:
            if answer.reading is not None and answer.reading.items:
                market, candles, held = answer.reading.items[0]
                return Path(answer.connection, market, span, candles.items, held, candles.as_of)
        trouble = next((answer.trouble for answer in sheet.answers if answer.trouble is not None), None)
        raise trouble or NotFoundError("market", text, near)

    async def _found(
        self, person: Person, words: Sequence[str], said: Callable[[TellsPrices, str], Awaitable[Reading[Market]]]
    ) -> Sheet[Market]:
        chosen, text = await self._meant(person, words)

        async def fitting(provider: Provider) -> Reading[Market]:
            return await said(prices_of(provider), text)

        return await self._ask(chosen, fitting)

    async def _meant(self, person: Person, words: Sequence[str]) -> tuple[list[Connection], str]:
        """Whom to ask, and for what."""
        if len(words) > 1:
            try:
                return await self._sheets.whom(person, words[0], Ability.MARKETS), " ".join(words[1:])
            except NotFoundError:
                pass  # then it belongs to the name of the market
        if not words:
            raise InputError("which market? Its symbol, or a part of its name", "GOLD")
        return await self._sheets.whom(person, None, Ability.MARKETS), " ".join(words)

    async def _ask(
        self, chosen: Sequence[Connection], question: Callable[[Provider], Awaitable[Reading[Item]]]
    ) -> Sheet[Item]:
        """Who knows no such market has said so, and it is no trouble."""

        async def asked(provider: Provider) -> Reading[Item]:
            try:
                return await question(provider)
            except NotFoundError:
                return Reading((), self._clock.now())

        return await self._sheets.ask(chosen, asked)


async def _held(provider: Provider, symbol: str) -> tuple[Position, ...]:
    """What is open in it; a picture is not refused because that cannot be read."""
    try:
        return tuple(one for one in (await provider.positions()).items if one.symbol == symbol)
    except ProviderError:
        return ()


async def the_one(prices: TellsPrices, text: str) -> Market:
    """`NotFoundError` when none answers to it, or several do."""
    found = (await prices.find_markets(text, most=MOST_FOUND)).items
    exact = [one for one in found if text.casefold() in (one.symbol.casefold(), one.name.casefold())]
    if len(exact) == 1 or len(found) == 1:
        return (exact or list(found))[0]
    raise NotFoundError("market", text, [one.symbol for one in found])


async def _quoted(prices: TellsPrices, text: str) -> Reading[Market]:
    found = await prices.find_markets(text, most=MOST_FOUND)
    exact = [one for one in found.items if text.casefold() in (one.symbol.casefold(), one.name.casefold())]
    wanted = exact or list(found.items)
    if len(wanted) == 1:
        wanted = [replace(wanted[0], quote=await prices.quote(wanted[0].symbol))]
    return replace(found, items=tuple(wanted))


async def _described(prices: TellsPrices, text: str) -> Reading[Market]:
    found = await _quoted(prices, text)
    if len(found.items) != 1:
        return found
    return replace(found, items=(await prices.market(found.items[0].symbol),))

"""What Deriv tells and does beside accounts and markets: profits, agents, the cashier, limits, how the service is."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bot.access.model import Person, Right
from bot.clock import Clock
from bot.errors import InputError, NotAllowedError, NotFoundError
from bot.money import DIGITS, Currency
from bot.operations.adapters import deriv_behind
from bot.operations.changing import Changing
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.providers import deriv
from bot.providers.deriv.signup import country_in
from bot.providers.records import Quote, Reading
from bot.secret import Secret

if TYPE_CHECKING:
    from bot.providers.deriv.client import Deriv
    from bot.providers.deriv.client.site import Reckoned
    from bot.providers.deriv.wire.agents import Agents
    from bot.providers.deriv.wire.books import Closed
    from bot.providers.deriv.wire.profile import Limits
    from bot.providers.deriv.wire.service import SiteStatus

ANSWER_SECONDS = 30.0
MOST_TICKS, MOST_NEAR = 15, 8
TICKS_BACK = timedelta(minutes=2)
CLOCKS_APART = timedelta(seconds=10)
"""Theirs may be ahead."""


@dataclass(frozen=True, slots=True)
class Around:
    """Who pays in and out for Deriv in a country."""

    country: str
    """Two letters."""
    agents: "Agents"
    own: frozenset[str]
    """Accounts of the person who asks: an agent may find itself."""


@dataclass(frozen=True, slots=True)
class ChainAddress:
    """Where coins are sent to be paid in. No secret: all that can be done with it is to pay."""

    currency: Currency
    text: str


class DerivDesk:
    """Asks the one login that is meant."""

    def __init__(self, connections: Connections, changing: Changing, clock: Clock) -> None:
        self._connections = connections
        self._changing = changing
        self._clock = clock

    async def profits(
        self,
        person: Person,
        word: str | None,
        *,
        most: int | None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[Connection, "Reading[Closed]"]:
        """Contracts that are over: the newest, or all that were bought within a period."""
        connection = await self.meant(person, word)
        async with self._reading(connection) as binary:
            return connection, await binary.books.profits(since=since, until=until, most=most)

    async def ticks(self, person: Person, words: Sequence[str]) -> tuple[Connection, Reading[Quote]]:
        """The newest prices of a market, as they came; oldest first.

        Args:
            words: Of the market; a connection's name may be the first.
        Raises:
            NotFoundError: There is no such symbol.
        """
        word, symbol = await self._named_first(person, words)
        connection, now = await self.meant(person, word), self._clock.now()
        async with self._reading(connection) as binary:
            found = (await binary.markets.find_markets(symbol, most=MOST_NEAR)).items
            wanted = next(
                (one for one in found if symbol.casefold() in (one.symbol.casefold(), one.name.casefold())), None
            )
            if wanted is None and len(found) != 1:
                raise NotFoundError("market", symbol, [one.symbol for one in found])
            market = wanted or found[0]
            told = await binary.markets.prices(market.symbol, now - TICKS_BACK, now + CLOCKS_APART)
            return connection, replace(told, items=told.items[-MOST_TICKS:])

    async def agents(self, person: Person, word: str | None, country: str, currency: str) -> Around:
        """Payment agents of a country, by name or its two letters; without one, of where the account lives."""
        async with self._reading(await self.meant(person, word)) as binary:
            code = country.lower() or (await binary.own.settings()).country_code or ""
            if not code:
                raise InputError("say the country, by its name or its two letters", "/agents Indonesia")
            if len(code) > 2:
                code = country_in(await binary.opening.residences(), code).code
            known = currency.upper() if currency.upper() in DIGITS else currency
            found = await binary.counters.agents(code, known or None)
            session = await binary.line.logged_in()
            return Around(code, found, frozenset(one.id for one in (session.own, *session.accounts)))

    async def limits(self, person: Person, word: str) -> tuple[Connection, "Limits"]:
        """What Deriv lets the account do."""
        connection = await self.meant(person, word)
        async with self._reading(connection) as binary:
            return connection, await binary.own.limits()

    async def site(self, person: Person) -> tuple["SiteStatus", "Reckoned"]:
        """How the service says it is, and what its clock shows."""
        async with self._reading(await self.meant(person, None)) as binary:
            return await binary.site.status(), await binary.site.time()

    async def cashier(
        self, person: Person, word: str | None, *, telegram_id: int
    ) -> tuple[Connection, Secret | ChainAddress]:
        """The address of the web cashier, for paying in: it opens the account's till for whoever has it. Of an account
        in coins, where they are sent to."""
        connection = await self.meant(person, word)
        connection.check_own(person, "open the cashier of")
        async with self._changing.through(
            person, connection, "cashier.opened", {}, telegram_id=telegram_id
        ) as provider:
            binary = deriv_behind(provider)
            session = await binary.line.logged_in()
            if session.in_coins and session.own.currency is not None:
                return connection, ChainAddress(session.own.currency, await binary.counters.crypto_deposit())
            return connection, await binary.counters.cashier()

    async def sell_expired(self, person: Person, word: str | None, *, telegram_id: int) -> tuple[Connection, int]:
        """Settle what has run out; how many there were."""
        connection = await self.meant(person, word)
        through = self._changing.through(person, connection, "expired.sold", {}, telegram_id=telegram_id)
        async with through as provider:
            return connection, await deriv_behind(provider).books.sell_expired()

    async def could_be(
        self, person: Person, word: str | None, fits: Callable[[Connection], bool] = lambda _: True
    ) -> list[Connection]:
        """The logins that a word could mean, or no word: never none, the person's own ones if there are any.

        Args:
            fits: Of several only such, where there is one.
        Raises:
            NotFoundError: There is no such login.
        """
        if not person.may(Right.READ):
            raise NotAllowedError(Right.READ)
        seen: Sequence[Connection] = await (
            self._connections.named(person, word) if word else self._connections.visible_to(person)
        )
        able = [one for one in seen if one.provider == deriv.SPEC.name]
        if not able:
            raise NotFoundError("connection", word or deriv.SPEC.name)
        able = [one for one in able if fits(one)] or able
        return [one for one in able if one.owner == person.id] or able

    async def meant(self, person: Person, word: str | None) -> Connection:
        """The one that is named; without a word any that is this person's own, or else that they see.

        Raises:
            InputError: The word could mean several.
        """
        able = await self.could_be(person, word)
        if len(able) > 1 and word is not None:
            raise InputError(f"name the connection: {' or '.join(one.name for one in able)}", "")
        return able[0]

    async def _named_first(self, person: Person, words: Sequence[str]) -> tuple[str | None, str]:
        """A connection's name in front of other words, if there is one, and those."""
        if len(words) > 1:
            try:
                found = await self.could_be(person, words[0])
            except NotFoundError:
                pass  # then it belongs to the others
            else:
                return found[0].name, " ".join(words[1:])
        return None, " ".join(words)

    @asynccontextmanager
    async def _reading(self, connection: Connection) -> AsyncIterator["Deriv"]:
        async with self._connections.session(connection, seconds=ANSWER_SECONDS) as provider:
            yield deriv_behind(provider)

"""An account at a broker, looked after: which one is dealt on, how, what is watched; play money for demo accounts."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.access.model import Person, Right
from bot.errors import ConflictError, InputError, NotAllowedError, NotFoundError, UnsupportedError
from bot.operations.adapters import capital_behind
from bot.operations.changing import Changing
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.operations.markets import the_one
from bot.operations.transfers import amount_of
from bot.providers import capital
from bot.providers.base import Ability
from bot.providers.markets import TopsUp
from bot.providers.records import Balance, Environment, Market

if TYPE_CHECKING:
    from bot.providers.capital.client import Capital

ACCOUNT, WATCHLIST, TOPUP = "/account", "/watchlist Metals add GOLD", "/topup capital 1000.00"


@dataclass(frozen=True, slots=True)
class Standing:
    """How one login deals."""

    connection: Connection
    accounts: tuple[Balance, ...]
    active: str
    hedging: bool
    leverages: Mapping[str, tuple[int, tuple[int, ...]]]
    """By group of markets: how much, and how much there could be."""


@dataclass(frozen=True, slots=True)
class List:
    """One watchlist; its markets where they were asked for."""

    id: str
    name: str
    is_own: bool
    markets: tuple[Market, ...] | None = None


class Brokerage:
    """Asks and changes what a broker keeps about a login."""

    def __init__(self, connections: Connections, changing: Changing) -> None:
        self._connections = connections
        self._changing = changing

    async def standing(self, person: Person, word: str | None) -> Standing:
        """Of the one connection that is meant."""
        connection = await self._meant(person, word)
        async with self._reading(connection) as broker:
            preferences = await broker.account.preferences()
            accounts = (await broker.balances()).items
            active = await broker.dealing_account()
        leverages = {group: (one.current, tuple(one.available)) for group, one in preferences.leverages.items()}
        return Standing(connection, accounts, active, preferences.hedging_mode, leverages)

    async def switch(self, person: Person, word: str | None, account: str, *, telegram_id: int) -> Connection:
        """From now on this account is read and dealt on."""
        connection = await self._meant(person, word)
        about = {"account": account[:40]}
        async with self._changed(person, connection, "account.switched", about, telegram_id) as broker:
            await broker.account.switch(account)
        return connection

    async def prefer(
        self,
        person: Person,
        word: str | None,
        *,
        leverages: Mapping[str, int] | None = None,
        hedging: bool | None = None,
        telegram_id: int,
    ) -> Connection:
        """Deal with another leverage, or with opposite positions beside one another."""
        connection = await self._meant(person, word)
        about = {group[:40]: str(times) for group, times in (leverages or {}).items()}
        about |= {} if hedging is None else {"hedging": "on" if hedging else "off"}
        async with self._changed(person, connection, "preferences.changed", about, telegram_id) as broker:
            await broker.account.prefer(leverages, hedging=hedging)
        return connection

    async def lists(self, person: Person, word: str | None) -> tuple[Connection, tuple[List, ...]]:
        """All watchlists of a login, without what is on them."""
        connection = await self._meant(person, word)
        async with self._reading(connection) as broker:
            found = await broker.watchlists.lists()
        return connection, tuple(List(one.id, one.name, one.editable) for one in found)

    async def watched(self, person: Person, word: str | None, name: str) -> tuple[Connection, List]:
        """One list, with what is on it and what that costs."""
        from bot.providers.capital.wire.markets import market_of

        connection = await self._meant(person, word)
        async with self._reading(connection) as broker:
            one = await _called(broker, name)
            markets = tuple(market_of(row) for row in await broker.watchlists.markets(one.id))
        return connection, List(one.id, one.name, one.is_own, markets)

    async def watch(
        self, person: Person, word: str | None, name: str, doing: str, what: str, *, telegram_id: int
    ) -> str:
        """Make or delete a list, put a market on it or take one off; answers what was done, in a sentence.

        Args:
            doing: make, delete, add, remove.
        """
        connection = await self._meant(person, word)
        about = {"list": name[:40], "doing": doing, **({"market": what[:40]} if what else {})}
        async with self._changed(person, connection, "watchlist.changed", about, telegram_id) as broker:
            if doing == "make":
                made = await broker.watchlists.make(name, what.upper().split())
                return f"{name} is made." + ("" if made.is_whole else " Some of it is no market, and was left off.")
            one = await _called(broker, name)
            if not one.is_own:
                raise ConflictError(f"{one.name} is kept by {connection.spec.title} itself and cannot be changed")
            if doing == "delete":
                await broker.watchlists.delete(one.id)
                return f"{one.name} is deleted."
            symbol = (await the_one(broker, what)).symbol
            if doing == "add":
                await broker.watchlists.add(one.id, symbol)
                return f"{symbol} is on {one.name} now."
            try:
                await broker.watchlists.take_off(one.id, symbol)
            except NotFoundError as error:
                if error.what != "market":
                    raise
                raise ConflictError(f"{symbol} is not on {one.name}") from None
            return f"{symbol} is off {one.name}."

    async def brokers(self, person: Person, word: str | None) -> list[Connection]:
        """Those of whom one could be meant; never none."""
        able = [one for one in await self._seen(person, word) if one.provider == capital.SPEC.name]
        if not able:
            raise NotFoundError("connection", word or capital.SPEC.name)
        return able

    async def playing(self, person: Person, word: str | None) -> list[Connection]:
        """Those of whom one could be given play money; never none."""
        able = [one for one in await self._seen(person, word) if Ability.TOP_UP in one.spec.abilities]
        if not able:
            raise NotFoundError("connection with play money", word or "any")
        return [one for one in able if one.environment is Environment.DEMO] or able

    async def fillable(self, person: Person, word: str | None, account: str = "") -> tuple[Connection, list[Balance]]:
        """The accounts that could be meant to get more; never none."""
        connection = _one_of(await self.playing(person, word), TOPUP)
        async with self._connections.session(connection) as provider:
            if not isinstance(provider, TopsUp):
                raise UnsupportedError(connection.provider, Ability.TOP_UP.value)
            held = (await provider.balances()).items
        fitting = [one for one in held if account in ("", one.account)]
        if not fitting:
            raise NotFoundError("account", account, [one.account for one in held])
        return connection, [one for one in fitting if one.environment is Environment.DEMO] or fitting

    async def top_up(
        self, person: Person, connection: Connection, held: Balance, amount: str, *, telegram_id: int
    ) -> Balance:
        """More play money, as much as is said or as there can be.

        Raises:
            InputError: It holds real money.
        """
        wanted = amount_of(amount, held.amount.currency.code) if amount else None
        about = {"account": held.account, **({"amount": str(wanted)} if wanted else {})}
        through = self._changing.through(person, connection, "account.topped_up", about, telegram_id=telegram_id)
        async with through as provider:
            if not isinstance(provider, TopsUp):
                raise UnsupportedError(connection.provider, Ability.TOP_UP.value)
            return await provider.top_up(held.account, wanted)

    async def _meant(self, person: Person, word: str | None) -> Connection:
        """`InputError` when several could be."""
        able = await self.brokers(person, word)
        return _one_of(able, f"{ACCOUNT} {able[0].name}")

    async def _seen(self, person: Person, word: str | None) -> list[Connection]:
        if not person.may(Right.READ):
            raise NotAllowedError(Right.READ)
        return await (self._connections.named(person, word) if word else self._connections.visible_to(person))

    @asynccontextmanager
    async def _reading(self, connection: Connection) -> AsyncIterator["Capital"]:
        async with self._connections.session(connection, seconds=20.0) as provider:
            yield capital_behind(provider, "accounts to deal on")

    @asynccontextmanager
    async def _changed(
        self, person: Person, connection: Connection, action: str, about: Mapping[str, str], telegram_id: int
    ) -> AsyncIterator["Capital"]:
        async with self._changing.through(person, connection, action, about, telegram_id=telegram_id) as provider:
            yield capital_behind(provider, "accounts to deal on")


def _one_of(able: list[Connection], example: str) -> Connection:
    if len(able) > 1:
        raise InputError(f"name the connection: {' or '.join(one.name for one in able)}", example)
    return able[0]


async def _called(broker: "Capital", name: str) -> List:
    lists = await broker.watchlists.lists()
    wanted = name.casefold()
    for one in sorted(lists, key=lambda one: one.id != wanted):  # what a button says is the number
        if wanted in (" ".join(one.name.split()).casefold(), one.id):
            return List(one.id, one.name, one.editable)
    raise NotFoundError("watchlist", name, [one.name for one in lists])

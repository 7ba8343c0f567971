"""Asking several connections at once.

Each is asked side by side with its own time limit; one that fails costs its own line, never the answer. Totals never
mix currencies, demo money with real, or clients' money with the desk's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from bot.access.model import Person, Right
from bot.clock import Clock
from bot.errors import NotAllowedError, OwnerSuspendedError, ProviderError, RecordUnreadableError
from bot.money import Currency, Money
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.providers.base import Provider
from bot.providers.markets import ReckonsNights
from bot.providers.records import Balance, Environment, Position, Reading

Item = TypeVar("Item")
ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Answer(Generic[Item]):
    """What one connection said, or why it did not."""

    connection: Connection
    reading: Reading[Item] | None
    trouble: ProviderError | RecordUnreadableError | OwnerSuspendedError | None = None


@dataclass(frozen=True, slots=True)
class Sheet(Generic[Item]):
    """What all of them said."""

    answers: tuple[Answer[Item], ...]
    asked_at: datetime


class Balances:
    """Balances and positions over the connections a person may see."""

    def __init__(self, connections: Connections, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock

    async def balances(self, person: Person, word: str | None = None) -> Sheet[Balance]:
        """Of the connections called `word`, or of all. `NotFoundError` when there is none of that name."""
        return await self._ask(person, word, lambda provider: provider.balances())

    async def positions(self, person: Person, word: str | None = None) -> Sheet[Position]:
        """The same for what is open."""
        return await self._ask(person, word, _with_nights)

    async def _ask(
        self, person: Person, word: str | None, question: Callable[[Provider], Awaitable[Reading[Item]]]
    ) -> Sheet[Item]:
        if not person.may(Right.READ):
            raise NotAllowedError(Right.READ)
        asked_at = self._clock.now()
        if word is None:
            chosen = await self._connections.visible_to(person)
        else:
            chosen = await self._connections.named(person, word)
        answers = await asyncio.gather(*(self._one(connection, question) for connection in chosen))
        return Sheet(tuple(answers), asked_at)

    async def _one(
        self, connection: Connection, question: Callable[[Provider], Awaitable[Reading[Item]]]
    ) -> Answer[Item]:
        try:
            async with self._connections.session(connection, seconds=ANSWER_SECONDS) as provider:
                return Answer(connection, await question(provider))
        except (ProviderError, RecordUnreadableError, OwnerSuspendedError) as error:
            return Answer(connection, None, error)


async def _with_nights(provider: Provider) -> Reading[Position]:
    reading = await provider.positions()
    return await provider.with_nights(reading) if isinstance(provider, ReckonsNights) and reading.items else reading


class Holding(StrEnum):
    """Whose money, and whether it is real: sums never cross these lines."""

    OWN_LIVE = "own, live"
    CLIENTS_LIVE = "clients, live"
    OWN_DEMO = "own, demo"
    CLIENTS_DEMO = "clients, demo"


def holding_of(balance: Balance) -> Holding:
    """A balance with an owner is a client's: the desk looks after it, it is not the desk's."""
    demo = balance.environment is Environment.DEMO
    if balance.owner:
        return Holding.CLIENTS_DEMO if demo else Holding.CLIENTS_LIVE
    return Holding.OWN_DEMO if demo else Holding.OWN_LIVE


def totals(answers: Sequence[Answer[Balance]]) -> dict[Holding, list[Money]]:
    """Sums per currency in the order of their codes, within each kind of holding.

    An account that several connections show counts once, by provider and account number.
    """
    sums: dict[tuple[Holding, Currency], Money] = {}
    for balance in _each_once(answers):
        key = (holding_of(balance), balance.amount.currency)
        sums[key] = sums[key] + balance.amount if key in sums else balance.amount
    result: dict[Holding, list[Money]] = {}
    order = list(Holding)
    for (holding, _), money in sorted(sums.items(), key=lambda pair: (order.index(pair[0][0]), pair[0][1].code)):
        result.setdefault(holding, []).append(money)
    return result


def counted_once(answers: Sequence[Answer[Balance]]) -> list[tuple[str, str]]:
    """Pairs of connections (the later, the earlier) that show the same account."""
    first: dict[tuple[str, str], str] = {}
    pairs: dict[tuple[str, str], None] = {}
    for answer in answers:
        name = answer.connection.name
        for balance in answer.reading.items if answer.reading else ():
            earlier = first.setdefault((answer.connection.provider, balance.account), name)
            if earlier != name:
                pairs[name, earlier] = None
    return list(pairs)


def _each_once(answers: Sequence[Answer[Balance]]) -> Iterator[Balance]:
    first: dict[tuple[str, str], str] = {}
    for answer in answers:
        for balance in answer.reading.items if answer.reading else ():
            if first.setdefault((answer.connection.provider, balance.account), answer.connection.name) == (
                answer.connection.name
            ):
                yield balance

"""Statements of the connections a person may see, side by side; those that keep none are left out unless named."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from bot.access.model import Person, Right
from bot.clock import Clock
from bot.errors import NotAllowedError, OwnerSuspendedError, ProviderError, RecordUnreadableError, UnsupportedError
from bot.operations.balances import Answer, Sheet
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.providers.base import Ability, FindsEntries, KeepsActivity, KeepsStatements, Provider, unsupported
from bot.providers.records import Entry, Happening, Reading

Item = TypeVar("Item")
ANSWER_SECONDS = 60.0
"""Where a statement has no end mark, its end is a silence, and each account has one of its own."""


class Statements:
    """What came and went."""

    def __init__(self, connections: Connections, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock

    async def statement(
        self, person: Person, word: str | None, *, limit: int | None = None, since: datetime | None = None
    ) -> Sheet[Entry]:
        """Of the connections called `word`, or of all: the newest `limit` entries of each account, or all `since`."""
        chosen, asked_at = await self._chosen(person, word), self._clock.now()

        async def of(provider: Provider) -> Reading[Entry]:
            if not isinstance(provider, KeepsStatements):
                raise unsupported(provider.spec, Ability.STATEMENT)
            return await provider.statement(limit=limit, since=since)

        answers = await asyncio.gather(*(self._one(connection, of) for connection in chosen))
        return Sheet(tuple(answers), asked_at)

    async def entry(self, person: Person, word: str | None, number: str) -> Sheet[Entry]:
        """The entry a provider calls `number`, as each account of the connections sees it; chosen as for `statement`.

        Raises:
            InputError: No entry has such a number.
        """
        chosen, asked_at = await self._chosen(person, word), self._clock.now()

        async def of(provider: Provider) -> Reading[Entry]:
            if not isinstance(provider, FindsEntries):
                raise UnsupportedError(provider.spec.name, "search for a single entry")
            return await provider.entry(number)

        answers = await asyncio.gather(*(self._one(connection, of) for connection in chosen))
        if word is None:
            answers = [one for one in answers if not isinstance(one.trouble, UnsupportedError)]
        return Sheet(tuple(answers), asked_at)

    async def activity(self, person: Person, word: str | None, since: datetime) -> Sheet[Happening]:
        """What happened since then, at the connections called `word` or at all that keep such a thing."""
        chosen, asked_at = await self._chosen(person, word), self._clock.now()

        async def of(provider: Provider) -> Reading[Happening]:
            if not isinstance(provider, KeepsActivity):
                raise UnsupportedError(provider.spec.name, "activity")
            return await provider.activity(since)

        answers = await asyncio.gather(*(self._one(connection, of) for connection in chosen))
        if word is None:
            answers = [one for one in answers if not isinstance(one.trouble, UnsupportedError)]
        return Sheet(tuple(answers), asked_at)

    async def _chosen(self, person: Person, word: str | None) -> list[Connection]:
        if not person.may(Right.READ):
            raise NotAllowedError(Right.READ)
        if word is not None:
            return await self._connections.named(person, word)
        return [one for one in await self._connections.visible_to(person) if Ability.STATEMENT in one.spec.abilities]

    async def _one(self, connection: Connection, of: Callable[[Provider], Awaitable[Reading[Item]]]) -> Answer[Item]:
        try:
            async with self._connections.session(connection, seconds=ANSWER_SECONDS) as provider:
                return Answer(connection, await of(provider))
        except (ProviderError, RecordUnreadableError, OwnerSuspendedError) as error:
            return Answer(connection, None, error)

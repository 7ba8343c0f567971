"""Statements of the connections a person may see, side by side; those that keep none are left out unless named."""

import asyncio
from datetime import datetime

from bot.access.model import Person, Right
from bot.clock import Clock
from bot.errors import NotAllowedError, OwnerSuspendedError, ProviderError, RecordUnreadableError
from bot.operations.balances import Answer, Sheet
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.providers.base import Ability, KeepsStatements, unsupported
from bot.providers.records import Entry

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
        if not person.may(Right.READ):
            raise NotAllowedError(Right.READ)
        asked_at = self._clock.now()
        if word is None:
            visible = await self._connections.visible_to(person)
            chosen = [one for one in visible if Ability.STATEMENT in one.spec.abilities]
        else:
            chosen = await self._connections.named(person, word)
        answers = await asyncio.gather(*(self._one(connection, limit, since) for connection in chosen))
        return Sheet(tuple(answers), asked_at)

    async def _one(self, connection: Connection, limit: int | None, since: datetime | None) -> Answer[Entry]:
        try:
            async with self._connections.session(connection, seconds=ANSWER_SECONDS) as provider:
                if not isinstance(provider, KeepsStatements):
                    raise unsupported(connection.spec, Ability.STATEMENT)
                return Answer(connection, await provider.statement(limit=limit, since=since))
        except (ProviderError, RecordUnreadableError, OwnerSuspendedError) as error:
            return Answer(connection, None, error)

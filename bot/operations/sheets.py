"""Asking several connections at once, side by side.

One that fails costs its own line, never the answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from bot.access.model import Person, Right
from bot.clock import Clock
from bot.errors import NotAllowedError, OwnerSuspendedError, ProviderError, RecordUnreadableError
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.providers.base import Ability, Provider
from bot.providers.records import Reading

Item = TypeVar("Item")


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


class Sheets:
    """Questions to the connections a person may read.

    Args:
        seconds: How long each of them has for its answer.
    """

    def __init__(self, connections: Connections, clock: Clock, *, seconds: float) -> None:
        self._connections = connections
        self._clock = clock
        self._seconds = seconds

    async def whom(self, person: Person, word: str | None, ability: Ability | None = None) -> list[Connection]:
        """Those called `word`, or all; of all, those that have the ability.

        Raises:
            NotAllowedError: The person reads nothing.
            NotFoundError: None is called so.
        """
        if not person.may(Right.READ):
            raise NotAllowedError(Right.READ)
        if word is not None:
            return await self._connections.named(person, word)
        visible = await self._connections.visible_to(person)
        return [one for one in visible if ability is None or ability in one.spec.abilities]

    async def ask(
        self, whom: Sequence[Connection], question: Callable[[Provider], Awaitable[Reading[Item]]]
    ) -> Sheet[Item]:
        """Answers in the order of `whom`."""
        asked_at = self._clock.now()
        answers = await asyncio.gather(*(self._one(connection, question) for connection in whom))
        return Sheet(tuple(answers), asked_at)

    async def _one(
        self, connection: Connection, question: Callable[[Provider], Awaitable[Reading[Item]]]
    ) -> Answer[Item]:
        try:
            async with self._connections.session(connection, seconds=self._seconds) as provider:
                return Answer(connection, await question(provider))
        except (ProviderError, RecordUnreadableError, OwnerSuspendedError) as error:
            return Answer(connection, None, error)

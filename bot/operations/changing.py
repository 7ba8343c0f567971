"""What one person may change through a connection by their own word, because it moves nobody's money.

It changes something there all the same: whoever does it must be allowed to act through the connection, a freeze stops
it, and it is in the log before it is done.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bot.access.model import Person, Right
from bot.audit.service import Audit
from bot.errors import NotAllowedError
from bot.operations.connections import Connections
from bot.operations.freezing import Freezing, check
from bot.operations.linked import Connection
from bot.ports import Deed
from bot.providers.base import Provider
from bot.store import Database, Tables

ANSWER_SECONDS = 25.0


class Changing:
    """Lets through what may be done."""

    def __init__(self, database: Database, connections: Connections, audit: Audit, freezing: Freezing) -> None:
        self._database = database
        self._connections = connections
        self._audit = audit
        self._freezing = freezing

    @asynccontextmanager
    async def through(
        self, person: Person, connection: Connection, action: str, details: Mapping[str, str], *, telegram_id: int
    ) -> AsyncIterator[Provider]:
        """The provider, for a block that changes something; the log says so already.

        Args:
            action: As the log has it, "watchlist.changed".
            details: What exactly; no secret, nobody's data.
        Raises:
            NotAllowedError: Not this person, or not through this connection.
            FrozenError: Nothing is changed there just now.
            ProviderError: As the adapter says.
        """
        if not person.may(Right.ASK):
            raise NotAllowedError(Right.ASK)
        if not connection.may_act(person):
            raise NotAllowedError(f"act through {connection.name}; its owner can share it for that")
        told = {"connection": connection.name, **details}

        def begin(tables: Tables) -> None:
            check(tables, connection.provider)
            deed = Deed(action, f"connection/{connection.id}", person.id, telegram_id, told)
            self._audit.record(tables, deed)

        async with self._freezing.stopping(connection.provider):
            await self._database.write(begin)
            async with self._connections.session(connection, seconds=ANSWER_SECONDS) as provider:
                yield provider

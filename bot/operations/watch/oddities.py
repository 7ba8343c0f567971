"""What was met at a provider that nobody had asked about: told to the admins, at most once an hour for each kind."""

from bot.access.service import Access
from bot.clock import Clock
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.providers.base import Oddity
from bot.store import Database, Tables


class Oddities:
    """How many of each were told."""

    def __init__(
        self, database: Database, connections: Connections, access: Access, outbox: Outbox, clock: Clock
    ) -> None:
        self._database = database
        self._connections = connections
        self._access = access
        self._outbox = outbox
        self._clock = clock
        self._told: dict[tuple[int, Oddity], int] = {}

    async def look(self) -> None:
        """Whether there are more than were told. `StoreError`: they are told later."""
        if not any(health.oddities for health in self._connections.health.values()):
            return
        hour = self._clock.now().strftime("%Y%m%d%H")
        for connection in await self._connections.everything():
            health = self._connections.health.get(connection.id)
            for oddity, count in (health.oddities if health is not None else {}).items():
                if count > self._told.get((connection.id, oddity), 0):
                    await self._warn(connection, oddity, count, hour)
                    self._told[connection.id, oddity] = count

    async def _warn(self, connection: Connection, oddity: Oddity, count: int, hour: str) -> None:
        lines = (f"{connection.name}: {oddity.value}.", f"{count} since the start; /status keeps count.")

        def change(tables: Tables) -> None:
            for person in self._access.roster.admins:
                for chat in person.telegram_ids:
                    dedupe = f"oddity/{connection.id}/{oddity.name}/{hour}/{chat}"
                    self._outbox.put(tables, Notice(Lane.SECURITY, chat, "Something odd", lines, dedupe=dedupe))

        await self._database.write(change)

"""A login's public key, and making it known to its provider: what to do is told, and that it was done is noticed.

The registering itself is done by hand in the provider's own pages. Who asked how is told once for each account that
answers to the key from then on; after a week nobody looks any more.
"""

from dataclasses import dataclass
from datetime import timedelta

from bot.access.model import Person
from bot.clock import Clock
from bot.errors import CountersignError, UnsupportedError
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.providers.base import Provider, PublicKey, RegistersKeys, Registration
from bot.store import Database, Tables
from bot.store.columns import at

ANSWER_SECONDS = 20.0
WATCHED_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class _Watched:
    connection_id: int
    account: str
    chat_id: int


class Registering:
    """For the owner of a connection."""

    def __init__(self, database: Database, connections: Connections, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._connections = connections
        self._outbox = outbox
        self._clock = clock

    async def public_key(self, person: Person, connection: Connection) -> PublicKey:
        """Its public half; the provider is not asked.

        Raises:
            NotAllowedError: It is somebody else's.
            UnsupportedError: This provider's logins have no key of that kind.
        """
        connection.check_own(person, "see the key of")
        async with self._connections.standing(connection) as provider:
            return await _keeper(provider).public_key()

    async def begin(self, person: Person, connection: Connection, chat_id: int) -> Registration:
        """What is to be done for which accounts; from now on it is watched. Raises as `public_key`."""
        connection.check_own(person, "register the key of")
        async with self._connections.session(connection, seconds=ANSWER_SECONDS) as provider:
            found = await _keeper(provider).registration()
        rows = [(connection.id, account, chat_id, at(self._clock.now())) for account in found.missing]
        await self._database.write(
            lambda tables: tables.conn.executemany("INSERT OR REPLACE INTO registrations VALUES (?, ?, ?, ?)", rows)
        )
        return found

    async def watch(self) -> None:
        """Tell of each account that answers to its key by now."""
        oldest = at(self._clock.now() - WATCHED_FOR)
        watched = await self._database.write(lambda tables: _still_watched(tables, oldest))
        for connection in await self._connections.everything():
            ours = [one for one in watched if one.connection_id == connection.id]
            if not ours:
                continue
            try:
                async with self._connections.standing(connection) as provider:
                    found = await _keeper(provider).registration()
            except CountersignError:
                continue  # it is looked again
            await self._tell(connection, [one for one in ours if one.account in found.known])

    async def _tell(self, connection: Connection, done: list[_Watched]) -> None:
        def change(tables: Tables) -> None:
            for one in done:
                gone = tables.conn.execute(
                    "DELETE FROM registrations WHERE connection_id = ? AND account = ? AND chat_id = ?",
                    (one.connection_id, one.account, one.chat_id),
                )
                if gone.rowcount:
                    line = f"{one.account} answers to the key of {connection.name} now."
                    self._outbox.put(tables, Notice(Lane.EVENTS, one.chat_id, "Account registered", (line,)))

        if done:
            await self._database.write(change)


def _keeper(provider: Provider) -> RegistersKeys:
    if not isinstance(provider, RegistersKeys):
        raise UnsupportedError(provider.spec.name, "public key")
    return provider


def _still_watched(tables: Tables, oldest: int) -> list[_Watched]:
    tables.conn.execute("DELETE FROM registrations WHERE asked_at < ?", (oldest,))
    rows = tables.conn.execute("SELECT connection_id, account, chat_id FROM registrations").fetchall()
    return [_Watched(*row) for row in rows]

"""How every part is doing."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot import __version__
from bot.access.model import Person
from bot.approvals import records as requests
from bot.approvals.model import Request, State
from bot.clock import Clock
from bot.errors import OwnerSuspendedError, ProviderError, RecordUnreadableError, StoreDamagedError
from bot.messages.inbox import Inbox
from bot.messages.outbox import Outbox
from bot.operations.connections import Connections, Health
from bot.operations.freezing import Freeze, freezes_in
from bot.operations.linked import Connection
from bot.operations.paging import troubles_in
from bot.operations.pulse import Pulse
from bot.operations.timekeeping import doubt_in
from bot.operations.watch.marks import streams_in
from bot.store import Database

FRESH = timedelta(minutes=1)
ASK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """One connection and how it went lately."""

    connection: Connection
    health: Health
    locked: bool = False
    """It waits for its owner's passphrase."""
    followed: int = 0
    """So much of it is followed for alerts."""
    told_at: datetime | None = None
    """When anything of that told something last."""
    silent_since: datetime | None = None
    """An outage that people were told of, and that is not over."""


@dataclass(frozen=True, slots=True)
class Status:
    """Everything /status shows."""

    version: str
    now: datetime
    pulse: Pulse
    connections: tuple[ConnectionStatus, ...]
    inbox_waiting: int
    outbox: Mapping[str, int]
    database_bytes: int
    freezes: tuple[Freeze, ...] = ()
    clock_doubted: bool = False
    unpaged: Mapping[str, str] = field(default_factory=dict)
    """Ways of the second channel that do not take what they are given, and why."""
    unknown: tuple[Request, ...] = ()
    """Requests whose outcome nobody knows, through connections this person may see (M06)."""


class StatusDesk:
    """Gathers the status."""

    def __init__(
        self, database: Database, inbox: Inbox, outbox: Outbox, connections: Connections, pulse: Pulse, clock: Clock
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._outbox = outbox
        self._connections = connections
        self._pulse = pulse
        self._clock = clock

    async def check_database(self) -> None:
        """Let SQLite check the whole file: seconds for a large one, so by the clock, not by request."""
        try:
            verdict = await self._database.read(
                lambda tables: str(tables.conn.execute("PRAGMA quick_check(1)").fetchone()[0])
            )
        except StoreDamagedError as error:  # too damaged for the check to begin
            verdict = error.reason
        self._pulse.database = verdict
        self._pulse.database_checked_at = self._clock.now()

    async def _ask(self, connection: Connection) -> None:
        """Ask a connection nobody has heard from lately; what comes of it is noted where all answers are."""
        health = self._connections.health.get(connection.id, Health())
        heard = max(filter(None, (health.good_at, health.bad_at)), default=None)
        if heard is not None and self._clock.now() - heard < FRESH:
            return
        with contextlib.suppress(ProviderError, RecordUnreadableError, OwnerSuspendedError):
            await self._connections.look(connection, seconds=ASK_SECONDS)

    async def look(self, person: Person) -> Status:
        """The state of all parts; connections only as far as this person may see them."""
        visible = await self._connections.visible_to(person)
        await asyncio.gather(*(self._ask(one) for one in visible))
        health = self._connections.health
        seen = {one.id for one in visible}
        freezes, doubt, unknown, unpaged, streams = await self._database.read(
            lambda tables: (
                freezes_in(tables),
                doubt_in(tables),
                requests.standing(tables, (State.UNKNOWN,)),
                troubles_in(tables),
                streams_in(tables),
            )
        )
        return Status(
            version=__version__,
            now=self._clock.now(),
            pulse=self._pulse,
            connections=tuple(
                ConnectionStatus(
                    one, health.get(one.id, Health()), self._connections.is_locked(one), *streams.get(one.id, ())
                )
                for one in visible
            ),
            inbox_waiting=max(0, await self._inbox.waiting() - 1),  # the question itself is one
            outbox=await self._outbox.depth(),
            database_bytes=self._database.path.stat().st_size,
            freezes=tuple(freezes),
            clock_doubted=doubt is not None,
            unpaged=unpaged,
            unknown=tuple(one for one in unknown if one.stake is not None and one.stake.connection_id in seen),
        )

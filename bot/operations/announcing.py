"""Money that comes in, told at once to everybody who may see the connection.

While the bot runs, a line stands to every provider that tells of arrivals. After each break it is dialled anew, with
growing pauses (R01), and what came meanwhile is looked up by statement. An arrival is told once: its id is written down
in the transaction that queues the notices.

Lines of a statement look like news, and anybody may ask for an old one. So a feed has a beginning: what was there then
is written down without a word, and what is dated before is history.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from bot.access.service import Access
from bot.clock import Clock
from bot.errors import (
    ConnectionLockedError,
    CountersignError,
    OwnerSuspendedError,
    ProviderError,
    StoreError,
)
from bot.messages.outbox import Lane, Notice, Outbox
from bot.network.pacing import backoff
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.operations.watch.reporting import Report, reason_of
from bot.providers.base import Ability, KeepsStatements, Oddity, Provider, TellsArrivals
from bot.providers.records import Entry, Environment, Way
from bot.store import Database, Tables
from bot.store.columns import at, moment

LOOK_SECONDS = 5.0
"""So often it is seen whether there are new connections, or something odd."""
OVERLAP = timedelta(days=2)
"""A statement is asked for from so long before the last one: entries have a day, and no time."""
KEPT = timedelta(days=4)
_log = logging.getLogger(__name__)


class Announcing:
    """The standing lines, and what comes over them."""

    def __init__(
        self,
        database: Database,
        connections: Connections,
        access: Access,
        outbox: Outbox,
        clock: Clock,
        report_of: Callable[[Connection], Report],
    ) -> None:
        self._database = database
        self._connections = connections
        self._access = access
        self._outbox = outbox
        self._clock = clock
        self._report_of = report_of
        self._told: dict[tuple[int, Oddity], int] = {}

    async def run(self) -> None:
        """A task for each connection that tells of arrivals, until cancelled."""
        following: dict[int, asyncio.Task[None]] = {}
        try:
            while True:
                with contextlib.suppress(StoreError):  # it is looked again
                    wanted = {one.id: one for one in await self._connections.everything() if _tells(one)}
                    for number in wanted.keys() - following.keys():
                        following[number] = asyncio.create_task(self._follow(number))
                    await self.tell_oddities()
                for number in [number for number, task in following.items() if task.done()]:
                    _ended(following.pop(number))
                await self._clock.sleep(LOOK_SECONDS)
        finally:
            for task in following.values():
                task.cancel()
            await asyncio.gather(*following.values(), return_exceptions=True)

    async def _follow(self, number: int) -> None:
        """Keep one line, until its connection is gone."""
        attempt, stood = 0, False
        while True:
            caught_up, why = asyncio.Event(), ""
            try:
                connection = await self._find(number)
                if connection is None:
                    return
                async with self._connections.standing(connection) as provider:
                    await self._listen(connection, provider, caught_up)
            except (ConnectionLockedError, OwnerSuspendedError):
                stood = False
                if connection is not None:
                    self._report_of(connection).spell.rest()
            except CountersignError as error:
                _log.info("no news for now", extra={"connection": number, "error": type(error).__name__})
                why = reason_of(error)
            stood |= caught_up.is_set()
            if stood and connection is not None:
                self._report_of(connection).spell.down(self._clock.now(), why)
            attempt = 0 if caught_up.is_set() else attempt + 1  # a key that is not registered yet gets no further
            await self._clock.sleep(backoff(attempt))

    async def _find(self, number: int) -> Connection | None:
        return next((one for one in await self._connections.everything() if one.id == number), None)

    async def _listen(self, connection: Connection, provider: Provider, caught_up: asyncio.Event) -> None:
        """Catch up, then tell what comes, until the line breaks."""
        if not (isinstance(provider, TellsArrivals) and isinstance(provider, KeepsStatements)):
            return
        connected, arrived = asyncio.Event(), asyncio.Queue[Entry]()
        staying = asyncio.create_task(provider.stay(connected.set, arrived.put_nowait))
        greeted = asyncio.create_task(connected.wait())
        getting: asyncio.Task[Entry] | None = None
        try:
            await asyncio.wait({staying, greeted}, return_when=asyncio.FIRST_COMPLETED)
            if not staying.done():
                await self._catch_up(connection, provider)
                caught_up.set()
                self._connections.answered(connection)
                report = self._report_of(connection)
                report.has_line = True
                report.spell.up(self._clock.now())
            while not staying.done() or not arrived.empty():
                getting = asyncio.create_task(arrived.get())
                await asyncio.wait({staying, getting}, return_when=asyncio.FIRST_COMPLETED)
                if getting.done():
                    await self._take_in(connection, [getting.result()])
            staying.result()
        finally:
            left = [task for task in (staying, greeted, getting) if task is not None]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _catch_up(self, connection: Connection, provider: KeepsStatements) -> None:
        """What came while nobody listened. The first time nothing is told: that is where the feed begins."""
        now = self._clock.now()
        caught_up_at = await self._database.read(lambda tables: _caught_up_at(tables, connection.id))
        reading = await provider.statement(since=(caught_up_at or now) - OVERLAP)
        came = [entry for entry in reading.items if entry.way is Way.IN]
        if caught_up_at is None:
            if not reading.is_whole:
                raise ProviderError(connection.provider, "the beginning could not be seen whole")
            await self._database.write(lambda tables: _begin(tables, connection.id, now, came))
            return
        await self._take_in(connection, came)
        if reading.is_whole:
            await self._database.write(lambda tables: _go_on(tables, connection.id, now))

    async def _take_in(self, connection: Connection, entries: list[Entry]) -> None:
        """Queue a notice of each that is new, to everybody who may see it."""
        current = await self._find(connection.id)
        if current is None:
            return
        chats = [
            chat for one in self._access.roster.people if current.may_read(one) for chat in sorted(one.telegram_ids)
        ]

        def change(tables: Tables) -> None:
            began = _caught_up_at(tables, connection.id)
            for entry in entries:
                if began is not None and _is_new(tables, connection.id, began, entry):
                    for chat in chats:
                        self._outbox.put(tables, _notice(current, entry, chat))

        await self._database.write(change)

    async def tell_oddities(self) -> None:
        """To the admins, of every connection, at most once an hour for each kind."""
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


def _ended(task: asyncio.Task[None]) -> None:
    """A slip of ours ends one line only; it is begun anew at the next look."""
    if not task.cancelled() and (slip := task.exception()) is not None:
        _log.error("a line was given up", extra={"error": type(slip).__name__}, exc_info=slip)


def _tells(connection: Connection) -> bool:
    return Ability.ARRIVALS in connection.spec.abilities and connection.owner_active


def _notice(connection: Connection, entry: Entry, chat: int) -> Notice:
    demo = " (demo)" if connection.environment is Environment.DEMO else ""
    there = f" ({entry.other_amount} there)" if entry.other_amount is not None else ""
    lines = [f"{entry.amount} to {entry.account}, {connection.name}{demo}", f"from {entry.other}{there}"]
    if entry.narrative.strip():
        lines.append(f"«{entry.narrative}»")
    lines.append(f"{entry.on.isoformat()}, no. {entry.id}")
    dedupe = f"arrival/{connection.provider}/{entry.account}/{entry.id}/{chat}"
    return Notice(Lane.EVENTS, chat, "Money came in", tuple(lines), dedupe=dedupe)


def _caught_up_at(tables: Tables, number: int) -> datetime | None:
    row = tables.conn.execute("SELECT caught_up_at FROM feeds WHERE connection_id = ?", (number,)).fetchone()
    return None if row is None else moment(row[0])


def _is_new(tables: Tables, number: int, began: datetime, entry: Entry) -> bool:
    """Write it down; whether that was the first time, and it is not history. A day of grace for midnight."""
    if entry.on < began.date() - timedelta(days=1):
        return False
    return _write_down(tables, number, entry)


def _write_down(tables: Tables, number: int, entry: Entry) -> bool:
    wrote = tables.conn.execute(
        "INSERT OR IGNORE INTO feed_entries VALUES (?, ?, ?)",
        (number, f"{entry.account}/{entry.id}", entry.on.isoformat()),
    )
    return wrote.rowcount == 1


def _begin(tables: Tables, number: int, now: datetime, entries: Iterable[Entry]) -> None:
    tables.conn.execute("INSERT OR IGNORE INTO feeds VALUES (?, ?)", (number, at(now)))
    for entry in entries:
        _write_down(tables, number, entry)


def _go_on(tables: Tables, number: int, now: datetime) -> None:
    """What came until now has been told; older ids than a statement would still show are forgotten."""
    tables.conn.execute("UPDATE feeds SET caught_up_at = ? WHERE connection_id = ?", (at(now), number))
    oldest = (now - KEPT).date().isoformat()
    tables.conn.execute("DELETE FROM feed_entries WHERE connection_id = ? AND day < ?", (number, oldest))

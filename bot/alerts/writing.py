"""Decisions that are made in memory, written down as they come: many in one commit, and none twice."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime

from bot.alerts import records
from bot.alerts.book import Entry
from bot.alerts.engine import Engine
from bot.alerts.firings import Firings
from bot.alerts.hearers import Desk
from bot.alerts.model import Moved, State
from bot.clock import Clock
from bot.errors import StoreError
from bot.messages.outbox import Head, Outbox
from bot.store import Database, Tables


class Writing:
    """What the engine has decided, until it is on disk."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        firings: Firings,
        outbox: Outbox,
        desk: Callable[[Tables], Desk],
        clock: Clock,
    ) -> None:
        self.woken = asyncio.Event()
        """There is something to write."""
        self._database = database
        self._engine = engine
        self._firings = firings
        self._outbox = outbox
        self._desk = desk
        self._clock = clock
        self._lock = asyncio.Lock()
        self._events: list[Moved] = []
        """Decisions that are not written yet, oldest first."""
        self._unwritten: set[str] = set()
        """Rules whose state is not written yet."""

    @property
    def waiting(self) -> int:
        """How many decisions are not written yet."""
        return len(self._events)

    def note(self, moved: Iterable[Moved]) -> None:
        """What the engine has just decided."""
        self._events.extend(moved)
        self.woken.set()

    def stand(self, entry: Entry, state: State) -> None:
        """How a rule stands from now on, by somebody's word."""
        self._engine.put(Entry(entry.rule, state))
        self._unwritten.add(entry.rule.id)
        self.woken.set()

    async def settled(self, also: Callable[[Tables], None] | None = None) -> None:
        """All of it is on disk when this returns, with `also` in the same commit.

        Raises:
            StoreError: Nothing was written; it all stays for the next time.
        """
        async with self._lock:
            self.woken.clear()
            events, self._events = self._events, []
            unwritten, self._unwritten = self._unwritten, set()
            books, self._engine.dirty = self._engine.dirty, set()
            if not (events or unwritten or books or also):
                return
            ids = unwritten | {moved.rule.id for moved in events}
            states = {one: entry.state for one in ids if (entry := self._engine.entry(one)) is not None}
            values = [
                (book.source, book.value, book.at) for book in books if book.value is not None and book.at is not None
            ]

            sender = self._outbox.sender if any(moved.firing is not None for moved in events) else None
            left_out = None if sender is None else sender.left_out()

            def change(tables: Tables) -> tuple[list[tuple[str, datetime]], list[Head]]:
                desk = self._desk(tables)
                came = self._firings.deciding(desk, events, states, self._clock.now())
                records.write_states(tables, states.items())
                records.write_values(tables, values)
                if also is not None:
                    also(tables)
                return came, [] if left_out is None else self._outbox.look(tables, *left_out)

            try:
                came, heads = await self._database.write(change)
            except StoreError:
                self._events[:0] = events
                self._unwritten |= unwritten
                self._engine.dirty |= books
                self.woken.set()
                raise
            for rule_id, when in came:
                self._engine.came(rule_id, when)
            if heads and self._outbox.sender is not None:
                self._outbox.sender.stir(heads)

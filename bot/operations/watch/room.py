"""Which connections are watched, and for what: as the rules of alerts say, whenever that changes."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from zoneinfo import ZoneInfo

from bot.access.service import Access
from bot.alerts.engine import Happening
from bot.alerts.model import Occasion
from bot.clock import Clock
from bot.errors import StoreError
from bot.messages.outbox import Lane, Notice, Outbox
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.operations.watch import marks
from bot.operations.watch.outages import Cards, Step, open_outage
from bot.operations.watch.watching import Means, Rules, Watching, reason_of
from bot.providers.following import Gate
from bot.providers.standing import Figures
from bot.store import Database, Tables

LOOK_SECONDS = 5.0
"""So often it is seen whether there are new connections, or some have gone."""
LOGINS_AT_ONCE = 4
LOGINS_AT_ONCE_EACH = 2
"""At one provider. How often one login may log in is kept by its adapter."""
_MOST_LINES = 10
_log = logging.getLogger(__name__)


class Watch:
    """The watches, and what is told of how they go."""

    def __init__(
        self,
        database: Database,
        connections: Connections,
        access: Access,
        outbox: Outbox,
        rules: Rules,
        clock: Clock,
        *,
        zone: ZoneInfo,
        figures: Figures | None = None,
        poll_seconds: float = 60.0,
        patience_seconds: float = 30.0,
    ) -> None:
        """
        Args:
            patience_seconds: So long nothing must have been heard before anybody is told.
        """
        self._database = database
        self._connections = connections
        self._access = access
        self._outbox = outbox
        self._rules = rules
        self._clock = clock
        self._cards = Cards(outbox, zone)
        self._patience = timedelta(seconds=patience_seconds)
        self._all_logins = asyncio.Semaphore(LOGINS_AT_ONCE)
        self._logins: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(LOGINS_AT_ONCE_EACH))
        self._means = Means(database, connections, rules, clock, figures or Figures(), poll_seconds, self._gate_of)
        self.watches: dict[int, Watching] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        telling = asyncio.create_task(self._tell())
        try:
            while True:
                changed = self._rules.changed
                with suppress(StoreError):  # it is looked again
                    await self._arrange()
                looking = asyncio.create_task(self._clock.sleep(LOOK_SECONDS))
                waking = asyncio.create_task(changed.wait())
                try:
                    await asyncio.wait({looking, waking, telling}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    looking.cancel()
                    waking.cancel()
                if telling.done():
                    telling.result()
        finally:
            for task in (telling, *self._tasks.values()):
                task.cancel()
            await asyncio.gather(telling, *self._tasks.values(), return_exceptions=True)

    async def _arrange(self) -> None:
        """A watch for each connection that rules look at, as long as its owner is not suspended."""
        there = {one.id: one for one in await self._connections.everything() if one.owner_active}
        wanted = {number: subjects for number, subjects in self._rules.wanted().items() if subjects}
        for number in [number for number in self._tasks if number not in wanted or number not in there]:
            await self._end(number)
            if number not in wanted:
                await self._database.write(marks.wanting(number, ()))
        for number, task in list(self._tasks.items()):
            if task.done():
                _given_up(task)
                del self._tasks[number]
        for number, subjects in wanted.items():
            if number not in there:
                continue
            watching = self.watches.get(number)
            if watching is None:
                watching = self.watches[number] = Watching(there[number], subjects, self._means, self._patience)
                await self._take_up(watching)
            watching.connection = there[number]
            watching.want(subjects)
            if number not in self._tasks:
                self._tasks[number] = asyncio.create_task(watching.run())

    async def _take_up(self, watching: Watching) -> None:
        """An outage that was told of before the start is the same one, until it stands again."""
        found = await self._database.read(lambda tables: open_outage(tables, watching.connection.id))
        if found is not None:
            watching.spell.row, watching.spell.since = found

    async def _end(self, number: int) -> None:
        task = self._tasks.pop(number)
        task.cancel()
        await asyncio.wait([task])
        del self.watches[number]

    def _gate_of(self, provider: str) -> Gate:
        @asynccontextmanager
        async def gate() -> AsyncIterator[None]:
            async with self._logins[provider], self._all_logins:
                yield

        return gate

    # what is told of it

    async def _tell(self) -> None:
        while True:
            await self._clock.sleep(1.0)
            for watching in list(self.watches.values()):
                with suppress(StoreError):  # it is told later
                    await self._tell_of(watching)

    async def _tell_of(self, watching: Watching) -> None:
        now, spell = self._clock.now(), watching.spell
        step = spell.due(now)
        holes, refusals = list(watching.holes), dict(watching.refusals)
        if step is None and not holes and not refusals:
            if spell.row is not None and spell.up_at is None:
                self._lasts(watching)  # a rule may say how long
            return
        connection, chats = watching.connection, self._chats(watching.connection)

        def change(tables: Tables) -> int | None:
            row = None if step is None else self._cards.tell(tables, connection, chats, spell, step, now)
            for notice in self._notices(watching, chats):
                self._outbox.put(tables, notice)
            return row

        row = await self._database.write(change)
        del watching.holes[: len(holes)]
        for subject in refusals:
            watching.refusals.pop(subject, None)
        match step:
            case Step.OPEN:
                spell.row = row
                self._lasts(watching)
            case Step.LASTING:
                spell.said += 1
            case Step.CLOSE:
                spell.over()
                await self._rules.over(connection.id, Occasion.STREAM_DOWN, f"outage/{row}")

    def _lasts(self, watching: Watching) -> None:
        """Rules may wait for that, too."""
        connection, spell = watching.connection, watching.spell
        if spell.row is not None and spell.since is not None:
            detail, key = f"{connection.name} tells nothing", f"outage/{spell.row}"
            self._rules.happened(Happening(Occasion.STREAM_DOWN, key, detail, spell.since, connection.id))

    def _notices(self, watching: Watching, chats: list[int]) -> list[Notice]:
        name, notices = watching.connection.name, list[Notice]()
        if watching.holes:
            first = watching.holes[0]
            time = self._cards.time
            lines = [
                f"{one.subject.name or one.subject.topic}: {time(one.since)} to {time(one.until)}"
                for one in watching.holes
            ]
            shown = (f"{name}: what happened then cannot be had any more.", *lines[:_MOST_LINES])
            if len(lines) > _MOST_LINES:
                shown += (f"and {len(lines) - _MOST_LINES} more.",)
            key = f"hole/{watching.connection.id}/{first.subject.topic}/{first.subject.name}/{first.since.isoformat()}"
            notices += [Notice(Lane.EVENTS, chat, "No data", shown, dedupe=f"{key}/{chat}") for chat in chats]
        day = self._clock.now().date().isoformat()
        for subject, error in watching.refusals.items():
            line = f"{name} does not tell of {subject.name or subject.topic}: {reason_of(error)}."
            key = f"refused/{watching.connection.id}/{subject.topic}/{subject.name}/{day}"
            notices += [Notice(Lane.EVENTS, chat, "Not followed", (line,), dedupe=f"{key}/{chat}") for chat in chats]
        return notices

    def _chats(self, connection: Connection) -> list[int]:
        people = [one for one in self._access.roster.people if connection.may_read(one)]
        return sorted(chat for one in people for chat in one.telegram_ids)


def _given_up(task: asyncio.Task[None]) -> None:
    """A slip of ours ends one watch only; it is begun anew."""
    if not task.cancelled() and (slip := task.exception()) is not None:
        _log.error("a watch was given up", extra={"error": type(slip).__name__}, exc_info=slip)

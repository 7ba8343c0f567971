"""Which connections are watched, and for what: as the rules of alerts say, whenever that changes.

How the lines stand that tell of arriving money is reported here, too: one card for each outage, whoever noticed it.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from zoneinfo import ZoneInfo

from bot.access.service import Access
from bot.clock import Clock
from bot.errors import StoreError
from bot.messages.outbox import Outbox
from bot.operations.connections import Connections
from bot.operations.watch import marks
from bot.operations.watch.reporting import Reports
from bot.operations.watch.watching import Means, Rules, Watching
from bot.providers.base import Ability
from bot.providers.following import Gate
from bot.providers.standing import Figures
from bot.store import Database

LOOK_SECONDS = 5.0
"""So often it is seen whether there are new connections, or some have gone."""
LOGINS_AT_ONCE = 4
LOGINS_AT_ONCE_EACH = 2
"""At one provider. How often one login may log in is kept by its adapter."""
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
        self._rules = rules
        self._clock = clock
        self.reports = Reports(database, access, outbox, rules, clock, zone, timedelta(seconds=patience_seconds))
        self._all_logins = asyncio.Semaphore(LOGINS_AT_ONCE)
        self._logins: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(LOGINS_AT_ONCE_EACH))
        self._means = Means(database, connections, rules, clock, figures or Figures(), poll_seconds, self._gate_of)
        self.watches: dict[int, Watching] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        telling = asyncio.create_task(self.reports.run())
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
                report = self.reports.of(there[number])
                watching = self.watches[number] = Watching(report, subjects, self._means)
            self.reports.of(there[number])
            watching.want(subjects)
            if number not in self._tasks:
                self._tasks[number] = asyncio.create_task(watching.run())

    async def _end(self, number: int) -> None:
        task = self._tasks.pop(number)
        task.cancel()
        await asyncio.wait([task])
        watching = self.watches.pop(number)
        if Ability.ARRIVALS not in watching.connection.spec.abilities:  # another line of it stands
            await self.reports.drop(number)

    def _gate_of(self, provider: str) -> Gate:
        @asynccontextmanager
        async def gate() -> AsyncIterator[None]:
            async with self._logins[provider], self._all_logins:
                yield

        return gate


def _given_up(task: asyncio.Task[None]) -> None:
    """A slip of ours ends one watch only; it is begun anew."""
    if not task.cancelled() and (slip := task.exception()) is not None:
        _log.error("a watch was given up", extra={"error": type(slip).__name__}, exc_info=slip)

"""Which connections are watched, and for what: as the rules of alerts say, whenever that changes.

Besides, without a rule: lines that tell of arriving money, and one connection to each place where clients' requests
wait. They are rows among the others, dialled or asked by the same rules, and have the same cards.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from zoneinfo import ZoneInfo

from bot.access.service import Access
from bot.clock import Clock
from bot.errors import StoreError
from bot.messages.outbox import Outbox
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.operations.watch import marks
from bot.operations.watch.means import Means, ReadsRequests, Rules
from bot.operations.watch.money_in import MoneyIn
from bot.operations.watch.oddities import Oddities
from bot.operations.watch.polling import REQUESTS
from bot.operations.watch.reporting import Reports
from bot.operations.watch.watching import Watching
from bot.providers.base import Ability
from bot.providers.following import Gate
from bot.providers.standing import Figures
from bot.providers.streams import Subject, Topic
from bot.store import Database

LOOK_SECONDS = 5.0
"""So often it is seen whether there are new connections, or some have gone."""
_HOLDINGS = Subject(Topic.BALANCE)
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
        requests: Callable[[], ReadsRequests] | None = None,
    ) -> None:
        """
        Args:
            patience_seconds: So long nothing must have been heard before anybody is told.
        """
        self._database = database
        self._connections = connections
        self._rules = rules
        self._clock = clock
        patience, self._money_in = timedelta(seconds=patience_seconds), MoneyIn(access, outbox)
        self._has_requests = requests is not None
        self.reports = Reports(database, access, outbox, rules, clock, zone, patience)
        self.oddities = Oddities(database, connections, access, outbox, clock)
        self._all_logins = asyncio.Semaphore(LOGINS_AT_ONCE)
        self._logins: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(LOGINS_AT_ONCE_EACH))
        self._means = Means(
            database,
            connections,
            rules,
            self._money_in,
            requests,
            clock,
            figures or Figures(),
            poll_seconds,
            patience,
            self._gate_of,
        )
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
                    await self.oddities.look()
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
        """A watch for each connection of which anything is wanted, as long as its owner is not suspended."""
        linked = await self._connections.everything()
        there = {one.id: one for one in linked if one.owner_active}
        wanted = self._wanted(linked)
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

    def _wanted(self, linked: Iterable[Connection]) -> dict[int, frozenset[Subject]]:
        minded = self._rules.wanted()
        wanted = {number: subjects for number, subjects in minded.items() if subjects}
        for one in linked:
            if always := self._money_in.subjects(one):
                wanted[one.id] = wanted.get(one.id, frozenset()) | always
        for one in self._readers(linked):
            wanted[one.id] = wanted.get(one.id, frozenset()) | {REQUESTS}
        for one in linked:
            if one.id in minded and one.id not in wanted:
                wanted[one.id] = frozenset({self._sign_of_life(one)})
        return wanted

    def _sign_of_life(self, one: Connection) -> Subject:
        """What is asked of a connection of which nothing is needed but that it answers."""
        return REQUESTS if self._has_requests and Ability.REQUESTS in one.spec.abilities else _HOLDINGS

    def _readers(self, linked: Iterable[Connection]) -> Iterable[Connection]:
        """Of each provider that has clients' requests one login: they all see the same ones."""
        found = dict[str, Connection]()
        for one in linked if self._has_requests else ():
            if Ability.REQUESTS in one.spec.abilities:
                there = found.setdefault(one.provider, one)
                if self._rests(there) and not self._rests(one):
                    found[one.provider] = one
        return found.values()

    def _rests(self, one: Connection) -> bool:
        return not one.owner_active or self._connections.is_locked(one)

    async def _end(self, number: int) -> None:
        task = self._tasks.pop(number)
        task.cancel()
        await asyncio.wait([task])
        del self.watches[number]
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

"""One connection, watched: what of it comes as a stream, what is polled, and who is told of both."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.errors import CountersignError, ProviderError, StoreError
from bot.operations.linked import Connection
from bot.operations.watch import marks as rows
from bot.operations.watch.means import Means
from bot.operations.watch.outages import Missed
from bot.operations.watch.polling import Polling, is_survey
from bot.operations.watch.reporting import Report, reason_of
from bot.providers.following import LOOK_SECONDS, Following
from bot.providers.gaps import Hole, Outage
from bot.providers.news import Mark
from bot.providers.records import Entry, Way
from bot.providers.streams import KeepsSteps, Streams, Subject, Told, Topic, Wish
from bot.store import Tables


class Watching:
    """One connection, as long as `run` runs."""

    def __init__(self, report: Report, subjects: frozenset[Subject], means: Means) -> None:
        self.report = report
        self._means = means
        self._subjects = subjects
        self._wish = Wish()
        self._polling = Polling(self, means)
        self._polled: frozenset[Subject] = frozenset()
        self._unheard: set[Subject] = set()
        """What the provider refused to tell of: polled, as if there were no such stream."""
        self._came: list[Told] = []
        """Money that came in, of which nobody was told yet."""
        self._has_come = asyncio.Event()
        self._keeping = asyncio.Lock()
        self._has_begun = False
        """Whether anything of it was ever told."""
        self._step: timedelta | None = None
        """Of its history of prices, where that has no quotes."""
        self._broke_at: datetime | None = None
        """Since when its line has told nothing."""
        self._changed = asyncio.Event()

    @property
    def connection(self) -> Connection:
        return self.report.connection

    @property
    def subjects(self) -> frozenset[Subject]:
        return self._polled

    def want(self, subjects: frozenset[Subject]) -> None:
        """From now on these."""
        if subjects != self._subjects:
            self._subjects = subjects
            self._changed.set()

    async def run(self) -> None:
        """Until cancelled. Begins when the connection is open for the first time."""
        known = await self._means.database.read(lambda tables: rows.marks_of(tables, self.connection.id))
        self._has_begun = bool(known)
        streamed = await self._streamed()
        following: asyncio.Task[None] | None = None
        self._polling = Polling(self, self._means)  # what an earlier run heard last says nothing of what came since
        polling = asyncio.create_task(self._polling.run())
        telling = asyncio.create_task(self._tell())
        try:
            while True:
                self._changed.clear()
                wanted = self._subjects | {one for one in _hints(self._subjects) if one.topic in streamed}
                await self._means.database.write(rows.wanting(self.connection.id, wanted))
                self._wish.want(one for one in wanted if one.topic in streamed)
                self._polled = self._subjects
                self.report.has_line |= bool(self._wish.subjects)
                if self._wish.subjects and following is None:
                    following = asyncio.create_task(self._follow())
                elif not self._wish.subjects and following is not None:
                    await _ended(following)
                    following, self.report.has_line = None, False
                await self._until_changed(polling, telling, following)
        finally:
            for task in (polling, following, telling):
                if task is not None:
                    await _ended(task)

    async def _until_changed(self, *tasks: asyncio.Task[None] | None) -> None:
        """Raises when one of the works has ended: that is a slip of ours."""
        changed = asyncio.create_task(self._changed.wait())
        works = [task for task in tasks if task is not None]
        try:
            await asyncio.wait({changed, *works}, return_when=asyncio.FIRST_COMPLETED)
            for task in works:
                if task.done():
                    task.result()
        finally:
            changed.cancel()

    async def _streamed(self) -> frozenset[Topic]:
        """What it tells by itself. Nobody is asked for that, but it must be open."""
        while True:
            try:
                provider = await self._means.connections.opened(self.connection)
            except CountersignError:
                await self._means.clock.sleep(LOOK_SECONDS)
            else:
                self._step = provider.finest_step if isinstance(provider, KeepsSteps) else None
                return provider.topics if isinstance(provider, Streams) else frozenset()

    async def _follow(self) -> None:
        means = self._means
        marks = await means.database.read(lambda tables: rows.marks_of(tables, self.connection.id))
        session = lambda: means.connections.standing(self.connection)  # noqa: E731  # one line, one use
        gate = means.gate(self.connection.provider)
        await Following(session, self._wish, self, means.clock, means.figures, marks, gate).run()

    # as `bot.providers.following.Listener` says

    def told(self, subject: Subject, told: Told, outage: Outage | None) -> None:
        if self._unheard:
            self._unheard.discard(subject)
        if type(told) is Entry:
            self._polling.urge()
            if outage is not None:
                self.report.spell.learnt(Missed.IN if told.way is Way.IN else Missed.OUT)
        self._hand_on(told, None if outage is None else (outage.since, outage.until))

    async def keep(self, marks: Mapping[Subject, Mark]) -> None:
        """In the commit that writes what the rules made of it, and what is told: a mark is never ahead of either."""
        async with self._keeping:
            came, number = tuple(self._came), self.connection.id

            def change(tables: Tables) -> None:
                self._means.money_in.tell(tables, number, came)
                rows.keeping(number, marks)(tables)

            await self._means.rules.settled(change)
            self._has_begun |= bool(marks)
            del self._came[: len(came)]

    def hole(self, hole: Hole) -> None:
        self.report.holes.append(hole)

    def refused(self, subject: Subject, error: ProviderError) -> None:
        self.report.refusals[subject] = error
        self._unheard.add(subject)

    def up(self) -> None:
        self._means.connections.answered(self.connection)
        broke_at, self._broke_at = self._broke_at, None
        if broke_at is not None and self._step is not None:
            outage = (broke_at, self._means.clock.now())
            self._means.rules.doubted(self.connection.id, outage, self._step)
        spell = self.report.spell
        if self.report.has_line and spell.since is not None and spell.up_at is None:
            self._polling.urge()  # what opened or closed meanwhile is told at once
        spell.up(self._means.clock.now())

    def down(self, since: datetime, why: CountersignError | TimeoutError | None) -> None:
        """What never began, and no rule waits for, is not missed: a key that its provider does not know yet."""
        if self.report.has_line and self._broke_at is None:
            self._broke_at = since
        if self._has_begun or self.connection.id in self._means.rules.wanted():
            self.report.spell.down(since, "" if why is None else reason_of(why))

    def resting(self) -> None:
        """Nobody is told: whoever locked it knows."""
        self.report.spell.rest()

    # what polls find

    def is_heard(self, subject: Subject) -> bool:
        return subject in self._wish.subjects and subject not in self._unheard

    def observe(self, told: Told) -> None:
        self._hand_on(told, None)

    def _hand_on(self, told: Told, outage: tuple[datetime, datetime] | None) -> None:
        self._means.rules.observe(self.connection.id, told, outage=outage)
        if type(told) is Entry and self._means.money_in.concerns(self.connection, told):
            self._came.append(told)
            self._has_come.set()

    async def _tell(self) -> None:
        """At once, and not only when it is written down next how far it was told."""
        while True:
            await self._has_come.wait()
            self._has_come.clear()
            try:
                await self.keep({})
            except StoreError:  # it is told with the next mark
                continue


def _hints(subjects: frozenset[Subject]) -> frozenset[Subject]:
    """What opens or closes shows among the movements of money first, where a line tells of those."""
    return frozenset({Subject(Topic.ENTRY)}) if any(is_survey(one) for one in subjects) else frozenset()


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])

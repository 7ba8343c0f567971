"""One connection, watched: what of it comes as a stream, what is polled, and who is told of both."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from bot.clock import Clock
from bot.errors import (
    ConnectionLockedError,
    CountersignError,
    OwnerSuspendedError,
    ProviderError,
    RefusedError,
    ReplyError,
)
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.operations.watch import marks as rows
from bot.operations.watch.dealings import Dealings
from bot.operations.watch.reporting import Report, WaitsForOutages, reason_of
from bot.providers.base import KeepsStatements, Provider
from bot.providers.following import LOOK_SECONDS, Following, Gate
from bot.providers.markets import KeepsDealings, TellsPrices
from bot.providers.news import Mark, News
from bot.providers.records import Candle, Position, Reading
from bot.providers.standing import Figures, Hole, Outage
from bot.providers.streams import Streams, Subject, Told, Topic, Wish
from bot.store import Database, Tables

POLL_TIMEOUT_SECONDS = 30.0
_MINUTE = timedelta(minutes=1)
STATEMENT_OVERLAP = timedelta(days=2)
"""Lines of a statement have a day, and no time."""
STREAMED_POLLED_EVERY = 5
"""What a stream tells is looked up as well, so many times less often: the stream only hastens it."""
_log = logging.getLogger(__name__)
Item = TypeVar("Item")


class Rules(WaitsForOutages, Protocol):
    """Whoever is told, and knows what they need: the rules of alerts."""

    def observe(self, connection_id: int, told: Told, *, outage: tuple[datetime, datetime] | None) -> None:
        """One event. Neither waits nor raises."""

    async def surveyed(self, connection_id: int, positions: Iterable[Position], as_of: datetime) -> None:
        """All that is open there, at one moment."""

    async def settled(self, also: Callable[[Tables], None] | None = None) -> None:
        """What was observed is written down, and `also` in the same commit."""

    def windows_unknown(self, connection_id: int) -> Mapping[str, timedelta]:
        """Of which symbols it is not known how they went within a time that is looked at."""

    def begins_earlier(self, connection_id: int, symbol: str, candles: Iterable[Candle], since: datetime) -> None:
        """How they went since then, oldest first."""

    def wanted(self) -> Mapping[int, frozenset[Subject]]:
        """What they need, by connection."""

    @property
    def changed(self) -> asyncio.Event:
        """Set when that has changed; the next one is another."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a watch works with, the same for all."""

    database: Database
    connections: Connections
    rules: Rules
    clock: Clock
    figures: Figures
    poll_seconds: float
    gate: Callable[[str], Gate]
    """For a provider: how many of its lines may log in at once."""


class Watching:
    """One connection, as long as `run` runs."""

    def __init__(self, report: Report, subjects: frozenset[Subject], means: Means) -> None:
        self.report = report
        self._means = means
        self._subjects = subjects
        self._wish = Wish()
        self._polled: frozenset[Subject] = frozenset()
        self._news: dict[Subject, News] = {}
        self._unheard: set[Subject] = set()
        """What the provider refused to tell of: polled, as if there were no such stream."""
        self._dealings = Dealings(means.rules, means.clock)
        self._changed = asyncio.Event()

    @property
    def connection(self) -> Connection:
        return self.report.connection

    def want(self, subjects: frozenset[Subject]) -> None:
        """From now on these."""
        if subjects != self._subjects:
            self._subjects = subjects
            self._changed.set()

    async def run(self) -> None:
        """Until cancelled. Begins when the connection is open for the first time."""
        streamed = await self._streamed()
        following: asyncio.Task[None] | None = None
        polling = asyncio.create_task(self._poll(streamed))
        try:
            while True:
                self._changed.clear()
                await self._means.database.write(rows.wanting(self.connection.id, self._subjects))
                self._wish.want(one for one in self._subjects if one.topic in streamed)
                self._polled = self._subjects
                self.report.has_line |= bool(self._wish.subjects)
                if self._wish.subjects and following is None:
                    following = asyncio.create_task(self._follow())
                elif not self._wish.subjects and following is not None:
                    await _ended(following)
                    following, self.report.has_line = None, False
                await self._until_changed(polling, following)
        finally:
            for task in (polling, following):
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
                async with self._means.connections.standing(self.connection) as provider:
                    return provider.topics if isinstance(provider, Streams) else frozenset()
            except CountersignError:
                await self._means.clock.sleep(LOOK_SECONDS)

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
        window = None if outage is None else (outage.since, outage.until)
        self._means.rules.observe(self.connection.id, told, outage=window)

    async def keep(self, marks: Mapping[Subject, Mark]) -> None:
        """In the commit that writes what the rules made of it: a mark is never ahead of a decision."""
        await self._means.rules.settled(rows.keeping(self.connection.id, marks))

    def hole(self, hole: Hole) -> None:
        self.report.holes.append(hole)

    def refused(self, subject: Subject, error: ProviderError) -> None:
        self.report.refusals[subject] = error
        self._unheard.add(subject)

    def up(self) -> None:
        self._means.connections.answered(self.connection)
        self.report.spell.up(self._means.clock.now())

    def down(self, since: datetime, why: CountersignError | None) -> None:
        self.report.spell.down(since, "" if why is None else reason_of(why))

    def resting(self) -> None:
        """Nobody is told: whoever locked it knows."""
        self.report.spell.rest()

    # polls

    async def _poll(self, streamed: frozenset[Topic]) -> None:
        """The truth, now and then; where there is no stream it is all there is."""
        turn = 0
        while True:
            seldom = turn % STREAMED_POLLED_EVERY == 0
            due = [
                one
                for one in sorted(self._polled)
                if seldom or one.topic not in streamed or _is_survey(one) or one in self._unheard
            ]
            if self._means.rules.windows_unknown(self.connection.id):
                await self._look_back()
            if due:
                await self._ask(due, tells_by_itself=self.report.has_line)
            turn += 1
            await self._means.clock.sleep(self._means.poll_seconds if self._polled else 1.0)

    async def _ask(self, due: list[Subject], *, tells_by_itself: bool) -> None:
        now = self._means.clock.now()
        try:
            async with self._means.connections.standing(self.connection) as provider:
                async with asyncio.timeout(POLL_TIMEOUT_SECONDS):
                    await self._ask_of(provider, due)
        except (ConnectionLockedError, OwnerSuspendedError):
            self.resting()
        except (CountersignError, TimeoutError) as error:
            _log.info("poll failed", extra={"connection": self.connection.id, "error": type(error).__name__})
            if not tells_by_itself:
                self.report.spell.down(now, reason_of(error))
        else:
            if not tells_by_itself:
                self.up()

    async def _ask_of(self, provider: Provider, due: list[Subject]) -> None:
        if any(one.topic is Topic.BALANCE for one in due):
            names = {one.name for one in due if one.topic is Topic.BALANCE}
            for balance in (await provider.balances()).items:
                if "" in names or balance.account in names:
                    self._observe(Subject(Topic.BALANCE, balance.account), balance)
        if any(one.topic is Topic.CONTRACT for one in due):
            if isinstance(provider, KeepsDealings):
                with suppress(RefusedError, ReplyError):  # what is open is told all the same
                    await self._dealings.look(self.connection, provider)
            reading: Reading[Position] = await provider.positions()
            if reading.is_whole:
                await self._means.rules.surveyed(self.connection.id, reading.items, reading.as_of)
        if isinstance(provider, KeepsStatements):
            for one in due:
                if one.topic is Topic.ENTRY and not self._is_heard(one):
                    await self._look_through(one, provider)
        if isinstance(provider, TellsPrices):
            for one in due:
                if one.topic is Topic.QUOTE and not self._is_heard(one):
                    self._observe(one, await provider.quote(one.name))

    async def _look_back(self) -> None:
        """How prices went before anybody listened. What cannot be had is asked for at the next turn."""
        rules, number, now = self._means.rules, self.connection.id, self._means.clock.now()
        with suppress(CountersignError, TimeoutError):
            async with self._means.connections.standing(self.connection) as provider:
                if not isinstance(provider, TellsPrices):
                    return
                for symbol, window in rules.windows_unknown(number).items():
                    async with asyncio.timeout(POLL_TIMEOUT_SECONDS):
                        reading = await provider.candles(symbol, _MINUTE, now - window, now)
                    rules.begins_earlier(number, symbol, reading.items, now - window)

    def _is_heard(self, subject: Subject) -> bool:
        return subject in self._wish.subjects and subject not in self._unheard

    async def _look_through(self, subject: Subject, provider: KeepsStatements) -> None:
        """New lines of a statement. The first time nothing is told: that is where the feed begins."""
        means, now = self._means, self._means.clock.now()
        if subject not in self._news:
            marks = await means.database.read(lambda tables: rows.marks_of(tables, self.connection.id))
            self._news[subject] = News(marks.get(subject))
        news = self._news[subject]
        is_beginning = news.at is None
        reading = await provider.statement(since=(news.at or now) - STATEMENT_OVERLAP)
        entries = [one for one in reading.items if subject.name in ("", one.account) and news.takes(one)]
        for entry in [] if is_beginning else entries:
            means.rules.observe(self.connection.id, entry, outage=None)
        mark = news.mark(now)
        if mark is not None and (entries or is_beginning):
            await self.keep({subject: mark})

    def _observe(self, subject: Subject, told: Told) -> None:
        """What a poll found is an event when it is not what the last one found."""
        if self._news.setdefault(subject, News()).takes(told):
            self._means.rules.observe(self.connection.id, told, outage=None)


def _is_survey(subject: Subject) -> bool:
    """All that is open: asked for as well, as what opens and closes shows in the whole only."""
    return subject.topic is Topic.CONTRACT and not subject.name


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])

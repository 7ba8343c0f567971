"""What of a connection is asked for now and then: the truth, and where there is no stream all there is.

Where nothing but questions says how a connection stands, their answers do: one in vain is asked again after a growing
pause, as a line that broke is dialled again. What comes by webhook is such a thing. It only hastens a question: that
nothing comes is no fault, and that something does is no sign that the provider could be asked.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from bot.errors import (
    ConnectionLockedError,
    CountersignError,
    OwnerSuspendedError,
    RefusedError,
    ReplyError,
    StoreError,
)
from bot.network.pacing import backoff
from bot.operations.linked import Connection
from bot.operations.watch import marks as rows
from bot.operations.watch.dealings import Dealings
from bot.operations.watch.means import Means
from bot.operations.watch.outages import Missed
from bot.operations.watch.reporting import Report
from bot.providers.base import KeepsStatements, Provider
from bot.providers.gaps import Hole
from bot.providers.markets import KeepsDealings, TellsPrices
from bot.providers.news import KEPT, Mark, News
from bot.providers.records import Dealing, Fate, Position, Reading
from bot.providers.streams import Subject, Told, Topic

POLL_TIMEOUT_SECONDS = 30.0
_MINUTE = timedelta(minutes=1)
STATEMENT_OVERLAP = timedelta(days=2)
"""Lines of a statement have a day, and no time."""
STATEMENT_AT_FIRST = KEPT + timedelta(days=1)
STREAMED_POLLED_EVERY = 5
"""What a stream tells is looked up as well, so many times less often: the stream only hastens it."""
URGED_SECONDS = 1.0
"""So long a burst of news is waited out: it is asked for once."""
_MISSED = {
    Fate.FILLED: Missed.FILLED,
    Fate.OPENED: Missed.OPENED,
    Fate.CLOSED: Missed.CLOSED,
    Fate.STOPPED: Missed.STOPPED,
}
REQUESTS = Subject(Topic.REQUEST)
_log = logging.getLogger(__name__)


class Hears(Protocol):
    """Who asks, and is told: the watch of the connection."""

    report: Report

    @property
    def connection(self) -> Connection: ...

    @property
    def subjects(self) -> frozenset[Subject]:
        """What is wanted now."""

    def is_heard(self, subject: Subject) -> bool:
        """Whether a line tells of it."""

    def observe(self, told: Told) -> None: ...

    async def keep(self, marks: Mapping[Subject, Mark]) -> None: ...

    def up(self) -> None: ...

    def down(self, since: datetime, why: CountersignError | TimeoutError | None) -> None: ...

    def resting(self) -> None: ...


class Polling:
    """The questions about one connection, as long as `run` runs."""

    def __init__(self, watch: Hears, means: Means) -> None:
        self._watch = watch
        self._means = means
        self._news: dict[Subject, News] = {}
        self._dealings = Dealings(means.rules, means.clock)
        self._requests_read_at: datetime | None = None
        self._is_urged = asyncio.Event()

    def urge(self) -> None:
        """A line has told that something was bought, sold or settled: what is open is asked for at once."""
        self._is_urged.set()

    async def run(self) -> None:
        """Until cancelled."""
        turn = attempt = 0
        urged = False
        try:
            while True:
                seldom = turn % STREAMED_POLLED_EVERY == 0
                due = [one for one in sorted(self._watch.subjects) if self._is_due(one, seldom=seldom, urged=urged)]
                if self._means.rules.windows_unknown(self._watch.connection.id):
                    await self._look_back()
                answered = await self._ask(due) if due else True
                attempt = 0 if answered else attempt + 1
                turn += not urged
                urged = await self._rest(self._pause(attempt))
        finally:
            await self._keep_requests()

    def _is_due(self, one: Subject, *, seldom: bool, urged: bool) -> bool:
        """Prices and lines of a statement are not asked for while they are told: that would be no question at all."""
        if urged or is_survey(one):
            return is_survey(one)
        return not self._watch.is_heard(one) or (seldom and one.topic not in (Topic.QUOTE, Topic.ENTRY))

    async def _rest(self, seconds: float) -> bool:
        """Until the next turn; whether it was brought forward."""
        sleeping = asyncio.create_task(self._means.clock.sleep(seconds))
        waiting = asyncio.create_task(self._is_urged.wait())
        try:
            await asyncio.wait({sleeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waiting.cancel()
        if not self._is_urged.is_set():
            return False
        await self._means.clock.sleep(min(seconds, URGED_SECONDS))
        self._is_urged.clear()
        return True

    def _pause(self, attempt: int) -> float:
        seconds, figures = self._means.poll_seconds, self._means.figures
        if not self._watch.subjects:
            return 1.0
        if attempt == 0 or self._watch.report.has_line:
            return seconds
        cap = min(seconds, figures.backoff_cap_seconds)
        return backoff(attempt - 1, base_seconds=figures.backoff_seconds, cap_seconds=cap)

    async def _ask(self, due: list[Subject]) -> bool:
        """Whether it answered."""
        now, tells_by_itself = self._means.clock.now(), self._watch.report.has_line
        connection = self._watch.connection
        try:
            if any(one.topic is not Topic.REQUEST for one in due):
                async with self._means.connections.standing(connection) as provider:
                    async with asyncio.timeout(POLL_TIMEOUT_SECONDS):
                        await self._ask_of(provider, due)
            if any(one.topic is Topic.REQUEST for one in due):
                await self._read_requests(connection)
        except (ConnectionLockedError, OwnerSuspendedError):
            self._watch.resting()
            return False
        except StoreError as error:  # nobody's trouble over there
            _log.info(
                "what a poll found is not written down",
                extra={"connection": connection.id, "error": type(error).__name__},
            )
            return False
        except (CountersignError, TimeoutError) as error:
            _log.info("poll failed", extra={"connection": connection.id, "error": type(error).__name__})
            if not tells_by_itself:
                self._watch.down(now, error)
            return False
        if not tells_by_itself:
            self._watch.up()
        return True

    async def _ask_of(self, provider: Provider, due: list[Subject]) -> None:
        if any(one.topic is Topic.BALANCE for one in due):
            names = {one.name for one in due if one.topic is Topic.BALANCE}
            for balance in (await provider.balances()).items:
                if "" in names or balance.account in names:
                    self._observe(Subject(Topic.BALANCE, balance.account), balance)
        if any(one.topic is Topic.CONTRACT for one in due):
            if isinstance(provider, KeepsDealings):
                with suppress(RefusedError, ReplyError):  # what is open is told all the same
                    self._learnt(await self._dealings.look(self._watch.connection, provider))
            reading: Reading[Position] = await provider.positions()
            if reading.is_whole:
                await self._means.rules.surveyed(self._watch.connection.id, reading.items, reading.as_of)
        if isinstance(provider, KeepsStatements):
            for one in due:
                if one.topic is Topic.ENTRY and not self._watch.is_heard(one):
                    await self._look_through(one, provider)
        if isinstance(provider, TellsPrices):
            for one in due:
                if one.topic is Topic.QUOTE and not self._watch.is_heard(one):
                    self._observe(one, await provider.quote(one.name))

    def _learnt(self, dealings: list[Dealing]) -> None:
        """Those of an outage that has just ended are told on its card, too; what was stopped out is closed as well."""
        spell, stopped = self._watch.report.spell, {one.id for one in dealings if one.fate is Fate.STOPPED}
        for one in dealings:
            if spell.lasted_at(one.at) and not (one.fate is Fate.CLOSED and one.id in stopped):
                spell.learnt(_MISSED[one.fate])

    async def _look_back(self) -> None:
        """How prices went before anybody listened. What cannot be had is asked for at the next turn."""
        rules, connection, now = self._means.rules, self._watch.connection, self._means.clock.now()
        with suppress(CountersignError, TimeoutError):
            async with self._means.connections.standing(connection) as provider:
                if not isinstance(provider, TellsPrices):
                    return
                for symbol, window in rules.windows_unknown(connection.id).items():
                    async with asyncio.timeout(POLL_TIMEOUT_SECONDS):
                        reading = await provider.candles(symbol, _MINUTE, now - window, now)
                    rules.begins_earlier(connection.id, symbol, reading.items, now - window)

    async def _look_through(self, subject: Subject, provider: KeepsStatements) -> None:
        """New lines of a statement. The first time nothing is told: that is where the feed begins."""
        now = self._means.clock.now()
        if subject not in self._news:
            self._news[subject] = News((await self._marks()).get(subject))
        news = self._news[subject]
        is_beginning = news.at is None
        since = now - STATEMENT_AT_FIRST if news.at is None else news.at - STATEMENT_OVERLAP
        reading = await provider.statement(since=since)
        if is_beginning:
            news.begins(now)
        entries = [one for one in reading.items if subject.name in ("", one.account) and news.takes(one, now)]
        for entry in [] if is_beginning else entries:
            self._watch.observe(entry)
        mark = news.mark(now)
        if mark is not None and (entries or is_beginning):
            await self._watch.keep({subject: mark})

    def _observe(self, subject: Subject, told: Told) -> None:
        """What a poll found is an event when it is not what the last one found."""
        if self._news.setdefault(subject, News()).takes(told):
            self._watch.observe(told)

    async def _marks(self) -> dict[Subject, Mark]:
        number = self._watch.connection.id
        return await self._means.database.read(lambda tables: rows.marks_of(tables, number))

    # clients' requests

    async def _read_requests(self, connection: Connection) -> None:
        """What waits there is read anew. A request of which a webhook told while nobody listened stays unknown."""
        if self._means.requests is None:
            return
        requests, is_first = self._means.requests(), self._requests_read_at is None
        before = (await self._marks()).get(REQUESTS) if is_first else None
        await requests.read(connection)
        now = self._means.clock.now()
        self._requests_read_at = now
        if before is not None and requests.misses_what_it_does_not_hear and now - before.until >= self._means.patience:
            self._watch.report.holes.append(Hole(REQUESTS, before.until, now))
        await self._keep_requests()

    async def _keep_requests(self) -> None:
        """Until when they were listened to."""
        if self._requests_read_at is not None:
            with suppress(StoreError):
                await self._watch.keep({REQUESTS: Mark(self._requests_read_at, self._means.clock.now())})


def is_survey(subject: Subject) -> bool:
    """All that is open: asked for as well, as what opens and closes shows in the whole only."""
    return subject.topic is Topic.CONTRACT and not subject.name

"""One login's streams with the provider under them: `Standing`, driven.

A line is dialled, followed until it is over, and dialled again. What fills the gaps, looks after signs of life and
writes down how far it got outlives each line; a late frame of an old one finds nobody listening (R07).
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from datetime import datetime
from typing import Protocol

from bot.clock import Clock
from bot.errors import (
    ConnectionLockedError,
    CountersignError,
    OwnerSuspendedError,
    ProviderError,
    RefusedError,
    ReplyError,
    SilentError,
    StoreError,
    UnreachableError,
)
from bot.providers.base import Ability, Provider, unsupported
from bot.providers.gaps import Gap, Handed, Hole, Outage
from bot.providers.markets import TellsPrices
from bot.providers.news import Mark
from bot.providers.records import Reading
from bot.providers.standing import Figures, Standing
from bot.providers.streams import Streams, Subject, Told, Wish

FILLERS = 4
"""So many gaps are asked about at once; how often a provider may be asked is kept by its adapter."""
FILL_SECONDS = 60.0
LOOK_SECONDS = 5.0
"""So often it is seen whether what rests, rests still."""
ASK_AGAIN_SECONDS = 300.0
_TICK_SECONDS = 0.5
_EVERYTHING_EACH = 60
"""Of so many times that marks are kept, once those of silent subjects, too: until when there was silence."""
_log = logging.getLogger(__name__)


class Listener(Protocol):
    """Who is told what comes, and how it goes. Only `keep` waits; nothing here raises, but `keep` a `StoreError`."""

    def told(self, subject: Subject, told: Told, outage: Outage | None) -> None:
        """An event, once, and in the order of its subject."""

    async def keep(self, marks: Mapping[Subject, Mark]) -> None:
        """Store how far these were told."""

    def hole(self, hole: Hole) -> None:
        """What came then can not be had any more."""

    def refused(self, subject: Subject, error: ProviderError) -> None:
        """Not followed, on this connection."""

    def up(self) -> None:
        """All that is wished is followed again, or refused."""

    def down(self, since: datetime, why: CountersignError | None) -> None:
        """Nothing is followed, since then; said again after each attempt in vain."""

    def resting(self) -> None:
        """Its owner is suspended, or it waits for their passphrase: nobody tries."""


Session = Callable[[], AbstractAsyncContextManager[Provider]]
Gate = Callable[[], AbstractAsyncContextManager[object]]
"""Held while a line logs in: how many may do so at once is somebody else's decision."""


class Following:
    """One login's streams, as long as `run` runs."""

    def __init__(
        self,
        session: Session,
        wish: Wish,
        listener: Listener,
        clock: Clock,
        figures: Figures | None = None,
        marks: Mapping[Subject, Mark] | None = None,
        gate: Gate = nullcontext,
    ) -> None:
        self._session = session
        self._wish = wish
        self._asked = Wish(wish.subjects)
        """The same, but for what is left out for a moment, to be asked for again."""
        self._listener = listener
        self._clock = clock
        self._gate = gate
        self._standing = Standing(clock, figures or Figures(), marks)
        self._name = ""
        self._streams: Streams | None = None
        self._prices: TellsPrices | None = None
        self._ear: _Ear | None = None
        self._due = asyncio.Event()
        self._broken: asyncio.Future[tuple[datetime, ProviderError]] | None = None
        self._down_since = clock.now()
        self._is_up = False

    async def run(self) -> None:
        """Until cancelled; only a slip of ours ends it otherwise."""
        self._want(self._wish.subjects)
        works = (self._dial(), self._follow_wish(), self._ask_again(), self._watch(), self._look(), self._keep())
        tasks = [asyncio.create_task(work) for work in (*works, *(self._fill() for _ in range(FILLERS)))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(StoreError):
                await self._listener.keep(self._standing.marks(everything=True))

    # the line

    async def _dial(self) -> None:
        while True:
            why: CountersignError | None = None
            try:
                async with self._session() as provider:
                    await self._line(provider)
            except (ConnectionLockedError, OwnerSuspendedError):
                self._listener.resting()
                await self._clock.sleep(LOOK_SECONDS)
                self._down_since = self._clock.now()
                continue
            except CountersignError as error:
                why = error
            self._listener.down(self._down_since, why)
            await self._clock.sleep(self._standing.pause())

    async def _line(self, provider: Provider) -> None:
        """One connection, from its login to its end. Raises what ended it, where that is known."""
        if not isinstance(provider, Streams):
            raise unsupported(provider.spec, Ability.STREAMS)
        self._name, self._streams = provider.spec.name, provider
        self._prices = provider if isinstance(provider, TellsPrices) else None
        ear = self._ear = _Ear(self)
        broken = self._broken = asyncio.get_running_loop().create_future()
        greeted = asyncio.create_task(ear.greeted.wait())
        streaming: asyncio.Task[None] | None = None
        try:
            async with self._gate():
                streaming = asyncio.create_task(provider.stream(self._asked, ear))
                await asyncio.wait({streaming, greeted}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({streaming, broken}, return_when=asyncio.FIRST_COMPLETED)
            if not streaming.done():
                raise broken.result()[1]
            streaming.result()
        finally:
            self._ear = self._broken = None
            works = [task for task in (greeted, streaming) if task is not None]
            for task in works:
                task.cancel()
            await asyncio.gather(*works, return_exceptions=True)
            self._lost(broken.result()[0] if broken.done() else None)

    def _lost(self, since: datetime | None) -> None:
        if self._is_up:
            self._is_up = False
            self._down_since = since or self._clock.now()
        self._standing.broke()

    def _break(self, since: datetime, error: ProviderError) -> None:
        if self._broken is not None and not self._broken.done():
            self._broken.set_result((since, error))

    async def _follow_wish(self) -> None:
        while True:
            self._want(await self._wish.other_than(self._standing.subjects))

    def _want(self, subjects: frozenset[Subject]) -> None:
        self._standing.want(subjects)
        self._asked.want(subjects)

    async def _ask_again(self) -> None:
        """What was refused may have been a market that was closed."""
        while True:
            await self._clock.sleep(ASK_AGAIN_SECONDS)
            refused = self._standing.refusals
            if refused:
                self._asked.want(self._wish.subjects - refused)
                await self._clock.sleep(_TICK_SECONDS)
                self._asked.want(self._wish.subjects)

    # what comes over it

    def _connected(self, ear: "_Ear") -> None:
        if ear is self._ear:
            self._standing.connected(frozenset() if self._streams is None else self._streams.begins_at_once)
            self._stands()

    def _acknowledged(self, ear: "_Ear", subject: Subject) -> None:
        if ear is self._ear:
            self._hand_on(self._standing.acknowledged(subject))
            self._due.set()
            self._stands()

    def _refused(self, ear: "_Ear", subject: Subject, error: ProviderError) -> None:
        if ear is self._ear:
            self._standing.refused(subject)
            self._listener.refused(subject, error)
            self._stands()

    def _heard(self, ear: "_Ear", subject: Subject, told: Told) -> None:
        if ear is self._ear and self._standing.heard(subject, told):
            self._listener.told(subject, told, None)

    def _alive(self, ear: "_Ear") -> None:
        if ear is self._ear:
            self._standing.alive()

    def _stands(self) -> None:
        if not self._is_up and self._standing.is_up:
            self._is_up = True
            self._listener.up()

    def _hand_on(self, handed: list[Handed]) -> None:
        for one in handed:
            self._listener.told(one.subject, one.told, one.outage)

    # what outlives it

    async def _fill(self) -> None:
        while True:
            gap = self._standing.next_gap()
            if gap is None:
                self._due.clear()
                await self._due.wait()
                continue
            try:
                handed, hole = self._standing.filled(gap, await self._missed(gap))
            except ProviderError as error:
                handed, hole = self._standing.not_filled(gap, error)
            self._hand_on(handed)
            if hole is not None:
                self._listener.hole(hole)

    async def _missed(self, gap: Gap) -> Reading[Told]:
        if self._streams is None:
            raise UnreachableError(self._name, "no line yet")
        try:
            async with asyncio.timeout(FILL_SECONDS):
                return await self._streams.missed(gap.subject, gap.since, gap.until)
        except TimeoutError:
            raise SilentError(self._name, "history") from None
        except ProviderError:
            raise
        except CountersignError as error:  # there is no such thing there any more
            raise RefusedError(self._name, type(error).__name__) from None
        except Exception as slip:  # an adapter's slip costs one gap, not the line  # noqa: BLE001
            _log.exception("adapter slipped", extra={"provider": self._name})
            raise ReplyError(self._name, type(slip).__name__) from None

    async def _watch(self) -> None:
        """A connection without a sign of life is over, whatever its socket says."""
        while True:
            await self._clock.sleep(_TICK_SECONDS)
            self._due.set()
            if self._standing.is_dead():
                self._break(self._standing.alive_until, SilentError(self._name, "no sign of life"))

    async def _look(self) -> None:
        """What is silent for long is looked at by a question: silence is no fault where nothing happens."""
        while True:
            await self._clock.sleep(2 * _TICK_SECONDS)
            for subject in self._standing.silent():
                if self._prices is None:
                    break
                with suppress(CountersignError, TimeoutError):
                    async with asyncio.timeout(FILL_SECONDS):
                        market = await self._prices.market(subject.name)
                    if self._standing.is_stalled(subject, market):
                        error = SilentError(self._name, f"nothing about {subject.name}")
                        self._break(self._standing.silent_since(subject), error)
                        break

    async def _keep(self) -> None:
        count = 0
        while True:
            await self._clock.sleep(_TICK_SECONDS)
            count += 1
            marks = self._standing.marks(everything=count >= _EVERYTHING_EACH)
            count %= _EVERYTHING_EACH
            try:
                if marks:
                    await self._listener.keep(marks)
            except StoreError:
                count = _EVERYTHING_EACH  # all of it, the next time


class _Ear:
    """The ear of one line; deaf as soon as that is not the line any more."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self.greeted = asyncio.Event()

    def connected(self) -> None:
        self.greeted.set()
        self._following._connected(self)

    def acknowledged(self, subject: Subject) -> None:
        self._following._acknowledged(self, subject)

    def refused(self, subject: Subject, error: ProviderError) -> None:
        self._following._refused(self, subject, error)

    def heard(self, subject: Subject, told: Told) -> None:
        self._following._heard(self, subject, told)

    def alive(self) -> None:
        self._following._alive(self)

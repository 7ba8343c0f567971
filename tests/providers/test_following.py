"""A line that breaks, stalls or is refused is dialled anew, and whoever listens is told what matters of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import (
    ConnectionLockedError,
    CountersignError,
    NotFoundError,
    ProviderError,
    RefusedError,
    StoreFullError,
    UnreachableError,
)
from bot.providers.base import Provider
from bot.providers.capital import SPEC
from bot.providers.following import Following
from bot.providers.gaps import Hole, Outage
from bot.providers.news import Mark
from bot.providers.records import Candle, Market, Quote, Reading
from bot.providers.standing import Figures
from bot.providers.streams import Ear, Subject, Told, Topic, Wish
from tests.support.clock import HandClock

GOLD, SILVER = Subject(Topic.QUOTE, "GOLD"), Subject(Topic.QUOTE, "SILVER")


class Line:
    """One connection, as the script below lets it go."""

    def __init__(self, wish: Wish, ear: Ear) -> None:
        self.wish, self.ear = wish, ear
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def greets(self, *refused: Subject) -> None:
        self.ear.connected()
        for subject in sorted(self.wish.subjects):
            if subject in refused:
                self.ear.refused(subject, RefusedError("capital", "error.invalid.epic"))
            else:
                self.ear.acknowledged(subject)

    def breaks(self, error: ProviderError | None = None) -> None:
        if error is None:
            self.over.set_result(None)
        else:
            self.over.set_exception(error)


class Scripted:
    """A provider whose lines a test holds in its hand."""

    spec = SPEC
    money = None
    topics = frozenset({Topic.QUOTE})
    most_subjects = None
    begins_at_once: frozenset[Topic] = frozenset()

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.lines: list[Line] = []
        self.history: list[Quote] = []
        self.asked: list[tuple[Subject, datetime, datetime]] = []
        self.price = Decimal(100)

    async def stream(self, wish: Wish, ear: Ear) -> None:
        line = Line(wish, ear)
        self.lines.append(line)
        await line.over

    async def missed(self, subject: Subject, since: datetime, until: datetime) -> Reading[Told]:
        self.asked.append((subject, since, until))
        items: list[Told] = [one for one in self.history if one.symbol == subject.name and since <= one.at < until]
        return Reading(tuple(items), self.clock.now())

    async def market(self, symbol: str) -> Market:
        return Market(symbol, symbol, is_open=True, quote=Quote(symbol, self.price, self.price, self.clock.now()))

    async def quote(self, symbol: str) -> Quote:
        raise NotFoundError("market", symbol)

    async def find_markets(self, text: str, *, most: int = 20) -> Reading[Market]:
        raise NotFoundError("market", text)

    async def candles(self, symbol: str, step: timedelta, since: datetime, until: datetime) -> Reading[Candle]:
        raise NotFoundError("market", symbol)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


@dataclass
class Notes:
    """What a listener was told."""

    events: list[tuple[Told, Outage | None]] = field(default_factory=list)
    marks: dict[Subject, Mark] = field(default_factory=dict)
    said: list[object] = field(default_factory=list)
    is_full: bool = False

    def told(self, subject: Subject, told: Told, outage: Outage | None) -> None:
        self.events.append((told, outage))

    async def keep(self, marks: Mapping[Subject, Mark]) -> None:
        if self.is_full:
            raise StoreFullError("full")
        self.marks.update(marks)

    def hole(self, hole: Hole) -> None:
        self.said.append(hole)

    def refused(self, subject: Subject, error: ProviderError) -> None:
        self.said.append(subject)

    def up(self) -> None:
        self.said.append("up")

    def down(self, since: datetime, why: CountersignError | None) -> None:
        self.said.append(type(why).__name__)

    def resting(self) -> None:
        self.said.append("resting")


@dataclass
class Desk:
    clock: HandClock
    provider: Scripted
    notes: Notes
    wish: Wish
    is_locked: bool = False

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Provider]:
        if self.is_locked:
            raise ConnectionLockedError("capital/main")
        yield self.provider  # type: ignore[misc]  # what nobody asks is left out

    async def line(self, number: int) -> Line:
        await self.pass_until(lambda: len(self.provider.lines) >= number)
        return self.provider.lines[number - 1]

    async def pass_until(self, true: Callable[[], object], step: float = 0.5) -> None:
        """Let time pass on the hand clock until something has happened."""
        async with asyncio.timeout(20):
            while not true():
                await self.clock.move(step)
                for _ in range(20):
                    await asyncio.sleep(0)

    def price(self, value: int, symbol: str = "GOLD") -> Quote:
        return Quote(symbol, Decimal(value), Decimal(value), self.clock.now())


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clock = HandClock()
    made = Desk(clock, Scripted(clock), Notes(), Wish([GOLD, SILVER]))
    figures = Figures(backoff_seconds=1, backoff_cap_seconds=2, stall_seconds=30, dead_seconds=60)
    following = Following(made.session, made.wish, made.notes, clock, figures)
    task = asyncio.create_task(following.run())
    yield made
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def begun(desk: Desk) -> Line:
    line = await desk.line(1)
    line.greets()
    await desk.pass_until(lambda: len(desk.provider.asked) == 2)
    assert desk.notes.said == ["up"]
    return line


async def test_after_a_break_it_is_dialled_again_and_the_gap_is_filled(desk: Desk) -> None:
    line = await begun(desk)
    first = desk.price(100)
    line.ear.heard(GOLD, first)
    lost_at = desk.clock.now()
    line.breaks(UnreachableError("capital"))
    await desk.clock.move(10)
    missed = desk.price(120)
    desk.provider.history.append(missed)
    again = await desk.line(2)
    again.greets()
    back_at = desk.clock.now()
    again.ear.heard(GOLD, live := desk.price(101))
    await desk.pass_until(lambda: len(desk.notes.events) == 3)
    outage = Outage(lost_at, back_at)
    assert desk.notes.events == [(first, None), (missed, outage), (live, None)]
    assert desk.notes.said == ["up", "UnreachableError", "up"]


async def test_a_late_frame_of_an_old_line_is_not_listened_to(desk: Desk) -> None:
    line = await begun(desk)
    line.breaks()
    again = await desk.line(2)
    again.greets()
    line.ear.heard(GOLD, desk.price(1))
    line.ear.acknowledged(GOLD)
    again.ear.heard(GOLD, right := desk.price(100))
    await desk.pass_until(lambda: desk.notes.events)
    assert desk.notes.events == [(right, None)]


async def test_f45_what_is_silent_while_its_price_moves_is_dialled_again_though_pings_are_answered(desk: Desk) -> None:
    """Data for all but one subscription."""
    line = await begun(desk)
    line.ear.heard(GOLD, desk.price(100))
    line.ear.heard(SILVER, desk.price(100, "SILVER"))
    silent_since = desk.clock.now()

    def lives() -> bool:
        line.ear.alive()
        line.ear.heard(SILVER, desk.price(100, "SILVER"))
        return False

    for _ in range(100):
        lives()
        await desk.clock.move(1)
        await asyncio.sleep(0)
    assert len(desk.provider.lines) == 1
    desk.provider.price = Decimal(130)
    moved_at = desk.clock.now()
    await desk.pass_until(lambda: lives() or len(desk.provider.lines) == 2)
    assert desk.clock.now() - moved_at <= timedelta(seconds=30 + 5)
    (await desk.line(2)).greets()
    await desk.pass_until(lambda: len(desk.provider.asked) == 4)
    assert desk.provider.asked[2][1] <= silent_since


async def test_f45_a_line_without_any_sign_of_life_is_given_up(desk: Desk) -> None:
    """Half-open."""
    line = await begun(desk)
    await desk.pass_until(lambda: len(desk.provider.lines) == 2)
    assert line.over.cancelled()
    assert desk.notes.said == ["up", "SilentError"]


async def test_what_is_not_acknowledged_in_time_is_asked_for_on_a_new_line(desk: Desk) -> None:
    line = await desk.line(1)
    line.ear.connected()
    line.ear.acknowledged(GOLD)
    await desk.line(2)
    assert desk.notes.said == ["SilentError"]


async def test_what_is_refused_is_said_and_the_rest_stands(desk: Desk) -> None:
    line = await desk.line(1)
    line.greets(SILVER)
    assert desk.notes.said == [SILVER, "up"]
    line.ear.heard(GOLD, desk.price(100))
    await desk.pass_until(lambda: desk.notes.events)


async def test_what_was_refused_is_asked_for_again_later_for_a_market_may_have_been_closed(desk: Desk) -> None:
    line = await desk.line(1)
    line.greets(SILVER)
    asked: list[frozenset[Subject]] = [line.wish.subjects]

    def alive() -> bool:
        line.ear.alive()
        if line.wish.subjects != asked[-1]:
            asked.append(line.wish.subjects)
        return len(asked) == 3

    await desk.pass_until(alive)
    assert asked == [{GOLD, SILVER}, {GOLD}, {GOLD, SILVER}]
    line.ear.acknowledged(SILVER)
    line.ear.heard(SILVER, right := desk.price(7, "SILVER"))
    await desk.pass_until(lambda: desk.notes.events)
    assert desk.notes.events == [(right, None)]


async def test_a_locked_connection_rests_in_silence_and_wakes_by_itself(desk: Desk) -> None:
    line = await begun(desk)
    desk.is_locked = True
    line.breaks(UnreachableError("capital"))
    await desk.pass_until(lambda: desk.notes.said.count("resting") == 3)
    assert desk.notes.said == ["up", "UnreachableError", "resting", "resting", "resting"]
    desk.is_locked = False
    (await desk.line(2)).greets()
    assert desk.notes.said[-1] == "up"


async def test_a_changed_wish_changes_what_is_listened_to(desk: Desk) -> None:
    line = await begun(desk)
    line.ear.heard(SILVER, desk.price(1, "SILVER"))
    copper = Subject(Topic.QUOTE, "COPPER")
    desk.wish.want([GOLD, copper])
    await desk.pass_until(lambda: line.wish.subjects == {GOLD, copper})
    line.ear.acknowledged(copper)
    line.ear.heard(SILVER, desk.price(2, "SILVER"))
    line.ear.heard(copper, desk.price(3, "COPPER"))
    await desk.pass_until(lambda: len(desk.notes.events) == 2)
    assert [one.symbol for one, _ in desk.notes.events if isinstance(one, Quote)] == ["SILVER", "COPPER"]


async def test_only_so_many_lines_log_in_at_once() -> None:
    clock, doors = HandClock(), asyncio.Semaphore(2)
    desks = [Desk(clock, Scripted(clock), Notes(), Wish([GOLD])) for _ in range(5)]
    tasks = [
        asyncio.create_task(Following(one.session, one.wish, one.notes, clock, gate=lambda: doors).run())
        for one in desks
    ]
    greeted = 0
    while greeted < 5:
        for _ in range(20):
            await asyncio.sleep(0)
        at_the_door = [one for one in desks if one.provider.lines and not one.notes.said]
        assert len(at_the_door) == min(2, 5 - greeted)
        at_the_door[0].provider.lines[0].greets()
        greeted += 1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_how_far_it_was_told_is_written_down_within_a_second_and_again_after_a_full_disk(desk: Desk) -> None:
    line = await begun(desk)
    line.ear.heard(GOLD, one := desk.price(100))
    await desk.clock.move(1)
    await desk.pass_until(lambda: GOLD in desk.notes.marks, step=0)
    assert desk.notes.marks[GOLD].at == one.at
    desk.notes.is_full = True
    line.ear.heard(GOLD, desk.price(101))
    await desk.clock.move(1)
    line.ear.heard(GOLD, later := desk.price(102))
    await desk.clock.move(1)
    desk.notes.is_full = False
    await desk.pass_until(lambda: desk.notes.marks[GOLD].at == later.at)

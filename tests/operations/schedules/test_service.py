"""Each slot once: over restarts, sleep, and clocks that are set."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bot.access.model import Person
from bot.errors import NotFoundError
from bot.messages.notice import Lane, Notice
from bot.operations.schedules.model import End, Kind, Run, Schedule
from bot.operations.schedules.service import Schedules
from bot.store import Database
from bot.wiring import House
from tests.support.clock import HandClock
from tests.support.desk import ADMIN, opened, write_desk
from tests.support.waiting import due


@pytest.fixture
async def house(tmp_path: Path, clock: HandClock) -> AsyncIterator[House]:
    async with opened(write_desk(tmp_path), clock) as rooms:
        yield rooms


def adam(house: House) -> Person:
    return house.access.roster.admins[0]


async def made(house: House, cron: str, zone: str = "UTC") -> Schedule:
    return await house.schedules.make(adam(house), Kind.BALANCES, None, cron, zone, telegram_id=ADMIN)


async def ran(house: House) -> list[tuple[str, bool, int]]:
    """What comes, done at once: slot, whether late, what it stands for."""
    runs = await house.schedules.due()
    for run in runs:
        await house.schedules.end(run, End.DONE)
    return [(run.slot.isoformat(timespec="minutes"), run.is_late, run.missed) for run in runs]


async def ends(house: House) -> list[tuple[str, str]]:
    return await house.database.read(
        lambda tables: tables.conn.execute("SELECT slot, state FROM schedule_runs ORDER BY slot").fetchall()
    )


def again(house: House, database: Database, clock: HandClock) -> Schedules:
    """As after a restart."""
    return Schedules(database, house.audit, house.outbox, clock)


async def test_it_comes_when_it_is_due_and_once(house: House, clock: HandClock) -> None:
    await made(house, "30 9 * * *")
    assert await ran(house) == []
    await clock.move(29 * 60 + 59)
    assert await ran(house) == []
    await clock.move(1)
    assert await ran(house) == [("2026-03-02T09:30", False, 0)]
    assert await ran(house) == []
    assert await house.schedules.of(adam(house)) == [
        (
            Schedule(
                1, adam(house).id, ADMIN, Kind.BALANCES, None, "30 9 * * *", "UTC", datetime(2026, 3, 2, 9, tzinfo=UTC)
            ),
            datetime(2026, 3, 3, 9, 30, tzinfo=UTC),
        )
    ]


async def test_many_who_ask_at_once_get_it_once(house: House, clock: HandClock) -> None:
    await made(house, "30 9 * * *")
    await clock.move(1800)
    rooms = [again(house, house.database, clock) for _ in range(5)]
    first = await rooms[0].due()
    others = await asyncio.gather(*(one.due() for one in rooms[1:]))
    assert [run.slot for run in first] == [datetime(2026, 3, 2, 9, 30)]  # noqa: DTZ001  # local
    for run in first:
        await rooms[0].end(run, End.DONE, [Notice(Lane.EVENTS, ADMIN, "digest", dedupe="d")])
    for runs in others:  # begun before and not ended: begun again, told once
        for run in runs:
            await rooms[1].end(run, End.DONE, [Notice(Lane.EVENTS, ADMIN, "digest twice", dedupe="e")])
    assert [row.notice.title for row in await due(house.outbox)] == ["digest"]


async def test_f50_a_block_of_five_seconds_is_no_delay_and_two_hours_are_one_late_run(
    house: House, clock: HandClock
) -> None:
    """The loop stands still at the time of a job; then the program is stopped for two hours (R32)."""
    await made(house, "0 * * * *")
    await clock.move(3600 + 5)
    assert await ran(house) == [("2026-03-02T10:00", False, 0)]
    await clock.move(3 * 3600 + 600)
    assert await ran(house) == [("2026-03-02T13:00", True, 2)]
    assert await ran(house) == []
    assert await ends(house) == [
        ("2026-03-02T10:00:00", "done"),
        ("2026-03-02T11:00:00", "missed"),
        ("2026-03-02T12:00:00", "missed"),
        ("2026-03-02T13:00:00", "done"),
    ]


async def test_what_was_begun_when_the_program_stopped_is_begun_again_and_told_once(
    house: House, clock: HandClock
) -> None:
    await made(house, "0 10 * * *")
    await clock.move(3600)
    (left,) = await house.schedules.due()
    await clock.move(1200)
    later = again(house, house.database, clock)
    (run,) = await later.due()
    assert (run.slot, run.is_late) == (left.slot, True)
    assert await later.due() == []
    digest = Notice(Lane.EVENTS, ADMIN, "digest", dedupe="schedule/1/slot")
    await later.end(run, End.DONE, [digest])
    await house.schedules.end(left, End.DONE, [digest])
    assert len(await due(house.outbox)) == 1


async def test_a_clock_that_is_set_back_runs_nothing_twice_and_one_set_ahead_stops_nothing(
    house: House, clock: HandClock
) -> None:
    await made(house, "0 10 * * *")
    await clock.move(3600)
    assert await ran(house) == [("2026-03-02T10:00", False, 0)]
    await clock.move(-1800)
    assert await ran(house) == []
    await clock.move(1800)
    assert await ran(house) == []
    await clock.move(timedelta(days=400).total_seconds())
    assert [late for _, late, _ in await ran(house)] == [False]
    await clock.move(-timedelta(days=400).total_seconds())
    assert await ran(house) == []
    await clock.move(timedelta(days=1).total_seconds())
    assert await ran(house) == [("2026-03-03T10:00", False, 0)]


async def test_one_that_cannot_be_reckoned_stops_no_other(house: House, clock: HandClock) -> None:
    """A time zone may leave the machine's list."""
    await made(house, "0 10 * * *")
    await made(house, "0 10 * * *")
    await house.database.write(
        lambda tables: tables.conn.execute("UPDATE schedules SET zone = 'Mars/Base' WHERE id = 1")
    )
    await clock.move(3600)
    assert await ran(house) == [("2026-03-02T10:00", False, 0)]


async def test_what_rests_is_not_made_up(house: House, clock: HandClock) -> None:
    one = await made(house, "0 10 * * *")
    await house.schedules.pause(adam(house), one.id, paused=True, telegram_id=ADMIN)
    await clock.move(timedelta(days=3).total_seconds())
    assert await ran(house) == []
    await house.schedules.pause(adam(house), one.id, paused=False, telegram_id=ADMIN)
    assert await ran(house) == []
    await clock.move(3600)
    assert await ran(house) == [("2026-03-05T10:00", False, 0)]
    await house.schedules.remove(adam(house), one.id, telegram_id=ADMIN)
    with pytest.raises(NotFoundError):
        await house.schedules.remove(adam(house), one.id, telegram_id=ADMIN)
    assert await ends(house) == []


ZONES = ("Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")


async def test_a_year_in_five_zones_with_restarts_runs_every_local_slot_exactly_once(tmp_path: Path) -> None:
    """At 02:30, which summer time leaves out or brings twice. A restart every five days, half of them amid a run."""
    clock = HandClock(datetime(2025, 12, 31, 12, 0, tzinfo=UTC))
    config = write_desk(tmp_path)
    told: Counter[tuple[str, date]] = Counter()
    async with opened(config, clock) as house:
        for zone in ZONES:
            await made(house, "30 2 * * *", zone)
        rooms = house.schedules
        end = datetime(2027, 1, 1, 12, 0, tzinfo=UTC)
        while clock.now() < end:
            clock.moment += timedelta(hours=3)
            for run in await rooms.due():
                _check(run, clock.now())
                if clock.now().day % 5 or clock.now().hour % 2:
                    await rooms.end(run, End.DONE)
                    told[run.schedule.zone, run.slot.date()] += 1
            if clock.now().day % 5 == 0:
                rooms = again(house, house.database, clock)
        for run in await again(house, house.database, clock).due():
            told[run.schedule.zone, run.slot.date()] += 1
        states = await house.database.read(
            lambda tables: tables.conn.execute("SELECT DISTINCT state FROM schedule_runs WHERE ended_at").fetchall()
        )
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    assert [key for key in ((zone, day) for zone in ZONES for day in days) if told[key] != 1] == []
    assert states == [("done",)]


def _check(run: Run, now: datetime) -> None:
    assert timedelta() <= now - run.due_at
    assert run.slot.strftime("%H:%M") == "02:30"

"""Work by the clock: done when it is due, put off when it cannot be, and never the end of anything."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.commands.run import once_there_are
from bot.jobs import scheduled
from bot.store import Tables
from bot.wiring import House
from tests.support.clock import HandClock
from tests.support.desk import opened, write_desk


async def _falls_due(scheduler: AsyncIOScheduler, job: str) -> None:
    """The hour of a job has come; it ran, and no exception came out of it."""
    ran: asyncio.Future[JobExecutionEvent] = asyncio.get_running_loop().create_future()

    def heard(event: JobExecutionEvent) -> None:
        if event.job_id == job and not ran.done():
            ran.set_result(event)

    scheduler.add_listener(heard, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
    scheduler.modify_job(job, next_run_time=datetime.now(UTC))
    event = await asyncio.wait_for(ran, 60)
    scheduler.remove_listener(heard)
    assert event.exception is None


def _told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(one.levelname, one.getMessage()) for one in caplog.records if one.name == "bot.jobs"]


async def _on_disk(rooms: House) -> Path:
    """All of it is in the one file, enough for many pages, and nothing of it in SQLite's memory."""

    def settle(tables: Tables) -> None:
        tables.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        tables.conn.execute("PRAGMA shrink_memory").fetchall()

    rows = [{"key": f"k{number}", "value": "v" * 500} for number in range(200)]
    await rooms.database.write(lambda tables: tables.table("meta").insert_all(rows))
    await rooms.database.read(settle)
    return rooms.database.path


def _strike(path: Path, at: int, size: int) -> None:
    """A disk that went bad."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * size)


async def test_every_hour_the_whole_database_is_checked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(write_desk(tmp_path)) as rooms:
        with scheduled(rooms) as scheduler:
            job: Any = scheduler.get_job("check_database")
            assert job.trigger.interval == timedelta(hours=1)
            assert rooms.pulse.database_checked_at is None
            await _falls_due(scheduler, "check_database")
        assert rooms.pulse.database == "ok"
        assert rooms.pulse.started_at <= rooms.pulse.database_checked_at <= rooms.clock.now()
        assert _told(caplog) == []


@pytest.mark.parametrize(("at", "size"), [(8192, 4096), (0, 16)], ids=["a page", "the first bytes"])
async def test_a_database_that_was_damaged_meanwhile_is_said_aloud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, at: int, size: int
) -> None:
    async with opened(write_desk(tmp_path)) as rooms:
        with scheduled(rooms) as scheduler:
            await _falls_due(scheduler, "check_database")
            before = rooms.pulse.database_checked_at
            _strike(await _on_disk(rooms), at, size)
            await _falls_due(scheduler, "check_database")
        assert rooms.pulse.database != "ok"
        assert rooms.pulse.database_checked_at > before
        assert _told(caplog) == [("CRITICAL", "the database fails its check; restore a backup")]


async def test_a_check_that_the_database_refuses_is_put_off(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(write_desk(tmp_path)) as rooms:
        with scheduled(rooms) as scheduler:
            await rooms.database.close()
            await _falls_due(scheduler, "check_database")
            assert scheduler.get_job("check_database").next_run_time > datetime.now(UTC)
        assert (rooms.pulse.database, rooms.pulse.database_checked_at) == ("ok", None)
        assert _told(caplog) == [("WARNING", "job put off")]


@pytest.mark.parametrize("job", ["remind", "check_policy"])
async def test_each_minute_what_waits_and_the_policy_are_looked_at(tmp_path: Path, job: str) -> None:
    async with opened(write_desk(tmp_path)) as rooms:
        with scheduled(rooms) as scheduler:
            found: Any = scheduler.get_job(job)
            assert found.trigger.interval == timedelta(minutes=1)
            await _falls_due(scheduler, job)


async def test_no_job_opens_a_room_that_nobody_has_used(tmp_path: Path) -> None:
    """What they look after is rows: while there are none, asking the table is enough."""
    async with opened(write_desk(tmp_path)) as rooms:
        with scheduled(rooms) as scheduler:
            for job in scheduler.get_jobs():
                if job.id not in ("check_database", "tell_of_keys", "watch_policy"):
                    await _falls_due(scheduler, job.id)
        assert set(vars(rooms)) & {"_deciding", "connections", "alerts", "linking", "entries", "paging"} == set()


async def test_that_there_is_no_policy_is_noted_once_so_that_the_first_one_is_told(tmp_path: Path) -> None:
    path = write_desk(tmp_path)
    for is_opened in (True, False):
        async with opened(path) as rooms:
            with scheduled(rooms) as scheduler:
                await _falls_due(scheduler, "watch_policy")
            assert ("policy" in vars(rooms)) is is_opened
            told = await rooms.database.read(
                lambda tables: tables.conn.execute("SELECT value FROM meta WHERE key = 'policy_told'").fetchall()
            )
            assert told == [("0",)]


async def test_a_room_that_looks_after_rows_is_opened_with_the_first_of_them(tmp_path: Path) -> None:
    clock = HandClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
    async with opened(write_desk(tmp_path), clock) as rooms:
        opening = asyncio.create_task(once_there_are(rooms, ("connections", "alert_rules"), "bot.alerts.service"))
        for _ in range(3):
            await clock.move(1.0)
            await rooms.database.read(lambda tables: None)
        assert not opening.done()
        await _links_a_doubtful_key(rooms)
        while not opening.done():
            await clock.move(1.0)
            await asyncio.sleep(0)
        await opening


async def test_so_is_tidying(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with opened(write_desk(tmp_path)) as rooms:
        with scheduled(rooms) as scheduler:
            await _falls_due(scheduler, "tidy")
            await rooms.database.close()
            await _falls_due(scheduler, "tidy")
            assert scheduler.get_job("tidy").next_run_time > datetime.now(UTC)
        assert _told(caplog) == [("INFO", "tidied"), ("WARNING", "job put off")]


async def _weeks_told(rooms: House) -> list[str]:
    rows = await rooms.database.read(
        lambda tables: tables.conn.execute("SELECT body FROM outbox WHERE dedupe LIKE '%/all/%' ORDER BY id").fetchall()
    )
    return [json.loads(body)["title"] for (body,) in rows]


async def _links_a_doubtful_key(rooms: House) -> None:
    row = "INSERT INTO connections (owner, provider, label, environment, created_at, tested_at, leaked_at)"
    await rooms.database.write(lambda tables: tables.conn.execute(f"{row} VALUES (1, 'crm', 'main', 'live', 1, 1, 1)"))


async def test_the_word_about_keys_is_said_once_a_week_whatever_stops_in_between(tmp_path: Path) -> None:
    clock = HandClock(datetime(2054, 3, 1, 12, 0, tzinfo=UTC))  # a Sunday that no slot of the scheduler lies before
    path, hour, week = write_desk(tmp_path), 3600, 7 * 86400
    said = ["Key hygiene of week 2054-W09"]

    async def an_hour_falls_due() -> list[str]:
        async with opened(path, clock) as rooms:
            with scheduled(rooms) as scheduler:
                await _falls_due(scheduler, "tell_of_keys")
                await _falls_due(scheduler, "tell_of_keys")
            return await _weeks_told(rooms)

    async with opened(path, clock) as rooms:
        await _links_a_doubtful_key(rooms)
    assert await an_hour_falls_due() == said
    await clock.move(18 * hour)  # Monday, 06:00
    assert await an_hour_falls_due() == said
    await clock.move(hour)
    assert await an_hour_falls_due() == [*said, "Key hygiene of week 2054-W10"]
    await clock.move(3 * week - hour)  # two were missed
    assert await an_hour_falls_due() == [*said, "Key hygiene of week 2054-W10", "Key hygiene of week 2054-W12"]
    await clock.move(hour)
    assert (await an_hour_falls_due())[3:] == ["Key hygiene of week 2054-W13"]


async def test_a_week_without_complaints_is_done_with_too(tmp_path: Path) -> None:
    clock = HandClock(datetime(2054, 3, 2, 9, 0, tzinfo=UTC))
    async with opened(write_desk(tmp_path), clock) as rooms:
        with scheduled(rooms) as scheduler:
            await _falls_due(scheduler, "tell_of_keys")
            await _links_a_doubtful_key(rooms)
            await _falls_due(scheduler, "tell_of_keys")
        assert await _weeks_told(rooms) == []

"""A clock that somebody set is doubted until an admin has said that it is right."""

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from bot.access.model import Person
from bot.errors import ClockDoubtedError, ConflictError
from bot.messages.notice import Lane
from bot.operations.timekeeping import Doubt
from bot.wiring import House
from tests.support.desk import opened, write_desk
from tests.support.jumping import JumpingClock

ADAM, BEA = 1001, 1002
Open = Callable[[], AbstractAsyncContextManager[House]]


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
def reopened(tmp_path: Path, clock: JumpingClock) -> Open:
    config = write_desk(tmp_path, admins=[ADAM, BEA], members=[(2001, "Olga", ["operator"])])
    return lambda: opened(config, clock)


@pytest.fixture
async def rooms(reopened: Open) -> AsyncIterator[House]:
    async with reopened() as found:
        yield found


def admin(rooms: House, telegram_id: int = ADAM) -> Person:
    found = rooms.access.roster.person(telegram_id)
    assert found is not None
    return found


async def believed(rooms: House) -> bool:
    error = await rooms.database.write(rooms.timekeeping.looking())
    assert error is None or isinstance(error, ClockDoubtedError)
    return error is None


async def doubted(rooms: House) -> Doubt:
    found = await rooms.timekeeping.doubt()
    assert found is not None
    return found


async def told(rooms: House, chat: int) -> list[str]:
    """The first line of each notice."""
    rows = await rooms.database.read(
        lambda tables: tables.conn.execute(
            "SELECT body, lane FROM outbox WHERE chat_id = ? ORDER BY id", (chat,)
        ).fetchall()
    )
    assert {lane for _, lane in rows} <= {int(Lane.SECURITY)}
    return [json.loads(body)["lines"][0] for body, _ in rows]


@pytest.mark.parametrize(("seconds", "good"), [(60, True), (-60, True), (61, False), (-61, False), (86400, False)])
async def test_more_than_a_minute_is_doubted(rooms: House, clock: JumpingClock, seconds: int, good: bool) -> None:
    await clock.move(10_000)  # time that passes is no jump
    assert await believed(rooms)
    clock.put(seconds)
    assert await believed(rooms) is good


async def test_small_jumps_add_up(rooms: House, clock: JumpingClock) -> None:
    for _ in range(6):
        clock.put(10)
        assert await believed(rooms)
    clock.put(10)
    assert not await believed(rooms)


async def test_more_than_five_seconds_are_logged_once(
    rooms: House, clock: JumpingClock, caplog: pytest.LogCaptureFixture
) -> None:
    for seconds in (5, 1, 0, 0):
        clock.put(seconds)
        await rooms.timekeeping.watch()
    told = [one for one in caplog.records if one.levelno == logging.WARNING and "clock" in one.getMessage()]
    assert [one.__dict__["seconds"] for one in told] == [6.0]


async def test_every_admin_is_told_once_a_day(rooms: House, clock: JumpingClock) -> None:
    clock.put(3600)
    for _ in range(3):
        await rooms.timekeeping.watch()
    line = "It was put forward by about 3600 seconds, and said 2026-03-02 10:00:00 UTC then."
    assert await told(rooms, ADAM) == [line]
    assert await told(rooms, BEA) == [line]
    assert await told(rooms, 2001) == []
    await clock.move(86400)
    await rooms.timekeeping.watch()
    assert await told(rooms, ADAM) == [line, line]


async def test_an_admin_settles_it(rooms: House, clock: JumpingClock) -> None:
    clock.put(3600)
    assert not await believed(rooms)
    doubt = await doubted(rooms)
    at = await rooms.timekeeping.acknowledge(admin(rooms), doubt.id, telegram_id=ADAM)
    assert at == clock.now()
    assert await believed(rooms)
    assert await rooms.timekeeping.doubt() is None
    with pytest.raises(ConflictError, match="settled already"):
        await rooms.timekeeping.acknowledge(admin(rooms, BEA), doubt.id, telegram_id=BEA)
    clock.put(61)  # from there on it counts anew
    assert not await believed(rooms)


async def test_it_is_doubted_although_it_went_back_by_itself(rooms: House, clock: JumpingClock) -> None:
    clock.put(3600)
    assert not await believed(rooms)
    clock.put(-3600)
    assert not await believed(rooms)
    doubt = await doubted(rooms)
    await rooms.timekeeping.acknowledge(admin(rooms), doubt.id, telegram_id=ADAM)
    assert await believed(rooms)


async def test_a_word_about_one_jump_is_none_about_the_next(rooms: House, clock: JumpingClock) -> None:
    clock.put(120)
    assert not await believed(rooms)
    first = await doubted(rooms)
    clock.put(86_400)
    with pytest.raises(ConflictError, match="set again since"):
        await rooms.timekeeping.acknowledge(admin(rooms), first.id, telegram_id=ADAM)
    second = await doubted(rooms)
    assert second.id != first.id
    assert second.seconds == 86_520
    await rooms.timekeeping.acknowledge(admin(rooms), second.id, telegram_id=ADAM)
    assert await believed(rooms)


async def test_a_restart_does_not_end_a_doubt(reopened: Open, clock: JumpingClock) -> None:
    async with reopened() as rooms:
        clock.put(3600)
        assert not await believed(rooms)
    async with reopened() as rooms:
        assert not await believed(rooms)
        doubt = await doubted(rooms)
        await rooms.timekeeping.acknowledge(admin(rooms), doubt.id, telegram_id=ADAM)
        assert await believed(rooms)


async def test_a_clock_that_went_back_between_two_runs_is_doubted(reopened: Open, clock: JumpingClock) -> None:
    async with reopened():
        pass
    clock.put(-60)
    async with reopened() as rooms:
        assert await believed(rooms)
    clock.put(-3600)
    async with reopened() as rooms:
        doubt = await doubted(rooms)
        assert doubt.seconds == -3660
        await rooms.timekeeping.acknowledge(admin(rooms), doubt.id, telegram_id=ADAM)
    async with reopened() as rooms:  # that word was written down with the time that counts now
        assert await believed(rooms)

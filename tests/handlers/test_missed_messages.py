"""More messages at once than a chat may have waiting: the rest is not read, and the person is told so once."""

import asyncio
from typing import Any

import pytest

from bot.messages.inbox import Incoming
from handlers.queues import ChatQueues
from tests.support.chatting import (
    OLGA,
    OLGA_IS,
    OTHER_GROUP,
    VERA,
    Desk,
    texts,
    until,
)
from tests.support.desk import GROUP

MISSED = (
    "Too many messages at once\nThe last {} were not read. Wait for the answers, then send again what still matters."
)


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.queues.CHAT_BACKLOG", 3)
    monkeypatch.setattr("handlers.notifier._LOOK_SECONDS", 0.03)


async def _at_once(desk: Desk, count: int, chat: int = OLGA, first: int = 1) -> None:
    """So many commands of one person in one batch."""
    updates: list[dict[str, Any]] = [
        {"message": desk.chat.message_from(OLGA, f"/no{number}x", chat)} for number in range(first, first + count)
    ]
    await desk.happens(*updates)


def _missed(desk: Desk, chat: int = OLGA) -> list[str]:
    return [text for text in texts(desk.chat.from_bot(chat)) if text.startswith("Too many")]


async def test_it_is_said_once_with_how_many_after_the_answers(desk: Desk) -> None:
    await _at_once(desk, 10)
    await until(lambda: _missed(desk))
    said = texts(desk.chat.from_bot(OLGA))
    assert said.pop() == MISSED.format(7)
    assert [text.split(".")[0] for text in said] == [f"I do not know /no{number}x" for number in (1, 2, 3)]
    assert desk.refused("too many at once") == 7


async def test_what_is_dropped_later_is_said_anew(desk: Desk) -> None:
    await _at_once(desk, 8)
    await until(lambda: _missed(desk))
    await _at_once(desk, 4, first=20)
    await until(lambda: len(_missed(desk)) == 2)
    one = MISSED.replace("{} were", "one was")
    assert _missed(desk) == [MISSED.format(5), one]


async def test_whoever_keeps_to_the_measure_hears_nothing(desk: Desk) -> None:
    await _at_once(desk, 3)
    assert await desk.said(OLGA, "/whoami") == OLGA_IS
    assert await desk.said(VERA, "/help") != ""
    assert await _rows(desk) == 0


async def _rows(desk: Desk) -> int:
    return await desk.rooms.database.read(lambda tables: tables["outbox"].count)


@pytest.mark.parametrize(("seconds", "told_meanwhile"), [(0.0, [(7, 2)]), (60.0, [])])
async def test_a_chat_that_is_busy_for_long_is_told_in_between(
    monkeypatch: pytest.MonkeyPatch, seconds: float, told_meanwhile: list[tuple[int, int]]
) -> None:
    monkeypatch.setattr("handlers.queues.MISSED_SECONDS", seconds)
    handled: list[int] = []
    told: list[tuple[int, int]] = []
    second_begun, go_on = asyncio.Event(), asyncio.Event()

    async def handle(item: Incoming) -> None:
        if item.update_id == 2:
            second_begun.set()
            await go_on.wait()
        handled.append(item.update_id)

    async def missed(chat_id: int, count: int) -> None:
        told.append((chat_id, count))

    queues = ChatQueues(handle, missed, 1)
    assert [queues.offer(Incoming(number, 7, b"")) for number in range(1, 6)] == [True, True, True, False, False]
    await second_begun.wait()
    assert (handled, told) == ([1], told_meanwhile)
    go_on.set()
    await until(lambda: not queues.waiting)
    assert (handled, told) == ([1, 2, 3], [(7, 2)])


async def test_a_group_of_the_desk_is_told_and_another_place_is_not(desk: Desk) -> None:
    for chat in (OTHER_GROUP, GROUP):
        await _at_once(desk, 6, chat)
    await until(lambda: _missed(desk, GROUP))
    assert _missed(desk, GROUP) == [MISSED.format(3)]
    assert desk.chat.from_bot(OTHER_GROUP) == []
    assert await _rows(desk) == 1


async def test_a_database_that_refuses_the_notice_does_not_stop_the_chat(desk: Desk) -> None:
    await desk.rooms.database.write(
        lambda tables: tables.conn.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    )
    await _at_once(desk, 6)
    assert await desk.said(OLGA, "/whoami") == OLGA_IS
    assert desk.rooms.pulse.incidents == 0

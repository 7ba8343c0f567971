"""Whose turn it is when Telegram's budgets are tight."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError, TimedOut

from bot.config import Pacing
from bot.messages.notice import Lane
from handlers import pacing
from handlers.pacing import Pacer
from tests.support.chatting import OLGA, VERA, Chat, at_work, configured, texts, until
from tests.support.clock import HandClock
from tests.support.desk import GROUP

GENEROUS = Pacing(per_chat_per_second=0, overall_per_second=0, group_per_minute=0)


class Calls:
    """What left, in order; the first ones meet these failures."""

    def __init__(self, *failures: TelegramError) -> None:
        self.left: list[Any] = []
        self.failures = list(failures)

    async def send(self, name: Any) -> Any:
        if self.failures:
            raise self.failures.pop(0)
        self.left.append(name)
        return name

    def through(
        self, pacer: Pacer, name: Any, chat: int, lane: Lane | None = None, endpoint: str = "sendMessage"
    ) -> "asyncio.Task[Any]":
        return asyncio.create_task(pacer.process_request(self.send, (name,), {}, endpoint, {"chat_id": chat}, lane))


async def _some_left(calls: Calls, count: int) -> None:
    await until(lambda: len(calls.left) >= count, 10)


@pytest.fixture
async def time_stands_still(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no time but the clock's: budgets fill and sleepers wake when the test moves it."""
    monkeypatch.setattr(asyncio.get_running_loop(), "time", clock.monotonic)
    monkeypatch.setattr(pacing, "time", clock)


async def _whoever_can_goes() -> None:
    """Several rounds of the loop, without any time passing."""
    for _ in range(20):
        await asyncio.sleep(0)


async def _passes(clock: HandClock, seconds: float) -> None:
    """Time passes, and whoever has a turn by then goes."""
    await _whoever_can_goes()
    await clock.move(seconds)
    await _whoever_can_goes()


async def _gone(tasks: Sequence["asyncio.Task[Any]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_chat_gets_a_short_burst_and_then_one_at_a_time_while_others_go_on(
    clock: HandClock, time_stands_still: None
) -> None:
    pacer, calls = Pacer(Pacing(per_chat_per_second=1, overall_per_second=30, group_per_minute=20)), Calls()
    tasks = [calls.through(pacer, f"a{number}", 1) for number in range(5)]
    await _passes(clock, 0.1)
    assert calls.left == ["a0", "a1", "a2"]
    tasks += [calls.through(pacer, f"b{number}", 2) for number in range(2)]
    await _passes(clock, 0.1)
    assert calls.left[3:] == ["b0", "b1"]
    await _passes(clock, 0.7)
    assert calls.left[5:] == []
    await _passes(clock, 0.2)
    assert calls.left[5:] == ["a3"]
    await _passes(clock, 1)
    assert calls.left[5:] == ["a3", "a4"]
    await _gone(tasks)
    await pacer.shutdown()


async def test_a_group_gets_its_share_a_minute(clock: HandClock, time_stands_still: None) -> None:
    pacer, calls = Pacer(Pacing(per_chat_per_second=100, overall_per_second=0, group_per_minute=4)), Calls()
    tasks = [calls.through(pacer, number, GROUP) for number in range(6)]
    tasks += [calls.through(pacer, f"private{number}", OLGA) for number in range(6)]
    await _passes(clock, 14)
    assert calls.left == [0, 1, 2, 3, *(f"private{number}" for number in range(6))]
    await _passes(clock, 1.1)
    assert calls.left[10:] == [4]
    await _passes(clock, 15)
    assert calls.left[10:] == [4, 5]
    await _gone(tasks)
    await pacer.shutdown()


async def test_an_edit_counts_like_a_message_and_typing_does_not(clock: HandClock, time_stands_still: None) -> None:
    pacer, calls = Pacer(Pacing(per_chat_per_second=1, overall_per_second=0, group_per_minute=0)), Calls()
    tasks = [calls.through(pacer, number, 1, endpoint="editMessageText") for number in range(4)]
    await _passes(clock, 0.9)
    assert calls.left == [0, 1, 2]
    free = ["sendChatAction", "answerCallbackQuery", "deleteMessage", "getChat"]
    tasks += [calls.through(pacer, name, 1, endpoint=name) for name in free]
    await _whoever_can_goes()
    assert calls.left[3:] == free
    await _gone(tasks)
    await pacer.shutdown()


async def test_a_decision_goes_before_two_hundred_prices_that_wait(clock: HandClock, time_stands_still: None) -> None:
    pacer, calls = Pacer(Pacing(per_chat_per_second=0, overall_per_second=50, group_per_minute=0)), Calls()
    tasks = [calls.through(pacer, f"price{number}", 100 + number, Lane.PRICES) for number in range(200)]
    await _whoever_can_goes()
    assert calls.left == [f"price{number}" for number in range(50)]
    tasks += [
        calls.through(pacer, "security", 8, Lane.SECURITY),
        calls.through(pacer, "decision", 7, Lane.DECISIONS),
        calls.through(pacer, "reply", 9),
    ]
    await _passes(clock, 0.09)
    assert calls.left[50:] == ["decision", "reply", "security", "price50"]
    await _gone(tasks)
    await pacer.shutdown()


async def test_the_lowest_lane_gets_every_tenth_turn(clock: HandClock, time_stands_still: None) -> None:
    pacer, calls = Pacer(Pacing(per_chat_per_second=0, overall_per_second=40, group_per_minute=0)), Calls()
    tasks = [calls.through(pacer, "at once", number) for number in range(40)]
    tasks += [calls.through(pacer, "price", 900 + number, Lane.PRICES) for number in range(5)]
    tasks += [calls.through(pacer, f"decision{number}", 1000 + number, Lane.DECISIONS) for number in range(60)]
    await _whoever_can_goes()
    assert calls.left == ["at once"] * 40
    for waited in (20, 40, 60, 65):
        await _passes(clock, 0.5)
        assert len(calls.left) == 40 + waited
    turns = calls.left[40:]
    assert [turn for turn, name in enumerate(turns, 1) if name == "price"] == [10, 20, 30, 40, 50]
    assert [name for name in turns if name != "price"] == [f"decision{number}" for number in range(60)]
    await _gone(tasks)
    await pacer.shutdown()


async def test_within_a_lane_the_older_goes_first() -> None:
    pacer, calls = Pacer(Pacing(per_chat_per_second=10, overall_per_second=0, group_per_minute=0)), Calls()
    tasks = [calls.through(pacer, number, 1, Lane.EVENTS) for number in range(40)]
    await _some_left(calls, 34)
    assert calls.left[:34] == list(range(34))
    await _gone(tasks)
    await pacer.shutdown()


async def test_a_chat_that_is_told_to_wait_waits_alone(clock: HandClock, time_stands_still: None) -> None:
    pacer, calls = Pacer(GENEROUS), Calls(RetryAfter(1))
    tasks = [calls.through(pacer, "a", 1)]
    await _whoever_can_goes()
    tasks.append(calls.through(pacer, "b", 2))
    await _passes(clock, 0.9)
    assert calls.left == ["b"]
    await _passes(clock, 0.2)
    assert calls.left == ["b", "a"]
    await _gone(tasks)
    await pacer.shutdown()


async def test_a_chat_that_is_told_to_wait_for_long_is_left_alone_for_so_long(
    clock: HandClock, time_stands_still: None
) -> None:
    pacer, calls = Pacer(GENEROUS), Calls(RetryAfter(300))
    for reply in ("asked", "asked again"):  # the second one is not even tried
        with pytest.raises(RetryAfter):
            await calls.through(pacer, reply, 1)
    assert calls.failures == calls.left == []
    waiting = calls.through(pacer, "notice", 1, Lane.EVENTS)
    await _passes(clock, 61)
    await _passes(clock, 238)
    assert calls.left == []
    await _passes(clock, 2)
    assert calls.left == ["notice"]
    await _gone([waiting])
    await pacer.shutdown()


async def test_whoever_waited_when_a_chat_was_told_to_wait_for_long_waits_no_longer(
    clock: HandClock, time_stands_still: None
) -> None:
    pacer, calls = Pacer(Pacing(per_chat_per_second=1, overall_per_second=0, group_per_minute=0)), Calls()
    early = [calls.through(pacer, number, 1) for number in range(3)]
    await _whoever_can_goes()
    calls.failures.append(RetryAfter(3600))
    later = [
        calls.through(pacer, "reply", 1),
        calls.through(pacer, "next", 1),
        calls.through(pacer, "n", 1, Lane.EVENTS),
    ]
    await _passes(clock, 1.2)
    assert [one.done() for one in later] == [True] * 3
    assert [type(one.exception()) for one in later] == [RetryAfter] * 3
    assert calls.left == [0, 1, 2]
    await _passes(clock, 3600)
    assert await calls.through(pacer, "after that", 1) == "after that"
    await _gone(early)
    await pacer.shutdown()


async def test_when_three_chats_are_told_to_wait_everybody_does(clock: HandClock, time_stands_still: None) -> None:
    pacer, calls = Pacer(GENEROUS), Calls(RetryAfter(30), RetryAfter(30), RetryAfter(30))
    tasks = [calls.through(pacer, f"x{number}", number) for number in range(3)]
    await _whoever_can_goes()
    tasks.append(calls.through(pacer, "y", 9))
    await _passes(clock, 4.9)
    assert calls.left == []
    await _passes(clock, 0.2)
    assert calls.left == ["y"]
    await _passes(clock, 25)
    assert calls.left == ["y", "x0", "x1", "x2"]
    await _gone(tasks)
    await pacer.shutdown()


@pytest.mark.parametrize("lane", [Lane.SECURITY, Lane.EVENTS, Lane.PRICES])
async def test_what_has_a_lane_is_given_back_to_the_outbox(lane: Lane) -> None:
    for failure in (RetryAfter(7), NetworkError("x"), TimedOut(), BadRequest("x")):
        pacer, calls = Pacer(GENEROUS), Calls(failure)
        with pytest.raises(type(failure)):
            await calls.through(pacer, "n", 1, lane)
        await pacer.shutdown()


async def test_a_reply_is_tried_again_but_not_for_ever_and_not_when_telegram_says_no() -> None:
    pacer, calls = Pacer(GENEROUS), Calls(NetworkError("502"))
    assert await calls.through(pacer, "reply", 1) == "reply"
    for failures in ([BadRequest("x")], [RetryAfter(0)] * 4):
        calls = Calls(*failures)
        with pytest.raises(type(failures[0])):
            await calls.through(pacer, "reply", 2)
        assert calls.failures == []
        assert calls.left == []
    await pacer.shutdown()


async def test_whoever_waits_when_the_program_ends_is_let_go() -> None:
    pacer, calls = Pacer(Pacing(per_chat_per_second=1, overall_per_second=0, group_per_minute=0)), Calls()
    tasks = [calls.through(pacer, number, 1) for number in range(5)]
    await _some_left(calls, 3)
    await pacer.shutdown()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in results[3:]] == [asyncio.CancelledError] * 2


async def test_under_telegram_s_own_limits_every_answer_arrives_in_order(tmp_path: Path, chat: Chat) -> None:
    await chat.play("flood", enabled=True)
    async with at_work(configured(tmp_path, chat, more=""), chat) as desk:
        for number in range(3):
            await chat.play("send", **{"from": OLGA, "chat": OLGA, "text": f"/no{number}x"})
        await chat.play("send", **{"from": VERA, "chat": VERA, "text": "/no9x"})
        await until(lambda: chat.from_bot(VERA))
        assert len(chat.from_bot(OLGA)) < 3
        await desk.settled()
        assert [text.split(".")[0] for text in texts(chat.from_bot(OLGA))] == [
            f"I do not know /no{number}x" for number in range(3)
        ]
        assert desk.rooms.pulse.incidents == 0


async def test_ten_thousand_who_wait_elsewhere_are_not_gone_through_for_each_turn(
    clock: HandClock, time_stands_still: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pacer, calls = Pacer(Pacing(per_chat_per_second=1, overall_per_second=0, group_per_minute=0)), Calls()
    tasks = [calls.through(pacer, "price", 1 + number % 10, Lane.PRICES) for number in range(10_000)]
    await _whoever_can_goes()
    assert len(calls.left) == 30
    looked: list[Any] = []
    look = pacer._may
    monkeypatch.setattr(pacer, "_may", lambda chat_id: looked.append(chat_id) or look(chat_id))
    tasks.append(calls.through(pacer, "decision", 99, Lane.DECISIONS))
    await _passes(clock, 0.05)
    assert calls.left[30:] == ["decision"]
    assert len(looked) < 50
    await _gone(tasks)
    await pacer.shutdown()

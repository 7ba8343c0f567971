"""F16 through the whole money room: an order at Capital.com whose confirmation is late, or whose answer is lost.

The broker's ledger is the oracle: one position, or none, and never two.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.approvals.model import Request, State
from bot.approvals.prompting import ended_as
from tests.support.chatting import OLGA, Chat
from tests.support.moving import DEAL, MoneyDesk, money_desk

TEN = 10


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[MoneyDesk]:
    async with money_desk(tmp_path, chat, DEAL) as opened:
        yield opened


async def what_came_of_it(desk: MoneyDesk) -> tuple[int, int, int]:
    """Positions at the broker, orders that arrived there, and what the limits count."""
    return await desk.paid(), await desk.money_calls(), int(await desk.reserved())


async def goes(desk: MoneyDesk) -> Request:
    """Approved, and under way: time is put forward only when the order has left."""
    request = await desk.gets()
    async with asyncio.timeout(20):
        while not await desk.money_calls():
            await asyncio.sleep(0.01)  # what is waited for happens at the broker
    return request


async def test_an_order_that_was_approved_is_done_once(desk: MoneyDesk) -> None:
    request = await desk.becomes(await desk.gets(), State.SUCCEEDED)
    assert request.outcome.startswith("done as ")
    assert ended_as(request) == request.outcome
    assert await what_came_of_it(desk) == (1, 1, TEN)


async def test_f16_a_confirmation_that_is_not_there_ten_times_and_then_accepts(desk: MoneyDesk) -> None:
    await desk.control("options", confirm_misses=10)
    request = await goes(desk)
    await desk.in_time_becomes(request, State.SUCCEEDED)
    assert await what_came_of_it(desk) == (1, 1, TEN)


async def test_f16_a_confirmation_that_is_not_there_ten_times_and_then_rejects(desk: MoneyDesk) -> None:
    await desk.control("options", confirm_misses=10)
    await desk.control("reject", reason="RISK_CHECK")
    request = await goes(desk)
    failed = await desk.in_time_becomes(request, State.FAILED)
    why = "it did not pass the broker's check of risk; mostly the free margin is too small: ask for less"
    assert failed.outcome == f"the provider refused it: {why}"
    assert await what_came_of_it(desk) == (0, 1, 0)


async def test_f16_the_reply_is_lost_and_the_position_is_adopted(desk: MoneyDesk) -> None:
    await desk.suffers("reset")
    request = await desk.becomes(await desk.gets(), State.SUCCEEDED)
    assert request.outcome.startswith("found as ")
    assert await what_came_of_it(desk) == (1, 1, TEN)
    assert await desk.outcomes() == ["unknown"]


async def test_f16_the_reply_is_lost_and_nothing_was_done(desk: MoneyDesk) -> None:
    await desk.suffers("refuse")
    request = await goes(desk)
    await desk.becomes(request, State.UNKNOWN)
    await desk.looked_for(request, 1)
    assert await desk.state(request) is State.UNKNOWN
    desk.later(120)
    failed = await desk.in_time_becomes(request, State.FAILED)
    assert failed.outcome.startswith("it had no effect (neither among positions nor in activity")
    assert await what_came_of_it(desk) == (0, 1, 0)


async def test_what_is_confirmed_after_the_sending_was_over_is_found_by_its_reference(desk: MoneyDesk) -> None:
    """The reference is written down with the attempt. What was taken is not called undone for not being seen yet."""
    await desk.control("options", confirm_delay_ms=600_000, listing_delay_ms=600_000, activity_delay_ms=600_000)
    request = await goes(desk)
    await desk.in_time_becomes(request, State.ACKED)
    ((reference,),) = await desk.rows("SELECT receipt FROM sendings")
    assert reference.startswith("o_")
    desk.later(120)
    await desk.looked_for(request, 2, pace=0.5)
    assert await desk.state(request) in (State.ACKED, State.UNKNOWN)
    await desk.control("clock", seconds=600)
    done = await desk.in_time_becomes(request, State.SUCCEEDED)
    assert done.outcome.startswith("done as ")
    assert await what_came_of_it(desk) == (1, 1, TEN)


async def test_a_deal_that_is_not_the_one_approved_freezes_its_provider(desk: MoneyDesk) -> None:
    told = {"dealStatus": "ACCEPTED", "status": "OPEN", "epic": "SILVER", "direction": "BUY", "size": 21}
    confirms = {"kind": "http", "method": "GET", "path": "/confirms/"}
    await desk.faults({"action": "replace", "body": told, "match": confirms, "times": 0})
    request = await goes(desk)
    await desk.becomes(request, State.UNKNOWN)
    await desk.looked_for(request, 1)
    assert await desk.state(request) is State.UNKNOWN
    assert [scope for (scope,) in await desk.rows("SELECT scope FROM freezes")] == ["capital"]
    assert await desk.told(OLGA, "frozen")

"""A client's withdrawal that we have approved is rejected by the CRM after that: told once, nothing changed (M08)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.approvals.model import Kind, Request, State
from bot.approvals.service import Wish
from bot.errors import FaultError
from bot.operations.moving.matters import common
from tests.support.chatting import (
    ADAM,
    OLGA,
    Chat,
    at_work_with,
    telegram,
    texts,
    until,
)
from tests.support.treasury import ONE_APPROVER, Treasury, money_at_work


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


@pytest.fixture
async def back_office(tmp_path: Path, chat: Chat) -> AsyncIterator[Treasury]:
    async with at_work_with(tmp_path, chat, "crm") as desk:
        opened = Treasury(desk, await desk.link("crm"))
        await opened.policy(ONE_APPROVER)
        async with money_at_work(desk):
            yield opened


async def decided(desk: Treasury, decision: str) -> Request:
    """A client's withdrawal, decided by us, at its first node."""
    asked = await desk.control("withdrawal", amount="10.00", currency="USD")
    parameters = {
        **common(desk.connection),
        "target": asked["id"],
        "client": asked["user"]["name"],
        "account": asked["user_id"],
        "amount": asked["trading_amount"],
        "currency": asked["trading_currency"],
        "method": asked["withdrawal_method"],
        "node": "1",
        "decision": decision,
        **({"comment": "not theirs"} if decision == "reject" else {}),
    }
    wish = Wish(Kind.WITHDRAWAL, parameters)
    request = await desk.rooms.approvals.ask(desk.person(OLGA), wish, telegram_id=OLGA)
    await desk.approves(request)
    return await desk.comes_to(request, State.SUCCEEDED)


async def reads(desk: Treasury, request: Request) -> None:
    """Somebody looks at it, so that it is read."""
    await desk.rooms.withdrawals.add(desk.person(OLGA), request.parameters["target"], telegram_id=OLGA)


async def incidents(desk: Treasury) -> list[tuple[str, str]]:
    return await desk.rows(
        "SELECT object, json_extract(details, '$.shown') FROM audit WHERE action = 'request.contradicted'"
    )


async def test_m08_what_was_approved_for_good_and_then_rejected_is_told_once(back_office: Treasury) -> None:
    request = await decided(back_office, "approve")
    target = request.parameters["target"]
    await reads(back_office, request)
    assert await incidents(back_office) == []

    await back_office.control("reject", id=target, even_approved=True)
    for _ in range(2):
        await reads(back_office, request)
    assert await incidents(back_office) == [(f"request/{request.id}", "the CRM says that it is rejected")]
    assert await back_office.state(request) is State.SUCCEEDED
    title = f"Request {request.id}: the provider says otherwise"
    chat = back_office.desk.chat
    await until(lambda: [text for text in texts(chat.from_bot(ADAM)) if text.startswith(title)])


async def test_m08_without_webhooks_it_is_noticed_within_an_hour_for_a_week(back_office: Treasury) -> None:
    rejected, later = [await decided(back_office, "approve") for _ in range(2)]
    for request in (rejected, later):
        await reads(back_office, request)
    clock, refresh = back_office.desk.clock, back_office.rooms.withdrawals.refresh
    await refresh()
    await back_office.control("reject", id=rejected.parameters["target"], even_approved=True)
    clock.ahead_by(50 * 60)
    await refresh()
    assert await incidents(back_office) == []
    clock.ahead_by(11 * 60)
    for _ in range(2):
        await refresh()
    assert await incidents(back_office) == [(f"request/{rejected.id}", "the CRM says that it is rejected")]
    assert await back_office.state(rejected) is State.SUCCEEDED

    clock.ahead_by(7 * 24 * 3600)
    await back_office.control("reject", id=later.parameters["target"], even_approved=True)
    await refresh()
    assert len(await incidents(back_office)) == 1


async def test_one_that_cannot_be_read_keeps_no_other_from_being_read_again(back_office: Treasury) -> None:
    silent, request = await decided(back_office, "approve"), await decided(back_office, "approve")
    for one in (silent, request):
        await reads(back_office, one)
    await back_office.rooms.withdrawals.refresh()
    target = request.parameters["target"]
    await back_office.control("reject", id=target, even_approved=True)
    match = {"path": silent.parameters["target"], "method": "GET"}
    await back_office.faults({"action": "status", "match": match, "status": 500, "times": 100})
    back_office.desk.clock.ahead_by(3601)
    with pytest.raises(FaultError):
        await back_office.rooms.withdrawals.refresh()
    assert await incidents(back_office) == [(f"request/{request.id}", "the CRM says that it is rejected")]
    troubled = await back_office.rows("SELECT request_id FROM crm_withdrawals WHERE trouble != ''")
    assert troubled == [(silent.parameters["target"],)]


async def test_a_later_node_that_rejects_what_we_approved_at_ours_contradicts_nothing(back_office: Treasury) -> None:
    await back_office.control("settings", levels=2)
    request = await decided(back_office, "approve")
    target = request.parameters["target"]
    assert (await back_office.control("requests", "GET"))["requests"][0]["status"] == "pending"
    await reads(back_office, request)
    await back_office.control("reject", id=target)
    await reads(back_office, request)
    assert await incidents(back_office) == []


async def test_a_rejection_of_ours_that_stands_contradicts_nothing(back_office: Treasury) -> None:
    request = await decided(back_office, "reject")
    await reads(back_office, request)
    assert await incidents(back_office) == []

"""Requests found in the report of transactions, on a tenant that sends no webhooks."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.errors import ProviderError
from bot.operations.withdrawals import Known, Source
from tests.support.chatting import OLGA
from tests.support.crm_hooks import Called, called, watched

ON = "requests_from_report = true"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Called]:
    async with called(tmp_path, settings=[ON]) as one:
        yield one


async def asked(desk: Called, amount: str = "40.25") -> str:
    return str((await desk.tell("/withdrawal", amount=amount, currency="USD"))["id"])


async def listed(desk: Called) -> list[Known]:
    olga = desk.rooms.access.roster.person(OLGA)
    assert olga is not None
    return await desk.rooms.withdrawals.everything(olga)


async def told(desk: Called) -> list[str]:
    rows = await desk.rows("SELECT DISTINCT json_extract(body, '$.title') FROM outbox WHERE dedupe LIKE 'crm/%'")
    return sorted(title for (title,) in rows)


@pytest.mark.parametrize("same", [False, True], ids=["the id in the comment", "the row's own id"])
async def test_a_pending_request_is_found_read_and_announced_once(desk: Called, same: bool) -> None:
    await desk.tell("/settings", report_id_is_request_id=same)
    request_id = await asked(desk)
    for _ in range(3):
        await desk.rooms.report_feed.look()
    (known,) = await listed(desk)
    assert (known.request_id, known.source, known.is_read, known.status) == (request_id, Source.REPORT, True, "pending")
    assert (str(known.amount), known.trouble) == ("40.25 USD", "")
    assert await told(desk) == [f"Withdrawal {request_id} waits at node 1"]


async def test_what_is_decided_already_is_not_listed(desk: Called) -> None:
    request_id = await asked(desk)
    await desk.tell("/reject", id=request_id, comment="no")
    await desk.rooms.report_feed.look()
    assert await listed(desk) == []


async def test_what_becomes_of_a_found_request_is_read_like_of_any_other(desk: Called) -> None:
    request_id = await asked(desk)
    await desk.rooms.report_feed.look()
    await desk.tell("/approve", id=request_id)
    await desk.rooms.withdrawals.refresh()
    assert [one.status for one in await listed(desk)] == ["approved"]


async def test_a_request_that_a_webhook_told_of_stays_the_webhooks(desk: Called) -> None:
    request_id = await asked(desk)
    body = f'{{"source":{{"event":"crm.webhooks.requests.withdrawal.approve.node.1"}},"data":{{"id":"{request_id}"}}}}'
    await desk.rooms.withdrawals.take(body.encode())
    await desk.rooms.report_feed.look()
    await desk.rooms.withdrawals.refresh()
    assert [(one.request_id, one.source) for one in await listed(desk)] == [(request_id, Source.WEBHOOK)]
    assert await told(desk) == [f"Withdrawal {request_id} waits at node 1"]


async def test_a_tenant_whose_report_hides_what_is_pending_adds_nothing(desk: Called) -> None:
    await desk.tell("/settings", report_shows_pending=False)
    await asked(desk)
    await desk.rooms.report_feed.look()
    assert await listed(desk) == []


async def test_where_requests_cannot_be_read_a_row_is_no_request(desk: Called) -> None:
    await desk.tell("/settings", generation="A")
    await asked(desk)
    await desk.rooms.report_feed.look()
    assert await listed(desk) == []


async def test_rows_that_lead_nowhere_are_asked_about_once(desk: Called) -> None:
    """The call is there, and denies the request of the row."""
    request_id = await asked(desk)
    denied = '{"error":true,"code":400,"type":"request_not_found"}'
    await desk.misfortune("status", f"/requests/withdrawal/{request_id}", status=400, body=denied)
    for _ in range(3):
        await desk.rooms.report_feed.look()
        assert await listed(desk) == []


async def test_what_is_on_the_list_already_is_not_asked_about_again(desk: Called) -> None:
    await asked(desk)
    await desk.rooms.report_feed.look()
    await desk.misfortune("status", "/requests/withdrawal/", status=500, body="")
    await desk.rooms.report_feed.look()
    assert [one["seen"] for one in (await desk.control.get("/faults")).json()["waiting"]] == [0]


async def test_an_outage_is_looked_at_again(desk: Called) -> None:
    request_id = await asked(desk)
    await desk.tell("/down", down=True)
    with pytest.raises(ProviderError):
        await desk.rooms.report_feed.look()
    assert await listed(desk) == []
    await desk.tell("/down", down=False)
    desk.clock.ahead_by(60)  # past the pause after failures
    await desk.rooms.report_feed.look()
    assert [one.request_id for one in await listed(desk)] == [request_id]


async def test_the_first_look_goes_back_further_than_one_report_may(desk: Called) -> None:
    request_id = await asked(desk)
    desk.clock.ahead_by(timedelta(days=120).total_seconds())
    await desk.rooms.report_feed.look()
    assert [one.request_id for one in await listed(desk)] == [request_id]


async def test_it_is_looked_into_now_and_then_where_that_is_switched_on(desk: Called) -> None:
    await asked(desk)
    async with watched(desk):
        async with asyncio.timeout(15):
            while not await listed(desk):
                await asyncio.sleep(0.01)  # what is waited for is a row


async def test_it_is_not_looked_into_unless_that_is_switched_on(tmp_path: Path) -> None:
    async with called(tmp_path) as desk:
        await asked(desk)
        await desk.rooms.report_feed.look()
        assert await listed(desk) == []

"""The CRM itself calls: its simulator signs, doubles, mixes up and spoils what it sends (SAFETY F41, F42)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.http import body as http_body
from bot.operations.withdrawals import Known, Source
from tests.support.chatting import OLGA
from tests.support.crm_hooks import HOOK, HOOK_SECRET, Called, called

REJECT = "crm.webhooks.requests.withdrawal.reject"
DAY = 86_400.0


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Called]:
    async with called(tmp_path, settings=[HOOK]) as one:
        await subscribe(one)
        yield one


async def subscribe(desk: Called, **more: Any) -> None:
    await desk.tell("/webhook", url=f"{desk.origin}/crm/webhook", secret=HOOK_SECRET, **more)


async def asked(desk: Called, amount: str = "40.25") -> str:
    return str((await desk.tell("/withdrawal", amount=amount, currency="USD"))["id"])


async def delivered(desk: Called) -> list[dict[str, Any]]:
    """Every delivery, once none is on its way."""
    async with asyncio.timeout(30):
        while True:
            answer = await desk.control.get("/deliveries")
            found: list[dict[str, Any]] = answer.json()["deliveries"]
            if found and all(one["state"] in ("delivered", "failed") for one in found):
                return found
            await asyncio.sleep(0.01)


async def read(desk: Called) -> None:
    """Until nothing that was heard of is unread."""
    async with asyncio.timeout(15):
        while await desk.rows("SELECT 1 FROM crm_withdrawals WHERE unread > 0"):
            await asyncio.sleep(0.01)


async def listed(desk: Called) -> list[Known]:
    olga = desk.rooms.access.roster.person(OLGA)
    assert olga is not None
    return await desk.rooms.withdrawals.everything(olga)


async def told(desk: Called) -> list[str]:
    rows = await desk.rows(
        "SELECT DISTINCT json_extract(body, '$.title') FROM outbox WHERE dedupe LIKE 'crm/%' ORDER BY id"
    )
    return [title for (title,) in rows]


@pytest.mark.parametrize("prefix", [False, True])
async def test_what_the_other_side_signs_in_either_form_is_taken(desk: Called, prefix: bool) -> None:
    await subscribe(desk, prefix=prefix)
    await desk.tell("/settings", levels=2)
    request_id = await asked(desk)
    await desk.tell("/approve", id=request_id)
    (delivery,) = await delivered(desk)
    assert (delivery["state"], delivery["status"]) == ("delivered", 200)
    await read(desk)
    (known,) = await listed(desk)
    assert (known.request_id, known.source, known.status, known.node) == (request_id, Source.WEBHOOK, "pending", 2)
    assert await told(desk) == [f"Withdrawal {request_id} waits at node 2"]


@pytest.mark.parametrize("flaw", ["missing", "wrong", "sha1", "upper", "reencoded", "twice", "published"])
async def test_what_it_spoils_about_the_signature_is_refused(desk: Called, flaw: str) -> None:
    request_id = await asked(desk)
    await desk.tell("/tell", id=request_id, flaw=flaw)
    assert [(one["state"], one["status"]) for one in await delivered(desk)] == [("failed", 401)]
    assert await desk.rows("SELECT 1 FROM crm_events") == []


@pytest.mark.parametrize("flaw", ["big", "endless", "slow"])
async def test_a_body_beyond_measure_is_never_taken(desk: Called, flaw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other side may find the line closed before it can hear 413."""
    monkeypatch.setattr(http_body, "BODY_SECONDS", 0.5)
    request_id = await asked(desk)
    await desk.tell("/tell", id=request_id, flaw=flaw)
    ((state, status),) = [(one["state"], one["status"]) for one in await delivered(desk)]
    assert state == "failed"
    assert status in (413, 401, None)
    assert await desk.rows("SELECT 1 FROM crm_events") == []


async def test_one_event_fifty_times_has_one_effect(desk: Called) -> None:
    await desk.tell("/settings", levels=2, webhook_copies=50)
    request_id = await asked(desk)
    await desk.tell("/approve", id=request_id)
    assert {one["state"] for one in await delivered(desk)} == {"delivered"}
    await read(desk)
    assert await desk.rows("SELECT request_id, times FROM crm_events") == [(request_id, 50)]
    assert len(await listed(desk)) == 1
    assert await told(desk) == [f"Withdrawal {request_id} waits at node 2"]


async def test_a_resend_on_the_next_day_tells_nobody_anything(desk: Called) -> None:
    request_id = await asked(desk)
    await desk.tell("/approve", id=request_id)
    (delivery,) = await delivered(desk)
    await read(desk)
    before = await told(desk)
    desk.clock.ahead_by(DAY)
    await desk.tell("/replay", delivery=delivery["id"])
    assert len(await delivered(desk)) == 2
    await read(desk)
    assert before == await told(desk) == [f"Withdrawal {request_id} approved"]
    assert [one.status for one in await listed(desk)] == ["approved"]


async def test_events_in_the_wrong_order_end_in_what_is_true(desk: Called) -> None:
    await desk.tell("/settings", levels=3, webhook_reorder=True)
    request_id = await asked(desk)
    for _ in range(2):
        await desk.tell("/approve", id=request_id)
    assert len(await delivered(desk)) == 2
    await read(desk)
    (known,) = await listed(desk)
    assert (known.status, known.node) == ("pending", 3)


async def test_an_event_about_nothing_and_one_that_lies_change_nothing(desk: Called) -> None:
    request_id = await asked(desk)
    for _ in range(2):
        await desk.tell("/tell", id=request_id, event=REJECT, data={"status": "rejected"})
        await desk.tell("/tell", event=REJECT, data={"id": "zzzzzzz9", "status": "rejected"})
        await delivered(desk)
        await read(desk)
    states = {one.request_id: (one.status, one.trouble) for one in await listed(desk)}
    assert states == {request_id: ("pending", ""), "zzzzzzz9": (None, "the CRM knows no such request")}
    assert await told(desk) == [f"Withdrawal {request_id} waits at node 1", f"Withdrawal {request_id}: contradiction"]

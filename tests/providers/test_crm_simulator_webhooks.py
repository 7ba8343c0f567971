"""The CRM's simulator calls back as the vendor's webhook pages say, and keeps its whole state across a restart."""

import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.loopback.ports import free_port
from bot.providers.crm.simulator import make, signature
from tests.support.crm_desk import (
    NODE,
    REJECT,
    Desk,
    HandClock,
    Receiver,
    ask,
    desk_at,
    receiving,
    refused,
    settled,
    until,
)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clock = HandClock()
    async with desk_at(make(clock=clock), clock) as found:
        yield found


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


async def test_node_events_stay_pending_until_the_last(desk: Desk, receiver: Receiver) -> None:
    await desk.control("settings", {"levels": 3})
    await desk.control("webhook", {"url": receiver.url, "secret": "demo-whsec-1", "name": "出金通知"})
    user, request_id = await ask(desk)
    for _ in range(3):
        await desk.post("/requests/withdrawal/approve", {"id": request_id})
    await settled(desk, 3)
    assert receiver.events() == [(NODE + "1", "pending"), (NODE + "2", "pending"), (NODE + "3", "approved")]
    body = json.loads(receiver.came[0][1])
    assert (body["target"], body["version"]) == ({"name": "出金通知"}, "1.0.0")
    assert body["source"]["service"] == "requests"
    assert body["source"]["group"] == "crm.webhooks.groups.requests.withdrawal"
    data = body["data"]
    assert (data["id"], data["user_id"], data["trading_id"]) == (request_id, user, "WALLET")
    assert (data["trading_amount"], data["converted_amount"]) == ("400.25", 400.25)
    assert data["request_time"] == "2025-11-20 08:15:02"
    assert data["withdrawal_flow"] == {"total_steps": 3, "current_steps": 1}
    assert "陈志明".encode() in receiver.came[0][1], "bodies travel as raw UTF-8"


async def test_a_tenant_without_levels_says_node_1_and_a_login_is_a_number(desk: Desk, receiver: Receiver) -> None:
    await desk.control("webhook", {"url": receiver.url})
    connection = await desk.connection("mt5")
    asked = await desk.control("withdrawal", {"connection_id": connection, "trading_id": "500123", "amount": 1})
    await desk.control("approve", {"id": asked["id"]})
    await settled(desk, 1)
    assert receiver.events() == [(NODE + "1", "approved")]
    assert json.loads(receiver.came[0][1])["data"]["trading_id"] == 500123
    assert "x-crm-signature" not in receiver.came[0][0], "no secret, no signature"


@pytest.mark.parametrize(
    ("tenant", "prefix", "start"),
    [(False, None, ""), (True, None, "sha256="), (True, False, ""), (False, True, "sha256=")],
)
async def test_both_forms_of_the_signature(
    desk: Desk, receiver: Receiver, tenant: bool, prefix: bool | None, start: str
) -> None:
    await desk.control("settings", {"webhook_prefix": tenant})
    hook: dict[str, object] = {"url": receiver.url, "secret": "demo-whsec-1"}
    await desk.control("webhook", hook if prefix is None else hook | {"prefix": prefix})
    _, request_id = await ask(desk)
    await desk.post("/requests/withdrawal/reject", {"id": request_id, "comment": "no"})
    await settled(desk, 1)
    headers, body = receiver.came[0]
    expected = hmac.new(b"demo-whsec-1", body, hashlib.sha256).hexdigest()
    assert headers["x-crm-signature"] == start + expected
    assert receiver.events() == [(REJECT, "rejected")]


def test_the_published_webhook_signatures() -> None:
    assert signature.sign("It's a Secret to Everybody", b"Hello, World!") == (
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )
    body = '{"version":"1.0.0","data":{"id":"b7c8d9e0","withdrawal_method":"银行转账"}}'.encode()
    assert signature.sign("demo-whsec-1", body) == "ecddcfbe88eb574c74b95b50be26a5b9e300d768a115b081d1eb453bb8461599"


async def test_only_wanted_events_are_sent(desk: Desk, receiver: Receiver) -> None:
    await desk.control("settings", {"levels": 2})
    await desk.control("webhook", {"url": receiver.url, "events": [NODE + "2", REJECT]})
    _, request_id = await ask(desk)
    for act in ("approve", "approve", "reject"):
        await desk.control(act, {"id": request_id})
    await settled(desk, 2)
    assert receiver.events() == [(NODE + "2", "approved"), (REJECT, "rejected")]


async def test_a_failed_delivery_is_not_repeated_but_can_be_replayed(desk: Desk, receiver: Receiver) -> None:
    receiver.status = 500
    await desk.control("webhook", {"url": receiver.url, "secret": "demo-whsec-1"})
    _, request_id = await ask(desk)
    await desk.control("approve", {"id": request_id})
    first = (await settled(desk, 1))[0]
    assert (first["state"], first["attempts"], first["status"]) == ("failed", 1, 500)
    receiver.status = 204
    await desk.control("replay", {"delivery": first["id"]})
    again = (await settled(desk, 2))[1]
    assert (again["state"], again["replay_of"]) == ("delivered", first["id"])
    (headers, body), (headers_again, body_again) = receiver.came
    assert (body, headers["x-crm-signature"]) == (body_again, headers_again["x-crm-signature"])
    assert refused(await desk.http.post("/_sim/replay", json={"delivery": "D9"}), 400, "delivery_not_found")


async def test_retries_duplicates_and_a_receiver_that_is_away(desk: Desk, receiver: Receiver) -> None:
    receiver.status = 503
    await desk.control("settings", {"webhook_retries": 2, "webhook_copies": 2, "webhook_timeout_s": 5})
    await desk.control("webhook", {"url": receiver.url})
    _, request_id = await ask(desk)
    await desk.control("approve", {"id": request_id})
    deliveries = await settled(desk, 2)
    assert [item["attempts"] for item in deliveries] == [3, 3]
    assert len(receiver.came) == 6
    nowhere = f"http://127.0.0.1:{free_port()}/"
    await desk.control("settings", {"webhooks": [{"url": nowhere}], "webhook_copies": 1})
    _, other = await ask(desk)
    await desk.control("approve", {"id": other})
    last = (await settled(desk, 3))[2]
    assert (last["state"], last["status"]) == ("failed", None)


async def test_a_silent_receiver_times_out(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        await desk.control("settings", {"webhook_timeout_s": 0.05})
        await desk.control("webhook", {"url": f"http://127.0.0.1:{silent.getsockname()[1]}/"})
        _, request_id = await ask(desk)
        await desk.control("approve", {"id": request_id})
        assert (await settled(desk, 1))[0]["state"] == "failed"


async def test_events_may_arrive_in_the_wrong_order(desk: Desk, receiver: Receiver) -> None:
    await desk.control("settings", {"levels": 3, "webhook_reorder": True})
    await desk.control("webhook", {"url": receiver.url})
    _, request_id = await ask(desk)
    for _ in range(3):
        await desk.control("approve", {"id": request_id})
    await until(lambda: len(receiver.came) == 2)
    assert [event for event, _ in receiver.events()] == [NODE + "2", NODE + "1"]
    await desk.control("settings", {"webhook_reorder": False})
    await settled(desk, 3)
    assert receiver.events()[2] == (NODE + "3", "approved"), "what was held goes out when the play ends"


# --- state


async def test_the_whole_state_survives_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    clock, state = HandClock(), tmp_path / "crm.json"
    async with desk_at(make(clock=clock), clock, state) as desk:
        await desk.control("settings", {"levels": 2, "sign_mode": "both"})
        await desk.control("webhook", {"url": receiver.url, "secret": "demo-whsec-1"})
        user, request_id = await ask(desk)
        await desk.post("/requests/withdrawal/approve", {"id": request_id})
        order = {"user_id": user, "currency": "USD", "amount": 1, "order_id": "order00000000001"}
        await desk.send("PATCH", "/wallets/balance", order)
        connection = await desk.connection("mt4")
        deposit = {"connection_id": connection, "currency": "USD", "amount": "10", "comment": "ref-1"}
        await desk.post("/mt4/accounts/60132/deposit", deposit)
        await settled(desk, 1)
        before = [await desk.request(request_id), await desk.wallet(user), await desk.ledger(), await desk.report()]
        account = await desk.account("mt4", connection, 60132)
    async with desk_at(make(seed=99, clock=clock), clock, state) as desk:
        after = [await desk.request(request_id), await desk.wallet(user), await desk.ledger(), await desk.report()]
        assert after == before
        assert await desk.account("mt4", connection, 60132) == account
        assert (await desk.post("/mt4/accounts/60132/deposit", deposit)).json() == {"repeat": True}
        assert (await desk.send("PATCH", "/wallets/balance", order)).status_code == 200
        assert (await desk.wallet(user))["USD"] == 12001
        await desk.post("/requests/withdrawal/approve", {"id": request_id})
        await settled(desk, 2)
        assert receiver.events() == [(NODE + "1", "pending"), (NODE + "2", "approved")]


async def test_no_secret_shows_in_settings_deliveries_or_representations(desk: Desk, receiver: Receiver) -> None:
    await desk.control("webhook", {"url": receiver.url, "secret": "demo-whsec-1"})
    shown = json.dumps(
        [await desk.look("settings"), await desk.look("deliveries"), repr(vars(desk.simulator))], default=str
    )
    assert "demo-whsec-1" not in shown
    assert desk.key not in shown

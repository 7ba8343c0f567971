"""The CRM's simulator as a caller: spoilt webhooks, every kind of event, payments and exchange rates."""

import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.loopback.server import running
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
)

SECRET = "demo-whsec-1"
GROUPS = "crm.webhooks.groups.requests."


@dataclass
class Guest:
    """Our side of everything else the CRM calls: pages, callbacks, rates, and a webhook with a limit of 256 KiB."""

    url: str = ""
    came: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    signatures: list[list[str]] = field(default_factory=list)
    taken: int = 0

    async def answer(self, request: Request) -> Response:
        self.came.append((str(request.url), dict(request.headers), await request.body()))
        if request.method == "GET":
            return JSONResponse({"rate": "0.92"})
        return JSONResponse({"data": {"url": "http://127.0.0.1:9/pay"}, "result": True, "msg": "success"})

    async def limited(self, request: Request) -> Response:
        self.signatures.append(request.headers.getlist("x-crm-signature"))
        async for chunk in request.stream():
            self.taken += len(chunk)
            if self.taken > 256 * 1024:
                return Response(status_code=413)
        return Response(status_code=200)


@pytest.fixture
async def guest() -> AsyncIterator[Guest]:
    found = Guest()
    methods = ["GET", "POST"]
    app = Starlette(
        routes=[
            Route("/limited", found.limited, methods=["POST"]),
            Route("/{rest:path}", found.answer, methods=methods),
        ]
    )
    listener = socket.create_server(("127.0.0.1", 0))
    found.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    async with running(config, listener):
        yield found


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clock = HandClock()
    async with desk_at(make(clock=clock), clock) as found:
        yield found


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


# --- webhooks out of order and out of shape


async def test_an_event_may_be_told_again_or_told_wrongly(desk: Desk, receiver: Receiver) -> None:
    await desk.control("webhook", {"url": receiver.url, "secret": SECRET})
    _, request_id = await ask(desk)
    false = {"id": request_id, "event": REJECT, "data": {"status": "rejected", "trading_amount": "1.00"}}
    await desk.control("tell", false)
    await settled(desk, 1)
    body = json.loads(receiver.came[0][1])
    assert receiver.events() == [(REJECT, "rejected")]
    assert (body["data"]["id"], body["data"]["trading_amount"]) == (request_id, "1.00")
    assert body["source"]["group"] == GROUPS + "withdrawal"
    right = hmac.new(SECRET.encode(), receiver.came[0][1], hashlib.sha256).hexdigest()
    assert receiver.came[0][0]["x-crm-signature"] == right
    assert (await desk.request(request_id))["status"] == "pending", "saying so changes nothing"
    await desk.control("tell", {"event": NODE + "2", "data": {"id": "zzzzzzzz", "status": "approved"}})
    await settled(desk, 2)
    assert json.loads(receiver.came[1][1])["data"] == {"id": "zzzzzzzz", "status": "approved"}


async def test_each_flaw_of_a_signature_is_what_it_says(desk: Desk, guest: Guest) -> None:
    await desk.control("webhook", {"url": guest.url + "/limited", "secret": SECRET, "prefix": True, "name": "出金"})
    _, request_id = await ask(desk)
    names = ("", "missing", "wrong", "sha1", "upper", "reencoded", "twice", "published")
    bodies = []
    for flaw in names:
        told = await desk.control("tell", {"id": request_id, "flaw": flaw})
        bodies.append(told["deliveries"][0]["body"].encode())
    await settled(desk, len(names))
    body = bodies[0]
    assert set(bodies) == {body}

    def right(message: bytes = body, secret: str = SECRET) -> str:
        return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()

    came = dict(zip(names, guest.signatures, strict=True))
    assert came[""] == ["sha256=" + right()]
    assert came["missing"] == []
    assert came["upper"] == ["sha256=" + right().upper()]
    assert came["sha1"] == ["sha1=" + hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()]
    assert came["reencoded"] == ["sha256=" + right(json.dumps(json.loads(body)).encode())]
    assert came["published"] == ["sha256=" + right(secret="It's a Secret to Everybody")]
    wrong = came["wrong"][0]
    assert len(wrong) == 71
    assert wrong != came[""][0]
    assert came["twice"] == [wrong, came[""][0]]


@pytest.mark.parametrize("flaw", ["big", "endless"])
async def test_a_body_beyond_measure_can_be_cut_off(desk: Desk, guest: Guest, flaw: str) -> None:
    await desk.control("webhook", {"url": guest.url + "/limited", "secret": SECRET})
    _, request_id = await ask(desk)
    await desk.control("tell", {"id": request_id, "flaw": flaw})
    delivery = (await settled(desk, 1))[0]
    assert delivery["state"] == "failed"
    assert delivery["status"] in (413, None), "an early answer may be lost behind what is still being sent"
    assert 256 * 1024 < guest.taken < 5_000_000


async def test_a_big_body_is_rightly_signed(desk: Desk, receiver: Receiver) -> None:
    await desk.control("webhook", {"url": receiver.url, "secret": SECRET})
    _, request_id = await ask(desk)
    await desk.control("tell", {"id": request_id, "flaw": "big"})
    await settled(desk, 1)
    headers, body = receiver.came[0]
    assert len(body) == 5_000_000
    assert json.loads(body)["data"]["id"] == request_id
    assert headers["x-crm-signature"] == hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


async def test_a_slow_body_does_not_arrive_in_time(desk: Desk, guest: Guest) -> None:
    await desk.control("settings", {"webhook_timeout_s": 0.3})
    await desk.control("webhook", {"url": guest.url + "/limited"})
    _, request_id = await ask(desk)
    await desk.control("tell", {"id": request_id, "flaw": "slow"})
    assert (await settled(desk, 1))[0]["state"] == "failed"
    assert 0 < guest.taken < 100


async def test_nonsense_is_not_told(desk: Desk, guest: Guest) -> None:
    await desk.control("merchant", {"url": guest.url, "merchant_id": "m-77", "token": "demo-token-1"})
    deposit = (await desk.control("payment", {"amount": 5}))["request"]
    assert refused(await desk.http.post("/_sim/tell", json={"id": deposit}), 400, "invalid_request")
    assert refused(await desk.http.post("/_sim/tell", json={"flaw": "purple"}), 400, "invalid_request")
    assert refused(await desk.http.post("/_sim/tell", json={"id": "zzzzzzzz"}), 400, "request_not_found")


# --- the other events


async def test_a_transfer_is_told_of_with_both_ends(desk: Desk, receiver: Receiver) -> None:
    await desk.control("webhook", {"url": receiver.url})
    user, other = await desk.client(1), await desk.client(2)
    body = {
        "from": {"user_id": user, "currency": "USD"},
        "to": {"user_id": other, "currency": "EUR"},
        "amount": "108.42",
    }
    for act in ("approve", "reject"):
        asked = await desk.control("transfer", body)
        await desk.control(act, {"id": asked["id"]})
    await settled(desk, 2)
    assert receiver.events() == [
        ("crm.webhooks.requests.transfer.approve.node.1", "approved"),
        ("crm.webhooks.requests.transfer.reject", "rejected"),
    ]
    approved = json.loads(receiver.came[0][1])
    data = approved["data"]
    assert approved["source"]["group"] == GROUPS + "transfer"
    assert (data["source_trading_id"], data["source_amount"], data["source_currency"]) == ("WALLET", "108.42", "USD")
    assert (data["target_amount"], data["target_currency"], data["rate"]) == ("100.00", "EUR", 0.922339)
    assert (data["transfer_type"], data["beneficiary_user_id"]) == ("others", other)
    assert data["transfer_flow"] == {"total_steps": 1, "current_steps": 1}
    assert "transfer_flow" not in json.loads(receiver.came[1][1])["data"]


async def test_prop_trading_is_told_of_by_both_generations(desk: Desk, receiver: Receiver) -> None:
    await desk.control("settings", {"generation": "A"})
    await desk.control("webhook", {"url": receiver.url})
    connection = await desk.connection("mt5")
    account = {"connection_id": connection, "trading_id": "500123"}
    joined = await desk.control("prop", account | {"fee": "99.50"})
    await desk.control("approve", {"id": joined["id"]})
    live = await desk.control("prop", account | {"live": True})
    await desk.control("reject", {"id": live["id"]})
    await settled(desk, 2)
    first, second = [json.loads(body) for _, body in receiver.came]
    assert first["source"]["event"] == "crm.webhooks.requests.propTrading.approve.node.1"
    assert first["data"]["type"] == "prop_trading"
    fees = [(entry["kind"], entry["amount"]) for entry in await desk.ledger()]
    assert fees == [("fee_requested", "99.50")], "an approved fee stays"
    assert (first["data"]["registration_fee"], first["data"]["fee_type"]) == (99.5, "balance_deduct")
    assert first["data"]["prop_trading_flow"] == {"total_steps": 1, "current_steps": 1}
    assert second["source"]["event"] == "crm.webhooks.requests.propTradingLive.reject"
    assert second["data"]["status"] == "pending", "the vendor's sample says so; the slug decides"
    assert (await desk.look("petitions"))["petitions"][-1]["status"] == "rejected"
    assert second["source"]["group"] == GROUPS + "propTradingLive"
    assert (second["data"]["type"], second["data"]["initial_balance"]) == ("prop_trading_live_step", 10000)


async def test_older_tenants_tell_nothing_of_transfers(desk: Desk, receiver: Receiver) -> None:
    await desk.control("settings", {"generation": "A"})
    await desk.control("webhook", {"url": receiver.url})
    user = await desk.client(1)
    wallets = {"from": {"user_id": user, "currency": "USD"}, "to": {"user_id": user, "currency": "USDT"}}
    asked = await desk.control("transfer", {**wallets, "amount": 1})
    await desk.control("approve", {"id": asked["id"]})
    assert (await desk.look("deliveries"))["deliveries"] == []


async def test_an_automatic_method_has_an_order_elsewhere(desk: Desk, receiver: Receiver) -> None:
    await desk.control("webhook", {"url": receiver.url})
    _, request_id = await ask(desk, currency="USDT", amount="10")
    await desk.control("approve", {"id": request_id})
    await settled(desk, 1)
    assert json.loads(receiver.came[0][1])["data"]["external_order_id"] == f"X-{request_id}"


# --- payments


async def test_a_payment_page_is_asked_for_with_header_and_sign(desk: Desk, guest: Guest) -> None:
    await desk.control("merchant", {"url": guest.url, "merchant_id": "m-77", "token": "demo-token-1"})
    user = await desk.client(1)
    paying = await desk.control("payment", {"user_id": user, "currency": "USD", "amount": "88.50"})
    assert (paying["status"], json.loads(paying["body"])["result"]) == (200, True)
    url, headers, raw = guest.came[0]
    body = json.loads(raw)
    assert url == guest.url + "/pay/url"
    assert headers["crm-pay-token"] == "demo-token-1"
    assert (body["merchant_id"], body["order_no"], body["amount"]) == ("m-77", paying["order_no"], 88.5)
    pairs = "&".join(f"{name}={body[name]}" for name in sorted(body) if name != "sign" and body[name] != "")
    expected = hashlib.sha1((pairs + "demo-token-1").encode()).hexdigest().upper()  # noqa: S324  # what they ask for
    assert body["sign"] == expected
    request = (await desk.get(f"/requests/deposit/{paying['request']}")).json()
    assert (request["type"], request["status"], request["order_no"]) == ("deposit", "pending", paying["order_no"])


def test_the_published_sign_of_a_payment() -> None:
    body = {
        "merchant_id": "m-77", "order_no": "ord000000001", "amount": Decimal("88.5"), "currency": "USD",
        "time": 1763683200000, "status": 1, "transaction_id": "", "sign": "any",
    }  # fmt: skip
    assert signature.psp("demo-token-1", body) == "2CAF5F3B2463597967936CB6C779A8EB5FECD351"


async def called_back(desk: Desk, body: dict[str, object], token: str = "demo-token-1") -> tuple[int, str]:
    """Our word on a payment, signed as the page says; status and error type."""
    pairs = "&".join(f"{name}={body[name]}" for name in sorted(body) if body[name] != "")
    sign = hashlib.sha1((pairs + "demo-token-1").encode()).hexdigest().upper()  # noqa: S324  # what they ask for
    sent = json.dumps({**body, "sign": body.get("sign", sign)})
    answer = await desk.http.post("/psp/pay/callback", content=sent, headers={"crm-pay-token": token})
    return answer.status_code, "" if answer.status_code == 204 else answer.json()["type"]


async def test_a_payment_is_booked_once_by_the_merchants_word(desk: Desk, guest: Guest) -> None:
    body: dict[str, object] = {
        "merchant_id": "m-77", "order_no": "ord000000001", "amount": 88.5, "currency": "USD", "time": 1763683200000,
        "status": 2, "transaction_id": "their-1",
    }  # fmt: skip
    assert await called_back(desk, body) == (400, "psp_setting_not_found")
    await desk.control("merchant", {"url": guest.url, "merchant_id": "m-77", "token": "demo-token-1"})
    assert await called_back(desk, body) == (400, "payment_not_found")
    user = await desk.client(1)
    paying = await desk.control("payment", {"user_id": user, "currency": "USD", "amount": "88.50"})
    assert paying["order_no"] == body["order_no"]
    assert await called_back(desk, body, token="other") == (400, "psp_token_invalid")
    assert await called_back(desk, body | {"sign": "0" * 40}) == (400, "psp_token_invalid")
    wrong: tuple[tuple[dict[str, object], str], ...] = (
        ({"merchant_id": "m-78"}, "deposit_method_not_found"), ({"amount": 88.6}, "payment_amount_not_allowed"),
        ({"currency": "EUR"}, "payment_currency_not_allowed"), ({"status": 3}, "payment_status_not_allowed"),
    )  # fmt: skip
    for part, type_ in wrong:
        assert await called_back(desk, body | part) == (400, type_)
    assert await called_back(desk, body) == (204, "")
    assert (await desk.wallet(user))["USD"] == Decimal("12400.25"), "processing is not paid"
    assert await called_back(desk, body | {"status": 1}) == (204, "")
    assert (await desk.wallet(user))["USD"] == Decimal("12488.75")
    for status in (0, 1, 2):
        assert await called_back(desk, body | {"status": status}) == (400, "payment_status_not_pending")
    assert (await desk.wallet(user))["USD"] == Decimal("12488.75")
    row = (await desk.report(transaction_id="their-1"))[0]
    assert (row["type"], row["payment_method"], row["new_balance"]) == ("deposit", "PSP", "12488.75")
    assert (await desk.get(f"/requests/deposit/{paying['request']}")).json()["status"] == "approved"
    assert [entry["kind"] for entry in await desk.ledger()] == ["psp_deposit"]
    second = await desk.control("payment", {"user_id": user, "amount": "5"})
    again = body | {"order_no": second["order_no"], "amount": 5, "status": 1}
    assert await called_back(desk, again) == (400, "payment_request_exists")
    assert await called_back(desk, again | {"transaction_id": "their-2", "status": 0}) == (204, "")
    assert (await desk.get(f"/requests/deposit/{second['request']}")).json()["status"] == "rejected"


@pytest.mark.parametrize("flaw", [None, "token", "no_token", "sign", "no_sign"])
async def test_a_callback_can_be_sent_to_us_right_or_wrong(desk: Desk, guest: Guest, flaw: str | None) -> None:
    await desk.control("merchant", {"url": guest.url, "merchant_id": "m-77", "token": "demo-token-1"})
    paying = await desk.control("payment", {"amount": "5"})
    await desk.control("callback", {"url": guest.url, "order_no": paying["order_no"], "status": 1, "flaw": flaw})
    url, headers, raw = guest.came[1]
    body = json.loads(raw)
    assert url == guest.url + "/pay/callback"
    pairs = "&".join(f"{name}={body[name]}" for name in sorted(body) if name != "sign" and body[name] != "")
    right = hashlib.sha1((pairs + "demo-token-1").encode()).hexdigest().upper()  # noqa: S324  # what they ask for
    token, sign = headers.get("crm-pay-token"), body.get("sign")
    assert (token == "demo-token-1") is (flaw not in ("token", "no_token"))
    assert (token is None) is (flaw == "no_token")
    assert (sign == right) is (flaw not in ("sign", "no_sign"))
    assert (sign is None) is (flaw == "no_sign")


# --- exchange rates


async def test_a_rate_is_asked_for_with_its_key(desk: Desk, guest: Guest) -> None:
    asked = {"url": guest.url + "/rates", "key": "rate-key", "source_currency": "USD", "target_currency": "EUR"}
    heard = await desk.control("rate", asked)
    assert (heard["status"], json.loads(heard["body"])) == (200, {"rate": "0.92"})
    url, headers, _ = guest.came[0]
    assert url == guest.url + "/rates?source_currency=USD&target_currency=EUR"
    assert headers["key"] == "rate-key"


async def test_nobody_beyond_this_machine_is_called(desk: Desk) -> None:
    for name, body in (
        ("rate", {"url": "https://example.test/", "key": "k", "source_currency": "USD", "target_currency": "EUR"}),
        ("merchant", {"url": "http://example.test", "merchant_id": "m", "token": "t"}),
    ):
        assert refused(await desk.http.post(f"/_sim/{name}", json=body), 400, "invalid_request")


# --- state


async def test_everything_new_survives_a_restart(tmp_path: Path, guest: Guest) -> None:
    clock, state = HandClock(), tmp_path / "crm.json"

    async def everything(desk: Desk) -> list[object]:
        names = ("petitions", "leads", "codes", "prop", "competitions", "requests", "deliveries", "settings", "ledger")
        board = (await desk.look("competitions"))["competitions"][0]["id"]
        return [
            *[await desk.look(name) for name in names],
            (await desk.get("/users", skip=0, limit=500)).json(),
            (await desk.get("/report/commissions/flexible", skip=0, limit=500)).json(),
            (await desk.get("/tradingCompetition/leaderboard", competition_id=board, limit=9)).json(),
            (await desk.get(f"/payments/{await desk.client(1)}/bankcards")).json(),
            (await desk.get("/wallets/balance/order00000000001")).json(),
            await desk.report(),
        ]

    async with desk_at(make(clock=clock), clock, state) as desk:
        form_id = (await desk.get("/form/registration/trader")).json()["id"]
        password = {"password": "a-password", "repeat_password": "a-password"}
        person = {"email": "new@example.test", "form_id": form_id, "nationality": "sg", **password}
        assert (await desk.post("/users/create", person | {"update_password": True})).status_code == 201
        code = person | {"email": "code@example.test", "type": "trader", "name": "Code"}
        assert (await desk.post("/account/register/request", code)).status_code == 204
        assert (await desk.post("/leads/create", {"email": "lead@example.test"})).status_code == 201
        await desk.control("settings", {"wallet_orders_wait": True, "auto_approve_below": 1, "deduct_at": "approval"})
        await desk.control("webhook", {"url": guest.url + "/limited", "secret": SECRET})
        order = {"user_id": await desk.client(1), "currency": "USD", "amount": 1, "order_id": "order00000000001"}
        await desk.send("PATCH", "/wallets/balance", order)
        await desk.control("merchant", {"url": guest.url, "merchant_id": "m-77", "token": "demo-token-1"})
        await desk.control("payment", {"amount": "5"})
        await desk.control("archive", {"count": 50})
        commission = (await desk.get("/report/commissions/flexible", skip=0, limit=1)).json()["records"][0]["id"]
        await desk.control("commission", {"id": commission})
        await desk.control("race", {"decision": "approve", "when": "before_decision"})
        _, request_id = await ask(desk)
        await desk.control("tell", {"id": request_id, "flaw": "missing"})
        await settled(desk, 1)
        before = await everything(desk)
    async with desk_at(make(seed=99, clock=clock), clock, state) as desk:
        assert await everything(desk) == before
        ours = await desk.post("/requests/withdrawal/approve", {"id": request_id})
        assert refused(ours, 400, "request_status_not_pending"), "the race still waited"
        assert await desk.control("settle", {"order_id": "order00000000001"}) == {"status": "success"}
        paying = await desk.control("payment", {"amount": "6"})
        assert paying["order_no"] == "ord000000002"


async def test_no_secret_of_the_new_kinds_shows(desk: Desk, guest: Guest) -> None:
    await desk.control("merchant", {"url": guest.url, "merchant_id": "m-77", "token": "demo-token-1"})
    names = ("petitions", "settings", "deliveries", "prop", "requests")
    shown = json.dumps([await desk.look(name) for name in names]) + repr(vars(desk.simulator)["_tenant"].world)
    assert "demo-token-1" not in shown

"""Money in the CRM's simulator leaves once and comes back at most once, whoever decides and however often."""

import asyncio
import random
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import pairwise

import pytest

from bot.providers.crm.simulator import make
from tests.support.crm_desk import Desk, HandClock, ask, decimals, desk_at, refused


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clock = HandClock()
    async with desk_at(make(clock=clock), clock) as found:
        yield found


async def usd(desk: Desk, user: str) -> Decimal:
    return Decimal((await desk.wallet(user))["USD"])


# --- the race for a request


async def test_the_back_office_decides_between_our_read_and_our_decision(desk: Desk) -> None:
    for decision, became in (("approve", "approved"), ("reject", "rejected")):
        _, request_id = await ask(desk)
        race = {"decision": decision, "when": "after_read", "id": request_id, "admin": "Desk B"}
        await desk.control("race", race)
        assert (await desk.request(request_id))["status"] == "pending"
        ours = await desk.post("/requests/withdrawal/approve", {"id": request_id})
        assert refused(ours, 400, "request_status_not_pending")
        after = await desk.request(request_id)
        assert (after["status"], after["logs"][-1]["admin"]) == (became, "Desk B")


async def test_the_back_office_is_first_by_a_hair(desk: Desk) -> None:
    user, request_id = await ask(desk)
    await desk.control("race", {"decision": "reject", "when": "before_decision", "comment": "not today"})
    assert (await desk.request(request_id))["status"] == "pending", "a read sets nothing off"
    ours = await desk.post("/requests/withdrawal/approve", {"id": request_id})
    assert refused(ours, 400, "request_status_not_pending")
    assert await usd(desk, user) == Decimal("12400.25")
    _, calm = await ask(desk)
    assert (await desk.post("/requests/withdrawal/approve", {"id": calm})).status_code == 200, "a race is run once"


async def test_a_race_at_one_node_lets_the_next_yes_count_for_the_next_node(desk: Desk) -> None:
    await desk.control("settings", {"levels": 3})
    _, request_id = await ask(desk)
    await desk.control("race", {"decision": "approve", "when": "before_decision", "id": request_id})
    assert (await desk.post("/requests/withdrawal/approve", {"id": request_id})).status_code == 200
    request = await desk.request(request_id)
    assert (request["flow"]["current"], request["status"]) == (3, "pending")


async def test_two_callers_and_the_back_office_at_once_have_one_outcome(desk: Desk) -> None:
    user = await desk.client(1)
    start = await usd(desk, user)
    gone = Decimal(0)
    for turn in range(60):
        asked = await desk.control("withdrawal", {"user_id": user, "currency": "USD", "amount": "5"})
        request_id = asked["id"]
        body = {"id": request_id, "comment": "no"}
        staff = body | {"even_approved": False}
        answers = await asyncio.gather(
            desk.post("/requests/withdrawal/approve", {"id": request_id}),
            desk.post("/requests/withdrawal/reject", body),
            desk.http.post("/_sim/approve" if turn % 2 else "/_sim/reject", json=staff),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400]
        status = (await desk.request(request_id))["status"]
        gone += 5 if status == "approved" else 0
        assert await usd(desk, user) == start - gone
    kinds = [entry["kind"] for entry in await desk.ledger()]
    assert kinds.count("withdrawal_requested") == 60
    assert kinds.count("withdrawal_paid") * 5 == gone
    assert kinds.count("withdrawal_paid") + kinds.count("withdrawal_returned") == 60


async def test_any_sequence_of_acts_takes_the_money_once_and_returns_it_at_most_once() -> None:
    dice = random.Random(11)
    for deduct_at in ("submission", "approval"):
        clock = HandClock()
        async with desk_at(make(clock=clock), clock) as desk:
            await desk.control("settings", {"levels": 2, "deduct_at": deduct_at, "allow_post_approval_reject": True})
            user = await desk.client(1)
            for _ in range(12):
                before = await usd(desk, user)
                _, request_id = await ask(desk, amount="100")
                amount = Decimal(100)
                for _ in range(8):
                    act = dice.choice(("approve", "approve", "reject", "reset", "edit"))
                    edited = Decimal(dice.randint(50, 150))
                    body = {"id": request_id} | ({"amount": str(edited)} if act == "edit" else {})
                    answer = await desk.http.post(f"/_sim/{act}", json=body)
                    amount = edited if act == "edit" and answer.status_code == 200 else amount
                    status = (await desk.request(request_id))["status"]
                    out = status == "approved" or (status == "pending" and deduct_at == "submission")
                    assert before - await usd(desk, user) == (amount if out else 0), (deduct_at, act, status)


# --- when the money leaves


async def test_a_tenant_may_deduct_at_the_last_approval(desk: Desk) -> None:
    await desk.control("settings", {"deduct_at": "approval", "levels": 2})
    user, request_id = await ask(desk)
    assert await usd(desk, user) == Decimal("12400.25")
    row = (await desk.report(type=["withdrawal"]))[0]
    assert (row["status"], row["new_balance"]) == ("pending", "12400.25")
    await desk.control("approve", {"id": request_id})
    assert await usd(desk, user) == Decimal("12400.25")
    await desk.post("/requests/withdrawal/approve", {"id": request_id})
    assert await usd(desk, user) == 12000
    assert (await desk.report(type=["withdrawal"]))[0]["new_balance"] == "12000.00"
    assert [entry["kind"] for entry in await desk.ledger()] == ["withdrawal_deducted", "withdrawal_paid"]


async def test_what_is_gone_by_then_cannot_be_approved(desk: Desk) -> None:
    await desk.control("settings", {"deduct_at": "approval"})
    user, request_id = await ask(desk, amount="12400")
    spend = {"user_id": user, "currency": "USD", "amount": -1, "order_id": "order00000000001"}
    await desk.send("PATCH", "/wallets/balance", spend)
    approve = await desk.post("/requests/withdrawal/approve", {"id": request_id})
    assert refused(approve, 400, "insufficient_funds")
    request = await desk.request(request_id)
    assert (request["status"], request["flow"]["current"]) == ("pending", 1)
    await desk.post("/requests/withdrawal/reject", {"id": request_id, "comment": "no money"})
    assert await usd(desk, user) == Decimal("12399.25"), "what never left does not come back"


async def test_rules_of_the_back_office_decide_by_themselves(desk: Desk) -> None:
    await desk.control("settings", {"levels": 2, "first_node_passes": True, "auto_approve_below": 50})
    _, small = await ask(desk, amount="49.99")
    request = await desk.request(small)
    assert (request["status"], request["auto"]) == ("approved", True)
    _, large = await ask(desk, amount="50")
    request = await desk.request(large)
    assert (request["status"], request["auto"], request["flow"]["current"]) == ("pending", False, 2)
    assert request["logs"][-1]["admin"] == "rule:first-node"


async def test_a_reason_can_be_made_optional(desk: Desk) -> None:
    await desk.control("settings", {"comments_optional": True})
    _, request_id = await ask(desk)
    assert (await desk.post("/requests/withdrawal/reject", {"id": request_id})).status_code == 200


async def test_a_tenant_may_lack_a_call(desk: Desk) -> None:
    await desk.control("settings", {"absent": ["GET /requests/", "GET /wallets/balance/"]})
    _, request_id = await ask(desk)
    assert refused(await desk.get(f"/requests/withdrawal/{request_id}"), 404, "not_found")
    assert refused(await desk.get("/wallets/balance/order00000000001"), 404, "not_found")
    body = {"user_id": await desk.client(1), "currency": "USD", "amount": 1, "order_id": "order00000000001"}
    assert (await desk.send("PATCH", "/wallets/balance", body)).status_code == 200
    assert (await desk.post("/requests/withdrawal/approve", {"id": request_id})).status_code == 200


# --- wallet orders


async def test_a_waiting_order_is_booked_once_it_is_settled(desk: Desk) -> None:
    await desk.control("settings", {"wallet_orders_wait": True})
    user = await desk.client(1)
    body = {"user_id": user, "currency": "USD", "amount": 10, "order_id": "order00000000001"}

    async def status() -> str:
        return str((await desk.get("/wallets/balance/order00000000001")).json()["status"])

    for _ in range(2):
        assert (await desk.send("PATCH", "/wallets/balance", body)).status_code == 200
    assert (await status(), await usd(desk, user)) == ("pending", Decimal("12400.25"))
    assert await desk.control("settle", {"order_id": "order00000000001"}) == {"status": "success"}
    assert (await status(), await usd(desk, user)) == ("success", Decimal("12410.25"))
    again = await desk.http.post("/_sim/settle", json={"order_id": "order00000000001"})
    assert refused(again, 400, "order_not_found")
    assert [row["ref_id"] for row in await desk.report(transaction_id="order00000000001")] == ["order00000000001"]
    other = body | {"order_id": "order00000000002"}
    await desk.send("PATCH", "/wallets/balance", other)
    assert await desk.control("settle", {"order_id": "order00000000002", "success": False}) == {"status": "failed"}
    assert await usd(desk, user) == Decimal("12410.25")
    assert len(await desk.ledger()) == 1


async def test_a_refused_order_has_failed_and_may_be_tried_again(desk: Desk) -> None:
    user = await desk.client(1)
    body = {"user_id": user, "currency": "USD", "amount": -20000, "order_id": "order00000000001"}
    assert refused(await desk.send("PATCH", "/wallets/balance", body), 400, "insufficient_funds")
    assert (await desk.get("/wallets/balance/order00000000001")).json()["status"] == "failed"
    assert (await desk.send("PATCH", "/wallets/balance", body | {"amount": -400.25})).status_code == 200
    assert (await desk.get("/wallets/balance/order00000000001")).json()["status"] == "success"
    assert refused(await desk.get("/wallets/balance/order00000000009"), 400, "order_not_found")


# --- transfers and fees


async def test_a_transfer_arrives_with_the_last_yes_or_goes_back(desk: Desk) -> None:
    await desk.control("settings", {"levels": 2})
    user, connection = await desk.client(1), await desk.connection("mt5")
    body = {
        "from": {"user_id": user, "currency": "CNY"},
        "to": {"connection_id": connection, "trading_id": "500123"},
        "amount": "1000",
    }
    before = (await desk.account("mt5", connection, 500123))["balance"]
    first = await desk.control("transfer", body)
    assert (first["status"], first["target_amount"]) == ("pending", "140.80")
    assert (await desk.wallet(user))["CNY"] == 85000
    for _ in range(2):
        assert (await desk.account("mt5", connection, 500123))["balance"] == before
        await desk.control("approve", {"id": first["id"]})
    assert (await desk.account("mt5", connection, 500123))["balance"] == before + Decimal("140.80")
    second = await desk.control("transfer", body)
    await desk.control("reject", {"id": second["id"]})
    assert (await desk.wallet(user))["CNY"] == 85000
    for act in ("approve", "reject", "reset"):
        late = await desk.http.post(f"/_sim/{act}", json={"id": second["id"]})
        assert refused(late, 400, "request_status_not_pending")
    rows = [row for row in await desk.report(user_id=user) if row["comment"].startswith("R-")]
    assert [(row["type"], row["amount"]) for row in rows] == [
        ("transfer_out", 1000), ("transfer_in", Decimal("140.8")), ("transfer_out", 1000), ("transfer_in", 1000),
    ]  # fmt: skip
    poor = await desk.http.post("/_sim/transfer", json=body | {"amount": "90000"})
    assert refused(poor, 400, "insufficient_funds")
    nowhere = await desk.http.post("/_sim/transfer", json=body | {"to": body["from"]})
    assert refused(nowhere, 400, "invalid_request")


async def test_a_fee_for_a_programme_leaves_once_and_goes_back_with_a_no(desk: Desk) -> None:
    connection = await desk.connection("mt5")
    before = (await desk.account("mt5", connection, 500123))["balance"]
    body = {"connection_id": connection, "trading_id": "500123", "fee": "99"}
    asked = await desk.control("prop", body)
    assert (await desk.account("mt5", connection, 500123))["balance"] == before - 99
    await desk.control("reject", {"id": asked["id"]})
    assert (await desk.account("mt5", connection, 500123))["balance"] == before
    assert [entry["kind"] for entry in await desk.ledger()] == ["fee_requested", "fee_returned"]


# --- reports


async def test_commissions_follow_from_closed_trades_and_are_paid_once(desk: Desk) -> None:
    receiver = await desk.client(0)
    flexible, fixed = [
        decimals(await desk.get(f"/report/commissions/{plan}", skip=0, limit=500)) for plan in ("flexible", "fixed")
    ]
    assert flexible["count"] == len(flexible["records"]) > 3
    assert {row["symbol"] for row in flexible["records"]} <= {"EURUSD", "GBPUSD", "USDJPY"}
    assert {row["symbol"] for row in fixed["records"]} <= {"XAUUSD", "US500"}
    first = flexible["records"][0]
    assert set(first) == {
        "id", "order_id", "trading_account_id", "trader_id", "receiver_id", "currency", "symbol", "volume", "swaps",
        "profit", "open_time", "close_time", "rebate_time", "commission", "total", "status", "rebate_account_id",
    }  # fmt: skip
    assert all(isinstance(value, str) for value in first.values())
    assert (first["receiver_id"], first["status"], len(first["id"])) == (receiver, "pending", 8)
    dollars_a_lot = {"EURUSD": 5, "GBPUSD": 6, "USDJPY": 5}[first["symbol"]]
    expected = (Decimal(first["volume"]) * dollars_a_lot).quantize(Decimal("0.01"))
    assert Decimal(first["commission"]) == max(expected, Decimal("0.01"))
    page = decimals(await desk.get("/report/commissions/flexible", skip=1, limit=2))
    assert page["records"] == flexible["records"][1:3]
    before = await usd(desk, receiver)
    await desk.control("commission", {"id": first["id"]})
    assert await usd(desk, receiver) == before + Decimal(first["commission"])
    paid = decimals(await desk.get("/report/commissions/flexible", skip=0, limit=1))["records"][0]
    assert paid == first | {"status": "paid"}
    rows = await desk.report(type=["Commission Payout"])
    assert [(row["comment"], row["user_id"]) for row in rows] == [(first["id"], receiver)]
    again = await desk.http.post("/_sim/commission", json={"id": first["id"]})
    assert refused(again, 400, "commission_status_not_pending")
    assert refused(await desk.get("/report/commissions/fixed", skip=0), 400, "invalid_request")
    assert refused(await desk.get("/report/commissions/fixed", skip=0, limit=501), 400, "invalid_request")


async def test_a_report_of_fifty_thousand_rows_is_paged_without_gap_or_repeat(desk: Desk) -> None:
    made = await desk.control("archive", {})
    assert made["count"] == 50_000
    seen: list[str] = []
    times: list[str] = []
    window: dict[str, object] = {"start": "2025-09-01", "end": "2025-11-30"}
    others = [row["id"] for row in await desk.report(skip=0, limit=0)]
    assert others == []
    while True:
        page = decimals(await desk.post("/report/transactions", {"skip": len(seen), "limit": 500, **window}))
        if not page["records"]:
            break
        seen += [row["id"] for row in page["records"]]
        times += [row["timestamp"] for row in page["records"]]
    assert page["count"] == len(seen) == len(set(seen))
    assert sum(row_id.startswith("a00") for row_id in seen) == 50_000
    assert times == sorted(times)
    assert times[-1] == "2025-11-20 07:15:02", "the last is an hour old"


async def test_an_archive_agrees_with_the_wallet_and_with_every_filter(desk: Desk) -> None:
    user = (await desk.control("archive", {"count": 101, "step_seconds": 3600}))["user_id"]
    rows = await desk.report(user_id=user)
    assert len(rows) == 101
    balances = [(Decimal(row["previous_balance"]), Decimal(row["new_balance"])) for row in rows]
    assert all(before[1] == after[0] for before, after in pairwise(balances))
    assert balances[-1][1] == await usd(desk, user)
    bonus = await desk.report(user_id=user, type=["Add Bonus"])
    assert {row["type"] for row in bonus} == {"add_bonus"}
    assert len(bonus) == 10
    one = await desk.report(transaction_id=rows[7]["ref_id"])
    assert one == [rows[7]]
    last_day = await desk.report(user_id=user, start="2025-11-20", end="2025-11-20")
    assert [row["timestamp"] for row in last_day] == [f"2025-11-20 {hour:02}:15:02" for hour in range(8)]
    assert await desk.report(user_id=await desk.client(1)) != []
    desk.clock.pass_by(3600)
    await desk.control("wallet", {"user_id": user, "currency": "USD", "amount": 5})
    assert (await desk.report(user_id=user))[-1]["previous_balance"] == rows[-1]["new_balance"]
    assert refused(await desk.http.post("/_sim/archive", json={}), 400, "archive_exists")

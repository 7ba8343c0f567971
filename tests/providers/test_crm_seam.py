"""Deciding about clients' withdrawals, and booking: what is prepared, what is sent once, and what is told of it."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bot.errors import ConflictError, InputError, RefusedError, UnsupportedError
from bot.providers.acts import Act, ActKind, Outcome, Prepared, Receipt
from bot.providers.crm.client import Crm
from tests.support.crm_tenant import Tenant, deciding, tenant_at, usd

APPROVE, REJECT = "/requests/withdrawal/approve", "/requests/withdrawal/reject"
API = "/public/v1"


@pytest.fixture
async def tenant() -> AsyncIterator[Tenant]:
    async with tenant_at() as one:
        yield one


async def prepared(tenant: Tenant, decision: str = "approve", **more: str) -> tuple[Crm, Prepared]:
    """A client's request for 40.25 USD, read and prepared for a decision."""
    crm = tenant.made[0]
    found = await crm.requests.withdrawal(await tenant.asked(await tenant.client()))
    return crm, await crm.money.prepare(deciding(found, decision, **more))


async def status(crm: Crm, one: Prepared) -> str:
    return (await crm.requests.withdrawal(one.act.target)).status


async def test_what_is_prepared_is_what_will_be_sent(tenant: Tenant) -> None:
    _, one = await prepared(tenant)
    assert one.wire == b'POST /public/v1/requests/withdrawal/approve\n{"id":"%s"}' % one.act.target.encode()
    assert one.reference == f"{one.act.target}/1"
    _, other = await prepared(tenant, "reject", comment="名前 does not match")
    expected = f'{{"id":"{other.act.target}","comment":"名前 does not match"}}'
    assert other.wire == b"POST /public/v1/requests/withdrawal/reject\n" + expected.encode()


async def test_preparing_changes_nothing(tenant: Tenant) -> None:
    crm, one = await prepared(tenant)
    assert await status(crm, one) == "pending"


@pytest.mark.parametrize(("decision", "became"), [("approve", "approved"), ("reject", "rejected")])
async def test_a_decision_is_carried_out_and_read(tenant: Tenant, decision: str, became: str) -> None:
    crm, one = await prepared(tenant, decision)
    assert await crm.money.send(one) == Receipt(Outcome.SUCCEEDED, one.reference, became, became)
    assert await status(crm, one) == became
    evidence = await crm.money.find(one)
    assert (evidence.outcome, evidence.detail) == (Outcome.SUCCEEDED, f"was {became} there by open-api")


async def test_one_decision_is_one_node(tenant: Tenant) -> None:
    await tenant.tell("/settings", {"levels": 3})
    crm, one = await prepared(tenant)
    receipt = await crm.money.send(one)
    assert (receipt.outcome, receipt.detail) == (
        Outcome.SUCCEEDED,
        "waits at node 2 of 3 now; node 1 is done, by open-api",
    )
    again = await crm.money.send(one)
    assert again.outcome is Outcome.ALREADY_DECIDED
    assert (await crm.requests.withdrawal(one.act.target)).node == 2


async def test_a_node_that_others_passed_later_is_still_ours(tenant: Tenant) -> None:
    await tenant.tell("/settings", {"levels": 3})
    crm, one = await prepared(tenant)
    await crm.money.send(one)
    await tenant.tell("/approve", {"id": one.act.target})
    await tenant.tell("/reject", {"id": one.act.target, "comment": "late"})
    evidence = await crm.money.find(one)
    assert (evidence.outcome, evidence.detail) == (Outcome.SUCCEEDED, "was rejected there by back-office")


async def test_a_reset_is_for_a_person(tenant: Tenant) -> None:
    await tenant.tell("/settings", {"levels": 2})
    crm, one = await prepared(tenant)
    await crm.money.send(one)
    await tenant.tell("/reset", {"id": one.act.target})
    tenant.clock.seconds += 600
    assert (await crm.money.find(one)).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount": usd("40.26")}, "the amount is 40.25 USD now, not 40.26 USD"),
        ({"account": "conn0001/500123"}, "now, not conn0001/500123"),
        ({"parameters": {"decision": "approve", "method": "Card"}}, "the method is Bank wire now, not Card"),
        ({"parameters": {"decision": "approve", "method": "Bank wire", "node": "2"}}, "the node is 1 now, not 2"),
    ],
)
async def test_what_differs_from_what_was_approved_is_not_prepared(
    tenant: Tenant, changes: dict[str, Any], said: str
) -> None:
    crm, one = await prepared(tenant)
    with pytest.raises(ConflictError) as refused:
        await crm.money.prepare(replace(one.act, **changes))
    assert said in refused.value.reason


async def test_an_amount_edited_after_preparing_stops_the_decision(tenant: Tenant) -> None:
    crm, one = await prepared(tenant)
    await tenant.tell("/edit", {"id": one.act.target, "amount": "41.25"})
    receipt = await crm.money.send(one)
    assert (receipt.outcome, receipt.code) == (Outcome.NOT_SENT, "changed")
    assert receipt.detail == "the amount is 41.25 USD now, not 40.25 USD"
    assert await status(crm, one) == "pending"


@pytest.mark.parametrize("comment", ["", "   ", "x" * 501])
async def test_a_rejection_needs_a_reason_of_up_to_500_characters(tenant: Tenant, comment: str) -> None:
    with pytest.raises(InputError):
        await prepared(tenant, "reject", comment=comment)
    await prepared(tenant, "reject", comment="李" * 500)


async def test_an_unknown_request_is_refused_by_name(tenant: Tenant) -> None:
    crm, one = await prepared(tenant)
    with pytest.raises(RefusedError, match="request_not_found"):
        await crm.money.prepare(replace(one.act, target="zzzzzzz9"))


async def test_other_acts_are_not_the_crms(tenant: Tenant) -> None:
    _, one = await prepared(tenant)
    with pytest.raises(UnsupportedError):
        await tenant.made[0].money.prepare(replace(one.act, kind=ActKind.CLOSE))


# F17


@pytest.mark.parametrize(
    ("staff", "detail"),
    [("approve", "was approved there by back-office"), ("reject", "was rejected there by back-office")],
)
@pytest.mark.parametrize("decision", ["approve", "reject"])
async def test_f17_what_was_decided_there_is_never_our_success(
    tenant: Tenant, decision: str, staff: str, detail: str
) -> None:
    crm, one = await prepared(tenant, decision)
    await tenant.tell(f"/{staff}", {"id": one.act.target, "comment": "by the desk"})
    receipt = await crm.money.send(one)
    assert (receipt.outcome, receipt.detail) == (Outcome.ALREADY_DECIDED, detail)
    evidence = await crm.money.find(one)
    assert (evidence.outcome, evidence.detail) == (Outcome.ALREADY_DECIDED, detail)
    with pytest.raises(ConflictError, match=detail):
        await crm.money.prepare(one.act)


async def test_f17_a_refusal_as_decided_is_settled_by_reading(tenant: Tenant) -> None:
    """The back office is quicker than the post: between the last read and the decision."""
    crm, one = await prepared(tenant)
    await tenant.misfortune("delay", API + APPROVE, seconds=0.3)
    sending = asyncio.create_task(crm.money.send(one))
    async with asyncio.timeout(5):
        while (await tenant.control.get("/faults")).json()["waiting"]:  # the post has been received
            await asyncio.sleep(0.01)
    await tenant.tell("/reject", {"id": one.act.target, "comment": "by the desk"})
    receipt = await sending
    assert (receipt.outcome, receipt.code) == (Outcome.ALREADY_DECIDED, "rejected")
    assert receipt.detail == "was rejected there by back-office"


# F05, F15 and silence


@pytest.mark.parametrize(
    "body",
    ["<html>", "\ufeff{}", '{"a":NaN}', '{"a":1,"a":2}', "[]", '"ok"', "null", '{"error":true,"code":400}'],
)
async def test_f05_an_answer_that_is_none_is_unknown_and_told_to_the_log(
    tenant: Tenant, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    crm, one = await prepared(tenant)
    await tenant.misfortune("replace", API + APPROVE, status=200, body=body)
    receipt = await crm.money.send(one)
    assert receipt.outcome is Outcome.UNKNOWN
    assert "an answer about money cannot be read" in caplog.text
    assert (await crm.money.find(one)).outcome is Outcome.SUCCEEDED
    _, next_one = await prepared(tenant)
    assert (await crm.money.send(next_one)).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("body", ["", "{}", '{"ok":true}'])
async def test_an_answer_the_documents_leave_open_is_taken(tenant: Tenant, body: str) -> None:
    crm, one = await prepared(tenant)
    await tenant.misfortune("replace", API + APPROVE, status=200, body=body)
    assert (await crm.money.send(one)).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_f15_a_redirect_is_not_followed(tenant: Tenant, status: int) -> None:
    crm, one = await prepared(tenant)
    options = {"status": status, "headers": {"location": f"{tenant.sim.http}/_sim/ledger"}, "body": ""}
    await tenant.misfortune("status", API + APPROVE, **options)
    receipt = await crm.money.send(one)
    assert (receipt.outcome, receipt.detail) == (Outcome.UNKNOWN, f"redirect ({status}) not followed")


@pytest.mark.parametrize("status", [500, 502, 503, 429, 418])
async def test_a_status_that_proves_nothing_is_unknown(tenant: Tenant, status: int) -> None:
    crm, one = await prepared(tenant)
    await tenant.misfortune("status", API + APPROVE, status=status, body="")
    assert (await crm.money.send(one)).outcome is Outcome.UNKNOWN


async def test_a_wrong_key_is_a_failure(tenant: Tenant) -> None:
    _, one = await prepared(tenant)
    receipt = await tenant.link("a-wrong-key-0001").money._post(one)  # the read before would be refused
    assert (receipt.outcome, receipt.code) == (Outcome.FAILED, "invalid_api_key")


async def test_a_read_that_fails_before_a_decision_stops_it(tenant: Tenant) -> None:
    crm, one = await prepared(tenant)
    receipt = await tenant.link("a-wrong-key-0001").money.send(one)
    assert (receipt.outcome, receipt.code) == (Outcome.NOT_SENT, "CredentialRefusedError")
    assert await status(crm, one) == "pending"


@pytest.mark.parametrize("decision", ["approve", "reject"])
async def test_a_lost_answer_is_settled_by_reading_and_nothing_is_posted_twice(tenant: Tenant, decision: str) -> None:
    crm, one = await prepared(tenant, decision)
    await tenant.misfortune("reset", f"{API}/requests/withdrawal/{decision}")
    assert (await crm.money.send(one)).outcome is Outcome.UNKNOWN
    assert (await crm.money.find(one)).outcome is Outcome.SUCCEEDED
    assert (await crm.money.send(one)).outcome is Outcome.ALREADY_DECIDED


async def test_a_request_that_never_arrived_is_after_fifty_seconds_known_not_to_have_been_sent(
    tenant: Tenant,
) -> None:
    crm, one = await prepared(tenant)
    await tenant.misfortune("refuse", API + APPROVE)
    assert (await crm.money.send(one)).outcome is Outcome.UNKNOWN
    assert (await crm.money.find(one)).outcome is Outcome.UNKNOWN
    tenant.clock.seconds += 49
    assert (await crm.money.find(one)).outcome is Outcome.UNKNOWN
    tenant.clock.seconds += 1
    assert (await crm.money.find(one)).outcome is Outcome.NOT_SENT


# a tenant of the older generation


async def test_a_tenant_without_the_read_call_is_not_decided_on_unread(tenant: Tenant) -> None:
    crm, one = await prepared(tenant)
    await tenant.tell("/settings", {"generation": "A"})
    with pytest.raises(RefusedError, match="404"):
        await crm.money.prepare(one.act)


async def test_a_tenant_without_the_read_call_is_decided_on_by_the_webhooks_word_where_that_was_said(
    tenant: Tenant,
) -> None:
    crm, one = await prepared(tenant)
    await tenant.tell("/settings", {"generation": "A"})
    told = replace(one.act, parameters={**one.act.parameters, "source": "webhook"})
    unread = await crm.money.prepare(told)
    receipt = await crm.money.send(unread)
    assert (receipt.outcome, receipt.detail) == (
        Outcome.ACKNOWLEDGED,
        "accepted; what it became could not be read",
    )
    assert (await crm.money.find(unread)).outcome is Outcome.UNKNOWN


# bookings


def booking(operation: str, direction: str, account: str, amount: str = "12.50", request_id: str = "r-9") -> Act:
    parameters = {"operation": operation, "direction": direction}
    return Act(request_id, ActKind.TRANSFER, account, usd(amount), "", parameters)


async def test_a_wallet_is_changed_once_however_often_it_is_sent(tenant: Tenant) -> None:
    crm, user = tenant.made[0], await tenant.client()
    before = (await crm.wallets.info(user))["USD"]
    one = await crm.money.prepare(booking("wallet", "deposit", user))
    for _ in range(3):
        assert (await crm.money.send(one)).outcome is Outcome.SUCCEEDED
    assert (await crm.wallets.info(user))["USD"] == before + usd("12.50")
    assert (await crm.money.find(one)).outcome is Outcome.SUCCEEDED
    away = await crm.money.prepare(booking("wallet", "withdrawal", user, request_id="r-10"))
    assert (await crm.money.send(away)).outcome is Outcome.SUCCEEDED
    assert (await crm.wallets.info(user))["USD"] == before


WALLET_ORDER = f"{API}/wallets/balance/"
NO_SUCH_CALL = {"action": "status", "status": 404, "body": "<html>Not Found</html>"}


def says(status: str) -> dict[str, Any]:
    return {"action": "replace", "body": f'{{"order_id":"cs00000000000000","status":"{status}"}}'}


@pytest.mark.parametrize(
    ("answer", "outcome", "detail"),
    [
        (says("success"), Outcome.SUCCEEDED, ""),
        (says("pending"), Outcome.ACKNOWLEDGED, "accepted; its order is pending"),
        (says("queued"), Outcome.ACKNOWLEDGED, "accepted; its order is queued"),  # a word of theirs we do not know
        (says("failed"), Outcome.FAILED, "it was accepted, and its order failed"),
        (NO_SUCH_CALL, Outcome.SUCCEEDED, ""),  # a tenant without the call has said all it ever says
        (
            {"action": "status", "status": 400, "body": '{"error":true,"code":400,"type":"order_not_found"}'},
            Outcome.ACKNOWLEDGED,
            "accepted; its order is not known there yet",
        ),
        (
            {"action": "status", "status": 503, "body": "", "times": 0},
            Outcome.ACKNOWLEDGED,
            "accepted; its order could not be read (http 503)",
        ),
    ],
    ids=["success", "pending", "another word", "failed", "no such call", "not known", "unreadable"],
)
async def test_what_a_wallet_accepts_is_settled_by_its_order(
    tenant: Tenant, answer: dict[str, Any], outcome: Outcome, detail: str
) -> None:
    """A 200 says that the change was taken, not that it was made."""
    crm, user = tenant.made[0], await tenant.client()
    one = await crm.money.prepare(booking("wallet", "deposit", user))
    await tenant.tell("/faults", [{"match": {"path": WALLET_ORDER, "method": "GET"}, **answer}])
    receipt = await crm.money.send(one)
    assert (receipt.outcome, receipt.detail) == (outcome, detail)


async def test_an_order_that_was_pending_is_looked_at_again(tenant: Tenant) -> None:
    crm, user = tenant.made[0], await tenant.client()
    one = await crm.money.prepare(booking("wallet", "deposit", user))
    orders = {"path": WALLET_ORDER, "method": "GET"}
    await tenant.tell("/faults", [{"match": orders, "times": 2, **says("pending")}])
    receipt = await crm.money.send(one)
    waiting = replace(one, answered=receipt.reference)
    assert (await crm.money.find(waiting)).outcome is Outcome.ACKNOWLEDGED
    assert (await crm.money.find(waiting)).outcome is Outcome.SUCCEEDED


async def test_what_was_accepted_where_orders_cannot_be_read_was_done(tenant: Tenant) -> None:
    """The read failed at first, and then there is no such call: the 200 is all there is. Without it, nothing is."""
    crm, user = tenant.made[0], await tenant.client()
    one = await crm.money.prepare(booking("wallet", "deposit", user, request_id="r-11"))
    orders = {"path": WALLET_ORDER, "method": "GET"}
    await tenant.tell("/faults", [{"match": orders, "times": 0, **NO_SUCH_CALL}])
    assert (await crm.money.find(one)).outcome is Outcome.UNKNOWN
    evidence = await crm.money.find(replace(one, answered="taken"))
    assert (evidence.outcome, evidence.detail) == (Outcome.SUCCEEDED, "it was accepted, which is all that is told")


async def test_a_wallet_without_the_money_refuses(tenant: Tenant) -> None:
    crm, user = tenant.made[0], await tenant.client()
    one = await crm.money.prepare(booking("wallet", "withdrawal", user, "99999999.00"))
    receipt = await crm.money.send(one)
    assert (receipt.outcome, receipt.code) == (Outcome.FAILED, "insufficient_funds")


@pytest.mark.parametrize("platform", ["mt4", "mt5"])
async def test_a_trading_account_is_booked_once_by_its_comment(tenant: Tenant, platform: Any) -> None:
    crm = tenant.made[0]
    server = (await crm.trading.servers(platform))[0]
    account = (await crm.trading.accounts(platform, server.id)).items[0]
    act = Act(
        f"r-{platform}",
        ActKind.TRANSFER,
        f"{server.id}/{account.login}",
        replace(usd("12.50"), currency=usd("1").currency.of(account.currency)),
        "",
        {"operation": platform, "direction": "deposit"},
    )
    one = await crm.money.prepare(act)
    assert (await crm.money.find(one)).outcome is Outcome.UNKNOWN
    assert (await crm.money.send(one)).outcome is Outcome.SUCCEEDED
    assert (await crm.money.send(one)).code == "repeat"
    after = (await crm.trading.accounts(platform, server.id)).items[0]
    assert after.balance - account.balance == usd("12.50").amount
    assert (await crm.money.find(one)).outcome is Outcome.SUCCEEDED


async def test_an_order_number_belongs_to_one_request(tenant: Tenant) -> None:
    crm, user = tenant.made[0], await tenant.client()
    one = await crm.money.prepare(booking("wallet", "deposit", user))
    same = await crm.money.prepare(booking("wallet", "deposit", user))
    other = await crm.money.prepare(booking("wallet", "deposit", user, request_id="r-10"))
    assert one.reference == same.reference != other.reference
    assert len(one.reference) == 16


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": None},
        {"amount": usd("0")},
        {"parameters": {"operation": "bank", "direction": "deposit"}},
        {"parameters": {"operation": "wallet", "direction": "sideways"}},
    ],
)
async def test_a_booking_that_is_not_whole_is_not_prepared(tenant: Tenant, changes: dict[str, Any]) -> None:
    act = replace(booking("wallet", "deposit", "u7h2k9d0"), **changes)
    with pytest.raises(InputError):
        await tenant.made[0].money.prepare(act)


# everybody at once


async def _in_turn(crm: Crm, act: Act) -> Receipt | ConflictError:
    async with crm.money.turn():
        try:
            return await crm.money.send(await crm.money.prepare(act))
        except ConflictError as error:
            return error


async def _round(tenant: Tenant, user_id: str, chance: random.Random) -> None:
    """Two colleagues and the back office decide the same request at once; each is told the truth."""
    crm = tenant.made[0]
    found = await crm.requests.withdrawal(await tenant.asked(user_id, "0.01"))
    decisions = [chance.choice(("approve", "reject")) for _ in range(2)]
    staff = chance.choice(("approve", "reject"))

    async def back_office() -> int:
        for _ in range(chance.randrange(12)):
            await asyncio.sleep(0)
        answer = await tenant.control.post(f"/{staff}", json={"id": found.id, "comment": "by the desk"})
        return answer.status_code

    *told, there = await asyncio.gather(*(_in_turn(crm, deciding(found, one)) for one in decisions), back_office())
    after = await crm.requests.withdrawal(found.id)
    ours = [one for one in told if isinstance(one, Receipt) and one.outcome is Outcome.SUCCEEDED]
    assert len(ours) + (there == 200) == 1
    assert after.decided_by == ("back-office" if there == 200 else "open-api")
    for decision, said in zip(decisions, told, strict=True):
        wanted = {"approve": "approved", "reject": "rejected"}[decision]
        if isinstance(said, ConflictError):
            assert said.reason == f"the request was {after.status} there by {after.decided_by}"
        elif said in ours:
            assert after.status == wanted
        else:
            assert said.outcome is Outcome.ALREADY_DECIDED
            assert said.detail == f"was {after.status} there by {after.decided_by}"


async def test_500_rounds_of_two_callers_and_the_back_office_have_one_outcome_each(tenant: Tenant) -> None:
    chance, user = random.Random(7), await tenant.client()
    for _ in range(500):
        await _round(tenant, user, chance)

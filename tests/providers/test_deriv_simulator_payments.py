"""Payment agents, transfers and the cashier of Deriv's simulator, from outside; figures are worked out by hand."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.deriv_desk import Desk, HandClock, Line, a_desk, balance_of

REMARK = "TB-7F3, for March"
GIFT = {
    "paymentagent_transfer": 1,
    "amount": "100.50",
    "currency": "USD",
    "transfer_to": "CR900010",
    "description": REMARK,
}
OUT = {"paymentagent_withdraw": 1, "amount": 50, "currency": "USD", "paymentagent_loginid": "CR900073"}
PAY = "paymentagent_transfer"
OURS = "treasury@meridian-desk.example"


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with a_desk(HandClock()) as one:
        yield one


async def a_code(desk: Desk, line: Line, purpose: str = "paymentagent_withdraw") -> str:
    assert (await line.ask(verify_email=OURS, type=purpose))["verify_email"] == 1
    return await desk.mailed()


async def acts(desk: Desk) -> list[tuple[Any, ...]]:
    entries = (await desk.get("ledger"))["entries"]
    return [(each["kind"], each["from"], each["to"], each["amount"], each["reference"]) for each in entries]


async def test_agents_are_listed_by_country_and_currency(desk: Desk) -> None:
    line = await desk.line()

    async def names(**asked: str) -> list[str]:
        listed = (await line.ask(**asked))["paymentagent_list"]
        assert listed["available_countries"] == [["id", "Indonesia"], ["ng", "Nigeria"]]
        return [agent["name"] for agent in listed["list"]]

    assert await names(paymentagent_list="id", currency="BTC") == ["Coin Agent"]
    assert await names(paymentagent_list="NG") == ["Lagos Exchange"]
    assert await names(paymentagent_list="de") == []
    (agent,) = (await line.ask(paymentagent_list="ng"))["paymentagent_list"]["list"]
    assert (agent["min_withdrawal"], agent["max_withdrawal"], agent["withdrawal_commission"]) == ("10", "2000", "2")


async def test_ones_own_standing_as_an_agent_is_told(desk: Desk) -> None:
    line = await desk.login()
    assert (await line.ask(paymentagent_details=1))["paymentagent_details"]["status"] == "authorized"
    assert (await line.ask(get_settings=1))["get_settings"]["is_authenticated_payment_agent"] == 1
    other = await desk.line()
    await other.ask(authorize=await desk.token_of("CR900010"))
    assert (await other.ask(paymentagent_details=1))["paymentagent_details"] == {"can_apply": 1}
    assert await other.code(**GIFT) == "NotAuthorized"


async def test_a_dry_run_names_the_payee_and_moves_nothing(desk: Desk) -> None:
    line = await desk.login()
    before = await balance_of(line)
    reply = await line.ask(**GIFT, dry_run=1)
    assert (reply["paymentagent_transfer"], reply["client_to_full_name"]) == (2, "Mr Budi Santoso")
    assert "transaction_id" not in reply
    assert (await balance_of(line), await acts(desk)) == (before, [])


async def test_a_transfer_shows_on_both_sides_with_its_remark(desk: Desk) -> None:
    line, payee = await desk.login(), await desk.line()
    await payee.ask(authorize=await desk.token_of("CR900010"))
    await payee.ask(transaction=1, subscribe=1)
    before = await balance_of(line)
    reply = await line.ask(**GIFT)
    assert (reply["paymentagent_transfer"], reply["client_to_loginid"]) == (1, "CR900010")
    told = (await payee.next())["transaction"]
    assert (told["action"], told["amount"], told["balance"]) == ("deposit", Decimal("100.5"), Decimal("100.5"))
    row = (await line.ask(statement=1, description=1, limit=1))["statement"]["transactions"][0]
    assert (row["action_type"], row["amount"], row["longcode"]) == (
        "withdrawal",
        Decimal("-100.5"),
        GIFT["description"],
    )
    assert row["transaction_id"] == reply["transaction_id"]
    row = (await payee.ask(statement=1, description=1))["statement"]["transactions"][0]
    assert (row["action_type"], row["longcode"]) == ("deposit", REMARK)
    assert await balance_of(line) == before - Decimal("100.5")
    assert await acts(desk) == [("paymentagent_transfer", "CR900001", "CR900010", "100.50", REMARK)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"transfer_to": "CR900001"}, "ClientsAreTheSame"),
        ({"transfer_to": "CR1"}, "WrongLoginID"),
        ({"transfer_to": "VRTC900001"}, "WrongLoginID"),
        ({"transfer_to": "CR900011"}, "ClientDisabledAccount"),
        ({"transfer_to": "CR900012"}, "ClientCashierLocked"),
        ({"transfer_to": "CR900777"}, "ClientCurrencyMismatch"),
        ({"currency": "EUR"}, "PACurrencyMismatch"),
        ({"amount": "1.001"}, "InvalidAmount"),
        ({"amount": -5}, "InvalidAmount"),
        ({"amount": "0.5"}, "ValueOutOfRange"),
        ({"amount": 10001}, "ValueOutOfRange"),
        ({"description": "über"}, "InputValidationFailed"),
        ({"dry_run": 2}, "InputValidationFailed"),
    ],
)
async def test_a_transfer_that_may_not_be_is_refused_dry_or_not(desk: Desk, change: Any, code: str) -> None:
    line = await desk.login()
    for run in ({}, {"dry_run": 1}):
        assert await line.code(**{**GIFT, **run, **change}) == code
    assert await acts(desk) == []


async def test_more_than_the_agent_has_is_refused_and_a_demo_account_pays_nobody(desk: Desk) -> None:
    line = await desk.login()
    await line.ask(**{**GIFT, "amount": 10000})
    assert await line.code(**{**GIFT, "amount": 10000}) == "ClientInsufficientBalance"
    demo = await desk.line()
    await demo.ask(authorize=await desk.token_of("VRTC900001"))
    for call in (GIFT, {**OUT, "verification_code": "x" * 8}, {"cashier": "deposit"}):
        assert await demo.code(**call) == "VirtualAccount"


async def test_the_same_transfer_twice_moves_money_twice_unless_repeats_are_refused(desk: Desk) -> None:
    line = await desk.login()
    first, second = await line.ask(**GIFT), await line.ask(**GIFT)
    assert first["transaction_id"] < second["transaction_id"]
    await desk.post("repeats", {"refused": True})
    assert await line.code(**GIFT) == "PaymentAgentTransferError"
    assert (await line.ask(**GIFT, dry_run=1))["paymentagent_transfer"] == 2
    desk.clock.pass_by(121)
    assert (await line.ask(**GIFT))["paymentagent_transfer"] == 1
    assert len(await acts(desk)) == 3


async def test_a_mailed_code_pays_out_once_and_a_dry_run_leaves_it_good(desk: Desk) -> None:
    line = await desk.login()
    before, code = await balance_of(line), await a_code(desk, line)
    dry = await line.ask(**OUT, verification_code=code, dry_run=1)
    assert (dry["paymentagent_withdraw"], dry["paymentagent_name"]) == (2, "Agent One")
    done = await line.ask(**OUT, verification_code=code)
    assert (done["paymentagent_withdraw"], done["paymentagent_name"]) == (1, "Agent One")
    assert done["transaction_id"] > 0
    assert await line.code(**OUT, verification_code=code) == "InvalidToken"
    assert await balance_of(line) == before - 50
    assert await acts(desk) == [("paymentagent_withdraw", "CR900001", "CR900073", "50.00", "Payment agent withdrawal")]


async def test_a_code_is_for_one_purpose_one_person_and_one_hour(desk: Desk) -> None:
    line = await desk.login()
    assert await line.code(**OUT, verification_code=await a_code(desk, line, "payment_withdraw")) == "InvalidToken"
    code = await a_code(desk, line)
    sent = len((await desk.get("mailbox"))["mails"])
    for address in ("someone.else@example.org", "nobody@example.org"):
        assert (await line.ask(verify_email=address, type="paymentagent_withdraw"))["verify_email"] == 1
    assert len((await desk.get("mailbox"))["mails"]) == sent  # told the same, sent nothing
    desk.clock.pass_by(3600)
    assert await line.code(**OUT, verification_code=code) == "InvalidToken"
    assert await line.code(**OUT) == "InputValidationFailed"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"paymentagent_loginid": "CR900001"}, "PASameAccountWithdrawal"),
        ({"paymentagent_loginid": "CR900010"}, "PaymentAgentWithdrawError"),
        ({"paymentagent_loginid": "CR900076"}, "PACurrencyMismatchWithdraw"),
        ({"currency": "BTC"}, "ClientCurrencyMismatchWithdraw"),
        ({"amount": 9}, "ValueOutOfRange"),
        ({"amount": 2001}, "ValueOutOfRange"),
    ],
)
async def test_a_withdrawal_that_may_not_be_leaves_the_code_good(desk: Desk, change: Any, code: str) -> None:
    line = await desk.login()
    mailed = await a_code(desk, line)
    assert await line.code(**{**OUT, "verification_code": mailed, **change}) == code
    assert (await line.ask(**OUT, verification_code=mailed))["paymentagent_withdraw"] == 1


async def test_a_locked_cashier_stops_everything_that_pays(desk: Desk) -> None:
    line = await desk.login()
    await desk.post("account", {"loginid": "CR900001", "cashier_locked": True})
    move = {"account_from": "CR900001", "account_to": "CR900002", "amount": 1, "currency": "USD"}
    for call in (GIFT, {**OUT, "verification_code": "x" * 8}, {"cashier": "deposit"}):
        assert await line.code(**call) == "CashierLocked"
    assert await line.code(transfer_between_accounts=1, **move) == "CashierLocked"


async def test_a_transfer_between_own_accounts_is_converted_less_the_published_fee(desk: Desk) -> None:
    line = await desk.login("token_oauth")
    listed = await line.ask(transfer_between_accounts=1)
    assert listed["transfer_between_accounts"] == 0
    assert [each["loginid"] for each in listed["accounts"]] == ["CR900001", "CR900002", "VRTC900001"]
    assert listed["accounts"][1]["balance"] == "0.18300000"
    price = (await line.ask(ticks="cryBTCUSD"))["tick"]["quote"]
    move = {"account_from": "CR900001", "account_to": "CR900002", "amount": 250, "currency": "USD"}
    moved = await line.ask(transfer_between_accounts=1, **move)
    assert (moved["transfer_between_accounts"], moved["client_to_loginid"]) == (1, "CR900002")
    # two percent of 250 stay behind
    arrived = Decimal(moved["accounts"][1]["balance"]) - Decimal("0.183")
    assert abs(arrived - 245 / price) <= Decimal("0.00000001")
    row = (await line.ask(statement=1, action_type="transfer"))["statement"]["transactions"][0]
    assert (row["amount"], row["fees"]["amount"], row["fees"]["percentage"]) == (-250, 5, 2)
    coins = await desk.line()
    await coins.ask(authorize=await desk.token_of("CR900002"))
    arrival = (await coins.ask(statement=1, limit=1))["statement"]["transactions"][0]
    assert arrival["amount"] == arrived
    for each in (row, arrival):
        assert (each["from"], each["to"]) == ({"loginid": "CR900001"}, {"loginid": "CR900002"})
    assert [act[:4] for act in await acts(desk)] == [("transfer_between_accounts", "CR900001", "CR900002", "250.00")]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"account_from": "CR900002"}, "IncompatibleClientLoginidClientFrom"),
        ({"account_from": "CR900777"}, "InvalidLoginidFrom"),
        ({"account_to": "CR900777"}, "InvalidLoginidTo"),
        ({"account_to": "CR900001"}, "SameAccountNotAllowed"),
        ({"account_to": "VRTC900001"}, "RealToVirtualNotAllowed"),
        ({"currency": "BTC"}, "TransferCurrencyMismatch"),
        ({"amount": 0}, "TransferInvalidAmount"),
        ({"amount": "1.999"}, "TransferInvalidAmount"),
        ({"amount": "0.99"}, "AmountNotAllowed"),
        ({"amount": 5001}, "AmountNotAllowed"),
    ],
)
async def test_a_transfer_between_accounts_that_may_not_be_is_refused(desk: Desk, change: Any, code: str) -> None:
    line = await desk.login()
    move = {"account_from": "CR900001", "account_to": "CR900002", "amount": 10, "currency": "USD", **change}
    assert await line.code(transfer_between_accounts=1, **move) == code
    assert await acts(desk) == []


async def test_ten_transfers_a_day_and_the_limits_count_them(desk: Desk) -> None:
    line = await desk.login()
    move = {"account_from": "CR900001", "account_to": "CR900002", "amount": 10, "currency": "USD"}
    for left in range(10, 0, -1):
        assert (await line.ask(get_limits=1))["get_limits"]["daily_transfers"]["internal"]["available"] == left
        assert "error" not in await line.ask(transfer_between_accounts=1, **move)
    assert await line.code(transfer_between_accounts=1, **move) == "MaximumTransfers"
    desk.clock.pass_by(86400)
    assert "error" not in await line.ask(transfer_between_accounts=1, **move)


async def test_the_cashier_gives_an_address_asks_first_and_sends_coins_once(desk: Desk) -> None:
    line = await desk.login()
    assert (await line.ask(cashier="deposit"))["cashier"].startswith("https://cashier.example.org/deposit/")
    await desk.post("account", {"loginid": "CR900001", "asks": "ASK_TNC_APPROVAL"})
    assert await line.code(cashier="deposit") == "ASK_TNC_APPROVAL"
    coins = await desk.line()
    await coins.ask(authorize=await desk.token_of("CR900002"))
    way = {"provider": "crypto", "type": "api"}
    assert (await coins.ask(cashier="deposit", **way))["cashier"]["deposit"]["address"]
    assert await coins.code(cashier="withdraw", **way) == "ASK_EMAIL_VERIFY"
    way |= {
        "verification_code": await a_code(desk, coins, "payment_withdraw"),
        "amount": "0.01",
        "address": "somewhere",
    }
    assert (await coins.ask(cashier="withdraw", dry_run=1, **way))["cashier"]["withdraw"] == {"dry_run": 1}
    assert (await coins.ask(cashier="withdraw", **way))["cashier"]["withdraw"]["status_code"] == "LOCKED"
    assert await coins.code(cashier="withdraw", **way) == "InvalidToken"
    assert await acts(desk) == [("withdrawal", "CR900002", "cashier", "0.01000000", (await acts(desk))[0][4])]


async def test_paying_needs_the_scope_and_outlives_a_restart(tmp_path: Path) -> None:
    clock, file = HandClock(), tmp_path / "deriv.json"
    async with a_desk(clock, file) as desk:
        reader = await desk.login("token_read")
        for call in (
            GIFT,
            {**OUT, "verification_code": "x" * 8},
            {"transfer_between_accounts": 1},
            {"cashier": "deposit"},
        ):
            refused = await reader.ask(**call)
            assert refused["error"]["message"] == "Permission denied, requires payments scope."
        line = await desk.login()
        code = await a_code(desk, line)
        await line.ask(**GIFT)
        before, ledger = await balance_of(line), await acts(desk)
    async with a_desk(clock, file, seed=99) as desk:
        line = await desk.login()
        assert (await balance_of(line), await acts(desk)) == (before, ledger)
        assert (await line.ask(**OUT, verification_code=code))["paymentagent_withdraw"] == 1


# Answers that are not what was done


async def test_a_dry_run_can_answer_one_and_a_success_two(desk: Desk) -> None:
    line = await desk.login()
    await desk.post("twist", {"call": PAY, "when": {"dry_run": 1}, "set": {PAY: 1}})
    await desk.post("twist", {"call": PAY, "when": {"dry_run": None}, "set": {PAY: 2}})
    assert (await line.ask(**GIFT, dry_run=1))["paymentagent_transfer"] == 1
    assert await acts(desk) == []
    assert (await line.ask(**GIFT))["paymentagent_transfer"] == 2
    assert len(await acts(desk)) == 1
    assert (await line.ask(**GIFT, dry_run=1))["paymentagent_transfer"] == 2  # each only once


@pytest.mark.parametrize(("carried_out", "moved"), [(True, 1), (False, 0)])
async def test_an_answer_is_lost_whether_it_was_done_or_not(desk: Desk, carried_out: bool, moved: int) -> None:
    line = await desk.login()
    await desk.post("twist", {"call": "paymentagent_transfer", "carry_out": carried_out, "lose": True})
    await line.send(**GIFT, req_id=1)
    assert (await line.ask(ping=1, req_id=2))["req_id"] == 2  # nothing came before it
    assert len(await acts(desk)) == moved


async def test_an_answer_comes_after_the_next_login(desk: Desk) -> None:
    line = await desk.login()
    await desk.post("twist", {"call": "paymentagent_transfer", "hold": True, "cut": True})
    await line.send(**GIFT, req_id=41)
    async with asyncio.timeout(5):
        await line.socket.wait_closed()
    again = await desk.login()
    late = await again.next()
    assert (late["req_id"], late["paymentagent_transfer"]) == (41, 1)
    assert len(await acts(desk)) == 1


async def test_an_answer_can_carry_another_number_or_an_error_beside_the_result(desk: Desk) -> None:
    line = await desk.login()
    await desk.post("twist", {"call": "paymentagent_transfer", "set": {"req_id": 999}, "drop": ["transaction_id"]})
    reply = await line.ask(**GIFT, req_id=1)
    assert (reply["req_id"], reply["paymentagent_transfer"], "transaction_id" in reply) == (999, 1, False)
    error = {"code": "WrongResponse", "message": "x"}
    await desk.post("twist", {"call": "paymentagent_transfer", "set": {"error": error}})
    reply = await line.ask(**GIFT)
    assert (reply["paymentagent_transfer"], reply["error"]["code"]) == (1, "WrongResponse")


@pytest.mark.parametrize(
    "bad", [{"call": "nothing"}, {}, {"call": "buy", "times": "often"}, {"call": "buy", "when": 1}]
)
async def test_a_twist_that_makes_no_sense_is_not_taken(desk: Desk, bad: Any) -> None:
    assert (await desk.post("twist", bad)).status_code == 400
    assert (await desk.get("twist")) == {"waiting": [], "held": 0}

"""Payments at Deriv through the whole money room, while Deriv misbehaves: M30 to M33, and F03, F05 and F15 for it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.approvals.model import Kind, Request, State
from bot.approvals.service import Wish
from bot.errors import ConflictError, InputError, NotFoundError
from bot.operations.moving.matters import common
from bot.providers.acts import PayWay
from bot.secret import Secret
from tests.support.chatting import ANNA, OLGA, Chat, until
from tests.support.moving import MoneyDesk, money_desk

TEN = 10
PAY = "paymentagent_transfer"
UNREADABLE = ["<html>", "[]", '{"a":NaN}', '{"msg_type":"paymentagent_transfer","paymentagent_transfer":1}']


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[MoneyDesk]:
    async with money_desk(tmp_path, chat, "deriv") as opened:
        yield opened


async def ledger(desk: MoneyDesk) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = (await desk.control("ledger", "GET"))["entries"]
    return entries


async def stays_unknown(desk: MoneyDesk, request: Request, *, paid: int = 0, calls: int = 1) -> None:
    """Looked at again and again, reserved, and never sent again."""
    await desk.becomes(request, State.UNKNOWN)
    await desk.looked_for(request, 2, pace=0.5)
    assert await desk.state(request) is State.UNKNOWN
    found = (await desk.paid(), await desk.money_calls(), await desk.outcomes(), await desk.reserved())
    assert found == (paid, calls, ["unknown"], TEN)


async def test_what_is_signed_names_the_payee_as_deriv_does(desk: MoneyDesk) -> None:
    request = await desk.wants()
    assert desk.rooms.approvals.lines(request) == (
        "Pay 10.00 USD to a client, as payment agent",
        "from CR900001 (deriv/main · LIVE)",
        "to Harbour, CR900010",
        "Payee, as Deriv names it: Mr Budi Santoso",
    )
    await desk.approves(request)
    done = await desk.becomes(request, State.SUCCEEDED)
    (entry,) = [one for one in await ledger(desk) if one["to"] == "CR900010"]
    assert done.outcome == f"as transaction {entry['id']}"
    assert (entry["amount"], entry["reference"]) == ("10.00", f"CS-{request.id.upper()}")
    assert (await desk.paid(), await desk.money_calls(), await desk.outcomes()) == (1, 1, ["succeeded"])


async def test_f03_what_was_read_and_not_executed_stays_unknown_and_is_never_sent_again(desk: MoneyDesk) -> None:
    await desk.suffers("disconnect")
    await stays_unknown(desk, await desk.gets())


@pytest.mark.parametrize("body", UNREADABLE)
async def test_f05_an_answer_that_is_none_proves_nothing(desk: MoneyDesk, body: str) -> None:
    await desk.suffers("replace", body=body)
    request = await desk.gets()
    await stays_unknown(desk, request)
    other = await desk.gets("20.00")
    await desk.becomes(other, State.SUCCEEDED)


async def test_m30_a_payment_that_is_answered_like_a_dry_run_is_not_called_done(desk: MoneyDesk) -> None:
    await desk.control("twist", call=PAY, when={"dry_run": None}, set={PAY: 2})
    request = await desk.gets()
    done = await desk.becomes(request, State.SUCCEEDED)
    assert done.outcome.startswith("in the statement as transaction ")
    assert (await desk.paid(), await desk.money_calls(), await desk.outcomes()) == (1, 1, ["unknown"])


async def test_m30_a_dry_run_that_says_it_was_none_is_followed_by_no_payment(desk: MoneyDesk) -> None:
    request = await desk.wants()
    await desk.control("twist", call=PAY, set={PAY: 1, "transaction_id": 540009999})
    await desk.approves(request)
    await stays_unknown(desk, request, calls=0)


async def test_another_payee_under_the_same_number_is_not_paid(desk: MoneyDesk) -> None:
    request = await desk.wants()
    await desk.control("twist", call=PAY, set={"client_to_full_name": "Mr Somebody Else"})
    await desk.approves(request)
    failed = await desk.becomes(request, State.FAILED)
    assert "Mr Somebody Else, and not Mr Budi Santoso as signed" in failed.outcome
    assert (await desk.paid(), await desk.money_calls(), await desk.reserved()) == (0, 0, 0)


async def test_m07_a_success_for_somebody_else_freezes_deriv(desk: MoneyDesk) -> None:
    await desk.control("twist", call=PAY, when={"dry_run": None}, set={"client_to_loginid": "CR900075"})
    request = await desk.gets()
    await desk.becomes(request, State.UNKNOWN)
    await desk.looked_for(request, 1)
    frozen = await desk.rows("SELECT scope FROM freezes")
    assert frozen == [("deriv",)]


async def test_what_deriv_would_refuse_is_said_before_anybody_is_asked(desk: MoneyDesk) -> None:
    with pytest.raises(InputError, match="ValueOutOfRange"):
        await desk.pays("99999.00")
    with pytest.raises(InputError, match="letters A to Z"):
        await desk.pays("10.00", note="Miete für März")
    assert await desk.rows("SELECT id FROM requests") == []


async def test_own_accounts_are_found_without_a_book_and_what_arrives_is_said(desk: MoneyDesk) -> None:
    request = await desk.pays("10.00", PayWay.OWN, "CR900002")
    assert desk.rooms.approvals.lines(request) == (
        "Transfer 10.00 USD between own accounts",
        "from CR900001 (deriv/main · LIVE)",
        "to CR900002",
        "It arrives in BTC, at the provider's own rate and less its fee.",
    )
    await desk.approves(request)
    await desk.becomes(request, State.SUCCEEDED)
    with pytest.raises(NotFoundError) as unknown:
        await desk.pays("10.00", PayWay.OWN, "Harbour")
    assert unknown.value.known == ("CR900002",)


@pytest.mark.parametrize("executed", [True, False])
async def test_a_transfer_between_own_accounts_carries_no_mark_and_is_known_all_the_same(
    desk: MoneyDesk, executed: bool
) -> None:
    before = len(await ledger(desk))
    match = {"kind": "ws", "contains": '"account_to"'}
    await desk.faults({"action": "reset" if executed else "disconnect", "match": match})
    request = await desk.approves(await desk.pays("10.00", PayWay.OWN, "CR900002"))
    if executed:
        done = await desk.becomes(request, State.SUCCEEDED)
        assert done.outcome.endswith("the only one like it since it was prepared")
    else:
        await desk.becomes(request, State.UNKNOWN)
        await desk.looked_for(request, 2, pace=0.5)
        assert await desk.state(request) is State.UNKNOWN
    assert (len(await ledger(desk)) > before) is executed
    assert await desk.outcomes() == ["unknown"]


async def test_what_another_request_did_is_not_taken_for_what_nobody_answered(desk: MoneyDesk) -> None:
    await desk.faults({"action": "disconnect", "match": {"kind": "ws", "contains": '"account_to"'}})
    first = await desk.approves(await desk.pays("10.00", PayWay.OWN, "CR900002"))
    await desk.becomes(first, State.UNKNOWN)
    await desk.write("UPDATE requests SET blocks = NULL WHERE id = ?", first.id)  # as two people let it be repeated
    second = await desk.approves(await desk.pays("10.00", PayWay.OWN, "CR900002"))
    await desk.becomes(second, State.SUCCEEDED)
    ((receipt,),) = await desk.rows("SELECT receipt FROM sendings WHERE request_id = ?", second.id)
    assert await seen_alike(desk, first) == [receipt]
    assert await desk.state(first) is State.UNKNOWN


async def seen_alike(desk: MoneyDesk, request: Request) -> list[str]:
    """What looks like it, as soon as something does."""
    async with asyncio.timeout(20):
        while True:
            rows = await desk.rows("SELECT alike FROM sightings WHERE request_id = ? AND alike != '[]'", request.id)
            if rows:
                found: list[str] = json.loads(rows[0][0])
                return found
            desk.later(0.5)
            await asyncio.sleep(0.01)  # what is waited for is a row


async def code_in_mailbox(desk: MoneyDesk, request: Request) -> str:
    async def mailed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await desk.control("mailbox", "GET"))["mails"]
        return found

    sending = desk.rooms.money.sending
    await until(lambda: request.id in sending._tries)
    (mail,) = await mailed()
    assert mail["purpose"] == "paymentagent_withdraw"
    return str(mail["code"])


async def test_a_payout_is_sent_once_its_code_is_handed_in_and_the_code_is_kept_nowhere(desk: MoneyDesk) -> None:
    await desk.enter_in_book("Corner", "CR900073", "deriv")
    request = await desk.pays("50.00", PayWay.PAYOUT, "Corner")
    lines = desk.rooms.approvals.lines(request)
    assert lines[0] == "Pay 50.00 USD out through a payment agent"
    assert "Payee, as Deriv names it: Agent One" in lines
    codes = desk.rooms.money.mailed_codes
    with pytest.raises(ConflictError, match="waits for no code"):
        await codes.awaited(desk.person(OLGA), request.id)
    await desk.approves(request)
    code = await code_in_mailbox(desk, request)
    assert await desk.state(request) is State.APPROVED
    with pytest.raises(NotFoundError):
        await codes.give(desk.person(ANNA), request.id, Secret(code), telegram_id=ANNA)
    await codes.give(desk.person(OLGA), request.id, Secret(code), telegram_id=OLGA)
    await desk.becomes(request, State.SUCCEEDED)
    assert [Decimal(one["amount"]) for one in await ledger(desk) if one["to"] == "CR900073"] == [Decimal(50)]
    everything = str(await desk.rows("SELECT wire, receipt, detail FROM sendings"))
    everything += str(await desk.rows("SELECT parameters FROM requests")) + str(
        await desk.rows("SELECT action, details FROM audit")
    )
    assert code not in everything


def deal(desk: MoneyDesk, kind: Kind, target: str, **words: str) -> Wish:
    parameters = {**common(desk.connection), "account": "CR900001", "target": target, "symbol": "R_100", **words}
    return Wish(kind, parameters)


async def deals(desk: MoneyDesk, wish: Wish) -> Request:
    request = await desk.rooms.approvals.ask(desk.person(OLGA), wish, telegram_id=OLGA)
    return await desk.approves(request)


def buying(desk: MoneyDesk) -> Wish:
    terms = {"contract_type": "CALL", "duration": "5m", "price": "10.00"}
    return deal(desk, Kind.ORDER, "R_100", type="contract", amount="10.00", currency="USD", **terms)


async def test_a_contract_is_bought_and_sold_again(desk: MoneyDesk) -> None:
    bought = await desk.becomes(await deals(desk, buying(desk)), State.SUCCEEDED)
    told = re.fullmatch(r"contract (\d+), bought for 10(?:\.00)? USD, transaction \d+", bought.outcome)
    assert told is not None
    sold = await desk.becomes(await deals(desk, deal(desk, Kind.CLOSE, told[1])), State.SUCCEEDED)
    assert re.fullmatch(rf"contract {told[1]}, sold for [\d.]+, transaction \d+", sold.outcome)
    again = await desk.becomes(await deals(desk, deal(desk, Kind.CLOSE, told[1], least="0.01")), State.FAILED)
    assert again.outcome.startswith("the provider refused it: ")


@pytest.mark.parametrize("executed", [True, False])
async def test_a_purchase_that_is_never_answered_is_adopted_when_it_is_surely_ours(
    desk: MoneyDesk, executed: bool
) -> None:
    before = len(await ledger(desk))
    match = {"kind": "ws", "contains": '"buy":"1"'}
    await desk.faults({"action": "reset" if executed else "disconnect", "match": match})
    request = await deals(desk, buying(desk))
    if executed:
        done = await desk.becomes(request, State.SUCCEEDED)
        assert "the only one like it since it was prepared" in done.outcome
    else:
        await desk.becomes(request, State.UNKNOWN)
        await desk.looked_for(request, 2, pace=0.5)
        assert await desk.state(request) is State.UNKNOWN
    assert (len(await ledger(desk)) > before) is executed
    assert await desk.outcomes() == ["unknown"]

"""F08 to F12 through the whole money room: which word of the bank ends a transfer, and that it ends once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.approvals.model import Request, State
from tests.support.chatting import OLGA, Chat, until
from tests.support.moving import MoneyDesk, money_desk
from tests.support.treasury import OPERATING

TEN = 10
OPEN = (State.ACKED, State.UNKNOWN)


@pytest.fixture
async def bank(tmp_path: Path, chat: Chat) -> AsyncIterator[MoneyDesk]:
    async with money_desk(tmp_path, chat, "cryptocapital") as opened:
        yield opened


async def nonce_of(bank: MoneyDesk, request: Request) -> int:
    ((nonce,),) = await bank.rows("SELECT nonce FROM sendings WHERE request_id = ?", request.id)
    return int(nonce)


async def acknowledged(bank: MoneyDesk) -> Request:
    """Taken by the bank, which says nothing more of it, and leaves it out of its statements."""
    await bank.control("misbehave", mode="silent", kind="transfer", times=0)
    request = await bank.gets()
    await bank.becomes(request, *OPEN)
    return request


async def told_once(bank: MoneyDesk, request: Request, what: str) -> bool:
    return len(await bank.told(OLGA, f"Request {request.id}: {what}")) == 1


# F08


async def test_f08_a_signed_error_that_names_our_nonce_is_the_end(bank: MoneyDesk) -> None:
    request = await acknowledged(bank)
    params = {"nonce": str(await nonce_of(bank, request)), "msg": "account is blocked"}
    await bank.control("forge", to=OPERATING, kind="error", params=params)
    failed = await bank.becomes(request, State.FAILED)
    assert failed.outcome == "the provider refused it: account is blocked"
    assert await bank.reserved() == 0
    assert await bank.money_calls() == 1


async def test_f08_a_refusal_of_the_bank_is_the_end(bank: MoneyDesk) -> None:
    request = await bank.wants("200.00")
    await bank.control("hold", account=OPERATING, amount="248300.00")
    await bank.approves(request)
    failed = await bank.becomes(request, State.FAILED)
    assert failed.outcome.startswith("the provider refused it: ")
    assert (await bank.paid(), await bank.money_calls(), await bank.reserved()) == (0, 1, 0)


@pytest.mark.parametrize("how", [{"off": 1}, {"mode": "unsigned"}, {"mode": "bad_signature"}, {"mode": "other_key"}])
async def test_f08_an_error_for_another_nonce_or_by_nobody_ends_nothing(bank: MoneyDesk, how: dict[str, Any]) -> None:
    request = await acknowledged(bank)
    before = len(await bank.rows("SELECT 1 FROM sightings"))
    params = {"nonce": str(await nonce_of(bank, request) + how.get("off", 0)), "msg": "account is blocked"}
    spoilt = {key: value for key, value in how.items() if key != "off"}
    await bank.control("forge", to=OPERATING, kind="error", params=params, **spoilt)
    bank.later(20)
    await bank.looked_for(request, min(before + 1, 2))
    assert await bank.state(request) in OPEN
    assert await bank.reserved() == TEN


# F09


async def test_f09_an_end_before_its_ack_is_the_end_once(bank: MoneyDesk) -> None:
    await bank.control("misbehave", mode="before_ack", kind="transfer")
    request = await bank.gets()
    await bank.becomes(request, State.SUCCEEDED)
    assert await told_once(bank, request, "done")
    assert await bank.outcomes() == ["succeeded"]


async def test_f09_an_end_that_comes_twice_is_one(bank: MoneyDesk) -> None:
    await bank.control("misbehave", mode="duplicate", kind="transfer")
    request = await bank.gets()
    done = await bank.becomes(request, State.SUCCEEDED)
    other = await bank.gets("20.00")
    await bank.becomes(other, State.SUCCEEDED)
    assert await told_once(bank, request, "done")
    assert (await bank.rooms.approvals.find(request.id)).version == done.version
    assert await bank.paid() == 2


async def test_f09_an_end_after_six_hours_is_the_end(bank: MoneyDesk) -> None:
    await bank.control("misbehave", mode="held", kind="transfer", times=0)
    request = await bank.gets()
    await bank.becomes(request, State.ACKED)
    bank.later(61)
    await bank.becomes(request, State.UNKNOWN)
    bank.later(6 * 3600)
    await bank.reminded(OLGA, 1)
    await bank.control("release", reverse=False)
    await bank.in_time_becomes(request, State.SUCCEEDED)
    assert await told_once(bank, request, "done")
    assert (await bank.paid(), await bank.money_calls()) == (1, 1)


async def test_f09_an_end_that_is_only_heard_on_a_new_connection_is_the_end(bank: MoneyDesk) -> None:
    await bank.control("misbehave", mode="held", kind="transfer")
    request = await bank.wants()
    await bank.approves(request)
    await bank.becomes(request, *OPEN, State.SUCCEEDED)  # a line that breaks earlier may take the order with it
    await bank.control("hangup", to=OPERATING)
    await bank.in_time_becomes(request, State.SUCCEEDED)
    assert (await bank.paid(), await bank.money_calls()) == (1, 1)


# F10


@pytest.mark.parametrize(
    "how",
    [
        {"mode": "unsigned"},
        {"mode": "bad_signature"},
        {"mode": "other_key"},
        {"mode": "borrowed_key"},
        {"mode": "wrong_rcpt"},
        {"mode": "altered_field", "field": "receiveAmount"},
        {"mode": "field_order"},
        {"mode": "compact"},
        {"mode": "raw"},
    ],
)
async def test_f10_an_end_that_is_not_to_be_believed_ends_nothing(bank: MoneyDesk, how: dict[str, Any]) -> None:
    await bank.control("misbehave", kind="transfer", times=0, **how)
    request = await bank.gets()
    await bank.becomes(request, *OPEN)
    bank.later(61)
    await bank.becomes(request, State.UNKNOWN)
    assert await bank.reserved() == TEN
    async with bank.desk.rooms.connections.standing(bank.connection) as login:
        assert sum(login.doubts.values()) >= 1
    assert await bank.money_calls() == 1


@pytest.mark.parametrize("mode", ["high_s", "low_s"])
async def test_f10_the_height_of_s_is_no_reason_to_doubt(bank: MoneyDesk, mode: str) -> None:
    await bank.control("misbehave", kind="transfer", times=0, mode=mode)
    request = await bank.gets()
    await bank.becomes(request, State.SUCCEEDED)
    assert await bank.paid() == 1


async def test_f10_a_good_end_that_is_not_what_was_approved_is_an_alarm_and_no_success(bank: MoneyDesk) -> None:
    alarms: list[tuple[str, str]] = []
    bank.rooms.money.reconciling.alarm = lambda tables, scope, reason: alarms.append((scope, reason))
    await bank.suffers("disconnect")
    request = await bank.gets()
    await bank.becomes(request, State.UNKNOWN)
    await bank.looked_for(request, 1)
    ((reference,),) = await bank.rows("SELECT reference FROM sendings")
    params = {
        "id": "99001",
        "date": "2026-03-02",
        "sendAccount": OPERATING,
        "receiveAccount": "9120007020",
        "sendCurrency": "USD",
        "receiveCurrency": "USD",
        "sendAmount": "10.00",
        "receiveAmount": "10.00",
        "narrative": reference,
    }
    await bank.control("forge", to=OPERATING, kind="transfer", params=params)
    await until(lambda: bool(alarms))
    assert await bank.state(request) is State.UNKNOWN
    assert alarms[0] == ("cryptocapital", f"request {request.id} was executed otherwise than approved: target")
    assert await bank.reserved() == TEN


# F11, F12


@pytest.mark.timeout(180)
async def test_f11_fifty_that_are_approved_at_once_leave_in_the_order_of_their_numbers(bank: MoneyDesk) -> None:
    requests = [await bank.wants(f"{number}.25") for number in range(1, 51)]

    async def disturb() -> None:
        for _ in range(5):
            async with bank.rooms.connections.standing(bank.connection) as login:
                await login.statement(limit=3)
                await login.balances()

    await asyncio.gather(*(bank.approves(one) for one in requests), disturb())
    for request in requests:
        await bank.in_time_becomes(request, State.SUCCEEDED)
    entries = (await bank.control("ledger", "GET"))["entries"]
    paid = sorted(Decimal(one["amount"]) for one in entries if "CS-" in one["reference"])
    assert paid == [Decimal(f"{number}.25") for number in range(1, 51)]
    (accepted,) = (await bank.control("nonces", "GET"))["accepted"].values()
    assert accepted == sorted(set(accepted))
    async with bank.rooms.connections.standing(bank.connection) as login:
        assert login.overtaken == 0


async def test_f12_a_nonce_that_another_client_has_passed_leaves_one_unknown_and_lets_the_next_go(
    bank: MoneyDesk,
) -> None:
    request = await bank.wants()
    taken = int(datetime.now(UTC).timestamp() * 1000) + 30_000
    await bank.control("nonces", to=OPERATING, nonce=taken)
    await bank.approves(request)
    unknown = await bank.becomes(request, State.UNKNOWN)
    assert "nonce" in unknown.outcome.lower()
    next_one = await bank.wants("20.00")
    await bank.approves(next_one)
    await bank.in_time_becomes(next_one, State.SUCCEEDED)
    assert await nonce_of(bank, next_one) > taken
    entries = (await bank.control("ledger", "GET"))["entries"]
    assert [one["amount"] for one in entries if "CS-" in one["reference"]] == ["20.00"]
    assert await bank.state(request) is State.UNKNOWN
    await bank.rooms.watch.oddities.look()
    said = await bank.rows("SELECT body FROM outbox WHERE dedupe LIKE 'oddity/%/OVERTAKEN/%'")
    assert said
    assert all("another program uses the same key" in body for (body,) in said)

"""Crypto Capital's simulator is one bank, however it is reached: native, by polling, by WebSocket, or upgraded."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cryptocapital_lines import CARRIERS, PollingTeller, teller_by
from tests.support.cryptocapital_teller import (
    EUROS,
    HARBOUR,
    NORDLICHT,
    OPERATING,
    REGISTRATION_USD,
    RESERVE,
    Bank,
    Key,
    Teller,
    is_genuine,
    open_bank,
)

every_carrier = pytest.mark.parametrize("carrier", CARRIERS)


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    async with open_bank() as opened:
        yield opened


@every_carrier
async def test_a_transfer_is_told_and_seen_by_account_statement_ledger_and_nonces(bank: Bank, carrier: str) -> None:
    teller = await teller_by(bank, carrier)
    await teller.pay(OPERATING, HARBOUR, "USD", 150.5, "150.5", "CS-ABCDEFGHIJ zażółć </b>")
    paid_with = teller.nonce
    kind, message = await teller.next()
    assert kind == "transfer"
    assert is_genuine(bank, "transfer", message, bank.client.public)
    assert message["params"]["narrative"] == "CS-ABCDEFGHIJ zażółć </b>"
    assert await teller.balance(OPERATING) == "248160.05"
    assert await teller.statement(OPERATING, limit=1) == [message["params"]]
    assert await teller.statement(OPERATING, transactionId=message["params"]["id"]) == [message["params"]]
    assert await teller.statement(OPERATING, fromTime=1772452800) == [message["params"]]
    assert message["params"] not in await teller.statement(RESERVE)
    assert [(entry["amount"], entry["reference"]) for entry in await bank.ledger()] == [
        ("150.50", "CS-ABCDEFGHIJ zażółć </b>")
    ]
    assert paid_with in (await bank.get("nonces"))["accepted"][bank.client.public]


@every_carrier
async def test_a_refused_transfer_is_told_by_a_signed_error_and_no_read_shows_it(bank: Bank, carrier: str) -> None:
    teller = await teller_by(bank, carrier)
    before = await teller.statement(OPERATING)
    await teller.pay(OPERATING, HARBOUR, "USD", 248310.56, "248310.56")
    failed = str(teller.nonce)
    kind, message = await teller.next()
    assert (kind, message["params"]) == ("error", {"nonce": failed, "msg": "insufficient available funds"})
    assert is_genuine(bank, "error", message, bank.client.public)
    assert await teller.balance(OPERATING) == "248310.55"
    assert await teller.statement(OPERATING) == before
    assert await bank.ledger() == []


@every_carrier
async def test_a_key_is_registered_by_a_transfer_and_then_sees_the_account(bank: Bank, carrier: str) -> None:
    old, new = await teller_by(bank, carrier), await teller_by(bank, carrier, Key(b"\x08" * 32))
    await old.pay(RESERVE, REGISTRATION_USD, "USD", 1, "1", new.key.public)
    assert (await old.result())["params"]["receiveAccount"] == REGISTRATION_USD
    refund = await new.result()
    assert is_genuine(bank, "transfer", refund, new.key.public)
    assert await new.balance(RESERVE) == "61904.20"
    assert [row["id"] for row in await new.statement(RESERVE, limit=1)] == [refund["params"]["id"]]
    await old.acked("account", {"accountNumber": RESERVE}, RESERVE)
    assert (await old.next())[0] == "error"
    accounts = {row["key"]: row["accounts"] for row in (await bank.get("keys"))["keys"]}
    assert accounts[new.key.public] == [RESERVE]


@every_carrier
async def test_money_from_abroad_is_told_with_both_amounts_and_seen_by_every_read(bank: Bank, carrier: str) -> None:
    teller = await teller_by(bank, carrier)
    await bank.post("deposit", account=OPERATING, amount="110.44", sender="9120666666", currency="EUR", narrative="x")
    params = (await teller.result())["params"]
    assert (params["sendAccount"], params["sendAmount"], params["sendCurrency"]) == ("9120666666", "100.00", "EUR")
    assert (params["receiveAccount"], params["receiveAmount"], params["receiveCurrency"]) == (
        OPERATING,
        "110.44",
        "USD",
    )
    assert await teller.balance(OPERATING) == "248420.99"
    assert await teller.statement(OPERATING, limit=1) == [params]
    assert [(entry["kind"], entry["amount"], entry["currency"]) for entry in await bank.ledger()] == [
        ("deposit", "100.00", "EUR")
    ]


@every_carrier
async def test_a_hold_and_a_rate_are_seen_by_account_and_by_the_next_transfer(bank: Bank, carrier: str) -> None:
    teller = await teller_by(bank, carrier)
    await bank.post("hold", account=EUROS, amount="37562.18")
    await bank.post("rate", currency="EUR", usd="1.25")
    account = await teller.account(EUROS)
    assert (account["balance"], account["available"]) == ("137562.18", "100000.00")
    await teller.pay(EUROS, HARBOUR, "EUR", 100000.01, "100000.01")
    assert (await teller.result())["params"]["msg"] == "insufficient available funds"
    await teller.pay(EUROS, HARBOUR, "EUR", 100, "100")
    assert (await teller.result())["params"]["receiveAmount"] == "125.00"


@every_carrier
async def test_an_old_nonce_is_refused_whatever_line_the_newer_one_came_by(bank: Bank, carrier: str) -> None:
    native, teller = await bank.teller(), await teller_by(bank, carrier)
    native.nonce = teller.nonce - 1
    await native.send("ping", native.operation("ping"))
    expected = {"nonce": native.nonce, "msg": "nonce is not greater than the last one"}
    assert await native.next() == ("err", expected)
    await native.acked("ping")
    teller.nonce = native.nonce - 1
    await teller.send("ping", teller.operation("ping"))
    assert await teller.next() == ("err", {**expected, "nonce": native.nonce})


@every_carrier
async def test_a_forged_operation_moves_nothing(bank: Bank, carrier: str) -> None:
    teller = await teller_by(bank, carrier)
    params = {"accountNumber": OPERATING, "beneficiary": HARBOUR, "currency": "USD", "amount": 5, "narrative": ""}
    data = teller.operation("transfer", params, f"{OPERATING}{HARBOUR}USD5")
    await teller.send("transfer", {**data, "params": {**params, "amount": 6}})
    assert await teller.next() == ("err", {"nonce": teller.nonce, "msg": "signature does not verify"})
    assert await bank.ledger() == []


async def test_one_key_hears_its_results_on_all_its_lines_and_each_side_its_own(bank: Bank) -> None:
    lines = [await teller_by(bank, carrier) for carrier in CARRIERS]
    other = await teller_by(bank, "polling", Key(b"\x07" * 32))
    await bank.post("register", account=NORDLICHT, key=other.key.public)
    assert (await other.result())["params"]["narrative"] == "Registration refund 4796"
    lines[0].nonce = lines[-1].nonce
    await lines[0].pay(OPERATING, NORDLICHT, "EUR", 10, "10")
    told = [await line.result() for line in lines]
    assert told == [told[0]] * 4
    assert is_genuine(bank, "transfer", told[0], bank.client.public)
    theirs = await other.result()
    assert is_genuine(bank, "transfer", theirs, other.key.public)
    assert theirs["params"] == told[0]["params"]
    assert (theirs["params"]["sendAmount"], theirs["params"]["receiveAmount"]) == ("11.04", "10.00")


async def test_a_result_finds_the_line_that_came_after_the_question(bank: Bank) -> None:
    first = await teller_by(bank, "websocket")
    await bank.post("delay", seconds=60)
    await first.pay(OPERATING, HARBOUR, "USD", 10, "10", "slow")
    await first.socket.close()
    second = await teller_by(bank, "polling")
    async with asyncio.timeout(5):
        while await connections(bank) != 1:
            await asyncio.sleep(0.005)
    bank.clock.advance(60)
    assert (await second.result())["params"]["narrative"] == "slow"


async def connections(bank: Bank) -> int:
    return next(int(row["connections"]) for row in (await bank.get("keys"))["keys"] if row["key"] == bank.client.public)


async def test_what_socketio_did_is_there_after_a_restart_and_so_is_its_manner(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    async with open_bank(11, state) as before:
        teller = await teller_by(before, "polling")
        await teller.pay(OPERATING, HARBOUR, "USD", 10, "10", "kept")
        row = (await teller.result())["params"]
        await before.post("socketio", as_text=False, ping_interval_ms=500)
        sid, last = teller.poller.hello["sid"], teller.nonce  # type: ignore[attr-defined]
        manner = await before.get("socketio")
    async with open_bank(7, state) as after:
        assert await after.get("socketio") == manner
        assert manner["ping_interval_ms"] == 500
        await after.post("socketio", as_text=True)
        gone = await after.http.get(f"{after.listening.http}/socket.io/?EIO=3&transport=polling&sid={sid}")
        assert gone.json() == {"code": 1, "message": "Session ID unknown"}
        teller = await teller_by(after, "polling", auth=False)
        teller.nonce = last - 1
        await teller.send("auth", teller.operation("auth"))
        assert (await teller.next())[0] == "err"
        await teller.acked("auth")
        assert await teller.statement(OPERATING, limit=1) == [row]
        assert await teller.balance(OPERATING) == "248300.55"


# --- many at once --------------------------------------------------------------------------------------------------


async def drop(bank: Bank, teller: Teller) -> None:
    """Be gone once all was heard, as a line is that breaks with much unread. A poller merely asks no more."""
    async with asyncio.timeout(60):
        while (await bank.get("nonces"))["last"][bank.client.public] < teller.nonce:
            await asyncio.sleep(0.005)
    if not isinstance(teller, PollingTeller):
        teller.socket.transport.abort()


async def heard_all(teller: Teller, narratives: set[str]) -> list[Any]:
    """Read on until each of the transfers was told."""
    rows = []
    async with asyncio.timeout(60):
        while narratives - {row["narrative"] for row in rows}:
            kind, data = await teller.next()
            assert kind != "err", data
            if kind == "transfer":
                rows.append(data["params"])
    return rows


@every_carrier
async def test_fifty_transfers_at_once_among_statements_pings_and_reconnects_are_fifty_executions(
    bank: Bank, carrier: str
) -> None:
    teller = await teller_by(bank, carrier)
    wanted = {f"CS-{number:02}" for number in range(50)}
    for number, narrative in enumerate(sorted(wanted)):
        params = {
            "accountNumber": OPERATING,
            "beneficiary": HARBOUR,
            "currency": "USD",
            "amount": 1,
            "narrative": narrative,
        }
        await teller.send("transfer", teller.operation("transfer", params, f"{OPERATING}{HARBOUR}USD1"))
        await teller.send("ping", teller.operation("ping"))
        if number % 10 == 5:
            await teller.send("statement", teller.operation("statement", {"accountNumber": OPERATING}, OPERATING))
        if number % 20 == 15:  # another line goes on above; this one's results are lost with it
            await drop(bank, teller)
            nonce, teller = teller.nonce, await teller_by(bank, carrier, auth=False)
            teller.nonce = nonce
            await teller.acked("auth")
    await teller.send("statement", teller.operation("statement", {"accountNumber": OPERATING}, OPERATING))
    rows = await heard_all(teller, wanted)
    await drop(bank, teller)
    assert len({row["id"] for row in rows if row["narrative"] in wanted}) == 50
    assert sorted(entry["reference"] for entry in await bank.ledger()) == sorted(wanted)
    accepted = (await bank.get("nonces"))["accepted"][bank.client.public]
    assert len(accepted) == 1 + 50 + 50 + 5 + 2 + 1
    assert accepted == sorted(set(accepted))

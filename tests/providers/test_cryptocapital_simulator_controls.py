"""Crypto Capital's simulator over real sockets: what its controls do, how its results go wrong, what it keeps."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import websockets
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from bot.providers.cryptocapital.simulator import make
from tests.support.cryptocapital_teller import (
    EUROS,
    HARBOUR,
    NOON_MS,
    NORDLICHT,
    OPERATING,
    REGISTRATION_USD,
    RESERVE,
    TRANSFER_ORDER,
    Bank,
    Key,
    N,
    Teller,
    is_genuine,
    open_bank,
    signed_by,
    text_of,
)


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    async with open_bank() as opened:
        yield opened


# --- controls ------------------------------------------------------------------------------------------------------


async def test_arriving_money_is_told_unasked_and_seen_by_every_read(bank: Bank) -> None:
    teller = await bank.teller()
    answer = await bank.post(
        "deposit", account=OPERATING, amount="250.10", sender="9120555555", narrative="</b><a href=x>"
    )
    kind, message = await teller.next()
    assert kind == "transfer"
    assert is_genuine(bank, "transfer", message, bank.client.public)
    assert message["params"] == answer["transfers"][0]
    assert message["params"]["sendAccount"] == "9120555555"
    assert message["params"]["receiveAmount"] == "250.10"
    assert message["params"]["narrative"] == "</b><a href=x>"
    assert await teller.balance(OPERATING) == "248560.65"
    assert (await teller.statement(OPERATING, limit=1)) == [message["params"]]
    assert [(e["kind"], e["from"], e["to"], e["amount"], e["reference"]) for e in await bank.ledger()] == [
        ("deposit", "9120555555", OPERATING, "250.10", "</b><a href=x>")
    ]


async def test_a_sender_that_banks_here_pays_for_a_deposit(bank: Bank) -> None:
    other = await bank.teller(Key(b"\x07" * 32))
    await bank.post("register", account=NORDLICHT, key=other.key.public)
    await other.result()
    await bank.post("deposit", account=OPERATING, amount=110.44, sender=NORDLICHT)
    assert (await other.result())["params"]["sendAmount"] == "100.00"
    assert await other.balance(NORDLICHT) == "880315.90"


async def test_money_that_arrives_while_nobody_listens_is_in_the_statement_only(bank: Bank) -> None:
    await bank.post("deposit", account=OPERATING, amount=5)
    teller = await bank.teller()
    await teller.hears_nothing()
    assert (await teller.statement(OPERATING, limit=1))[0]["receiveAmount"] == "5.00"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("deposit", {}, 400),
        ("deposit", {"account": "9120999999", "amount": 5}, 400),
        ("deposit", {"account": OPERATING, "amount": "x"}, 400),
        ("deposit", {"account": OPERATING, "amount": True}, 400),
        ("deposit", {"account": OPERATING, "amount": 5, "narrative": "\ud800"}, 400),
        ("deposit", {"account": OPERATING, "amount": 0, "sender": "9120555555"}, 409),
        ("deposit", {"account": OPERATING, "amount": "0.001", "sender": "9120555555"}, 409),
        ("deposit", {"account": OPERATING, "amount": "99999999"}, 409),
        ("misbehave", {"mode": "politely"}, 400),
        ("misbehave", {"mode": "late", "times": 0.5}, 400),
        ("delay", {}, 400),
        ("delay", {"seconds": -1}, 400),
        ("register", {"account": OPERATING, "key": "x"}, 400),
        ("rate", {"currency": "EUR", "usd": 0}, 400),
        ("hold", {"account": OPERATING, "amount": -5}, 400),
    ],
)
async def test_a_control_that_makes_no_sense_is_refused_and_changes_nothing(
    bank: Bank, path: str, body: Mapping[str, Any], status: int
) -> None:
    assert "error" in await bank.post(path, expect=status, **body)
    assert await bank.ledger() == []
    assert (await bank.get("misbehave"))["waiting"] == []


async def test_keys_tell_who_listens(bank: Bank) -> None:
    async def connections() -> int:
        rows = {row["key"]: row["connections"] for row in (await bank.get("keys"))["keys"]}
        return int(rows[bank.client.public])

    assert await connections() == 0
    first, _ = await bank.teller(), await bank.teller()
    assert await connections() == 2
    assert (await bank.get("keys"))["server_public_key"] == bank.server_key
    await first.socket.close()
    async with asyncio.timeout(5):
        while await connections() != 1:  # what is waited for is on the other side of a socket
            await asyncio.sleep(0.005)


# --- misbehaviour --------------------------------------------------------------------------------------------------


async def spoiled_transfer(bank: Bank, mode: str) -> tuple[Teller, Any]:
    teller = await bank.teller()
    await bank.post("misbehave", mode=mode)
    await teller.pay(OPERATING, HARBOUR, "USD", 10, "10")
    kind, message = await teller.next()
    assert kind == "transfer"
    return teller, message


async def test_the_unspoiled_result_is_genuine(bank: Bank) -> None:
    teller = await bank.teller()
    await teller.pay(OPERATING, HARBOUR, "USD", 10, "10")
    assert is_genuine(bank, "transfer", await teller.result(), bank.client.public)


async def test_an_unsigned_result_lacks_the_signature(bank: Bank) -> None:
    _, message = await spoiled_transfer(bank, "unsigned")
    assert set(message) == {"key", "nonce", "rcpt", "params"}


async def test_a_badly_signed_result_is_well_formed_and_does_not_verify(bank: Bank) -> None:
    _, message = await spoiled_transfer(bank, "bad_signature")
    r, s = decode_dss_signature(base64.b64decode(message["signed"]))
    assert 0 < r < N
    assert 0 < s < N
    assert message["key"] == bank.server_key
    assert not signed_by(bank.server_key, text_of("transfer", message), message["signed"])


async def test_a_result_of_another_key_is_consistent_in_itself(bank: Bank) -> None:
    _, message = await spoiled_transfer(bank, "other_key")
    assert message["key"] != bank.server_key
    assert signed_by(message["key"], text_of("transfer", message), message["signed"])


async def test_a_result_for_somebody_else_is_rightly_signed(bank: Bank) -> None:
    _, message = await spoiled_transfer(bank, "wrong_rcpt")
    assert message["rcpt"] != bank.client.public
    assert is_genuine(bank, "transfer", message, message["rcpt"])


@pytest.mark.parametrize("kind", ["transfer", "account", "error"])
async def test_an_altered_field_breaks_the_signature_of_every_type(bank: Bank, kind: str) -> None:
    teller = await bank.teller()
    await bank.post("misbehave", mode="altered_field")
    if kind == "transfer":
        await teller.pay(OPERATING, HARBOUR, "USD", 10, "10")
    else:
        number = OPERATING if kind == "account" else HARBOUR
        await teller.acked("account", {"accountNumber": number}, number)
    came, message = await teller.next()
    assert came == kind
    assert not is_genuine(bank, kind, message, bank.client.public)
    changed = {"transfer": "receiveAmount", "account": "balance", "error": "msg"}[kind]
    message["params"][changed] = message["params"][changed][1:]
    assert is_genuine(bank, kind, message, bank.client.public)


async def test_a_silent_result_never_comes_though_the_money_moved(bank: Bank) -> None:
    teller = await bank.teller()
    await bank.post("misbehave", mode="silent")
    await teller.pay(OPERATING, HARBOUR, "USD", 10, "10", "TB-SILENT")
    await teller.hears_nothing()
    assert [entry["reference"] for entry in await bank.ledger()] == ["TB-SILENT"]
    assert (await teller.statement(OPERATING, limit=1))[0]["narrative"] == "TB-SILENT"


async def test_a_late_result_is_overtaken_and_comes_in_its_time(bank: Bank) -> None:
    teller = await bank.teller()
    await bank.post("misbehave", mode="late", seconds=30)
    await teller.pay(OPERATING, HARBOUR, "USD", 10, "10", "late")
    assert await teller.balance(OPERATING) == "248300.55"
    bank.clock.advance(29)
    await teller.hears_nothing()
    bank.clock.advance(2)
    assert (await teller.result())["params"]["narrative"] == "late"


async def test_a_duplicate_result_is_the_same_twice(bank: Bank) -> None:
    teller, message = await spoiled_transfer(bank, "duplicate")
    assert await teller.result() == message
    await teller.hears_nothing()
    assert len(await bank.ledger()) == 1


async def test_a_result_can_come_before_its_ack(bank: Bank) -> None:
    teller = await bank.teller()
    await bank.post("misbehave", mode="before_ack")
    await teller.send("account", teller.operation("account", {"accountNumber": RESERVE}, RESERVE))
    assert [(await teller.next())[0], (await teller.next())[0]] == ["account", "ack"]


async def test_rcpt_and_nonce_can_change_places(bank: Bank) -> None:
    _, message = await spoiled_transfer(bank, "rcpt_order")
    envelope = f"TRANSFER{message['key']}{message['nonce']}{message['rcpt']}"
    text = envelope + "".join(message["params"][name] for name in TRANSFER_ORDER)
    assert signed_by(bank.server_key, text, message["signed"])
    assert not is_genuine(bank, "transfer", message, bank.client.public)


async def test_misbehaviour_is_used_up_in_order_or_forgotten(bank: Bank) -> None:
    teller = await bank.teller()
    await bank.post("misbehave", mode="unsigned", times=2)
    await bank.post("misbehave", mode="silent", times=0)
    for _ in range(2):
        await teller.acked("account", {"accountNumber": RESERVE}, RESERVE)
        assert "signed" not in await teller.result()
    for _ in range(3):
        await teller.acked("account", {"accountNumber": RESERVE}, RESERVE)
    await teller.hears_nothing()
    await bank.http.delete(f"{bank.listening.control}/misbehave")
    assert await teller.balance(RESERVE) == "61904.20"


async def test_results_can_take_long_or_never_come(bank: Bank) -> None:
    teller = await bank.teller()
    await bank.post("delay", seconds=60)
    await teller.acked("account", {"accountNumber": RESERVE}, RESERVE)
    await teller.hears_nothing()
    await bank.post("delay", seconds=None)
    await teller.acked("account", {"accountNumber": EUROS}, EUROS)
    bank.clock.advance(61)
    assert (await teller.result())["params"]["accountNumber"] == RESERVE
    bank.clock.advance(10_000)
    await teller.hears_nothing()


# --- what is kept --------------------------------------------------------------------------------------------------


async def test_a_restart_keeps_money_nonces_keys_and_registrations(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    new = Key(b"\x08" * 32)
    async with open_bank(11, state) as before:
        teller = await before.teller()
        await teller.pay(OPERATING, HARBOUR, "USD", 10, "10", "kept")
        await teller.result()
        await teller.pay(RESERVE, REGISTRATION_USD, "USD", 1, "1", new.public)
        await teller.result()
        await before.post("rate", currency="EUR", usd="1.25")
        await before.post("hold", account=EUROS, amount="7.18")
        await before.post("misbehave", mode="unsigned")
        ledger, nonces = await before.ledger(), await before.get("nonces")
        last = teller.nonce
    async with open_bank(7, state) as after:
        assert dict(after.listening.credentials) == dict(make(11).credentials())
        assert await after.ledger() == ledger
        assert len(ledger) == 3
        assert await after.get("nonces") == nonces
        teller = await after.teller(auth=False)
        teller.nonce = last - 1
        await teller.send("auth", teller.operation("auth"))
        assert (await teller.next())[0] == "err"
        await teller.acked("auth")
        await teller.acked("account", {"accountNumber": EUROS}, EUROS)
        message = await teller.result()
        assert "signed" not in message
        assert message["nonce"] > NOON_MS
        assert message["params"]["available"] == "137555.00"
        assert await teller.balance(OPERATING) == "248300.55"
        await teller.pay(OPERATING, EUROS, "USD", 1.25, "1.25")
        assert (await teller.result())["params"]["receiveAmount"] == "1.00"
        other = await after.teller(new)
        assert await other.balance(RESERVE) == "61904.20"


def test_no_private_key_shows_in_a_dump_or_a_repr() -> None:
    simulator = make(7)
    private = simulator.credentials()["private_key"]
    assert private not in json.dumps(simulator.dump())
    assert private not in repr(simulator)


async def test_money_is_neither_made_nor_lost_by_transfers(bank: Bank) -> None:
    teller = await bank.teller()
    for amount in (10, 20, 30):
        await teller.pay(OPERATING, RESERVE, "USD", amount, str(amount))
        await teller.result()
        await teller.result()
    total = Decimal(await teller.balance(OPERATING)) + Decimal(await teller.balance(RESERVE))
    assert total == Decimal("310214.75")


# --- connections that go wrong -------------------------------------------------------------------------------------


async def test_a_connection_that_dies_takes_nobody_elses_results_along(bank: Bank) -> None:
    dying, living = await bank.teller(), await bank.teller()
    dying.socket.transport.abort()
    await bank.post("deposit", account=OPERATING, amount=5)
    assert (await living.result())["params"]["receiveAmount"] == "5.00"


async def test_a_client_that_does_not_read_holds_up_nobody(bank: Bank) -> None:
    deaf, living = await bank.teller(), await bank.teller()
    deaf.socket.transport.pause_reading()
    for _ in range(20):  # in all more than the buffers of two sockets take
        await bank.post("deposit", account=OPERATING, amount=1, narrative="x" * 900_000)
        assert (await living.result())["params"]["receiveAmount"] == "1.00"
    deaf.socket.transport.abort()


async def test_an_act_whose_answer_was_lost_with_the_line_is_found_by_statement(bank: Bank) -> None:
    teller = await bank.teller()
    await bank.post("faults", match={"kind": "ws", "contains": "TB-LOST"}, action="reset")
    params = {
        "accountNumber": OPERATING,
        "beneficiary": HARBOUR,
        "currency": "USD",
        "amount": 10,
        "narrative": "TB-LOST",
    }
    await teller.send("transfer", teller.operation("transfer", params, f"{OPERATING}{HARBOUR}USD10"))
    with pytest.raises(websockets.ConnectionClosedError):
        await teller.next()
    again = await bank.teller()
    assert (await again.statement(OPERATING, limit=1))[0]["narrative"] == "TB-LOST"
    assert len(await bank.ledger()) == 1

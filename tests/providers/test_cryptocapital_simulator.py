"""Crypto Capital's simulator over real sockets: what it answers at once, and what it takes for an operation."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from bot.providers.cryptocapital.simulator import make
from bot.providers.cryptocapital.simulator.numerals import javascript_text
from tests.support.cryptocapital_teller import (
    EUROS,
    HARBOUR,
    NOON_MS,
    OPERATING,
    RESERVE,
    Bank,
    Key,
    N,
    is_genuine,
    open_bank,
)


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    async with open_bank() as opened:
        yield opened


# --- who is there --------------------------------------------------------------------------------------------------


def test_one_seed_always_makes_the_same_keys_and_another_seed_others() -> None:
    assert make(7).credentials() == make(7).credentials()
    assert make(7).credentials() != make(8).credentials()


async def test_the_credentials_belong_together(bank: Bank) -> None:
    credentials = bank.listening.credentials
    assert set(credentials) == {"private_key", "public_key", "accounts", "server_public_key"}
    assert len(base64.b64decode(credentials["private_key"])) == 32
    assert bank.client.public == credentials["public_key"]
    assert credentials["accounts"] == [OPERATING, RESERVE, EUROS]
    assert len(base64.b64decode(credentials["server_public_key"])) == 65


async def test_auth_and_ping_are_acked_with_their_own_nonce(bank: Bank) -> None:
    teller = await bank.teller()
    await teller.acked("ping")


async def test_an_account_comes_back_signed_after_its_ack(bank: Bank) -> None:
    teller = await bank.teller()
    await teller.acked("account", {"accountNumber": EUROS}, EUROS)
    kind, message = await teller.next()
    assert kind == "account"
    assert set(message) == {"key", "nonce", "rcpt", "params", "signed"}
    assert message["params"] == {
        "accountNumber": EUROS,
        "name": "Euro Settlement",
        "currency": "EUR",
        "balance": "137562.18",
        "available": "137562.18",
    }
    assert is_genuine(bank, "account", message, bank.client.public)
    assert message["nonce"] == NOON_MS


async def test_an_operation_as_text_inside_the_frame_is_understood(bank: Bank) -> None:
    teller = await bank.teller(auth=False)
    await teller.send("auth", json.dumps(teller.operation("auth"), indent=2))
    assert await teller.next() == ("ack", {"nonce": teller.nonce})


async def test_a_nonce_sent_as_text_is_echoed_as_text(bank: Bank) -> None:
    teller = await bank.teller(auth=False)
    data = teller.operation("auth")
    await teller.send("auth", {**data, "nonce": str(data["nonce"])})
    assert await teller.next() == ("ack", {"nonce": str(data["nonce"])})


async def test_results_go_to_authenticated_connections_of_the_key_and_to_no_other(bank: Bank) -> None:
    listening, silent = await bank.teller(), await bank.teller(auth=False)
    stranger = await bank.teller(Key(b"\x05" * 32))
    await silent.acked("account", {"accountNumber": OPERATING}, OPERATING)
    assert (await listening.result())["params"]["accountNumber"] == OPERATING
    await silent.hears_nothing()
    await stranger.hears_nothing()


async def test_half_of_the_banks_signatures_have_a_high_s(bank: Bank) -> None:
    teller = await bank.teller()
    high = 0
    for _ in range(60):
        await teller.acked("account", {"accountNumber": RESERVE}, RESERVE)
        message = await teller.result()
        assert is_genuine(bank, "account", message, bank.client.public)
        high += decode_dss_signature(base64.b64decode(message["signed"]))[1] > N // 2
    assert 15 <= high <= 45


async def test_the_banks_own_nonces_always_increase_though_the_clock_stands(bank: Bank) -> None:
    teller = await bank.teller()
    nonces = []
    for _ in range(3):
        await teller.acked("account", {"accountNumber": RESERVE}, RESERVE)
        nonces.append((await teller.result())["nonce"])
    assert nonces == [NOON_MS, NOON_MS + 1, NOON_MS + 2]


# --- err: form, signature, nonce -----------------------------------------------------------------------------------

TRANSFER = {"accountNumber": OPERATING, "beneficiary": RESERVE, "currency": "USD", "amount": 5, "narrative": "n"}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ('{"op":"auth","data":{"nonce":NaN}}', "not JSON"),
        ('{"op":"auth","op":"ping","data":{}}', "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[1]", "not an object"),
        ('"auth"', "not an object"),
        ("{}", "unknown operation"),
        ('{"op":"AUTH","data":{}}', "unknown operation"),
        ('{"op":{"a":1},"data":{}}', "unknown operation"),
        ('{"op":"auth"}', "data is not an object"),
        ('{"op":"auth","data":"oops"}', "not JSON"),
        ('{"op":"auth","data":[]}', "data is not an object"),
        (b'{"op":"ping"}', "not a text frame"),
    ],
)
async def test_a_frame_that_is_no_operation_gets_an_err_without_nonce(
    bank: Bank, frame: str | bytes, reason: str
) -> None:
    teller = await bank.teller()
    await teller.socket.send(frame)
    assert await teller.next() == ("err", {"nonce": None, "msg": reason})
    await teller.hears_nothing()


POINT = base64.b64decode(Key(b"\x01" * 32).public)
HYBRID = base64.b64encode(bytes([6 + POINT[-1] % 2]) + POINT[1:]).decode()
COMPACTED = Key(b"\x01" * 32).public.rstrip("=")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"apiVersion": 1}, "apiVersion is not 2"),
        ({"apiVersion": "2"}, "apiVersion is not 2"),
        ({"apiVersion": None}, "apiVersion is not 2"),
        ({"key": ""}, "key is missing or not text"),
        ({"key": None}, "key is missing or not text"),
        ({"key": "AUTH"}, "key is not a public key"),
        ({"key": "Agt7dcy65Vcy/lNvk9M7DTS7OitNUNlwqYkFk0tJfouw"}, "key is not a public key"),
        ({"key": base64.b64encode(b"\x04" + b"\x01" * 64).decode()}, "key is not a public key"),
        ({"key": HYBRID}, "key is not a public key"),
        ({"key": COMPACTED}, "key is not a public key"),
        ({"key": "é" * 88}, "key is not a public key"),
        ({"signed": None}, "signed is missing or not text"),
        ({"signed": 7}, "signed is missing or not text"),
        ({"params": None}, "params is not an object"),
        ({"params": "text"}, "params is not an object"),
        ({"params": {**TRANSFER, "amount": None}}, "amount is not a number"),
        ({"params": {**TRANSFER, "amount": "NaN"}}, "amount is not a number"),
        ({"params": {**TRANSFER, "amount": "1_000"}}, "amount is not a number"),
        ({"params": {**TRANSFER, "amount": True}}, "amount is not a number"),
        ({"params": {**TRANSFER, "currency": "usd"}}, "currency is not three capitals"),
        ({"params": {**TRANSFER, "accountNumber": 9120004471}}, "accountNumber is missing or not text"),
        ({"params": {**TRANSFER, "beneficiary": ""}}, "beneficiary is missing or not text"),
        ({"params": {**TRANSFER, "narrative": ["n"]}}, "narrative is missing or not text"),
        ({"params": {**TRANSFER, "narrative": "\ud800"}}, "narrative is not Unicode text"),
    ],
)
async def test_a_malformed_operation_gets_an_err_with_its_nonce_and_moves_nothing(
    bank: Bank, change: Mapping[str, Any], reason: str
) -> None:
    teller = await bank.teller()
    data = teller.operation("transfer", TRANSFER, f"{OPERATING}{RESERVE}USD5")
    await teller.send("transfer", {**data, **change})
    assert await teller.next() == ("err", {"nonce": teller.nonce, "msg": reason})
    await teller.send("transfer", data)
    assert await teller.next() == ("ack", {"nonce": teller.nonce}), "a malformed operation uses no nonce up"
    assert [entry["amount"] for entry in await bank.ledger()] == ["5.00"]


@pytest.mark.parametrize("nonce", [None, 1.5, -1, True, "", "1e3", "-4", 2**53, {"a": 1}, "9" * 400, 10**400])
async def test_a_nonce_that_is_no_usable_integer_is_refused(bank: Bank, nonce: object) -> None:
    teller = await bank.teller()
    await teller.send("ping", {**teller.operation("ping"), "nonce": nonce})
    assert await teller.next() == ("err", {"nonce": None, "msg": "nonce is not an integer"})


async def test_an_amount_beyond_every_double_is_refused(bank: Bank) -> None:
    teller = await bank.teller()
    data = teller.operation("transfer", {**TRANSFER, "amount": 31337}, f"{OPERATING}{RESERVE}USD31337")
    frame = json.dumps({"op": "transfer", "data": data})
    await teller.socket.send(frame.replace("31337", "1e400"))
    assert await teller.next() == ("err", {"nonce": teller.nonce, "msg": "number out of bounds"})


@pytest.mark.parametrize(
    "filters",
    [{"limit": 1, "fromTime": 1}, {"limit": "1", "transactionId": "4790"}, {"limit": 1, "fromTime": 1, "x": 2}],
)
async def test_more_than_one_filter_is_refused(bank: Bank, filters: Mapping[str, Any]) -> None:
    teller = await bank.teller()
    await teller.send("statement", teller.operation("statement", {"accountNumber": RESERVE, **filters}, RESERVE))
    assert await teller.next() == ("err", {"nonce": teller.nonce, "msg": "more than one filter"})


@pytest.mark.parametrize("value", [-1, "x", 1.5, True, {}, "", 10**400])
async def test_a_limit_that_is_no_whole_number_is_refused(bank: Bank, value: object) -> None:
    teller = await bank.teller()
    await teller.send("statement", teller.operation("statement", {"accountNumber": RESERVE, "limit": value}, RESERVE))
    kind, data = await teller.next()
    assert (kind, data["nonce"]) == ("err", teller.nonce)


@pytest.mark.parametrize("high", [True, False])
async def test_high_and_low_s_of_a_client_are_both_accepted(bank: Bank, high: bool) -> None:
    teller = await bank.teller()
    data = teller.operation("ping")
    data["signed"] = bank.client.sign(f"PING{bank.client.public}{teller.nonce}", high=high)
    await teller.send("ping", data)
    assert await teller.next() == ("ack", {"nonce": teller.nonce})


def forgeries(key: Key, text: str) -> dict[str, bytes]:
    der = key.der(text)
    r, s = decode_dss_signature(der)
    twice = hashlib.sha256(text.encode()).digest()
    long_form = bytes([der[0], 0x81]) + der[1:]
    return {
        "empty": b"",
        "truncated": der[:-1],
        "one byte more": der + b"\x00",
        "raw r and s": r.to_bytes(32) + s.to_bytes(32),
        "compact recoverable": b"\x1c" + r.to_bytes(32) + s.to_bytes(32),
        "hex of the DER": der.hex().encode(),
        "length in long form": long_form,
        "zero r and s": encode_dss_signature(0, 0),
        "s beyond the order": encode_dss_signature(r, s + N),
        "negative s": encode_dss_signature(r, s)[:-1] + b"\xff",
        "another text": key.der(text + " "),
        "hashed twice": key.private.sign(twice, ec.ECDSA(hashes.SHA256())),
        "another key": Key(b"\x09" * 32).der(text),
    }


@pytest.mark.parametrize("name", sorted(forgeries(Key(b"\x01" * 32), "x")))
async def test_a_signature_in_any_other_form_or_over_anything_else_is_refused(bank: Bank, name: str) -> None:
    teller = await bank.teller()
    data = teller.operation("ping")
    forged = forgeries(bank.client, f"PING{bank.client.public}{teller.nonce}")[name]
    await teller.send("ping", {**data, "signed": base64.b64encode(forged).decode()})
    assert await teller.next() == ("err", {"nonce": teller.nonce, "msg": "signature does not verify"})
    await teller.send("ping", data)
    assert await teller.next() == ("ack", {"nonce": teller.nonce}), "a bad signature uses no nonce up"


async def test_a_nonce_has_to_be_greater_across_connections_and_operations(bank: Bank) -> None:
    first, second = await bank.teller(auth=False), await bank.teller(auth=False)
    first.nonce = 5000
    await first.acked("auth")
    for before in (5000, 4999, 0):
        second.nonce = before
        await second.send("ping", second.operation("ping"))
        expected = {"nonce": before + 1, "msg": "nonce is not greater than the last one"}
        assert await second.next() == ("err", expected)
    second.nonce = 5001
    await second.acked("ping")
    other = await bank.teller(Key(b"\x06" * 32), auth=False)
    other.nonce = 0
    await other.acked("auth")
    nonces = await bank.get("nonces")
    assert nonces["last"] == {bank.client.public: 5002, other.key.public: 1}
    assert nonces["accepted"][bank.client.public] == [5001, 5002]


async def test_an_accepted_operation_that_fails_uses_its_nonce_up(bank: Bank) -> None:
    teller = await bank.teller()
    data = teller.operation("account", {"accountNumber": HARBOUR}, HARBOUR)
    await teller.send("account", data)
    assert (await teller.next())[0] == "ack"
    assert (await teller.next())[0] == "error"
    await teller.send("account", data)
    assert (await teller.next())[0] == "err"


# --- number text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1"),
        (150.5, "150.5"),
        (0.1, "0.1"),
        (-0.0, "0"),
        (-2.5, "-2.5"),
        (100.0, "100"),
        (12345678.9, "12345678.9"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-9, "1.5e-9"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e16, "10000000000000000"),
        (1e21, "1e+21"),
        (1.25e25, "1.25e+25"),
        (9007199254740993.0, "9007199254740992"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
    ],
)
def test_a_number_has_the_text_javascript_gives_it(number: float, text: str) -> None:
    assert javascript_text(number) == text


@pytest.mark.parametrize(
    ("spelled", "signed", "moved"),
    [
        ("1.00", "1", "1.00"),
        ("150.50", "150.5", "150.50"),
        ("0.1", "0.1", "0.10"),
        ("2e2", "200", "200.00"),
        ('"3.00"', "3.00", "3.00"),
        ('"4"', "4", "4.00"),
    ],
)
async def test_an_amount_is_signed_as_javascript_writes_it_and_text_as_spelled(
    bank: Bank, spelled: str, signed: str, moved: str
) -> None:
    teller = await bank.teller()
    data = teller.operation("transfer", {**TRANSFER, "amount": 31337}, f"{OPERATING}{RESERVE}USD{signed}")
    await teller.socket.send(json.dumps({"op": "transfer", "data": data}).replace("31337", spelled))
    assert await teller.next() == ("ack", {"nonce": teller.nonce})
    assert (await teller.result())["params"]["sendAmount"] == moved


@pytest.mark.parametrize(("spelled", "signed"), [("1.00", "1.00"), ("1", "1.00"), ('"1.00"', "1")])
async def test_an_amount_signed_in_another_spelling_is_refused(bank: Bank, spelled: str, signed: str) -> None:
    teller = await bank.teller()
    data = teller.operation("transfer", {**TRANSFER, "amount": 31337}, f"{OPERATING}{RESERVE}USD{signed}")
    await teller.socket.send(json.dumps({"op": "transfer", "data": data}).replace("31337", spelled))
    assert await teller.next() == ("err", {"nonce": teller.nonce, "msg": "signature does not verify"})
    assert await bank.ledger() == []

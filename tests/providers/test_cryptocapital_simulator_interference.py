"""Crypto Capital's simulator over real sockets: messages that are forged, re-cut, repeated, held back or invented."""

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import coincurve
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature

from tests.support.cryptocapital_lines import teller_by
from tests.support.cryptocapital_teller import (
    HARBOUR,
    NOON_MS,
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

INVENTED = {
    "id": "99001",
    "date": "2026-03-02",
    "sendAccount": HARBOUR,
    "receiveAccount": OPERATING,
    "sendCurrency": "USD",
    "receiveCurrency": "USD",
    "sendAmount": "1000000.00",
    "receiveAmount": "1000000.00",
    "narrative": "never sent",
}


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    async with open_bank() as opened:
        yield opened


async def spoiled(bank: Bank, kind: str, **script: Any) -> Any:
    """The one result of this kind that the script has touched."""
    teller = await bank.teller()
    await bank.post("misbehave", **script)
    await asked_for(teller, kind)
    came, message = await teller.next()
    assert came == kind
    return message


async def asked_for(teller: Teller, kind: str) -> None:
    match kind:
        case "transfer":
            await teller.pay(OPERATING, HARBOUR, "USD", 10, "10", "CS-ABCDEFGHIJ")
        case "account":
            await teller.acked("account", {"accountNumber": RESERVE}, RESERVE)
        case _:
            await teller.acked("account", {"accountNumber": HARBOUR}, HARBOUR)


# --- forms of a signature ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["transfer", "account", "error"])
@pytest.mark.parametrize(("mode", "high"), [("high_s", True), ("low_s", False)])
async def test_the_height_of_s_can_be_chosen_and_is_good(bank: Bank, kind: str, mode: str, high: bool) -> None:
    message = await spoiled(bank, kind, mode=mode)
    assert (decode_dss_signature(base64.b64decode(message["signed"]))[1] > N // 2) is high
    assert is_genuine(bank, kind, message, bank.client.public)


async def test_a_byte_may_follow_good_der(bank: Bank) -> None:
    message = await spoiled(bank, "transfer", mode="trailing_byte")
    signed = base64.b64decode(message["signed"])
    assert signed[-1:] == b"\x00"
    assert signed_by(bank.server_key, text_of("transfer", message), base64.b64encode(signed[:-1]).decode())


async def test_a_raw_signature_is_r_and_s(bank: Bank) -> None:
    message = await spoiled(bank, "account", mode="raw")
    signed = base64.b64decode(message["signed"])
    assert len(signed) == 64
    assert signed_by(bank.server_key, text_of("account", message), der_of(signed))


@pytest.mark.parametrize(
    ("mode", "narrative", "length"),
    [
        ("compact", "short", b""),
        ("bitcoin", "short", b"\xfc"),  # 252 characters, the most that one byte counts
        ("bitcoin", "x" * 6, b"\xfd\xfd\x00"),
        ("bitcoin", "x" * 300, b"\xfd\x23\x02"),
    ],
)
async def test_a_compact_signature_recovers_to_the_banks_key(
    bank: Bank, mode: str, narrative: str, length: bytes
) -> None:
    teller = await bank.teller()
    await bank.post("misbehave", mode=mode)
    await teller.pay(OPERATING, HARBOUR, "USD", 10, "10", narrative)
    message = await teller.result()
    text = text_of("transfer", message).encode()
    if mode == "bitcoin":
        text = hashlib.sha256(b"\x18Bitcoin Signed Message:\n" + length + text).digest()
    digest = hashlib.sha256(text).digest()
    signed = base64.b64decode(message["signed"])
    assert len(signed) == 65
    assert signed[0] in (27, 28)
    recovered = coincurve.PublicKey.from_signature_and_message(
        signed[1:] + bytes([signed[0] - 27]), digest, hasher=None
    )
    assert base64.b64encode(recovered.format(compressed=False)).decode() == bank.server_key
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), base64.b64decode(bank.server_key))
    point.verify(base64.b64decode(der_of(signed[1:])), digest, ec.ECDSA(Prehashed(hashes.SHA256())))


def der_of(compact: bytes) -> str:
    der = encode_dss_signature(int.from_bytes(compact[:32]), int.from_bytes(compact[32:]))
    return base64.b64encode(der).decode()


async def test_a_borrowed_key_stands_beside_a_strangers_signature(bank: Bank) -> None:
    message = await spoiled(bank, "transfer", mode="borrowed_key")
    assert (message["key"], message["rcpt"]) == (bank.server_key, bank.client.public)
    assert not is_genuine(bank, "transfer", message, bank.client.public)


# --- what was signed and what is sent ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "field", "sent"),
    [
        ("transfer", None, {"sendAmount": "10.0", "receiveAmount": "010.00"}),
        ("transfer", "id", {"id": "479", "date": "62026-03-02"}),
        ("transfer", "receiveAmount", {"receiveAmount": "10.0", "narrative": "0CS-ABCDEFGHIJ"}),
        ("transfer", "sendAccount", {"sendAccount": "912000447", "receiveAccount": "19120007013"}),
        ("account", None, {"balance": "61904.2", "available": "061904.20"}),
        ("account", "name", {"name": "Settlement Reserv", "currency": "eUSD"}),
        ("error", None, {"nonce": "177245280100", "msg": "2account is not linked to this key"}),
    ],
)
async def test_a_recut_message_has_a_good_signature_over_shifted_fields(
    bank: Bank, kind: str, field: str | None, sent: Mapping[str, str]
) -> None:
    script = {"mode": "recut"} if field is None else {"mode": "recut", "field": field}
    message = await spoiled(bank, kind, **script)
    assert {name: message["params"][name] for name in sent} == sent
    assert is_genuine(bank, kind, message, bank.client.public)


async def test_the_servers_nonce_can_lend_its_last_digit_to_the_id(bank: Bank) -> None:
    message = await spoiled(bank, "transfer", mode="recut", field="nonce")
    assert message["nonce"] == NOON_MS // 10
    assert message["params"]["id"] == f"{NOON_MS % 10}4796"
    assert is_genuine(bank, "transfer", message, bank.client.public)


@pytest.mark.parametrize("field", TRANSFER_ORDER)
async def test_each_field_of_a_transfer_can_be_altered_after_signing(bank: Bank, field: str) -> None:
    message = await spoiled(bank, "transfer", mode="altered_field", field=field)
    assert not is_genuine(bank, "transfer", message, bank.client.public)
    assert message["params"][field][0] == "9"
    message["params"][field] = message["params"][field][1:]
    assert is_genuine(bank, "transfer", message, bank.client.public)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [("transfer", "sendAccount", "receiveAccount"), ("account", "balance", "available"), ("error", "nonce", "msg")],
)
async def test_two_fields_can_change_places_in_the_signed_text(bank: Bank, kind: str, one: str, other: str) -> None:
    if kind == "account":
        await bank.post("hold", account=RESERVE, amount="1")  # else both are equal, and so is the text
    message = await spoiled(bank, kind, mode="field_order")
    assert not is_genuine(bank, kind, message, bank.client.public)
    params = message["params"]
    params[one], params[other] = params[other], params[one]
    assert is_genuine(bank, kind, message, bank.client.public)


# --- which ones ----------------------------------------------------------------------------------------------------


async def test_a_misbehaviour_waits_for_its_kind_its_addressee_and_its_narrative(bank: Bank) -> None:
    teller, other = await bank.teller(), await bank.teller(Key(b"\x07" * 32))
    await bank.post("register", account=HARBOUR, key=other.key.public)
    await other.result()
    await bank.post("misbehave", mode="unsigned", kind="transfer", to=HARBOUR, narrative="CS-B")
    await teller.account(OPERATING)
    for narrative, theirs_is_signed in (("CS-A", True), ("CS-B", False), ("CS-B", True)):
        await teller.pay(OPERATING, HARBOUR, "USD", 1, "1", narrative)
        assert "signed" in await teller.result()
        assert ("signed" in await other.result()) is theirs_is_signed
    assert (await bank.get("misbehave"))["waiting"] == []


async def test_a_misbehaviour_of_one_kind_leaves_the_others_alone(bank: Bank) -> None:
    teller = await bank.teller()
    await bank.post("misbehave", mode="unsigned", kind="account")
    signed = {}
    for kind in ("transfer", "error", "account"):
        await asked_for(teller, kind)
        signed[kind] = "signed" in await teller.result()
    assert signed == {"transfer": True, "error": True, "account": False}


async def test_a_result_can_come_on_another_line_only(bank: Bank) -> None:
    asking, listening = await bank.teller(), await teller_by(bank, "polling")
    asking.nonce = listening.nonce
    await bank.post("misbehave", mode="elsewhere")
    await asking.acked("account", {"accountNumber": RESERVE}, RESERVE)
    assert (await listening.result())["params"]["accountNumber"] == RESERVE
    await asking.hears_nothing()


# --- held, repeated, invented --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reverse", "order"), [(False, ["a", "b", "c"]), (True, ["c", "b", "a"])])
async def test_held_results_come_when_released_in_either_order(bank: Bank, reverse: bool, order: list[str]) -> None:
    teller = await bank.teller()
    await bank.post("misbehave", mode="held", times=0, to=OPERATING)
    for narrative in ("a", "b", "c"):
        await teller.pay(OPERATING, HARBOUR, "USD", 1, "1", narrative)
    await teller.hears_nothing()
    assert (await bank.get("misbehave"))["held"] == 3
    assert await bank.post("release", reverse=reverse) == {"released": 3}
    assert [(await teller.result())["params"]["narrative"] for _ in order] == order
    assert await bank.post("release") == {"released": 0}


async def test_a_held_result_reaches_a_line_that_came_later_even_after_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    async with open_bank(7, state) as before:
        teller = await before.teller()
        await before.post("misbehave", mode="held")
        await teller.pay(OPERATING, HARBOUR, "USD", 10, "10", "held over")
        await teller.hears_nothing()
        last = teller.nonce
    async with open_bank(7, state) as after:
        teller = await teller_by(after, "websocket", auth=False)
        teller.nonce = last
        await teller.acked("auth")
        await after.post("release")
        message = await teller.result()
        assert message["params"]["narrative"] == "held over"
        assert is_genuine(after, "transfer", message, after.client.public)


async def test_a_booked_transfer_can_be_told_again_signed_anew(bank: Bank) -> None:
    teller = await bank.teller()
    await teller.pay(OPERATING, HARBOUR, "USD", 10, "10", "once")
    first = await teller.result()
    assert await bank.post("tell", id=first["params"]["id"]) == {"told": 2}
    again = await teller.result()
    assert again["params"] == first["params"]
    assert again["nonce"] > first["nonce"]
    assert is_genuine(bank, "transfer", again, bank.client.public)
    assert len(await bank.ledger()) == 1


async def test_a_forged_transfer_is_signed_by_the_bank_and_in_no_read(bank: Bank) -> None:
    teller = await bank.teller()
    answer = await bank.post("forge", to=OPERATING, kind="transfer", params=INVENTED)
    kind, message = await teller.next()
    assert (kind, message) == ("transfer", answer["message"])
    assert message["params"] == INVENTED
    assert is_genuine(bank, "transfer", message, bank.client.public)
    assert await teller.balance(OPERATING) == "248310.55"
    assert INVENTED not in await teller.statement(OPERATING)
    assert await bank.ledger() == []


@pytest.mark.parametrize("mode", [None, "unsigned", "bad_signature", "other_key"])
async def test_an_error_can_be_forged_for_any_nonce_signed_or_not(bank: Bank, mode: str | None) -> None:
    teller = await bank.teller()
    how = {} if mode is None else {"mode": mode}
    await bank.post("forge", to=bank.client.public, kind="error", params={"nonce": "5", "msg": "gone"}, **how)
    kind, message = await teller.next()
    assert (kind, message["params"]) == ("error", {"nonce": "5", "msg": "gone"})
    assert ("signed" in message) is (mode != "unsigned")
    assert ("signed" in message and is_genuine(bank, kind, message, bank.client.public)) is (mode is None)


@pytest.mark.parametrize(
    ("msg", "data"),
    [
        ("ack", {"nonce": 5}),
        ("err", {"nonce": 5, "msg": "no"}),
        ("transfer", {"params": INVENTED}),
        ("news", {"a": []}),
    ],
)
async def test_anything_can_be_said_by_nobody(bank: Bank, msg: str, data: Mapping[str, Any]) -> None:
    native, other = await bank.teller(), await teller_by(bank, "websocket")
    assert await bank.post("say", to=OPERATING, msg=msg, data=data) == {"told": 2}
    assert await native.next() == (msg, data)
    assert await other.next() == (msg, data)


async def test_another_client_of_the_key_can_have_used_a_nonce(bank: Bank) -> None:
    teller = await bank.teller()
    taken = teller.nonce + 5
    assert (await bank.post("nonces", to=OPERATING, nonce=taken))["last"] == {bank.client.public: taken}
    assert "error" in await bank.post("nonces", 409, to=OPERATING, nonce=taken)
    for _ in range(5):
        await teller.send("ping", teller.operation("ping"))
        expected = {"nonce": teller.nonce, "msg": "nonce is not greater than the last one"}
        assert await teller.next() == ("err", expected)
    await teller.acked("ping")


@pytest.mark.parametrize("carrier", ["native", "websocket", "polling"])
async def test_the_bank_can_hang_up_on_one_key_or_on_all(bank: Bank, carrier: str) -> None:
    teller, stranger = await teller_by(bank, carrier), await bank.teller(Key(b"\x05" * 32))
    assert await bank.post("hangup", to=OPERATING) == {"ended": 1}
    if carrier == "polling":
        gone = await bank.http.get(teller.poller.address)  # type: ignore[attr-defined]
        assert gone.json() == {"code": 1, "message": "Session ID unknown"}
    else:
        await teller.socket.wait_closed()
        assert teller.socket.close_code == (1001 if carrier == "native" else 1000)
    await stranger.acked("ping")
    assert await bank.post("hangup") == {"ended": 1}
    await stranger.socket.wait_closed()
    again = await teller_by(bank, carrier)
    assert await again.balance(RESERVE) == "61904.20"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("misbehave", {"mode": "recut", "field": "narrative"}),
        ("misbehave", {"mode": "recut", "kind": "account", "field": "nonce"}),
        ("misbehave", {"mode": "altered_field", "field": "nobody"}),
        ("misbehave", {"mode": "late", "field": "id"}),
        ("misbehave", {"mode": "late", "kind": "ack"}),
        ("misbehave", {"mode": "late", "to": "nobody"}),
        ("misbehave", {"mode": "late", "to": REGISTRATION_USD}),
        ("release", {"reverse": 1}),
        ("tell", {"id": "1"}),
        ("tell", {}),
        ("forge", {"to": OPERATING, "kind": "transfer", "params": {"id": "1"}}),
        ("forge", {"to": OPERATING, "kind": "ack", "params": {"id": "1"}}),
        ("forge", {"to": OPERATING, "kind": "error", "params": {"nonce": 5, "msg": "x"}}),
        ("forge", {"to": OPERATING, "kind": "error", "params": {"nonce": "5", "msg": "x"}, "mode": "badly"}),
        ("say", {"to": OPERATING, "msg": "ack", "data": "text"}),
        ("say", {"to": OPERATING, "msg": "ack", "data": {"nonce": 1.5}}),
        ("nonces", {"to": OPERATING, "nonce": 1.5}),
        ("nonces", {"to": OPERATING, "nonce": 2**53}),
        ("hangup", {"to": "nobody"}),
        ("deposit", {"account": OPERATING, "amount": 5, "sender": "9120666666", "currency": 5}),
    ],
)
async def test_an_interference_that_makes_no_sense_is_refused_and_says_nothing(
    bank: Bank, path: str, body: Mapping[str, Any]
) -> None:
    teller = await bank.teller()
    assert "error" in await bank.post(path, expect=400, **body)
    assert (await bank.get("misbehave"))["waiting"] == []
    await teller.hears_nothing()


async def test_money_in_a_currency_without_a_rate_does_not_arrive(bank: Bank) -> None:
    refused = await bank.post("deposit", 409, account=OPERATING, amount=5, sender="9120666666", currency="XAU")
    assert refused == {"error": "no exchange rate"}
    assert await bank.ledger() == []

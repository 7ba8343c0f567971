"""The adapter's Crypto Capital signatures against vectors made with jsrsasign (the vendor's own library), not by us."""

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.money import Currency, Money
from bot.network import strictjson
from bot.providers.cryptocapital import wire
from bot.providers.cryptocapital.auth import Form, PinnedKey, Signer
from bot.providers.cryptocapital.settings import LIVE_SERVER_KEY
from bot.providers.cryptocapital.wire import AccountMessage, ErrorMessage, Op, TransferMessage

_SHARED = Path(os.environ.get("COUNTERSIGN_SHARED", Path(__file__).parents[2] / "shared"))
_FILE = _SHARED / "protocols" / "data" / "cryptocapital" / "vectors.json"

if not _FILE.exists():
    pytest.skip(f"no vectors at {_FILE}", allow_module_level=True)

_DATA: dict[str, Any] = json.loads(_FILE.read_text())
_ALL: list[dict[str, Any]] = _DATA["vectors"]
_LENIENT: list[dict[str, Any]] = _DATA["lenient_vectors"]


def _named(entries: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("entry", entries, ids=[entry["id"] for entry in entries])


def _message(entry: dict[str, Any]) -> Any:
    return strictjson.loads(entry["message_json"])


def _server_message(entry: dict[str, Any]) -> AccountMessage | ErrorMessage | TransferMessage:
    message = wire.parse_message(entry["op"], _message(entry))
    assert isinstance(message, AccountMessage | ErrorMessage | TransferMessage)
    return message


def _text(entry: dict[str, Any]) -> str:
    if entry["direction"] == "server":
        return wire.signed_texts(_server_message(entry))[0]
    message = _message(entry)
    return wire.operation_text(Op(entry["op"]), message["key"], message["nonce"], message.get("params"))


def test_the_file_is_the_one_described() -> None:
    assert (len(_ALL), sum(entry["expected_valid"] for entry in _ALL), len(_LENIENT)) == (57, 37, 6)
    assert _DATA["meta"]["documented_live_server_public_key_b64"] == LIVE_SERVER_KEY


@_named(_ALL)
def test_the_text_is_rebuilt_from_the_message(entry: dict[str, Any]) -> None:
    assert _text(entry) == entry["message_string"]


@_named(_ALL)
def test_a_signature_is_good_exactly_when_the_vector_says_so(entry: dict[str, Any]) -> None:
    key = PinnedKey(entry["public_key_b64"])
    assert key.verify(entry["signature_b64"], _text(entry)) is entry["expected_valid"]


@_named([entry for entry in _ALL if not entry["expected_valid"] and len(entry["signature_b64"]) == 96])
def test_tolerance_does_not_make_a_bad_der_signature_good(entry: dict[str, Any]) -> None:
    key = PinnedKey(entry["public_key_b64"])
    texts = wire.signed_texts(_server_message(entry)) if entry["direction"] == "server" else (_text(entry),)
    assert key.form(entry["signature_b64"], texts, tolerant=True) is None


@_named([entry for entry in _ALL if entry["expected_valid"] and entry["direction"] == "client"])
def test_our_own_signature_over_the_text_is_good_for_the_derived_key(entry: dict[str, Any]) -> None:
    signer = Signer(entry["private_key_b64"])
    assert signer.public_key == entry["public_key_b64"]
    assert PinnedKey(entry["public_key_b64"]).verify(signer.sign(_text(entry)), entry["message_string"])


@_named([entry for entry in _ALL if entry["expected_valid"] and entry["direction"] == "server"])
def test_valid_server_messages_have_the_grammar(entry: dict[str, Any]) -> None:
    wire.check_grammar(_server_message(entry))


def test_a_balance_with_three_decimals_has_not() -> None:
    (entry,) = (entry for entry in _ALL if entry["id"] == "shared-057")
    with pytest.raises(ValueError, match="grammar"):
        wire.check_grammar(_server_message(entry))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("shared-L1", Form.DER),
        ("shared-L2", Form.BITCOIN),
        ("shared-L3", Form.BITCOIN),
        ("shared-L4", Form.PLAIN),
    ],
)
def test_only_a_tolerant_reader_takes_the_older_forms(name: str, form: Form) -> None:
    (entry,) = (entry for entry in _LENIENT if entry["id"] == name)
    message = _server_message(entry)
    key = PinnedKey(entry["public_key_b64"])
    texts = wire.signed_texts(message)
    assert texts[0] == entry["message_string"]
    assert key.form(entry["signature_b64"], texts) is None
    assert key.form(entry["signature_b64"], texts, tolerant=True) is form


def test_a_compressed_key_is_refused() -> None:
    (entry,) = (entry for entry in _LENIENT if entry["id"] == "shared-L6")
    with pytest.raises(ValueError, match="65 bytes"):
        PinnedKey(entry["public_key_b64"])


def test_numbers_keep_the_digits_of_the_json_text() -> None:
    amounts = {
        entry["message_json"]: _message(entry)["params"]["amount"]
        for entry in _ALL
        if entry["op"] == "transfer" and entry["direction"] == "client"
    }
    assert {type(amount) for amount in amounts.values()} == {int, Decimal, str}


def _movable(entry: dict[str, Any]) -> bool:
    """Transfers this adapter would make: a plain amount as a JSON number, of two decimals at most."""
    amount = entry["message"].get("params", {}).get("amount")
    return (
        entry["op"] == "transfer"
        and entry["direction"] == "client"
        and entry["expected_valid"]
        and (isinstance(amount, int | float) and 0.01 <= amount < 10**15)
    )


@_named([entry for entry in _ALL if _movable(entry)])
def test_a_transfer_we_build_is_signed_and_spelled_as_theirs(entry: dict[str, Any]) -> None:
    message = _message(entry)
    told = message["params"]
    amount = Money(Decimal(str(told["amount"])).quantize(Decimal("0.01")), Currency(told["currency"]))
    params = wire.transfer_params(told["accountNumber"], told["beneficiary"], amount, told["narrative"])
    signer = Signer(entry["private_key_b64"])
    text = wire.operation_text(Op.TRANSFER, signer.public_key, message["nonce"], params)
    assert text == entry["message_string"]
    frame = strictjson.loads(
        wire.build_operation(Op.TRANSFER, signer.public_key, message["nonce"], params, message["signed"])
    )
    assert frame == {"op": "transfer", "data": message}
    again = strictjson.loads(
        wire.build_operation(Op.TRANSFER, signer.public_key, message["nonce"], params, signer.sign(text))
    )
    assert isinstance(again, dict)
    assert PinnedKey(entry["public_key_b64"]).verify(again["data"]["signed"], entry["message_string"])


def test_five_of_their_transfers_are_such() -> None:
    assert sum(map(_movable, _ALL)) == 5


@_named([entry for entry in _ALL if entry["direction"] == "server" and entry["op"] == "transfer"])
def test_a_transfer_they_report_is_read_field_by_field(entry: dict[str, Any]) -> None:
    if not entry["expected_valid"]:
        return
    message = _server_message(entry)
    assert isinstance(message, TransferMessage)
    wire.check_grammar(message)
    told, read = entry["message"]["params"], wire.parse_transfer(message.params)
    assert (read.id, read.on.isoformat(), read.source, read.target, read.narrative) == (
        told["id"],
        told["date"],
        told["sendAccount"],
        told["receiveAccount"],
        told.get("narrative") or "",
    )
    assert (str(read.sent), str(read.received)) == (
        f"{told['sendAmount']} {told['sendCurrency']}",
        f"{told['receiveAmount']} {told['receiveCurrency']}",
    )

"""The Crypto Capital simulator against signature vectors made by other people's code.

They lie in a folder that a clone does not have: `COUNTERSIGN_SHARED`, or `shared` beside the checkout. Without it these
tests skip and say so.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.providers.cryptocapital.simulator.numerals import Json, Numeral, parse
from bot.providers.cryptocapital.simulator.operations import read_operation
from bot.providers.cryptocapital.simulator.results import result_text
from bot.providers.cryptocapital.simulator.signatures import verify

SHARED = Path(os.environ.get("COUNTERSIGN_SHARED") or Path(__file__).parents[2] / "shared")
VECTORS = SHARED / "protocols" / "data" / "cryptocapital" / "vectors.json"

pytestmark = pytest.mark.skipif(not VECTORS.exists(), reason=f"no vectors at {VECTORS}; set COUNTERSIGN_SHARED")


def listed(name: str) -> list[Any]:
    rows = json.loads(VECTORS.read_text())[name] if VECTORS.exists() else []
    return [pytest.param(row, id=row["id"]) for row in rows]


def built_text(row: Mapping[str, Any]) -> str:
    """The text the simulator itself derives from the message as it was on the wire."""
    message = parse(row["message_json"])
    assert isinstance(message, Mapping)
    if row["direction"] == "client":
        return read_operation(row["op"], message).text
    nonce, params = message["nonce"], message["params"]
    assert isinstance(nonce, Numeral)
    assert isinstance(params, Mapping)
    return result_text(row["op"], text(message["key"]), nonce.text, text(message["rcpt"]), texts(params))


def text(value: Json) -> str:
    assert isinstance(value, str)
    return value


def texts(params: Mapping[str, Json]) -> dict[str, str]:
    return {name: text(value) for name, value in params.items()}


@pytest.mark.parametrize("row", listed("vectors"))
def test_the_text_built_from_a_message_is_the_documented_one(row: Mapping[str, Any]) -> None:
    assert built_text(row) == row["message_string"]


@pytest.mark.parametrize("row", listed("vectors"))
def test_a_signature_verifies_exactly_when_it_should(row: Mapping[str, Any]) -> None:
    assert verify(row["public_key_b64"], built_text(row), row["signature_b64"]) is row["expected_valid"]


def test_there_are_valid_and_invalid_vectors_of_both_sides_and_both_heights() -> None:
    rows = json.loads(VECTORS.read_text())["vectors"]
    assert {(row["direction"], row["expected_valid"]) for row in rows} == {
        ("client", True),
        ("client", False),
        ("server", True),
        ("server", False),
    }
    assert {row["high_s"] for row in rows if row["expected_valid"]} == {True, False}


def test_the_older_name_of_the_account_in_a_statement_is_understood() -> None:
    row = lenient("shared-L5")
    assert built_text(row) == row["signed_string"]
    assert verify(row["public_key_b64"], built_text(row), row["signature_b64"])


def test_a_compressed_key_is_refused() -> None:
    with pytest.raises(ValueError, match="key is not a public key"):
        built_text(lenient("shared-L6"))


@pytest.mark.parametrize("name", ["shared-L2", "shared-L3", "shared-L4"])
def test_signatures_that_are_not_der_are_refused(name: str) -> None:
    row = lenient(name)
    assert not verify(row["public_key_b64"], row["signed_string"], row["signature_b64"])


def test_the_other_order_of_a_transfer_result_can_be_built() -> None:
    row = lenient("shared-L1")
    message = json.loads(row["message_json"])
    built = result_text(
        "transfer", message["key"], str(message["nonce"]), message["rcpt"], message["params"], rcpt_first=False
    )
    assert built == row["signed_string"]
    assert verify(row["public_key_b64"], built, row["signature_b64"])


def lenient(name: str) -> Mapping[str, Any]:
    rows = json.loads(VECTORS.read_text())["lenient_vectors"]
    found: Mapping[str, Any] = next(row for row in rows if row["id"] == name)
    return found

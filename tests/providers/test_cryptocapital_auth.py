"""Crypto Capital's signatures, against values made by another library (OpenSSL through `cryptography`) and frozen here.

The requests' signatures in `samples/` are OpenSSL's deterministic ones (RFC 6979) with the smaller s; the server's were
made with a random k. The recoverable forms were computed from a chosen k by the textbook formula.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from bot.providers.cryptocapital import auth, wire
from bot.providers.cryptocapital.auth import Doubt, Form, PinnedKey, Signer, Trust
from bot.providers.nonces import MemoryNonces

SAMPLES = Path(auth.__file__).parent / "samples"
CLIENT_PRIVATE = "ql3fDT/lXdZjm/1f1vtPZYYOCkSTj7zbAq5sfPkY+1c="
CLIENT = "BIRx1/VW6GJnfCg9e9izpKtrTLQVlsluvMsjtm55M+f373ggftR7Iw7CP/6/Valqek6PfqVS7qhr6QJFI/WAZSc="
SERVER = "BDEZAFjZOW7Ro9vMqMx9u4eU8tdxGG4SyY2r8h+unXEcYGD5bSxCyf3YngZhLcczKER06A0smrnqXeoWjpffDHY="
OTHER = "BFhfiGVwnavjOtww3iRjLpiOhfzs5I9XWgoTHFCdDWjQ4Jqsq4PCiTq2eu6HHBoKX2pueNy3Pq3d4nx37ybyj1A="
LIVE = "BLmiS8rOACxx3WQfZp/xXyeqjtyrJE6VhMN4gVtpu/RQioE38MXYWxlRF4ONIYI2l9npoSXK1gVcyoB2+VRima0="
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

TEXT = f"ACCOUNT{SERVER}1792300801456{CLIENT}9120004711Caisse «Été»EUR1204567.801204000.05"
HIGH_S = "MEYCIQDfrIXa9PXx8fd0KgflBmVS6o9BXK6mxkE3IqyRp3r9bQIhALEWcY0JpOP92jpesnWkl/m5HbFlquc4hxoC9yD94O98"
LOW_S = "MEQCICiTFEwXr38lYWmf2Ky3P7mx4Cw0Mr5IRdE1++YBEcbRAiA9Mt+uD+RG5xJS7Dg0xykdyDry5t9EpNfdzk8H9Imceg=="
FOREIGN = "MEUCIQCXPt+I2QEWj6S+Suhd05Rf8pgC1rdcgOZkbcSfWr51lQIgdEUnQPUB7TJcYYCAwpi/aX41FyAajAahFf5NLOeIZ5E="
BITCOIN = "G2abivzsgDoNMj6aF/Pqjmjoq+WieAIKkprb7FJCGtvQbM1yIVRELWGBJV6Otx8aDkt7alytzSHMIdrzWXgGhG0="
RECOVERABLE = "G2CyADw4ZRn8nq3ytc8STdjupMTmjV4VQFCpNG6pjOYAGw5W3awj3JwxWofRmp1EwgR0UYqpuTIWPuEiusLCu70="
PLAIN = "YqdOOZw57VWThSowFH8pWbVruCffo+YORksCzPh9xeg51uiKTU+5wPatc8mPFHJDFI+par7K87JUiqAVkl8GeA=="
TRANSFER_NONCE_FIRST = (
    "MEUCIQC+xR1UMCEJ95hrTJddn9vWK4LkD8mDlrkHxgu18zS82gIgM//igjNvo/I7hR/0ub4ZEssFEJgQddN3yMbjlTfyKEo="
)


def sample(name: str, /, **changed: Any) -> wire.Signed:
    """A signed sample, with fields of its envelope or its params changed."""
    frame = json.loads((SAMPLES / f"{name}.json").read_text())
    for key, value in changed.items():
        place = frame["data"] if key in frame["data"] else frame["data"]["params"]
        assert key in place
        place[key] = value
    message = wire.parse_message(name, frame["data"])
    assert isinstance(message, wire.AccountMessage | wire.ErrorMessage | wire.TransferMessage)
    return message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("request_auth", f"AUTH{CLIENT}1792300800123"),
        ("request_account", f"ACCOUNT{CLIENT}17923008001249120004711"),
        ("request_ping", f"PING{CLIENT}1792300800125"),
    ],
)
def test_we_sign_letter_for_letter_what_openssl_signs(name: str, text: str) -> None:
    expected = json.loads((SAMPLES / f"{name}.json").read_text())["data"]
    signer = Signer(CLIENT_PRIVATE)
    assert signer.public_key == expected["key"] == CLIENT
    assert signer.sign(text) == expected["signed"]
    assert signer.sign(text) == signer.sign(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a key",
        CLIENT,
        CLIENT_PRIVATE[:-1],
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",  # zero
        "/////////////////////rqu3OavSKA7v9JejNA2QUE=",  # the order of the curve
        "//////////////////////////////////////////8=",
        "ql3fDT/lXdZjm/1f1vtPZYYOCkSTj7zbAq5sfPkY+1é=",
    ],
)
def test_what_is_no_private_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # what it must not say is looked at below
        Signer(text)
    assert not text or text not in str(caught.value)


def test_a_signer_shows_nothing_of_its_key() -> None:
    assert CLIENT_PRIVATE not in repr(Signer(CLIENT_PRIVATE))
    with pytest.raises(TypeError):
        vars(Signer(CLIENT_PRIVATE))


@pytest.mark.parametrize("signature", [LOW_S, HIGH_S])
def test_both_halves_of_s_are_good(signature: str) -> None:
    assert PinnedKey(SERVER).verify(signature, TEXT)


@pytest.mark.parametrize("tolerant", [False, True])
@pytest.mark.parametrize(
    ("signature", "text"),
    [
        (HIGH_S, TEXT + " "),
        (LOW_S, TEXT.replace("1204567.80", "9204567.80")),
        (FOREIGN, TEXT),
        ("", TEXT),
        ("MAYCAQACAQA=", TEXT),  # r and s zero
        ("MAYCAQECAQE=", TEXT),
        ("not base64 at all", TEXT),
        (LOW_S[:-4], TEXT),
        ("A" * 88, TEXT),
        ("A" * 86 + "==", TEXT),
        (BITCOIN, TEXT + "."),
        (PLAIN, TEXT + "."),
        ("I" + BITCOIN[1:], TEXT),  # a header byte below and above the known ones
        ("J" + BITCOIN[1:], TEXT),
        (HIGH_S + "AAAA", TEXT),  # bytes behind the DER
    ],
)
def test_no_reader_takes_these(signature: str, text: str, tolerant: bool) -> None:
    assert PinnedKey(SERVER).form(signature, (text,), tolerant=tolerant) is None


@pytest.mark.parametrize(
    ("r", "s"), [(0, 1), (1, 0), (ORDER, 1), (1, ORDER), (1, ORDER + 5), (ORDER + 5, 1), (1, 2**300), (2**300, 1)]
)
def test_numbers_outside_the_curves_order_are_no_signature(r: int, s: int) -> None:
    signature = base64.b64encode(encode_dss_signature(r, s)).decode()
    assert PinnedKey(SERVER).form(signature, (TEXT,), tolerant=True) is None


@pytest.mark.parametrize(
    ("signature", "form"), [(BITCOIN, Form.BITCOIN), (RECOVERABLE, Form.RECOVERABLE), (PLAIN, Form.PLAIN)]
)
def test_older_forms_are_taken_and_named_by_a_tolerant_reader_only(signature: str, form: Form) -> None:
    assert PinnedKey(SERVER).form(signature, (TEXT,)) is None
    assert PinnedKey(SERVER).form(signature, (TEXT,), tolerant=True) is form
    assert PinnedKey(OTHER).form(signature, (TEXT,), tolerant=True) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "BDEZ",
        SERVER[:-1],
        "C" + SERVER[1:],  # begins with 0x08
        SERVER[:-3] + "HZ=",
        SERVER.replace("BDEZ", "BDEa"),  # not on the curve
        "Agt7dcy65Vcy/lNvk9M7DTS7OitNUNlwqYkFk0tJfouw",  # compressed
        SERVER + "\n",
    ],
)
def test_what_is_no_uncompressed_point_cannot_be_pinned(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        PinnedKey(text)


def test_the_documented_key_can_be_pinned() -> None:
    assert PinnedKey(LIVE).text == LIVE


def test_a_key_in_an_unusual_spelling_cannot_be_pinned() -> None:
    """The last letter holds two bits that decode to nothing; the key is compared as text, so they must be zero."""
    assert SERVER.endswith("Y=")
    with pytest.raises(ValueError, match="spelling"):
        PinnedKey(SERVER[:-2] + "Z=")


@pytest.mark.parametrize("name", ["account", "error", "transfer"])
def test_a_genuine_message_is_believed(name: str) -> None:
    trust = Trust(PinnedKey(SERVER))
    assert trust.doubt(sample(name), CLIENT) is None
    assert trust.forms == {Form.DER: 1}


@pytest.mark.parametrize(
    ("changed", "doubt"),
    [
        ({"balance": "9204567.80"}, Doubt.SIGNATURE),
        ({"available": "1204567.80"}, Doubt.SIGNATURE),
        ({"currency": "USD"}, Doubt.SIGNATURE),
        ({"name": "Caisse"}, Doubt.SIGNATURE),
        ({"accountNumber": "9120004712"}, Doubt.SIGNATURE),
        ({"nonce": 1792300801457}, Doubt.SIGNATURE),
        ({"signed": FOREIGN}, Doubt.SIGNATURE),
        ({"signed": PLAIN}, Doubt.SIGNATURE),
        ({"signed": ""}, Doubt.GRAMMAR),
        ({"balance": "1204567.8"}, Doubt.GRAMMAR),
        ({"key": OTHER}, Doubt.KEY),
        ({"key": OTHER, "signed": FOREIGN}, Doubt.KEY),
        ({"rcpt": OTHER}, Doubt.ADDRESSEE),
    ],
)
def test_a_changed_message_is_not_believed(changed: dict[str, Any], doubt: Doubt) -> None:
    assert Trust(PinnedKey(SERVER)).doubt(sample("account", **changed), CLIENT) is doubt


def test_a_rightly_signed_message_for_somebody_else_is_not_believed() -> None:
    assert Trust(PinnedKey(SERVER)).doubt(sample("account"), OTHER) is Doubt.ADDRESSEE


def test_a_recorded_account_cannot_answer_twice() -> None:
    trust = Trust(PinnedKey(SERVER))
    assert trust.doubt(sample("account"), CLIENT) is None
    assert trust.doubt(sample("account"), CLIENT) is Doubt.REPEATED


def test_a_doubted_message_does_not_age_the_genuine_one() -> None:
    trust = Trust(PinnedKey(SERVER))
    assert trust.doubt(sample("account", nonce=1892300801456), CLIENT) is Doubt.SIGNATURE
    assert trust.doubt(sample("account"), CLIENT) is None


def test_the_other_order_of_a_transfer_is_for_tolerant_readers() -> None:
    message = sample("transfer", signed=TRANSFER_NONCE_FIRST)
    assert Trust(PinnedKey(SERVER)).doubt(message, CLIENT) is Doubt.SIGNATURE
    assert Trust(PinnedKey(SERVER), tolerant=True).doubt(message, CLIENT) is None


def test_a_fingerprint_is_eight_bytes_of_sha256_in_groups() -> None:
    assert auth.fingerprint(CLIENT) == "602b 7a13 e7ed 4ae8"  # as `openssl dgst -sha256` begins over the 65 bytes


async def test_nonces_follow_the_clock_and_never_stand_still() -> None:
    nonces = MemoryNonces()
    given = [await nonces.allocate("a", now) for now in (1000, 1000, 1000, 999, 5000, 4000)]
    assert given == [1000, 1001, 1002, 1003, 5000, 5001]


async def test_each_key_has_nonces_of_its_own() -> None:
    nonces = MemoryNonces()
    assert [await nonces.allocate(key, 1000) for key in "aba"] == [1000, 1000, 1001]

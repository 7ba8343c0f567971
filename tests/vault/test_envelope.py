"""The form of a sealed record is final: frozen vectors, and every change to a record refused.

The vectors were reckoned apart from this program: AES block by block, GHASH and the key derivation written out by hand.
"""

import dataclasses
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.vault.envelope import Belonging, key_id_of, seal, unseal, with_lengths

KEY = bytes(range(32, 64))
KEY_ID = bytes.fromhex("0123456789abcdef")
NONCE = bytes.fromhex("000102030405060708090a0b")
BELONGING = Belonging("abcdefghijkmnpqr", 5, "capital", "main", "password", "live", "record2345abcdef", 3)
DATA = bytes.fromhex(
    "00000010636f756e7465727369676e2f637265640000000131000000106162636465666768696a6b6d6e7071720000000135"
    "000000076361706974616c000000046d61696e0000000870617373776f7264000000046c697665"
    "000000107265636f7264323334356162636465660000000133"
)
HEADER = "01010123456789abcdef000102030405060708090a0b"
VECTORS = {
    "": (
        "5c525da74a35ebecbcf9c9c626735e3c1370e9646a11a611240dd3babb81cb982cde123d1b1f44e5ea7bfaf8cccb2ab13209"
        "edfe5a53f785a63d0ca925bd63afd7d2de972a5b5937b088e136bc39e27f"
    ),
    "correct horse": (
        "5c525daa295a999ed99abde64e1c2c4f7670e9646a11a611240dd3babb81cb982cde123d1b1f44e5ea7bfaf8cccb2ab13209"
        "edfe5a53f785a63d0ca925bd63afcc3a2b4d0bbb9e937505e82cd7a5c4ea"
    ),
    "pässwörd €": (
        "5c525da93af64f9fcf8e0a7054177ede91dce9646a11a611240dd3babb81cb982cde123d1b1f44e5ea7bfaf8cccb2ab13209"
        "edfe5a53f785a63d0ca925bd63af54cdbe6597abbb0939a1cadb7e1275a0"
    ),
    "x" * 60: (
        "5c525d9b324d9394c481b1be5e0b26446b08911c1269de695c75abc2c3f9b3e054a66a4563673c9d92038280b4b352c94a71"
        "9586222b8ffdde4574d15dc51bd75cf7113340e24f2176b83b095c7eb737"
    ),
    "x" * 61: (
        "5c525d9a324d9394c481b1be5e0b26446b08911c1269de695c75abc2c3f9b3e054a66a4563673c9d92038280b4b352c94a71"
        "9586222b8ffdde4574d15dc51bd73dc78b1af6ddbcd9536196735979fb95873d9fb2c01d521b6bdf1d0b8359fb414726598c"
        "25624c8dfe5bc6e1e41f296bd0fd06769f0d69338980f71d042a985e4e0b0a673a7f222644f449264ed83ab7"
    ),
}


@pytest.fixture
def record() -> bytes:
    return seal(KEY, KEY_ID, NONCE, b"correct horse", DATA)


def test_what_a_record_belongs_to_is_written_as_frozen() -> None:
    assert BELONGING.as_data() == DATA


@pytest.mark.parametrize("text", VECTORS)
def test_a_record_is_sealed_and_opened_as_frozen(text: str) -> None:
    frozen = bytes.fromhex(HEADER + VECTORS[text])
    assert seal(KEY, KEY_ID, NONCE, text.encode(), DATA) == frozen
    assert unseal(KEY, frozen, DATA) == text.encode()
    assert key_id_of(frozen) == KEY_ID


def test_every_flipped_bit_is_refused_and_in_the_key_id_names_another_key(record: bytes) -> None:
    for position, bit in itertools.product(range(len(record)), range(8)):
        flipped = bytearray(record)
        flipped[position] ^= 1 << bit
        if 2 <= position < 10:
            assert key_id_of(bytes(flipped)) != KEY_ID
            continue
        with pytest.raises(ValueError, match=r"does not open|not a sealed record"):
            unseal(KEY, bytes(flipped), DATA)


def test_every_cut_and_every_extra_byte_is_refused(record: bytes) -> None:
    for length in range(len(record)):
        with pytest.raises(ValueError, match=r"does not open|not a sealed record"):
            unseal(KEY, record[:length], DATA)
    for longer in (record + b"\x00", b"\x00" + record, record + record):
        with pytest.raises(ValueError, match=r"does not open|not a sealed record"):
            unseal(KEY, longer, DATA)


@pytest.mark.parametrize(
    "other",
    [
        {"install_id": "abcdefghijkmnpqs"},
        {"person_id": 6},
        {"person_id": 51},
        {"provider": "deriv"},
        {"label": "Main"},
        {"label": "main "},
        {"field": "api_key"},
        {"environment": "demo"},
        {"record_id": "record2345abcdeg"},
        {"version": 2},
        {"version": 4},
        {"provider": "main", "label": "capital"},
        {"provider": "capitalm", "label": "ain"},
        {"label": "mainpassword", "field": ""},
        {"person_id": 53, "provider": "capital"},
    ],
)
def test_a_record_opens_for_nothing_it_does_not_belong_to(record: bytes, other: dict[str, str | int]) -> None:
    somewhere_else = dataclasses.replace(BELONGING, **other)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="does not open"):
        unseal(KEY, record, somewhere_else.as_data())


def test_another_key_does_not_open_it(record: bytes) -> None:
    with pytest.raises(ValueError, match="does not open"):
        unseal(bytes(range(33, 65)), record, DATA)


def test_parts_cannot_be_shifted_from_one_to_the_next() -> None:
    readings = [("5", "capital", "a|b", "1"), ("5", "capital|a", "b", "1"), ("5|capital", "a", "b", "1"),
                ("5", "capital", "a", "b|1"), ("", "5capitalab1"), ("5capitalab1", ""), ("5capitalab1",)]  # fmt: skip
    assert len({with_lengths(*parts) for parts in readings}) == len(readings)


@given(st.lists(st.text(max_size=6), max_size=5), st.lists(st.text(max_size=6), max_size=5))
@settings(max_examples=200, deadline=None)
def test_different_parts_never_give_the_same_data(one: list[str], other: list[str]) -> None:
    assert (with_lengths(*one) == with_lengths(*other)) == (one == other)


def test_lengths_count_bytes_and_not_letters() -> None:
    assert with_lengths("ä", "") == b"\x00\x00\x00\x02\xc3\xa4\x00\x00\x00\x00"


def test_lengths_of_short_secrets_do_not_show() -> None:
    sizes = {len(seal(KEY, KEY_ID, NONCE, b"x" * length, DATA)) for length in range(61)}
    assert sizes == {22 + 64 + 16}
    assert len(seal(KEY, KEY_ID, NONCE, b"x" * 61, DATA)) == 22 + 128 + 16


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_what_was_sealed_is_opened_byte_for_byte(text: bytes) -> None:
    assert unseal(KEY, seal(KEY, KEY_ID, NONCE, text, DATA), DATA) == text


@pytest.mark.parametrize(
    ("key", "key_id", "nonce"), [(KEY[:31], KEY_ID, NONCE), (KEY, KEY_ID[:7], NONCE), (KEY, KEY_ID, NONCE + b"x")]
)
def test_a_key_or_nonce_of_the_wrong_length_is_refused(key: bytes, key_id: bytes, nonce: bytes) -> None:
    with pytest.raises(ValueError, match="key 32, key id 8, nonce 12 bytes"):
        seal(key, key_id, nonce, b"", DATA)

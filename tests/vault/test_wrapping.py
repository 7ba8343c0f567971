"""Data keys lie wrapped in a final form, and unwrap for nothing they do not belong to.

The vectors were reckoned apart from this program, as those of the sealed records.
"""

import dataclasses
import pickle

import pytest

from bot.vault.envelope import cipher, unseal
from bot.vault.keys import KeyTree, MasterKey
from bot.vault.wrapping import DataKey, Mode, Wrapped, Wrapping

INSTALL = "abcdefghijkmnpqr"
KEYS = KeyTree(MasterKey(bytes(range(32))), INSTALL, bytes(range(100, 132)))
STRETCHED = bytes(range(200, 232))
ID = bytes.fromhex("0123456789abcdef")
HEADER = "010100000000000000020b0a09080706050403020100"
BY_KEK = Wrapped(
    ID,
    5,
    2,
    Mode.KEK,
    bytes.fromhex(
        HEADER + "753bf2f0edfffe130d2acb44f649249871c62fe684ea6990e1b78ad6c83105b2f14a7cba6eddd2e7f994f5d12567dc86"
        "645cb1c1ea82d72428c35cb599f7a8a6c5349207a51450a7e4f0599732cf35ed"
    ),
)
BY_PASSPHRASE = Wrapped(
    ID,
    5,
    2,
    Mode.PASSPHRASE,
    bytes.fromhex(
        HEADER + "fe9244f64c22cb0f287baf217e81986d7560568b3e9c1382ab1308e789415dfcbb6724944b2c8e11bdc2dee13f932893"
        "f5d0e9b6b1249eaf775193f115e117608c564c7d5b2d1ceb5607074aefa4794d"
    ),
)
KEY = bytes(range(64, 96))
SEALED = bytes(12) + cipher(KEY).encrypt(bytes(12), b"what it seals", None)


@pytest.fixture
def wrapping() -> Wrapping:
    return Wrapping(KEYS, INSTALL)


def opens(key: DataKey) -> bool:
    return key.id == ID and key.cipher.decrypt(SEALED[:12], SEALED[12:], None) == b"what it seals"


def test_a_wrapped_data_key_is_unwrapped_as_frozen(wrapping: Wrapping) -> None:
    assert opens(wrapping.open(BY_KEK, wrapping.kek(2)))
    assert opens(wrapping.open(BY_PASSPHRASE, wrapping.user_key(5, 2, STRETCHED)))


@pytest.mark.parametrize(
    "other",
    [
        {"id": bytes.fromhex("0123456789abcdee")},
        {"person_id": 6},
        {"kek_id": 1},
        {"mode": Mode.PASSPHRASE},
        {"wrapped": BY_PASSPHRASE.wrapped},
        {"wrapped": BY_KEK.wrapped[:-1]},
        {"wrapped": b""},
    ],
)
def test_it_unwraps_for_nothing_it_does_not_belong_to(wrapping: Wrapping, other: dict[str, object]) -> None:
    changed = dataclasses.replace(BY_KEK, **other)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"does not open|not a sealed record|wrapped by another key"):
        wrapping.open(changed, wrapping.kek(2))


def test_another_install_generation_person_or_passphrase_does_not_unwrap_it(wrapping: Wrapping) -> None:
    elsewhere = Wrapping(KEYS, "abcdefghijkmnpqs")
    wrong = [
        (elsewhere, BY_KEK, elsewhere.kek(2)),
        (wrapping, BY_KEK, wrapping.kek(1)),
        (wrapping, BY_KEK, wrapping.user_key(5, 2, STRETCHED)),
        (wrapping, BY_PASSPHRASE, wrapping.kek(2)),
        (wrapping, BY_PASSPHRASE, wrapping.user_key(6, 2, STRETCHED)),
        (wrapping, BY_PASSPHRASE, wrapping.user_key(5, 2, STRETCHED[::-1])),
    ]
    for which, row, by in wrong:
        with pytest.raises(ValueError, match="does not open"):
            which.open(row, by)


def test_renewed_it_is_the_same_key_under_the_next_generation_only(wrapping: Wrapping) -> None:
    renewed = wrapping.renew(BY_KEK, wrapping.kek(2), 3, wrapping.kek(3))
    assert (renewed.id, renewed.person_id, renewed.kek_id, renewed.mode) == (ID, 5, 3, Mode.KEK)
    assert opens(wrapping.open(renewed, wrapping.kek(3)))
    with pytest.raises(ValueError, match="does not open"):
        wrapping.open(renewed, wrapping.kek(2))
    assert renewed.wrapped[10:22] != BY_KEK.wrapped[10:22]  # a nonce of its own


def test_new_keys_differ_and_open(wrapping: Wrapping) -> None:
    made = [wrapping.new(5, 1, wrapping.kek(1)) for _ in range(20)]
    assert len({key.id for key, _ in made}) == len({row.wrapped for _, row in made}) == 20
    for key, row in made:
        assert (row.id, row.mode, row.kdf) == (key.id, Mode.KEK, None)
        sealed = key.cipher.encrypt(bytes(12), b"x", None)
        assert wrapping.open(row, wrapping.kek(1)).cipher.decrypt(bytes(12), sealed, None) == b"x"


def test_an_open_key_shows_nothing(wrapping: Wrapping) -> None:
    key = wrapping.open(BY_KEK, wrapping.kek(2))
    for shown in (repr(key), f"{key}", str(vars(type(key)))):
        assert KEY.hex() not in shown
        assert repr(KEY)[2:20] not in shown
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_a_wrapped_key_is_a_sealed_record_like_any_other() -> None:
    with pytest.raises(ValueError, match="does not open"):
        unseal(KEY, BY_KEK.wrapped, b"")

"""The master key: its text form, and what grows from it."""

import copy
import pickle
import string

import pytest

from bot.errors import KeyTextError
from bot.vault.keys import KeyTree, MasterKey, fingerprint_of

RAW = bytes(range(32))
TEXT = "csk1-aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypt65hmtq"
SALT = bytes(range(100, 132))
INSTALL = "abcdefghijkmnpqr"


@pytest.fixture
def keys() -> KeyTree:
    return KeyTree(MasterKey(RAW), INSTALL, SALT)


def test_the_text_form_is_frozen() -> None:
    assert MasterKey(RAW).to_text() == TEXT
    assert MasterKey.from_text(TEXT).to_text() == TEXT


def test_the_text_may_be_in_capitals_and_stand_between_blanks() -> None:
    assert MasterKey.from_text(f"\n  {TEXT.upper()}\t\n").to_text() == TEXT


@pytest.mark.parametrize(
    ("info", "derived"),
    [
        ("kek/1", "3108fa4cc3885b8c645e55a29fcb4c59691242e5425dd8a72cee8308b131b421"),
        ("kek/2", "504674bbebb2b262849c3cc5d8821bd15bba0ba1b1b251d81d405381534ae503"),
        ("kcv", "4d63df925425d745d4b4071b341df293b9d4729d77c0273142d2b8dc8e679b23"),
        ("callback", "d0a5051c7a96fc56f81827116d0a9fbaed412f8ff23df6be7713d091cd363195"),
        ("audit/0", "119071cd479cc37a12db298a68c5d526a5e602d78429755c9d4d6c9259d53bf0"),
        ("backup", "2336be68143fad35a21cd4c2ed9d1f3c87205b30b3c671961a0cac3a4f19e3a0"),
    ],
)
def test_what_is_derived_is_frozen(info: str, derived: str) -> None:
    assert MasterKey(RAW).derive(SALT, info).hex() == derived


def test_the_tree_is_frozen(keys: KeyTree) -> None:
    assert keys.check_value.hex() == "59d95a3e1dc4a5071a10096040e4ab8f"
    assert keys.fingerprint == "59d95a3e" == fingerprint_of(keys.check_value)
    assert keys.kek(1).hex() == "3108fa4cc3885b8c645e55a29fcb4c59691242e5425dd8a72cee8308b131b421"
    assert keys.kek(2).hex() == "504674bbebb2b262849c3cc5d8821bd15bba0ba1b1b251d81d405381534ae503"
    assert keys.button_code(b"message").hex() == "0303ee4c6100d97fe3a237d686923b5a"
    assert keys.audit_code(b"h" * 32, 0).hex() == "be8f286163fab7ce11b95447453c734a37d14d9c2535b50a9814709f76164a2a"
    assert (
        keys.audit_code(b"h" * 32, 20261121).hex() == "6ca7dde0ca67714f79728d7b58446099e29bce2df93d07c02012fcf069b3e7f2"
    )
    assert keys.blind("0712 élan") == "3494df60343469c1ced2c44ffdfb0e23"
    assert keys.backup.hex() == "2336be68143fad35a21cd4c2ed9d1f3c87205b30b3c671961a0cac3a4f19e3a0"
    assert (
        keys.user_key(5, 2, bytes(range(200, 232))).hex()
        == "4415a76d34b3ebdbe163fe9fca2f939c4e909c921bc606bc12f6fa661b0c7eb3"
    )


def test_a_user_key_takes_the_master_key_the_passphrase_and_the_person(keys: KeyTree) -> None:
    stretched = bytes(range(200, 232))
    other_master = KeyTree(MasterKey(RAW[::-1]), INSTALL, SALT)
    one = keys.user_key(5, 2, stretched)
    others = [
        keys.user_key(6, 2, stretched),
        keys.user_key(5, 1, stretched),
        keys.user_key(5, 2, stretched[::-1]),
        other_master.user_key(5, 2, stretched),
    ]
    assert len({one, *others}) == 5


def test_each_day_has_an_audit_key_of_its_own(keys: KeyTree) -> None:
    days = (20261120, 20261121, 20261220)
    assert len({keys.audit_code(b"h" * 32, day) for day in days}) == 3


def test_another_install_or_salt_gives_another_tree(keys: KeyTree) -> None:
    other_install = KeyTree(MasterKey(RAW), "abcdefghijkmnpqs", SALT)
    other_salt = KeyTree(MasterKey(RAW), INSTALL, SALT[::-1])
    assert len({keys.fingerprint, other_install.fingerprint, other_salt.fingerprint}) == 3
    assert other_salt.kek(1) != keys.kek(1)


def test_every_single_typo_is_told_as_a_typo_or_means_the_same_key() -> None:
    letters = string.ascii_lowercase + string.digits
    places = range(len("csk1-"), len(TEXT))
    changed = {TEXT[:place] + letter + TEXT[place + 1 :] for place in places for letter in letters} - {TEXT}
    same = {text for text in changed if not _is_refused(text)}
    assert len(changed) == 58 * 35
    assert {text[:-1] for text in same} == {TEXT[:-1]}  # the last letter has two bits that mean nothing
    assert len(same) == 3
    assert {MasterKey.from_text(text).to_text() for text in same} == {TEXT}


def _is_refused(text: str) -> bool:
    try:
        MasterKey.from_text(text)
    except KeyTextError:
        return True
    return False


def test_two_swapped_letters_are_a_typo() -> None:
    swapped = TEXT[:10] + TEXT[11] + TEXT[10] + TEXT[12:]
    with pytest.raises(KeyTextError, match="typo"):
        MasterKey.from_text(swapped)


def test_a_whole_key_of_somebody_else_is_no_typo() -> None:
    assert MasterKey.from_text(MasterKey(RAW[::-1]).to_text()).to_text() != TEXT


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "begins with csk1-"),
        ("hunter2 is my passphrase", "begins with csk1-"),
        (TEXT[5:], "begins with csk1-"),
        (TEXT.replace("csk1", "csk2"), "begins with csk1-"),
        ("csk1-", "too short or too long"),
        (TEXT[:-1], "typo|too short|belong"),
        (TEXT[:-8], "too short or too long"),
        (TEXT + "a", "belong|too long"),
        (TEXT + "aaaaaaaa", "too short or too long"),
        (TEXT.replace("q", "0"), "does not belong"),
        (TEXT.replace("q", "ä"), "does not belong"),
        (TEXT.replace("q", " "), "does not belong"),
    ],
)
def test_what_is_not_a_key_is_refused_without_showing_it(text: str, reason: str) -> None:
    with pytest.raises(KeyTextError, match=reason) as caught:
        MasterKey.from_text(text)
    assert "aaaqeay" not in str(caught.value)


@pytest.mark.parametrize(
    "raw", [b"", RAW[:31], RAW + b"x", bytes(32), b"\xff" * 32, b"ab" * 16, b"abcdefg" + b"a" * 25]
)
def test_what_is_not_32_random_bytes_is_refused(raw: bytes) -> None:
    with pytest.raises(KeyTextError):
        MasterKey(raw)


def test_new_keys_differ() -> None:
    texts = {MasterKey.new().to_text() for _ in range(20)}
    assert len(texts) == 20
    assert all(len(text) == len(TEXT) for text in texts)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_neither_key_nor_tree_shows_or_is_pickled_or_copied(keys: KeyTree, protocol: int) -> None:
    master = MasterKey(RAW)
    hexed = [part.hex() for part in (RAW, keys.kek(1), MasterKey(RAW).derive(SALT, "callback"))]
    for one in (master, keys):
        shown = f"{one} {one!r} {[one]}"
        assert not any(part in shown for part in (*hexed, "aaaqeay", repr(RAW)[2:20]))
        with pytest.raises(TypeError):
            pickle.dumps(one, protocol)
        with pytest.raises(TypeError):
            copy.deepcopy(one)
        with pytest.raises(TypeError):
            vars(one)

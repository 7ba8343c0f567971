"""A passphrase becomes a key: slowly, within bounds, and the same way years later."""

import json
import os
import unicodedata

import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from bot.errors import PassphraseError
from bot.secret import Secret
from bot.vault import passphrase
from bot.vault.passphrase import Argon, Scrypted, as_column, from_column, new_stretching, normal, stretch

SALT = bytes(range(16))
QUICK = Argon(SALT, memory_kib=19 * 1024, passes=2)


def test_the_recommended_way_is_argon2id_with_64_mib_and_three_passes() -> None:
    made = new_stretching()
    assert isinstance(made, Argon)
    assert (made.memory_kib, made.passes, made.lanes, len(made.salt)) == (65536, 3, 1, 16)
    assert new_stretching() != made  # a salt of its own


def test_where_argon2id_is_missing_it_is_scrypt_with_128_mib(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(**_: object) -> None:
        raise UnsupportedAlgorithm("not here")

    monkeypatch.setattr(passphrase, "Argon2id", missing)
    made = new_stretching()
    assert isinstance(made, Scrypted)
    assert (made.cost, made.block, made.lanes) == (1 << 17, 8, 1)
    assert len(stretch(made, Secret("correct horse battery"))) == 32


def test_what_is_stretched_stays_as_frozen() -> None:
    assert stretch(QUICK, Secret("correct horse battery")).hex() == (
        "aaecaeb1f79eb8019ba62c34f62fa3e15289f88ff98779ae81de07821992ff1f"
    )
    assert stretch(Scrypted(SALT), Secret("correct horse battery")).hex() == (
        "af5ecdbec02ddf047a3df2b4942e217b0b69c80fd3276e1923abbe0d1c80ea89"
    )


@pytest.mark.parametrize("made", [QUICK, Argon(SALT), Scrypted(SALT)])
def test_how_it_was_done_is_kept_with_the_key(made: Argon | Scrypted) -> None:
    assert from_column(as_column(made)) == made
    assert json.loads(as_column(made))["algorithm"] in ("argon2id", "scrypt")


def column(**changed: object) -> str:
    return json.dumps({**json.loads(as_column(QUICK)), **changed})


def scrypt_column(**changed: object) -> str:
    return json.dumps({**json.loads(as_column(Scrypted(SALT))), **changed})


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "nonsense",
        "[" * 100_000,
        column(algorithm="md5"),
        column(memory_kib=19 * 1024 - 1),
        column(memory_kib=1024 * 1024 + 1),
        column(memory_kib=64 * 1024 * 1024),
        column(passes=1),
        column(passes=11),
        column(lanes=0),
        column(lanes=5),
        column(lanes="1"),
        column(salt=""),
        column(salt="c2hvcnQ="),
        column(more=1),
        scrypt_column(cost=1 << 16),
        scrypt_column(cost=(1 << 17) + 1),
        scrypt_column(cost=1 << 21),
        scrypt_column(cost=1 << 20, block=9),
        scrypt_column(block=7),
        scrypt_column(block=17),
        scrypt_column(lanes=5),
    ],
)
def test_a_row_can_ask_neither_for_a_weak_key_nor_for_all_memory(text: str | None) -> None:
    with pytest.raises(ValueError, match="not a way to stretch a passphrase"):
        from_column(text)


@pytest.mark.parametrize("text", [column(memory_kib=1024 * 1024, passes=10, lanes=4), scrypt_column(cost=1 << 20)])
def test_the_largest_a_row_may_ask_for_is_taken(text: str) -> None:
    from_column(text)


def test_twelve_characters_are_enough_and_eleven_are_not() -> None:
    assert normal(Secret("twelve chars")).reveal() == "twelve chars"
    for short in ("eleven char", "", "  eleven char  ", "ﬃ" * 3):
        with pytest.raises(PassphraseError, match="at least 12 characters"):
            normal(Secret(short))
    assert normal(Secret("x" * 256)).reveal() == "x" * 256
    with pytest.raises(PassphraseError, match="at most 256 characters"):
        normal(Secret("x" * 257))


def test_the_same_passphrase_from_another_keyboard_is_the_same() -> None:
    composed, apart = "pässwörd größer", unicodedata.normalize("NFD", "pässwörd größer")
    assert composed != apart
    assert normal(Secret(f" {apart}\n")) == normal(Secret(composed))
    assert normal(Secret("ﬁne passphrase")).reveal() == "fine passphrase"


def test_every_part_of_how_it_is_done_counts() -> None:
    said = Secret("correct horse battery")
    made = [
        stretch(QUICK, said),
        stretch(QUICK, Secret("correct horse batterz")),
        stretch(Argon(os.urandom(16), memory_kib=19 * 1024, passes=2), said),
        stretch(Argon(SALT, memory_kib=19 * 1024, passes=3), said),
        stretch(Argon(SALT, memory_kib=20 * 1024, passes=2), said),
        stretch(Argon(SALT, memory_kib=19 * 1024, passes=2, lanes=2), said),
    ]
    assert len(set(made)) == len(made)
    assert {len(each) for each in made} == {32}

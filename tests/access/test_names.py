"""What a person may be called, and whom a word names."""

import pytest

from bot.access import names
from bot.access.model import Person
from bot.errors import InputError, NotFoundError

ANNA, ANDY, MARIA, BEN = (
    Person(number, name, frozenset(), frozenset({number + 1000}))
    for number, name in enumerate(("Anna Meier", "Andy", "Anna Maria", "Ben"), 1)
)
PEOPLE = [ANNA, ANDY, MARIA, BEN]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Olga", "Olga"),
        ("  Olga   Petrova ", "Olga Petrova"),
        ("Ольга", "Ольга"),
        ("王小明", "王小明"),
        ("नीता", "नीता"),
        ("แก้ว", "แก้ว"),
        ("O'Neill-Smith Jr.", "O'Neill-Smith Jr."),
        ("e\u0301lodie", "élodie"),
        ("x" * 64, "x" * 64),
    ],
)
def test_a_name_is_kept_as_it_is_but_for_blanks(text: str, kept: str) -> None:
    assert names.checked(text) == kept
    assert names.suggested(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "x" * 65, "12345", "---", "Ol\nga", "Ol\tga", "Ol\u202ega", "Ol\u200bga", "Olga\x00", "\u3164"),
        *("/suspend Anna", "@olga", "O\u0489lga", "Olga\u00a0P"),
    ],
    ids=ascii,
)
def test_what_cannot_be_read_aloud_is_no_name(text: str) -> None:
    """F31."""
    with pytest.raises(InputError):
        names.checked(text)


@pytest.mark.parametrize(
    ("shown", "offered"),
    [
        ("Ol\u202ega", "Ol ga"),
        ("\u200b", ""),
        ("x" * 100, "x" * 64),
        ("/cancel", ""),
        ("🙂", ""),
        ("Olga 🙂", "Olga 🙂"),
    ],
    ids=ascii,
)
def test_a_name_from_elsewhere_is_offered_without_what_is_hidden_in_it(shown: str, offered: str) -> None:
    assert names.suggested(shown) == offered


@pytest.mark.parametrize(
    "other",
    [
        *(
            "anna meier",
            "Anna  Meier",
            "AnnaMeier",
            "Аnnа Меіеr",
            "Ａｎｎａ Meier",
            "Anna Me1er",
            "Anna Meler",
            "Ànna Meier",
        ),
        *("Anna Meier.", "Αnna Meier", "𝐀nna Meier", "Anna Mеier"),
    ],
    ids=ascii,
)
def test_two_names_that_look_alike_do_not_stand_side_by_side(other: str) -> None:
    """F31."""
    with pytest.raises(InputError):
        names.check_free(other, ["Ben", "Anna Meier"])


@pytest.mark.parametrize("other", ["Anna Maier", "Anne Meier", "Hanna Meier", "Анна Майер", "王小明"], ids=ascii)
def test_different_names_do(other: str) -> None:
    names.check_free(other, ["Ben", "Anna Meier"])


def test_rn_looks_like_m_and_vv_like_w() -> None:
    for one, other in (("Arno", "Amo"), ("Wera", "Vvera")):
        with pytest.raises(InputError):
            names.check_free(one, [other])


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("2", [ANDY]),
        ("andy", [ANDY]),
        ("Anna Meier", [ANNA]),
        ("meier", [ANNA]),
        ("anna", [ANNA, MARIA]),
        ("An", []),
        ("", []),
        ("7", []),
    ],
)
def test_a_number_a_name_or_a_word_of_it_names_somebody(words: str, found: list[Person]) -> None:
    assert names.meant(PEOPLE, words) == found


def test_the_beginning_of_a_name_or_a_slip_of_the_pen_asks_back() -> None:
    assert names.perhaps_meant(PEOPLE, "an") == [ANNA, ANDY, MARIA]
    assert names.perhaps_meant(PEOPLE, "Amdy") == [ANDY]
    for words in ("zoe", "", " "):
        with pytest.raises(NotFoundError) as caught:
            names.perhaps_meant(PEOPLE, words)
        assert caught.value.known == ("Anna Meier", "Andy", "Anna Maria", "Ben")


@pytest.mark.parametrize("word", ["finance", "FINANCE", "risk-2", "a", "x" * 24])
def test_an_approver_group_is_one_short_word(word: str) -> None:
    assert names.check_group(word) == word.lower()


@pytest.mark.parametrize("word", ["", "x" * 25, "-a", "två", "a b", "role/admin", "approver", "Admin", "a\n"])
def test_anything_else_is_none(word: str) -> None:
    with pytest.raises(InputError):
        names.check_group(word)

"""The figures in what people write after /alert: `2400`, `10,000.50`, `4 000`, `2.5k`, `$4200`, `10000 USD`."""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from bot.errors import InputError
from bot.money import Currency

EXAMPLE: Final = "/alert GOLD > 2400"
POLITE: Final = frozenset(["please", "pls", "plz", "thx", "thanks"])
_NUMBER = re.compile(r"([+-]?)(\d+|\d{1,3}(?:[,'_]\d{3})+)(\.\d+)?([km]?)(%?)", re.ASCII | re.IGNORECASE)
_FIRST_GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}(?:'\d{3})*", re.ASCII)
_NEXT_GROUP = re.compile(r"\d{3}(?:\.\d+)?%?", re.ASCII)
_SIGNED = re.compile(r"([+-]?)([$€£])(.+)")
_SIGNS: Final = {"$": "USD", "€": "EUR", "£": "GBP"}
_CALLED: Final = _SIGNS | {"dollar": "USD", "dollars": "USD", "euro": "EUR", "euros": "EUR", "pounds": "GBP"}

_WORDS_TOO: Final = frozenset(["all", "bam", "cup", "gel", "mop", "pen", "sos", "top", "try"])
"""Codes that are words, too: only in capitals do they say a currency."""


def number(text: str) -> Decimal | None:
    """`2400`, `10,000.50`, `2.5k`, `-200`; None for what is none."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    sign, whole, rest, large, _ = found.groups()
    try:
        value = Decimal(sign + re.sub("[,'_]", "", whole) + (rest or ""))
    except InvalidOperation:
        return None
    value = value * {"k": 1000, "m": 1_000_000}.get(large.lower(), 1)
    return value if abs(value) < Decimal(10) ** 15 else None


def goes_on(before: str, word: str) -> bool:
    """Whether these could be one number in groups of three digits: `4` and `000`, `1'250` and `000.50`."""
    return _FIRST_GROUPS.fullmatch(before) is not None and _NEXT_GROUP.fullmatch(word) is not None


def apart(word: str) -> list[str]:
    """A sign of a currency stands beside its number: `$4200` is `$`, `4200`. Any other word stays as it is."""
    found = _SIGNED.fullmatch(word)
    if found is not None and number(found[1] + found[3]) is not None:
        return [found[2], found[1] + found[3]]
    if is_sign(word[-1:]) and number(word[:-1]) is not None:
        return [word[:-1], word[-1]]
    return [word]


def is_sign(word: str) -> bool:
    """`$`, `€`, `£`."""
    return word in _SIGNS


def amount(words: Sequence[str]) -> tuple[Decimal, str, bool]:
    """A number, perhaps with its currency before or behind it, perhaps in percent. `InputError` names what is more."""
    place = next((place for place, word in enumerate(words) if number(word) is not None), None)
    value = None if place is None else number(words[place])
    if place is None or value is None:
        raise InputError(f"{' '.join(words)} is no number" if words else "say from which number on", EXAMPLE)
    is_percent, currency, left = words[place].endswith("%"), "", list[str]()
    for at, word in enumerate(words):
        code = _code(word) if abs(at - place) == 1 and not is_percent else ""
        if code and currency in ("", code):
            currency = code
        elif at != place:
            left.append(word)
    check_understood(left)
    return value, currency, is_percent


def check_understood(left: Sequence[str], example: str = EXAMPLE) -> None:
    """`InputError` with the words that are left over, unless they are only polite."""
    unknown = [word for word in left if word.lower() not in POLITE]
    if unknown:
        says_until = "until" in map(str.lower, unknown)
        raise InputError(
            f"I do not understand “{' '.join(unknown)}”", f"{EXAMPLE} until 2027-01-31" if says_until else example
        )


def _code(word: str) -> str:
    """The currency that this is; one that we do not know is in capitals. Empty for anything else."""
    if word.lower() in _CALLED:
        return _CALLED[word.lower()]
    try:
        currency = Currency.of(word)
    except ValueError:
        return ""
    is_plain = currency.known and word.lower() not in _WORDS_TOO
    return currency.code if is_plain or word.isupper() else ""

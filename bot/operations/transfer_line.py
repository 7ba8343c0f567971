"""A transfer in one line, as people write it. Pure: what was written comes apart, and nothing is decided.

    250.00 USD from main 9120000001 to Harbour for Invoice 4711

`from`, `to` and `for` begin a part each, in any order; a note runs to the end of the line. The amount stands before
them, or behind another part. Its text is kept as it is: whether it is an amount is for `Money.parse` to say.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.money import DIGITS

_PARTS = {"from": "source", "to": "to", "for": "note"}
_TOGETHER = re.compile(r"([0-9][0-9.,']*)([A-Za-z]{3,5})|([A-Za-z]{3,5})([0-9][0-9.,']*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Line:
    """What was written; empty where it was not."""

    amount: str = ""
    currency: str = ""
    source: tuple[str, ...] = ()
    """Words for the connection, the account, or both."""
    to: str = ""
    note: str = ""


def read(words: Sequence[str]) -> Line:
    """Take a line apart."""
    parts: dict[str, list[str]] = {"head": [], "source": [], "to": [], "note": []}
    at = "head"
    for word in words:
        part = _PARTS.get(word.lower())
        if part is not None and at != "note" and not parts[part]:
            at = part
        else:
            parts[at].append(word)
    amount, currency, rest = _amount_in(parts["head"])
    for part in ("to", "source"):
        if not amount and len(parts[part]) > 1:
            amount, currency, parts[part] = _amount_behind(parts[part], currency)
    return Line(amount, currency, (*rest, *parts["source"]), " ".join(parts["to"]), " ".join(parts["note"]))


def _amount_in(words: Sequence[str]) -> tuple[str, str, list[str]]:
    """Amount and currency among words, and the words that are neither."""
    apart = [piece for word in words for piece in _apart(word)]
    currency = next((word for word in apart if _is_currency(word)), "")
    left = [word for word in apart if word is not currency]
    amounts = [word for word in left if not word[0].isalpha()]
    if not amounts and currency and left:  # `NaN USD`: what stands beside a currency was meant as an amount
        beside = apart.index(currency)
        amounts = [apart[beside - 1] if beside else left[0]]
    return " ".join(amounts), currency.upper(), [word for word in left if word not in amounts]


def _amount_behind(words: list[str], currency: str) -> tuple[str, str, list[str]]:
    """The same where it ends a part; a currency is there, because a part may end with a number of its own."""
    for count in (2, 1):
        tail = [piece for word in words[-count:] for piece in _apart(word)]
        if len(words) > count and len(tail) == 2 and any(map(_is_currency, tail)):
            amount, found, rest = _amount_in(tail)
            if amount and not rest:
                return amount, found, words[:-count]
    return "", currency, words


def _apart(word: str) -> list[str]:
    """`250.00USD` and `USD250.00` are two words."""
    together = _TOGETHER.fullmatch(word)
    pieces = [piece for piece in together.groups() if piece] if together else [word]
    return pieces if len(pieces) == 2 and any(map(_is_currency, pieces)) else [word]


def _is_currency(word: str) -> bool:
    return word.isascii() and word.upper() in DIGITS

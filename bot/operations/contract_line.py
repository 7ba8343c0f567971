"""A contract in one line, as people write it. Pure.

rise R_100 10 USD 5m · matches 7 R_10 1 USD 5t payout · up R_100 10 USD x50 on main
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.errors import InputError
from bot.money import DIGITS

EXAMPLE = "/price rise R_100 10 USD 5m"
TYPES = {
    "rise": "CALL",
    "fall": "PUT",
    "higher": "CALL",
    "lower": "PUT",
    "touch": "ONETOUCH",
    "notouch": "NOTOUCH",
    "even": "DIGITEVEN",
    "odd": "DIGITODD",
    "matches": "DIGITMATCH",
    "differs": "DIGITDIFF",
    "over": "DIGITOVER",
    "under": "DIGITUNDER",
    "up": "MULTUP",
    "down": "MULTDOWN",
}
"""Words for the kinds of contract that people ask for; the provider's own codes are taken as well."""
_CODE = re.compile(r"[A-Z]{2,20}", re.ASCII)
_LASTS = re.compile(r"([0-9]{1,6})([tsmhd])", re.ASCII)
_TIMES = re.compile(r"x([0-9]{1,6})", re.ASCII)
_AMOUNT = re.compile(r"[0-9][0-9.,]*", re.ASCII)
_BARRIER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Line:
    """What was written, in the provider's terms; texts as they were written."""

    contract_type: str
    symbol: str
    amount: str
    currency: str = ""
    basis: str = "stake"
    lasts: str = ""
    """`5m`, `10t`."""
    barriers: tuple[str, ...] = field(default=())
    multiplier: str = ""
    on: str = ""
    """A connection's name."""


def read(words: Sequence[str]) -> Line:
    """Take a line apart. `InputError` with what is missing."""
    left = list(words)
    if not left:
        raise InputError("say which contract, on which market, for how much and for how long", EXAMPLE)
    first = left.pop(0)
    kind = TYPES.get(first.lower()) or (first if _CODE.fullmatch(first) else "")
    if not kind:
        raise InputError(f"the contracts are {', '.join(TYPES)}", EXAMPLE)
    found: dict[str, str] = {}
    barriers: list[str] = []
    while left:
        word = left.pop(0)
        lower = word.lower()
        if lower in ("stake", "payout"):
            found["basis"] = lower
        elif lower == "barrier" and left and _BARRIER.fullmatch(left[0]):
            barriers.append(left.pop(0))
        elif lower == "on" and left and "on" not in found:
            found["on"] = left.pop(0)
        elif _LASTS.fullmatch(lower):
            found["lasts"] = lower
        elif times := _TIMES.fullmatch(lower):
            found["multiplier"] = times[1]
        elif word.upper() in DIGITS and "amount" in found:
            found["currency"] = word.upper()
        elif (word[0] in "+-" and _BARRIER.fullmatch(word)) or (
            kind.startswith("DIGIT") and "symbol" not in found and word.isdecimal() and len(word) == 1
        ):
            barriers.append(word)
        elif "symbol" not in found and not _AMOUNT.fullmatch(word):
            found["symbol"] = word
        elif "amount" not in found and _AMOUNT.fullmatch(word):
            found["amount"] = word
        else:
            raise InputError(f"what “{word[:20]}” says there is not clear", EXAMPLE)
    for part, missing in (("symbol", "which market"), ("amount", "how much")):
        if part not in found:
            raise InputError(f"say {missing}", EXAMPLE)
    return Line(kind, barriers=tuple(barriers), **found)


def word_for(code: str, *, has_barrier: bool) -> str:
    """What people call a kind of contract, "" where they have no word; against a price of one's own it is another."""
    words = [word for word, called in TYPES.items() if called == code]
    return (words[-1] if has_barrier else words[0]) if words else ""


def placed(words: Sequence[str], name: str) -> list[str]:
    """The same line with another connection in it."""
    at = next((place for place, word in enumerate(words[:-1]) if word.lower() == "on"), len(words))
    return [*words[:at], *words[at + 2 :], "on", name]

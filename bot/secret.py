"""A value that must not be seen.

A `Secret` keeps text out of `repr`, `str`, `format`, pickles, JSON and comparisons that leak time. It is read with
`reveal()`, which is easy to search for. While a `Secret` exists, `conceal` knows its text and takes it out of any line:
the log formatter passes everything through it.
"""

import hmac
import json
import re
import weakref
from typing import Any, NoReturn, final
from urllib.parse import quote, quote_plus

MASK = "‹secret›"
_SHORTEST = 6
"""Shorter texts (a one-time code, a single letter) are not searched for: they would blank out innocent words."""

_RUN = re.compile(r"[A-Za-z0-9]+")
_alive: "weakref.WeakValueDictionary[int, Secret]" = weakref.WeakValueDictionary()


def conceal(line: str) -> str:
    """`line` without any secret that exists right now, be it written plain, in a repr, in JSON or in a URL."""
    # `valuerefs` copies in one step: other threads may be making secrets meanwhile.
    texts = {secret.reveal() for ref in _alive.valuerefs() if (secret := ref()) is not None}
    forms = {form for text in texts if len(text) >= _SHORTEST and _core(text) in line for form in _forms(text)}
    for form in sorted(forms, key=len, reverse=True):
        if form in line:
            line = line.replace(form, MASK)
    return line


def _core(text: str) -> str:
    """Its longest run of letters and digits, which every form leaves as it is: most lines lack even that."""
    return max(_RUN.findall(text), key=len, default="")


def _forms(text: str) -> set[str]:
    if text.isascii() and text.isalnum():
        return {text}
    once = {
        text,
        repr(text)[1:-1],
        ascii(text)[1:-1],
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
    }
    twice = {json.dumps(form, ensure_ascii=False)[1:-1] for form in once}  # a repr that became part of a JSON line
    quoted = {write(text, safe, errors="replace") for write in (quote, quote_plus) for safe in ("", "/")}
    return once | twice | quoted


@final
class Secret:
    """One secret text."""

    __slots__ = ("__text", "__weakref__")

    def __init__(self, text: str) -> None:
        self.__text = text
        _alive[id(self)] = self

    def reveal(self) -> str:
        """The text itself. Whoever calls this answers for where it goes."""
        return self.__text

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__text.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash(("Secret", self.__text))

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Secret":
        return self

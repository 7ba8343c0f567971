"""A value that must not be seen.

A `Secret` keeps text out of `repr`, `str`, `format`, pickles, JSON and comparisons that leak time. It is read with
`reveal()`, which is easy to search for. While a `Secret` exists, `conceal` knows its text and takes it out of any line:
the log formatter passes everything through it.
"""

import hmac
import weakref
from typing import Any, NoReturn, final

MASK = "‹secret›"
_SHORTEST = 6
"""Shorter texts (a one-time code, a single letter) are not searched for: they would blank out innocent words."""

_alive: "weakref.WeakValueDictionary[int, Secret]" = weakref.WeakValueDictionary()


def conceal(line: str) -> str:
    """`line` without any secret that exists right now."""
    texts = {secret.reveal() for secret in list(_alive.values())}
    for text in sorted(texts, key=len, reverse=True):
        if len(text) >= _SHORTEST and text in line:
            line = line.replace(text, MASK)
    return line


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

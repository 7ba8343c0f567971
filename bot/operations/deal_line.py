"""A deal in one line, as people write it. Pure: what was written comes apart, and nothing is decided.

    2 GOLD at 4050 stop 4000 limit 4200 till 2026-12-01 on main

The size stands before or behind the market's words. `at`, `stop`, `limit`, `till` and `on` begin a part each, in any
order. Texts are kept as they are: whether they are numbers is for others to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass

_PARTS = {
    "at": "level",
    "@": "level",
    "stop": "stop",
    "sl": "stop",
    "limit": "limit",
    "tp": "limit",
    "till": "till",
    "until": "till",
    "on": "on",
}


@dataclass(frozen=True, slots=True)
class Line:
    """What was written; empty where it was not."""

    what: str = ""
    """The market's words, or what is closed or changed."""
    size: str = ""
    level: str = ""
    stop: str = ""
    limit: str = ""
    till: str = ""
    on: str = ""
    """A connection's name."""

    @property
    def has_terms(self) -> bool:
        return bool(self.level or self.stop or self.limit or self.till)


def read(words: Sequence[str]) -> Line:
    """Take a line apart."""
    parts: dict[str, list[str]] = {"head": [], **{part: [] for part in _PARTS.values()}}
    at = "head"
    for word in words:
        part = _PARTS.get(word.lower())
        if part is not None and not parts[part]:
            at = part
        else:
            parts[at].append(word)
    head, size = parts["head"], ""
    if len(head) > 1 and _is_number(head[0]):
        size, head = head[0], head[1:]
    elif len(head) > 1 and _is_number(head[-1]):
        size, head = head[-1], head[:-1]
    said = {part: " ".join(found) for part, found in parts.items() if part != "head"}
    return Line(" ".join(head), size, **said)


def _is_number(word: str) -> bool:
    """Meant as one: whether it is one that may be dealt in is seen later."""
    return word[0].isdigit() or (word[0] in "+-.,\u2212" and word[1:2].isdigit())

"""Three short words for a hash, so that two people can read it to one another.

The words stand for bits 32 to 64, beside the eight hex digits that stand for the first 32: together they name 65 bits
of the 256. The list is fixed: a word that changed would break what was noted down.
"""

from functools import lru_cache
from importlib.resources import files

_BITS, _COUNT, _SKIPPED = 11, 3, 32


@lru_cache(maxsize=1)
def words() -> tuple[str, ...]:
    """The list: 2,048 words, no two with the same first four letters."""
    return tuple((files("bot.approvals") / "words.txt").read_text(encoding="ascii").split())


def words_of(hash_: str) -> str:
    """64 hex digits → `amber-canoe-tiger`."""
    number = int(hash_, 16) >> (256 - _SKIPPED - _BITS * _COUNT)
    indexes = [(number >> (_BITS * place)) & (2**_BITS - 1) for place in reversed(range(_COUNT))]
    return "-".join(words()[index] for index in indexes)

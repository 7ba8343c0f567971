"""Cells of files for spreadsheets: whatever stands in them, none is taken for a formula (ASVS 1.2.10, SAFETY T36).

A spreadsheet need not split a file where we do: one that expects semicolons or tabs cuts a cell of ours into several,
and one that trims finds a formula behind blanks. So a cell is looked at wherever another program may begin one, and
behind whatever it may skip.
"""

import re
import unicodedata
from typing import Final

_FORMULA: Final = frozenset("=+-@\t\r\n\0＝＋－＠﹦﹢﹣﹫")
"""With one of these in front a spreadsheet reckons instead of showing; the last eight are wide and small forms."""
_SKIPPED: Final = frozenset(",;|'\"`")
"""Separators and quotes of other ways to write such a file."""
_CUTS: Final = re.compile(r"([;|\t\n\v\f\r\x85\u2028\u2029])")
"""Where another program may begin a new cell or line."""
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


def inert(value: object) -> str:
    """The text of a cell: nothing for None, a plain number as it is, and a quote before all that looks like a formula.

    Such a quote is part of what the file says; where every character counts, another format serves better.
    """
    text = "" if value is None else str(value)
    if _NUMBER.fullmatch(text):
        return text
    first, *rest = _CUTS.split(text)
    marked = first + "".join(_marked(piece) for piece in rest)
    return f"'{marked}" if _is_like_a_formula(text) else marked


def _marked(piece: str) -> str:
    """What stands between two cuts, or is one."""
    return f"'{piece}" if not _CUTS.fullmatch(piece) and _is_like_a_formula(piece) else piece


def _is_like_a_formula(text: str) -> bool:
    """Whether it begins with one, behind blanks, separators, quotes and what is not seen at all."""
    for character in text:
        if character in _FORMULA:
            return True
        if character not in _SKIPPED and unicodedata.category(character)[0] not in "CZ":
            return False
    return False

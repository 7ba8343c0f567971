"""The small part of FIQL that the activity history understands.

`source!=DEALER;type==POSITION;epic==GOLD,OIL_CRUDE`: semicolons join, commas part the values that will do.
"""

import re
from dataclasses import dataclass

from bot.providers.capital.simulator.calls import Refused
from bot.providers.capital.simulator.state import Activity

_TERM = re.compile(r"(epic|source|status|type)(==|!=)([A-Za-z0-9_.,-]+)")


@dataclass(frozen=True, slots=True)
class Term:
    field: str
    wanted: bool
    """False for `!=`."""
    values: frozenset[str]


def parse(text: str | None) -> list[Term]:
    """Nothing given lets everything through; what cannot be read is refused."""
    if not text:
        return []
    terms: list[Term] = []
    for part in text.split(";"):
        found = _TERM.fullmatch(part)
        if found is None:
            raise Refused(400, "error.invalid.filter")
        terms.append(Term(found[1], found[2] == "==", frozenset(found[3].split(","))))
    return terms


def fits(terms: list[Term], row: Activity) -> bool:
    told = {"epic": row.epic, "source": row.source, "status": row.status, "type": row.type}
    return all((told[term.field] in term.values) is term.wanted for term in terms)

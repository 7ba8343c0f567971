"""The freeze: nothing that moves money leaves, all over the desk or through one provider.

Anybody who may freeze does it alone and at once; it is lifted by a request that others sign. What is being sent already
is followed to its end; reads and alerts go on.
"""

from dataclasses import dataclass
from datetime import datetime

from bot.errors import FrozenError
from bot.store import Tables
from bot.store.columns import moment

DESK = "desk"
"""The scope of a freeze that is not of one provider."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """One of them."""

    scope: str
    """`desk`, or a provider's name."""
    since: datetime
    person_id: int | None
    """Who froze it; None for the program itself."""
    reason: str


def freezes_in(tables: Tables) -> list[Freeze]:
    """Every freeze there is, the desk's first."""
    rows = tables.conn.execute(
        "SELECT scope, at, person_id, reason FROM freezes ORDER BY scope != ?, scope", (DESK,)
    ).fetchall()
    return [Freeze(scope, moment(since), person, reason) for scope, since, person, reason in rows]


def check(tables: Tables, provider: str) -> None:
    """`FrozenError` when nothing may leave through this provider."""
    for freeze in freezes_in(tables):
        if freeze.scope in (DESK, provider):
            raise FrozenError(freeze.scope, freeze.reason)

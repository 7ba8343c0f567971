"""Number matching (SAFETY M15): the asker's screen shows two digits, and whoever signs picks them among four.

So that a signer has spoken with the asker, or at least looks at the same request. One try for each person and request:
with four to choose from, a second one would be half a guess. After it, another person signs.
"""

import hashlib
from collections.abc import Callable

from bot.access.model import Person
from bot.approvals.model import Proof, Request
from bot.approvals.service import Shown
from bot.clock import Clock
from bot.errors import CountersignError, NumberWrongError
from bot.ports import Deed, Recorder
from bot.store import Tables
from bot.store.columns import at

LOWEST_TO_HIGHEST = range(10, 100)
_OFFERED = 4


def choices_of(request: Request) -> list[int]:
    """Four numbers, ascending, the right one among them; for one request always the same four, so that two signers who
    compare theirs learn nothing."""
    if request.number is None:
        return []
    offered, turn = {request.number}, 0
    while len(offered) < _OFFERED:
        digest = hashlib.sha256(f"{request.id}/{request.hash}/{request.number}/{turn}".encode()).digest()
        offered.add(LOWEST_TO_HIGHEST[int.from_bytes(digest[:4], "big") % len(LOWEST_TO_HIGHEST)])
        turn += 1
    return sorted(offered)


class Matching:
    """Checks what was picked."""

    def __init__(
        self, audit: Recorder, clock: Clock, looking: Callable[[], Callable[[Tables], CountersignError | None]]
    ):
        """`looking`: makes a change that answers why the clock is not to be believed."""
        self._audit = audit
        self._clock = clock
        self._looking = looking

    def picking(self, person: Person, request: Request, picked: int) -> Shown:
        """What a person shows by picking a number. A wrong one is written down, and is their last for this request:
        the approvals room lets nobody come here again.
        """
        doubting, now = self._looking(), self._clock.now()

        def use(tables: Tables) -> CountersignError | None:
            doubted = doubting(tables)
            if doubted is not None:
                return doubted
            if picked == request.number:
                return None
            tables.conn.execute("INSERT INTO number_misses VALUES (?, ?, ?)", (request.id, person.id, at(now)))
            self._audit.record(tables, Deed("request.number_missed", f"request/{request.id}", person.id))
            return NumberWrongError()

        return Shown(Proof.NUMBER, use)

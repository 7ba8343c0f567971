"""Whether the policy in force can be met by the people there are: looked at again whenever one of both has changed.

What cannot be met is told to the admins once; when it has been mended and is so again, once more.
"""

import asyncio
import json
from dataclasses import dataclass

from bot.access.model import Person, Role
from bot.access.service import people_in
from bot.approvals.policies import Policies
from bot.approvals.policy.meeting import Absence, unmeetable, unmeetable_uncounted
from bot.approvals.policy.model import Policy
from bot.approvals.seating import signers_in
from bot.clock import Clock
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.factor_records import has_factor
from bot.store import Database, Tables
from bot.store.columns import at, packed

_TOLD = "unmeetable"
"""The row of `meta` with the sentences that were told and still hold."""
_TITLE = "The policy asks for people who are not there"


@dataclass(frozen=True, slots=True)
class _Picture:
    """Everything that the verdict depends on."""

    version: int
    policy: Policy | None
    people: tuple[Person, ...]
    absence: Absence


class Meeting:
    """Holds the policy against the people."""

    def __init__(self, database: Database, policies: Policies, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._policies = policies
        self._outbox = outbox
        self._clock = clock
        self._seen: tuple[object, ...] | None = None
        self._found: tuple[str, ...] = ()

    async def look(self) -> tuple[str, ...]:
        """Answers what cannot be met, in sentences. A desk that has no policy of its own has nothing to mend in it."""
        picture = await self._database.read(self._picture)
        seen = (picture.version, picture.people, picture.absence)
        if seen == self._seen:
            return self._found
        found = await asyncio.to_thread(_found, picture)
        await self._database.write(lambda tables: self._tell(tables, found))
        self._seen, self._found = seen, found
        return found

    def _picture(self, tables: Tables) -> _Picture:
        version, policy = self._policies.in_force(tables)
        now = self._clock.now()
        people = tuple(sorted(signers_in(tables, now, ()), key=lambda one: one.id))
        without = frozenset(one.id for one in people if not has_factor(tables, one.id))
        return _Picture(version, policy, people, Absence(without_factor=without))

    def _tell(self, tables: Tables, found: tuple[str, ...]) -> None:
        row = tables.conn.execute("SELECT value FROM meta WHERE key = ?", (_TOLD,)).fetchone()
        told = json.loads(row[0]) if row is not None else []
        new = tuple(one for one in found if one not in told)
        if list(found) != told:
            tables.conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_TOLD, packed(list(found))))
        for person in people_in(tables):
            for number in person.telegram_ids if new and Role.ADMIN in person.roles else ():
                dedupe = f"unmeetable/{at(self._clock.now())}/{number}"
                self._outbox.put(tables, Notice(Lane.SECURITY, number, _TITLE, new, dedupe))


def _found(picture: _Picture) -> tuple[str, ...]:
    if picture.policy is None:
        return ()
    held = (picture.policy, picture.people, picture.absence)
    return tuple(one.sentence for one in (*unmeetable(*held), *unmeetable_uncounted(*held)))

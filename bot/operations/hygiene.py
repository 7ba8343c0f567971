"""The weekly word about keys: which are old, lie unused, or can do more than is asked of them.

Each owner is told of their own, with the next step; admins get a summary. Said once in a week of the calendar, which
begins on Monday at 07:00 UTC, however often it is asked for: a row remembers the last one. What was missed while the
bot was away is made up once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.access.model import Person, Roster
from bot.clock import Clock
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.connections import Connections
from bot.operations.findings import beyond_reading, listed
from bot.operations.linked import Connection, Scope
from bot.providers.records import Power
from bot.store import Database, Tables
from bot.vault.service import Vault

OLD = timedelta(days=90)
UNUSED = timedelta(days=30)
_MORNING = timedelta(hours=7)
_TOLD = "hygiene_told"
"""The row of `meta` with the last week that was told of."""


class Flaw(StrEnum):
    """What may be wrong with a key."""

    LEAKED = "rotated at the provider: no"
    OLD = "old"
    UNUSED = "unused"
    STRONG = "stronger than its job"


@dataclass(frozen=True, slots=True)
class Complaint:
    """One connection, and what is wrong with its key."""

    connection: Connection
    flaws: tuple[Flaw, ...]


class Hygiene:
    """Looks after the keys."""

    def __init__(
        self, database: Database, vault: Vault, connections: Connections, outbox: Outbox, clock: Clock
    ) -> None:
        self._database = database
        self._vault = vault
        self._connections = connections
        self._outbox = outbox
        self._clock = clock

    async def complaints(self) -> list[Complaint]:
        """Every connection whose key deserves a look."""
        now = self._clock.now()
        found = []
        for one in await self._connections.everything():
            flaws = flaws_of(one, now, is_protected=self._vault.locks.is_protected(one.subject))
            if flaws:
                found.append(Complaint(one, flaws))
        return found

    async def tell_when_due(self, roster: Roster) -> int:
        """The same, unless this week's was told. Work for the clock."""
        told = await self._database.read(_last_told)
        return 0 if told == _week(self._clock.now()) else await self.tell(roster)

    async def tell(self, roster: Roster) -> int:
        """Tell owners and admins; answers how many connections were named. Twice in a week it is told once."""
        found, now = await self.complaints(), self._clock.now()
        week = _week(now)
        notices = [notice for person in roster.people for notice in _for_person(person, roster, found, now, week)]

        def change(tables: Tables) -> None:
            for notice in notices:
                self._outbox.put(tables, notice)
            tables.conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_TOLD, week))

        await self._database.write(change)
        return len(found)


def _week(now: datetime) -> str:
    """`2026-W10`."""
    year, week, _ = (now - _MORNING).isocalendar()
    return f"{year}-W{week:02}"


def _last_told(tables: Tables) -> str | None:
    row = tables.conn.execute("SELECT value FROM meta WHERE key = ?", (_TOLD,)).fetchone()
    return None if row is None else str(row[0])


def flaws_of(connection: Connection, now: datetime, *, is_protected: bool) -> tuple[Flaw, ...]:
    """What is wrong with one. `is_protected`: it is under its owner's passphrase."""
    last = max(connection.secret_since, connection.used_at or connection.secret_since)
    flaws = {
        Flaw.LEAKED: connection.leaked_at is not None,
        Flaw.OLD: now - connection.secret_since > OLD,
        Flaw.UNUSED: now - last > UNUSED,
        Flaw.STRONG: _too_strong(connection, is_protected=is_protected),
    }
    return tuple(flaw for flaw in Flaw if flaws[flaw])


def _too_strong(connection: Connection, *, is_protected: bool) -> bool:
    """It can do more than read, and nobody was let act through it.

    Where the provider knows one kind of key only, there is nothing weaker to ask for: then what counts is that a key
    which pays out is under a passphrase.
    """
    more = beyond_reading(connection.powers)
    if not more or any(share.scope is Scope.ACT for share in connection.shares):
        return False
    return bool(connection.spec.enough) or (Power.PAY_OUT in more and not is_protected)


def _for_person(
    person: Person, roster: Roster, found: Iterable[Complaint], now: datetime, week: str
) -> Iterable[Notice]:
    own = [one for one in found if one.connection.owner == person.id]
    if own:
        lines, steps = tuple(_in_full(one, now) for one in own), "\n".join(_next_step(one) for one in own)
        yield from _to(person, "Keys that deserve a look", lines, f"hygiene/{week}", steps)
    if found and person in roster.admins:
        names = {one.id: one.name for one in roster.people}
        lines = tuple(
            f"{one.connection.name} of {names.get(one.connection.owner, 'somebody who left')}: {', '.join(one.flaws)}"
            for one in found
        )
        yield from _to(person, f"Key hygiene of week {week}", lines, f"hygiene/{week}/all")


def _to(person: Person, title: str, lines: tuple[str, ...], dedupe: str, next_step: str = "") -> Iterable[Notice]:
    for number in sorted(person.telegram_ids):
        yield Notice(Lane.SECURITY, number, title, lines, dedupe=f"{dedupe}/{number}", next_step=next_step)


def _in_full(complaint: Complaint, now: datetime) -> str:
    """What is wrong."""
    one, said = complaint.connection, []
    if Flaw.LEAKED in complaint.flaws:
        said.append("its key may have been copied, and was not rotated at the provider")
    if Flaw.OLD in complaint.flaws:
        said.append(f"its key is {(now - one.secret_since).days} days old")
    if Flaw.UNUSED in complaint.flaws:
        last = one.used_at
        said.append(f"nobody has used it for {(now - last).days} days" if last else "nobody has used it yet")
    if Flaw.STRONG in complaint.flaws:
        said.append(f"it can {listed(beyond_reading(one.powers))}, and nobody here was let do that")
    return f"{one.name}: {', '.join(said)}."


def _next_step(complaint: Complaint) -> str:
    one = complaint.connection
    if complaint.flaws == (Flaw.STRONG,) and not one.spec.enough:
        return f"There is no weaker key at {one.spec.title}; /passphrase {one.name} guards this one."
    weaker = f" with {one.spec.enough}" if Flaw.STRONG in complaint.flaws and one.spec.enough else ""
    unlink = f", or /disconnect {one.name} if nobody needs it" if Flaw.UNUSED in complaint.flaws else ""
    return f"Next: /replace {one.name}{weaker}{unlink}."

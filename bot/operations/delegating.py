"""Out of office: an approver hands their groups on to another one for a time, and takes them back.

What it means for a request is `bot.approvals.seating`'s. Days are days of the desk's time zone, the last one included.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.access.model import Person, Role
from bot.access.service import people_in
from bot.approvals import records, seating
from bot.approvals.seating import Delegation
from bot.approvals.service import Approvals
from bot.clock import Clock
from bot.errors import ConflictError, InputError, NotFoundError
from bot.operations.notices import Notices
from bot.ports import Deed, Recorder
from bot.store import Database, Tables

LONGEST = timedelta(days=90)
EXAMPLE = "/delegate Ben from 2026-03-02 until 2026-03-06"
_TITLE = "Out of office"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Handing:
    """Whom somebody wishes to hand their groups to, and when."""

    name: str
    since: datetime
    until: datetime
    """Exclusive."""


class Delegating:
    """The verbs."""

    def __init__(
        self,
        database: Database,
        approvals: Approvals,
        audit: Recorder,
        notices: Notices,
        clock: Clock,
        zone: ZoneInfo,
    ) -> None:
        self._database = database
        self._approvals = approvals
        self._audit = audit
        self._notices = notices
        self._clock = clock
        self._zone = zone

    def reading(self, words: Sequence[str]) -> Handing:
        """`NAME [from DAY] until DAY`. `InputError`, with what is missing."""
        said = [word.lower() for word in words]
        if "until" not in said:
            raise InputError("say until which day, the last one included", EXAMPLE)
        at = len(said) - 1 - said[::-1].index("until")
        start = at - 2 if at >= 2 and said[at - 2] == "from" else at
        name, now = " ".join(words[:start]), self._clock.now()
        if not name or len(words) != at + 2:
            raise InputError("name an approver, and the first and the last day", EXAMPLE)
        first = self._day(words[start + 1]) if start != at else now.astimezone(self._zone).date()
        last = self._day(words[at + 1])
        since, until = max(self._midnight(first), now), self._midnight(last + timedelta(days=1))
        if until <= now or last < first:
            raise InputError("the last day is over, or before the first", EXAMPLE)
        if until - since > LONGEST:
            raise InputError(f"at most {LONGEST.days} days at a time", EXAMPLE)
        return Handing(name, since, until)

    async def hand_on(self, by: Person, handing: Handing, *, telegram_id: int) -> Delegation:
        """Let somebody stand in one's groups. Whoever can sign something by it that waits is asked at once.

        Raises:
            NotFoundError: No other approver has that name.
            ConflictError: There is nothing to hand on, it is handed on already, or the other one is away then too.
        """

        def change(tables: Tables) -> Delegation:
            person, other = self._two(tables, by, handing.name)
            for one in seating.delegations_in(tables, self._clock.now()):
                overlaps = one.since < handing.until and handing.since < one.until
                if one.person_id == person.id and overlaps:
                    raise ConflictError(
                        "your groups are handed on for that time already; /delegate end takes them back"
                    )
                if one.person_id == other.id and overlaps:
                    raise ConflictError(f"{other.name} is out of office then, too")
            seating.delegate(tables, person.id, other.id, handing.since, handing.until)
            made = Delegation(0, person.id, other.id, handing.since, handing.until)
            details: dict[str, str | int] = {
                "to": other.id,
                "groups": " ".join(sorted(person.groups)),
                "from": handing.since.isoformat(timespec="seconds"),
                "until": handing.until.isoformat(timespec="seconds"),
            }
            self._note(tables, "delegation.made", person, by, telegram_id, details)
            what, when = _groups(person), self.when(made)
            line = f"{person.name} is out of office {when}. You stand in for them in {what}."
            self._notices.tell(tables, other, _TITLE, line)
            line = f"{person.name} is out of office {when}; {other.name} stands in for them in {what}."
            self._notices.tell_admins(tables, line, person.id, other.id)
            self._look_again(tables)
            return made

        return await self._database.write(change)

    async def take_back(self, by: Person, *, telegram_id: int) -> int:
        """End everything one has handed on; answers how many. `ConflictError` when there is nothing."""
        now = self._clock.now()

        def change(tables: Tables) -> int:
            mine = [one for one in seating.delegations_in(tables, now) if one.person_id == by.id]
            people = {person.id: person for person in people_in(tables)}
            for one in mine:
                seating.end(tables, one, now)
                self._note(tables, "delegation.ended", by, by, telegram_id, {"to": one.delegate_id})
                other = people.get(one.delegate_id)
                if other is not None:
                    self._notices.tell(tables, other, _TITLE, f"{by.name} has taken their groups back from you.")
                name = other.name if other is not None else "somebody who left"
                line = f"{by.name} has taken their groups back from {name}."
                self._notices.tell_admins(tables, line, by.id, one.delegate_id)
            if not mine:
                raise ConflictError("you have handed nothing on")
            self._look_again(tables)
            return len(mine)

        return await self._database.write(change)

    async def standing(self) -> list[Delegation]:
        """Every one that holds now or will."""
        return await self._database.read(lambda tables: seating.delegations_in(tables, self._clock.now()))

    def when(self, one: Delegation) -> str:
        """ "from 2026-03-02 until 2026-03-06", by days; one that holds now is "until 2026-03-06"."""
        last = (one.until - timedelta(seconds=1)).astimezone(self._zone).date()
        if one.since <= self._clock.now():
            return f"until {last}"
        return f"from {one.since.astimezone(self._zone).date()} until {last}"

    def _look_again(self, tables: Tables) -> None:
        """Others can sign now: they are asked, and the cards say so."""
        for request in records.pending(tables):
            if not self._approvals.prompting(tables, request):
                self._approvals.redrawing(tables, request)

    def _two(self, tables: Tables, by: Person, name: str) -> tuple[Person, Person]:
        approvers = {one.id: one for one in people_in(tables) if Role.APPROVER in one.roles}
        person = approvers.get(by.id)
        if person is None or not person.groups:
            raise ConflictError("you sit in no approver group, so there is nothing to hand on")
        others = [one for one in approvers.values() if one.id != by.id]
        found = [one for one in others if one.name.casefold() == name.casefold()]
        if len(found) != 1:
            raise NotFoundError("other approver", name, [one.name for one in others])
        return person, found[0]

    def _day(self, word: str) -> date:
        today = self._clock.now().astimezone(self._zone).date()
        named = {"today": today, "tomorrow": today + timedelta(days=1)}
        try:
            found = named.get(word.lower()) or (date.fromisoformat(word) if _DAY.fullmatch(word) else None)
        except ValueError:
            found = None
        if found is None or not 2000 <= found.year <= 9000:
            raise InputError("a day is written as 2026-03-06, today or tomorrow", EXAMPLE)
        return found

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self._zone).astimezone(UTC)

    def _note(
        self, tables: Tables, action: str, person: Person, by: Person, telegram_id: int, details: dict[str, str | int]
    ) -> None:
        self._audit.record(tables, Deed(action, f"person/{person.id}", by.id, telegram_id, details))


def _groups(person: Person) -> str:
    names = sorted(person.groups)
    return f"the group {names[0]}" if len(names) == 1 else f"the groups {' and '.join(names)}"

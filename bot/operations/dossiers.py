"""Everything there is about one request, and the requests there were. For whom it concerns, and for auditors."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.access import names
from bot.access.model import Person, Right
from bot.access.records import everybody_in
from bot.approvals import records as requests
from bot.approvals.enclosures import Remark, remarks_on
from bot.approvals.model import Kind, Request, State
from bot.approvals.prompting import ended_as
from bot.approvals.service import Approvals
from bot.clock import Clock
from bot.csvtext import inert
from bot.errors import ConflictError, NotFoundError
from bot.operations.moving import records
from bot.operations.moving.records import Sending, Sighting
from bot.ports import Deed, Recorder
from bot.store import Database, Tables

PAGE = 6
MOST_ROWS = 10_000
_STATES = {
    "done": State.SUCCEEDED,
    "rejected": State.DENIED,
    "withdrawn": State.CANCELLED,
    "settled": State.SETTLED_BY_HAND,
    **{state.value: state for state in State},
}
_KINDS = {f"{kind.value}s": kind for kind in Kind} | {"mt": Kind.TRADING} | {kind.value: kind for kind in Kind}
_HEAD = ("id", "asked_at", "asked_by", "kind", "state", "what", "amount", "currency", "votes", "outcome")


@dataclass(frozen=True, slots=True)
class Dossier:
    """All of one request. `names` are of everybody who is or was at the desk."""

    request: Request
    could_sign: tuple[Person, ...]
    """Those whom it waits for."""
    could_approve: frozenset[int]
    """Our ids of those who may, though it may not wait for each of them."""
    could_deny: frozenset[int]
    """The same, and those who have missed the number."""
    could_stop: tuple[Person, ...]
    """Its signers, voted or not, while it is approved and not being sent."""
    sendings: tuple[Sending, ...]
    sightings: tuple[Sighting, ...]
    remarks: tuple[Remark, ...]
    names: dict[int, str]


@dataclass(frozen=True, slots=True)
class Search:
    """Which requests are looked for; what is left out does not matter."""

    kind: Kind | None = None
    state: State | None = None
    person_id: int | None = None
    """Who asked for it, or voted on it."""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    """Stands somewhere in it."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page, newest first."""

    rows: tuple[Request, ...]
    first: int
    """How many come before it."""
    there_are: int
    names: dict[int, str]


@dataclass(frozen=True, slots=True)
class File:
    """A file for a chat."""

    name: str
    content: bytes
    rows: int


def concerns(person: Person, request: Request) -> bool:
    """Whether it is this person's business: they asked, voted, could sign, or read everything."""
    took_part = request.asked_by == person.id or any(vote.person_id == person.id for vote in request.votes)
    return took_part or request.rule.concerns(person) or person.may(Right.READ_AUDIT)


class Dossiers:
    """Reads; an export is recorded."""

    def __init__(self, database: Database, approvals: Approvals, audit: Recorder, clock: Clock) -> None:
        self._database = database
        self._approvals = approvals
        self._audit = audit
        self._clock = clock

    async def one(self, person: Person, request_id: str) -> Dossier:
        """`NotFoundError` also for what is not their business."""

        def look(tables: Tables) -> Dossier:
            request = requests.read(tables, request_id)
            signing, waits = self._approvals.signing, request.state is State.PENDING
            could = signing.signers(tables, request)
            deciding = frozenset(one.id for one in signing.could_decide(tables, request)) if waits else frozenset[int]()
            if not concerns(person, request) and person.id not in {one.id for one in could}:  # some stand in for others
                raise NotFoundError("request", request_id)
            return Dossier(
                request,
                tuple(signing.awaited(tables, request)) if waits else (),
                deciding - requests.missed(tables, request),
                deciding,
                tuple(could) if request.state in (State.APPROVED, State.HELD) else (),
                tuple(records.sendings_of(tables, request_id)),
                tuple(records.sightings_of(tables, request_id)),
                tuple(remarks_on(tables, request_id)),
                _names(tables),
            )

        return await self._database.read(look)

    async def on_the_way(self, person: Person) -> list[Request]:
        """What is approved and not over yet, and this person's business."""
        states = (State.APPROVED, State.HELD, State.SENDING, State.ACKED, State.UNKNOWN)
        standing = await self._database.read(lambda tables: requests.standing(tables, states))
        return [one for one in standing if concerns(person, one)]

    async def page(self, person: Person, search: Search, first: int = 0) -> Found:
        """Those from number `first` on."""
        rows, known = await self._database.read(lambda tables: (self._found(tables, person, search), _names(tables)))
        return Found(tuple(rows[first : first + PAGE]), first, len(rows), known)

    async def export(self, person: Person, search: Search, *, telegram_id: int) -> File:
        """All of them as CSV; that it was made is recorded. `ConflictError` when there is nothing."""

        def change(tables: Tables) -> File:
            rows, known = self._found(tables, person, search), _names(tables)
            if not rows:
                raise ConflictError("there is nothing to export")
            text = io.StringIO()
            lines = csv.writer(text)
            lines.writerow(_HEAD)
            lines.writerows([inert(cell) for cell in self._cells(one, known)] for one in rows)
            self._audit.record(
                tables, Deed("requests.exported", "requests", person.id, telegram_id, {"rows": len(rows)})
            )
            return File(f"requests-{self._clock.now():%Y-%m-%d-%H%M%S}.csv", text.getvalue().encode(), len(rows))

        return await self._database.write(change)

    def searched(self, words: Sequence[str], people: Sequence[Person]) -> Search:
        """A kind, a state and a person are known by their words; what is left is looked for in the text."""
        left: list[str] = []
        kind = state = person = None
        for word in words:
            plain = word.lower()
            if kind is None and plain in _KINDS:
                kind = _KINDS[plain]
            elif state is None and plain in _STATES:
                state = _STATES[plain]
            elif person is None and len(meant := names.meant(people, word)) == 1 and not word.isdecimal():
                person = meant[0].id
            else:
                left.append(word)
        return Search(kind, state, person, text=" ".join(left))

    def _found(self, tables: Tables, person: Person, search: Search) -> list[Request]:
        rows = requests.newest(tables, search.kind, search.state, search.since, search.until, MOST_ROWS)
        return [one for one in rows if concerns(person, one) and self._fits(one, search)]

    def _fits(self, request: Request, search: Search) -> bool:
        took_part = {request.asked_by, *(vote.person_id for vote in request.votes)}
        if search.person_id is not None and search.person_id not in took_part:
            return False
        if not search.text:
            return True
        said = " ".join((request.id, request.outcome, *self._approvals.lines(request), *request.parameters.values()))
        return search.text.casefold() in said.casefold()

    def _cells(self, request: Request, known: dict[int, str]) -> list[str]:
        money = request.stake.amount if request.stake is not None else None
        votes = (
            f"{known.get(one.person_id, one.person_id)} {one.decision} {one.at.isoformat()}" for one in request.votes
        )
        return [
            request.id,
            request.asked_at.isoformat(timespec="seconds"),
            known.get(request.asked_by, str(request.asked_by)),
            request.kind.value,
            request.state.value,
            "; ".join(self._approvals.lines(request)),
            money.text() if money is not None else "",
            money.currency.code if money is not None else "",
            "; ".join(votes),
            ended_as(request),
        ]


def _names(tables: Tables) -> dict[int, str]:
    return {profile.person.id: profile.person.name for profile in everybody_in(tables)}

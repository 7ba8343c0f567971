"""Asking for a second person, and deciding.

A request, its audit row and the prompts to everybody who could sign are one transaction; so are a vote, what follows
from it, and the news of that. Who may sign is read again at the vote and at the count: a role lost in between is a vote
lost (M73). Nobody signs what they asked for themselves, by person, not by account (M70). One denial ends it (M71).

What the last signature lets happen within this house is done by the kind's `Carrier` in that same transaction.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from bot.access.model import Person
from bot.access.service import people_in
from bot.approvals import records
from bot.approvals.machine import Event
from bot.approvals.model import Decision, Kind, Request, Rule, State, Vote, circles_of, hash_of
from bot.clock import Clock
from bot.errors import ConflictError, CountersignError, NotAllowedError
from bot.ids import short_id
from bot.messages.cards import Cards
from bot.messages.outbox import Lane, Notice, Outbox
from bot.ports import Deed, Recorder
from bot.store import Database, Tables

CARD = "request"
APPROVE, DENY = 1, 2
"""Choices on a prompt's card."""
LIFE = timedelta(minutes=30)
_BUTTONS = ((("Approve", APPROVE), ("Deny", DENY)),)


class Carrier(Protocol):
    """What one kind of request means. Lives in the room whose matter it is; joined in `wiring.py`."""

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        """What is asked for, in plain lines, from the stored parameters alone (M12)."""

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        """Who must sign. Raises what makes the wish impossible, before anybody is asked."""

    def carry(self, tables: Tables, request: Request) -> str:
        """Do it, inside the transaction of the deciding vote; answers what was done, in a few plain words.

        A `CountersignError` undoes what this call changed, and the request has failed for that reason.
        """

    async def carried(self, request: Request) -> None:
        """After the commit: what looks at the tables through a picture of its own takes it anew."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Something a person asks for. `asked_in` names the message it came in: the same one asks once (M09)."""

    kind: Kind
    parameters: Mapping[str, str]
    asked_in: str | None = None
    life: timedelta = LIFE


class Approvals:
    """All requests of the desk."""

    def __init__(self, database: Database, audit: Recorder, outbox: Outbox, cards: Cards, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._outbox = outbox
        self._cards = cards
        self._clock = clock
        self.carriers: dict[Kind, Carrier] = {}

    async def ask(self, by: Person, wish: Wish, *, telegram_id: int | None) -> Request:
        """Open a request and prompt everybody who could sign it.

        Raises:
            ConflictError: The same message asked for it already; or too few people could sign (M70).
        """
        return await self._database.write(self.asking(by, wish, telegram_id=telegram_id))

    def asking(self, by: Person, wish: Wish, *, telegram_id: int | None) -> Callable[[Tables], Request]:
        """The same as a change, to share a transaction with the rows it belongs to."""

        def change(tables: Tables) -> Request:
            request = self._new(tables, by, wish)
            signers = [one for one in people_in(tables) if self._may_sign(one, request)]
            empty = request.rule.missing(signers)
            if empty:
                raise ConflictError(f"nobody else could sign this: {_named(empty)} is missing")
            records.insert(tables, request, wish.asked_in)
            self._note(tables, "request.asked", request, by.id, telegram_id, {"hash": request.hash})
            for signer in signers:
                self._prompt(tables, request, by, signer)
            return request

        return change

    async def decide(
        self,
        person: Person,
        request_id: str,
        decision: Decision,
        seen: str,
        *,
        telegram_id: int,
        proof: Callable[[Tables], CountersignError | None] | None = None,
        message_id: int | None = None,
    ) -> Request:
        """Cast a vote; answers the request as it stands then.

        Args:
            seen: The hash of what this person was shown.
            proof: Uses something up in the vote's own transaction, such as a code of their second factor; what it
                answers keeps the vote from being cast, and is raised.
            message_id: The prompt on which they decided, in their chat.
        Raises:
            NotFoundError, NotAllowedError: Not theirs to decide.
            ConflictError: It has ended, was changed, or this person has decided already.
        """
        now = self._clock.now()

        def change(tables: Tables) -> Request | CountersignError:
            request = records.read(tables, request_id)
            if request.state is State.PENDING and request.expires_at <= now:
                self._settle(tables, request, Event.EXPIRED, now, "nobody decided in time")
                return ConflictError("this request expired before your vote")
            self._check(tables, request, person, seen)
            refused = proof(tables) if proof is not None else None
            if refused is not None:
                return refused
            vote = Vote(person.id, decision, seen, now)
            if not records.vote(tables, request, vote, telegram_id):
                raise ConflictError("your decision on this is recorded already")
            evidence: dict[str, str | int] = {"hash": seen, "shown": _fingerprint(self._words(request))}
            if message_id is not None:
                evidence["message"] = message_id
            self._note(tables, f"request.{_PAST[decision]}", request, person.id, telegram_id, evidence)
            voted = replace(request, votes=(*request.votes, vote))
            if decision is Decision.DENY:
                return self._settle(tables, voted, Event.DENIED, now, f"by {person.name}")
            return self._count(tables, voted, now)

        decided = await self._database.write(change)
        if isinstance(decided, CountersignError):
            raise decided
        if decided.state is State.SUCCEEDED:
            await self.carriers[decided.kind].carried(decided)
        return decided

    async def withdraw(self, person: Person, request_id: str, *, telegram_id: int) -> Request:
        """Its asker takes it back. `NotAllowedError`, `ConflictError`."""
        now = self._clock.now()

        def change(tables: Tables) -> Request:
            request = records.read(tables, request_id)
            if request.asked_by != person.id:
                raise NotAllowedError("withdraw a request of somebody else")
            self._note(tables, "request.withdrawn", request, person.id, telegram_id)
            return self._settle(tables, request, Event.WITHDRAWN, now, f"by {person.name}")

        return await self._database.write(change)

    async def expire(self) -> int:
        """End what nobody decided in time; answers how many. Work for the clock, and for the start of a run."""
        now = self._clock.now()

        def change(tables: Tables) -> int:
            late = [request for request in records.pending(tables) if request.expires_at <= now]
            for request in late:
                self._settle(tables, request, Event.EXPIRED, now, "nobody decided in time")
            return len(late)

        return await self._database.write(change)

    async def find(self, request_id: str) -> Request:
        """One request. `NotFoundError`."""
        return await self._database.read(lambda tables: records.read(tables, request_id))

    async def pending(self) -> list[Request]:
        """What waits for votes, oldest first."""
        return await self._database.read(records.pending)

    def lines(self, request: Request) -> tuple[str, ...]:
        """What it asks for, in plain lines."""
        return self.carriers[request.kind].lines(request.parameters)

    async def could_sign(self, request: Request) -> list[Person]:
        """Everybody who may and has not yet."""
        decided = {vote.person_id for vote in request.votes}

        def look(tables: Tables) -> list[Person]:
            return [one for one in people_in(tables) if one.id not in decided and self._may_sign(one, request)]

        return await self._database.read(look)

    def people_changed(self, tables: Tables) -> None:
        """Roles or states changed, in this transaction: what nobody can sign any more ends, and its asker hears why."""
        now = self._clock.now()
        people = people_in(tables)
        active = {person.id for person in people}
        for request in records.pending(tables):
            able = [one for one in people if self._may_sign(one, request)]
            empty = request.rule.missing(able)
            if request.asked_by not in active:
                self._settle(tables, request, Event.WITHDRAWN, now, "its asker is no longer at the desk")
            elif empty:
                self._settle(tables, request, Event.EXPIRED, now, f"nobody is left who could sign for {_named(empty)}")

    def calling_off(self, tables: Tables, request: Request, why: str) -> None:
        """What it was about is gone, in this transaction: it ends, and its asker hears why."""
        self._settle(tables, request, Event.WITHDRAWN, self._clock.now(), why)

    def _new(self, tables: Tables, by: Person, wish: Wish) -> Request:
        now = self._clock.now()
        carrier = self.carriers[wish.kind]
        return Request(
            id=short_id(),
            kind=wish.kind,
            parameters=dict(wish.parameters),
            hash=hash_of(wish.kind, by.id, wish.parameters),
            rule=carrier.rule(tables, by, wish.parameters),
            state=State.PENDING,
            version=1,
            asked_by=by.id,
            asked_at=now,
            expires_at=now + wish.life,
        )

    @staticmethod
    def _may_sign(person: Person, request: Request) -> bool:
        return person.id != request.asked_by and request.rule.concerns(person)

    def _check(self, tables: Tables, request: Request, person: Person, seen: str) -> None:
        """Everything that makes a vote impossible, as of this transaction."""
        if request.state is not State.PENDING:
            raise ConflictError(f"this has ended ({_end(request)})")
        if request.hash != seen or request.hash != hash_of(request.kind, request.asked_by, request.parameters):
            raise ConflictError("this is not what you were shown; ask for it anew")
        now = next((one for one in people_in(tables) if one.id == person.id), None)
        if request.asked_by == person.id:
            raise NotAllowedError("decide on what you asked for yourself")
        if now is None or not request.rule.concerns(now):
            raise NotAllowedError("decide on this request")

    def _count(self, tables: Tables, request: Request, now: datetime) -> Request:
        """Seat everybody who approved and still may; when nobody is missing, carry it out."""
        people = {person.id: person for person in people_in(tables)}
        signed = [
            people[vote.person_id]
            for vote in request.approvals
            if vote.person_id in people and not records.is_void(tables, vote)
        ]
        missing = request.rule.missing([one for one in signed if self._may_sign(one, request)])
        if missing:
            self._redraw(tables, request)
            return request
        if request.asked_by not in people:
            return self._settle(tables, request, Event.WITHDRAWN, now, "its asker is no longer at the desk")
        records.move(tables, request, Event.QUORUM_MET, now)
        approved = records.read(tables, request.id)
        return self._carried_out(tables, approved, now)

    def _carried_out(self, tables: Tables, request: Request, now: datetime) -> Request:
        tables.conn.execute("SAVEPOINT carrying")
        try:
            done = self.carriers[request.kind].carry(tables, request)
        except CountersignError as error:
            tables.conn.execute("ROLLBACK TO carrying")
            tables.conn.execute("RELEASE carrying")
            return self._settle(tables, request, Event.REFUSED, now, _reason(error))
        tables.conn.execute("RELEASE carrying")
        return self._settle(tables, request, Event.DONE, now, done)

    def _settle(self, tables: Tables, request: Request, event: Event, now: datetime, outcome: str) -> Request:
        """Move it to its end, write that down, tell its asker, and take the buttons off the prompts."""
        records.move(tables, request, event, now, outcome)
        ended = records.read(tables, request.id)
        self._note(tables, f"request.{ended.state}", ended, None, None, {"outcome": outcome})
        self._redraw(tables, ended)
        for person in people_in(tables):
            if person.id == request.asked_by:
                self._tell(tables, person, ended)
        return ended

    def _tell(self, tables: Tables, person: Person, request: Request) -> None:
        title = f"Request {request.id}: {_WORDS[request.state]}"
        lines = (*self.lines(request), f"{_upper(request.outcome)}.")
        for number in person.telegram_ids:
            dedupe = f"request/{request.id}/{request.state}/{number}"
            self._outbox.put(tables, Notice(Lane.DECISIONS, number, title, lines, dedupe))

    def _prompt(self, tables: Tables, request: Request, by: Person, signer: Person) -> None:
        """One card for each of the signer's chats, with the words and the buttons."""
        for number in signer.telegram_ids:
            body = {"request": request.id, "hash": request.hash}
            card = self._cards.making(tables, CARD, signer.id, number, body, request.expires_at - request.asked_at)
            notice = Notice(
                Lane.DECISIONS,
                number,
                f"{by.name} asks for your signature",
                self._words(request),
                f"request/{request.id}/card/{card.id}",
                card=card.id,
                choices=_BUTTONS,
            )
            self._outbox.put(tables, notice)

    def _redraw(self, tables: Tables, request: Request) -> None:
        """Show every prompt as the request stands now."""
        people = {person.id: person.name for person in people_in(tables)}
        title = f"{people.get(request.asked_by, 'Somebody')} asks for your signature"
        open_ = request.state is State.PENDING
        for card in self._cards.about(tables, CARD, "request", request.id):
            if card.person_id not in people:
                continue  # suspended since: nothing more is told there
            said = tuple(
                f"{people.get(vote.person_id, 'Somebody who left')}: {_PAST[vote.decision]}" for vote in request.votes
            )
            end = () if open_ else (f"{_upper(_end(request))}.",)
            voted = any(vote.person_id == card.person_id for vote in request.votes)
            notice = Notice(
                Lane.DECISIONS,
                card.chat_id,
                title,
                (*self._words(request), *said, *end),
                f"request/{request.id}/card/{card.id}/{request.version}/{len(request.votes)}",
                card=card.id,
                choices=_BUTTONS if open_ and not voted else (),
                replaces=f"request/{request.id}/card/{card.id}",
            )
            self._outbox.put(tables, notice)

    def _words(self, request: Request) -> tuple[str, ...]:
        until = f"{request.expires_at:%H:%M} UTC"
        return (*self.lines(request), f"Request {request.id}, hash {request.hash[:8]}, open until {until}.")

    def _note(
        self,
        tables: Tables,
        action: str,
        request: Request,
        person_id: int | None,
        telegram_id: int | None,
        details: Mapping[str, str | int] | None = None,
    ) -> None:
        about: dict[str, str | int] = {"kind": request.kind.value, **(details or {})}
        self._audit.record(tables, Deed(action, f"request/{request.id}", person_id, telegram_id, about))


def _fingerprint(lines: Iterable[str]) -> str:
    """Of the words a prompt shows: whoever has the message before them can reckon it again."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


_WORDS = {
    **{state: state.value for state in State},
    State.SUCCEEDED: "done",
    State.CANCELLED: "called off",
    State.SETTLED_BY_HAND: "settled by hand",
}
_PAST = {Decision.APPROVE: "approved", Decision.DENY: "denied"}


def _end(request: Request) -> str:
    """ "done: Vera is approver now", "denied by Anna"."""
    return f"{_WORDS[request.state]}{' ' if request.outcome.startswith('by ') else ': '}{request.outcome}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _named(circles: tuple[str, ...]) -> str:
    """`group/finance`, `role/admin` → words."""
    words = [circle.partition("/") for circle in circles]
    return " and ".join(f"the group {name}" if kind == "group" else f"another {name}" for kind, _, name in words)


def _reason(error: CountersignError) -> str:
    return str(error) or type(error).__name__


__all__ = ["APPROVE", "CARD", "DENY", "Approvals", "Carrier", "Wish", "circles_of"]

"""Asking for a second person, and deciding.

A request, its audit row and the prompts to everybody who could sign are one transaction; so are a vote, what follows
from it, and the news of that. Who may sign is read again at the vote and at the count: a role lost in between is a vote
lost (M73). Nobody signs what they asked for themselves, by person, not by account (M70). One denial ends it, also once
it is approved, until it is being sent (M71).

What the last signature lets happen within this house is done by the kind's `Carrier` in that same transaction. What a
provider does waits, approved, for whoever sends it: the carrier is told after the commit, and a restart finds it.
"""

import secrets
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from bot.access.model import Person
from bot.access.records import names_in
from bot.access.service import people_in
from bot.approvals import records
from bot.approvals.enclosures import Remark, add_remark
from bot.approvals.machine import Event
from bot.approvals.model import (
    Circle,
    Decision,
    Kind,
    Proof,
    Request,
    Rule,
    Stake,
    State,
    Vote,
    circles_of,
    hash_of,
)
from bot.approvals.prompting import Prompts, ended_as, missing_in_words
from bot.approvals.seating import end_without_approver, signers_in
from bot.approvals.waiting import helping, needed_in_words
from bot.clock import Clock
from bot.crash import crashpoint
from bot.errors import ConflictError, CountersignError, NotAllowedError, ProofNeededError
from bot.ids import short_id
from bot.messages.cards import Cards
from bot.messages.outbox import Outbox
from bot.ports import Deed, Recorder
from bot.store import Database, Tables


class Carrier(Protocol):
    """What one kind of request means. Lives in the room whose matter it is; joined in `wiring`."""

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        """What is asked for, in plain lines, from the stored parameters alone (M12)."""

    def masked(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        """The same for a group: nothing in it that its members are not to know."""

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        """Who must sign. Raises what makes the wish impossible, before anybody is asked."""

    def stake(self, parameters: Mapping[str, str]) -> Stake | None:
        """The money it is about."""

    def asked(self, tables: Tables, request: Request) -> None:
        """Write what belongs to the new request, inside its transaction."""

    def carry(self, tables: Tables, request: Request) -> str:
        """Do it, inside the transaction of the deciding vote; answers what was done, in a few plain words.

        A `CountersignError` undoes what this call changed, and the request has failed for that reason. Never called
        for a kind that is sent.
        """

    def approving(self, tables: Tables, request: Request) -> bool:
        """Of a kind that is sent, in the transaction that approves it: whether it goes at once.

        Then nothing is drawn here. Whoever sends it sees to it that its cards say how it stands.
        """

    async def carried(self, request: Request) -> None:
        """After the commit: what looks at the tables through a picture of its own takes it anew; what is to be sent
        is picked up."""


class InHouse:
    """What most kinds that stay within this house have in common."""

    def masked(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return ()

    def stake(self, parameters: Mapping[str, str]) -> Stake | None:
        return None

    def asked(self, tables: Tables, request: Request) -> None:
        """Nothing belongs to it."""

    def approving(self, tables: Tables, request: Request) -> bool:
        return False

    async def carried(self, request: Request) -> None:
        """Nothing holds a picture of it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Something a person asks for."""

    kind: Kind
    parameters: Mapping[str, str]
    asked_in: str | None = None
    """The message it came in: the same one asks once (M09)."""
    chat_id: int | None = None
    """The group it came in; a masked card is kept there."""
    terms: str | None = None
    """The rule that its asker was shown, as `records.packed_rule` writes it. Other terms are shown first."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person shows with their vote."""

    proof: Proof
    use: Callable[[Tables], CountersignError | None]
    """Uses it up, in the vote's own transaction. What it answers keeps the vote from being cast, and is raised; what
    it wrote down, such as a wrong try, is kept."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a person decides on."""

    hash: str
    text: str = ""
    """64 hex digits over the text of the prompt (M13)."""
    message_id: int | None = None


class Approvals:
    """All requests of the desk."""

    def __init__(
        self,
        database: Database,
        audit: Recorder,
        outbox: Outbox,
        cards: Cards,
        clock: Clock,
        has_factor: Callable[[Tables, int], bool],
    ) -> None:
        """`has_factor`: whether a person (our id) could show a code."""
        self._database = database
        self._audit = audit
        self._clock = clock
        self._has_factor = has_factor
        self.carriers: dict[Kind, Carrier] = {}
        self._prompts = Prompts(outbox, cards, clock, self)

    async def ask(self, by: Person, wish: Wish, *, telegram_id: int | None, shown: Shown | None = None) -> Request:
        """Open a request and prompt everybody who could sign it; where nobody must, it is carried out.

        Args:
            shown: Where nobody else signs, what the asker shows.

        Raises:
            ConflictError: The same message asked for it already; too few people could sign (M70); or the terms are not
                those that were shown.
            AlikeError: The very same is on its way.
            ProofNeededError: Nobody else signs, and it takes more than was shown.
            CountersignError: What else its carrier says against it.
        """
        asking = self.asking(by, wish, telegram_id=telegram_id, proof=shown.proof if shown else Proof.NONE)

        def change(tables: Tables) -> Request | CountersignError:
            refused = shown.use(tables) if shown is not None else None
            return refused if refused is not None else asking(tables)

        asked = await self._database.write(change)
        if isinstance(asked, CountersignError):
            raise asked
        crashpoint("CP03")
        await self._after(asked)
        return asked

    def asking(
        self, by: Person, wish: Wish, *, telegram_id: int | None, proof: Proof = Proof.NONE
    ) -> Callable[[Tables], Request]:
        """The same as a change, to share a transaction with the rows it belongs to. `proof`: what was shown in it."""

        def change(tables: Tables) -> Request:
            request = self._new(tables, by, wish)
            if wish.terms is not None and wish.terms != records.packed_rule(request.rule):
                raise ConflictError("what it takes has changed since you were shown it; ask for it anew")
            if not request.rule.seats and proof < request.rule.proof:
                raise ProofNeededError(_PROOFS[request.rule.proof])
            signers = self._signers(tables, request)
            empty = request.rule.missing(signers)
            if empty:
                raise ConflictError(f"nobody else could sign this: {missing_in_words(empty)} is missing")
            records.insert(tables, request, wish.asked_in)
            self.carriers[wish.kind].asked(tables, request)
            details = {"hash": request.hash, "terms": records.terms_of(request)}
            self._note(tables, "request.asked", request, by.id, telegram_id, details)
            self._prompts.begin(tables, request, by, signers if request.rule.seats else [])
            crashpoint("CP02")
            return request if request.rule.seats else self._approved(tables, request, self._clock.now())

        return change

    async def decide(
        self,
        person: Person,
        request_id: str,
        decision: Decision,
        seen: Seen,
        *,
        telegram_id: int,
        shown: Shown | None = None,
        reason: str = "",
    ) -> Request:
        """Cast a vote; answers the request as it stands then.

        Who denies what is approved but not being sent yet ends it, whether or not they approved it before: a vote is
        final, so that is a deed of its own.

        Args:
            reason: Of a denial, in the voter's own words: kept with the request, and told to its asker.
        Raises:
            NotFoundError, NotAllowedError: Not theirs to decide.
            ConflictError: It has ended, is being sent, was changed, or this person has decided already.
            ProofNeededError: It takes more than was shown.
        """
        now = self._clock.now()

        def change(tables: Tables) -> Request | CountersignError:
            request = records.read(tables, request_id)
            if request.state is State.PENDING and request.expires_at <= now:
                self._settle(tables, request, Event.EXPIRED, now, "nobody decided in time")
                return ConflictError("this request expired before your vote")
            signers = self._signers(tables, request)
            _check_vote(request, person, decision, seen.hash, signers)
            proof = shown.proof if shown is not None else Proof.NONE
            if decision is Decision.APPROVE and proof < self.needed(tables, request, person.id):
                raise ProofNeededError(_PROOFS[self.needed(tables, request, person.id)])
            refused = shown.use(tables) if shown is not None else None
            if refused is not None:
                return refused
            vote = Vote(person.id, decision, seen.hash, now, proof, seen.text, seen.message_id)
            details: dict[str, str | int] = {"hash": seen.hash, "proof": proof.name.lower(), "shown": seen.text}
            if seen.message_id is not None:
                details["message"] = seen.message_id
            if not records.vote(tables, request, vote, telegram_id):
                if request.state is State.PENDING:
                    raise ConflictError("your decision on this is recorded already")
                about = {name: said for name, said in details.items() if name != "proof"}  # that is what a vote has
                self._note(tables, "request.called_off", request, person.id, telegram_id, about)
                return self._denied(tables, request, person, reason)
            self._note(tables, f"request.{_PAST[decision]}", request, person.id, telegram_id, details)
            crashpoint("CP04")
            voted = replace(request, votes=(*request.votes, vote))
            if decision is Decision.DENY:
                return self._denied(tables, voted, person, reason)
            return self._count(tables, voted, signers, now)

        decided = await self._database.write(change)
        if isinstance(decided, CountersignError):
            raise decided
        if decided.state is State.APPROVED:
            crashpoint("CP05")
        await self._after(decided)
        return decided

    async def withdraw(self, person: Person, request_id: str, *, telegram_id: int) -> Request:
        """Its asker takes it back; while it is held, anybody who could sign it may call it off as well (M11).

        Raises:
            NotAllowedError: It is not theirs.
            ConflictError: It has ended, or is being sent.
        """
        now = self._clock.now()

        def change(tables: Tables) -> Request:
            request = records.read(tables, request_id)
            could = any(one.id == person.id for one in self._signers(tables, request))
            too_early = request.state in (State.PENDING, State.APPROVED)
            if request.asked_by != person.id and (too_early or not could):
                raise NotAllowedError("withdraw a request of somebody else")
            _check_unsent(request, (State.PENDING, State.APPROVED, State.HELD))
            self._note(tables, "request.withdrawn", request, person.id, telegram_id)
            return self._settle(tables, request, Event.WITHDRAWN, now, f"by {person.name}")

        return await self._database.write(change)

    async def expire(self) -> int:
        """End what nobody decided in time, and what was not sent in time; answers how many.

        Work for the clock, and for the start of a run.
        """
        now = self._clock.now()

        unsent = (State.PENDING, State.APPROVED, State.HELD)

        def change(tables: Tables) -> int:
            late = [one for one in records.standing(tables, unsent) if one.send_by <= now]
            for request in late:
                why = "nobody decided in time" if request.state is State.PENDING else "it could not be sent in time"
                self._settle(tables, request, Event.EXPIRED, now, why)
            return len(late)

        return await self._database.write(change)

    async def find(self, request_id: str) -> Request:
        """One request. `NotFoundError`."""
        return await self._database.read(lambda tables: records.read(tables, request_id))

    async def pending(self) -> list[Request]:
        """What waits for votes, oldest first."""
        return await self._database.read(records.pending)

    def lines(self, request: Request) -> tuple[str, ...]:
        """What it asks for, in plain lines. What cannot be read keeps nothing else from being told."""
        try:
            return self.carriers[request.kind].lines(request.parameters)
        except (KeyError, ValueError, CountersignError):
            return (f"Request {request.id} cannot be shown: its row was spoilt.",)

    def masked(self, request: Request) -> tuple[str, ...]:
        """The same for a group."""
        try:
            return self.carriers[request.kind].masked(request.parameters)
        except (KeyError, ValueError, CountersignError):
            return ()

    async def could_sign(self, request: Request) -> list[Person]:
        """Everybody who may and has not yet."""
        decided = {vote.person_id for vote in request.votes}
        signers = await self._database.read(lambda tables: self._signers(tables, request))
        return [one for one in signers if one.id not in decided]

    def awaited(self, tables: Tables, request: Request) -> list[Person]:
        """Whoever could sign now and has not, and whose signature would bring it nearer."""
        return helping(request.rule, self._seated(tables, request), self._able(tables, request))

    def awaited_in_words(self, tables: Tables, request: Request) -> str:
        """`2 needed: Anna or Ben (approver), Cleo (group risk)`; empty when it waits for nobody."""
        if request.state is not State.PENDING:
            return ""
        return needed_in_words(request.rule, self._seated(tables, request), self._able(tables, request))

    def prompting(self, tables: Tables, request: Request) -> int:
        """Prompt whoever could sign by now and was not asked yet, such as a delegate; answers how many."""
        prompted = self._prompts.prompted(tables, request)
        new = [one for one in self.awaited(tables, request) if one.id not in prompted]
        asker = _named(tables, request.asked_by)
        for person in new:
            self._prompts.prompt(tables, request, asker, person)
        if new:
            self._prompts.redraw(tables, request, anew=True)
        return len(new)

    def redrawing(self, tables: Tables, request: Request) -> None:
        """Something was added to it that its cards show."""
        self._prompts.redraw(tables, request, anew=True)

    def drawing(self, tables: Tables, request: Request) -> None:
        """Its cards show how it stands; where they do already, nothing happens."""
        self._prompts.redraw(tables, request)

    def reminding(self, tables: Tables, request: Request, since: datetime, stage: str) -> None:
        """Everybody it waits for who was asked before then, once for each stage."""
        for person in self.awaited(tables, request):
            self._prompts.remind(tables, request, person, since, stage)

    def escalating(self, tables: Tables, request: Request, circle: Circle, stage: str) -> None:
        """Tell a circle that it waits, once for each stage: those in it whose signature it does not wait for."""
        awaited = {person.id for person in self.awaited(tables, request)}
        but = awaited | {request.asked_by} | {vote.person_id for vote in request.votes}
        people = [one for one in people_in(tables) if circle in circles_of(one) and one.id not in but]
        self._prompts.escalate(tables, request, _named(tables, request.asked_by), people, stage)

    async def waits_for(self, request: Request) -> str:
        """The same, outside a transaction."""
        return await self._database.read(lambda tables: self.awaited_in_words(tables, request))

    async def proof_needed(self, request: Request, person: Person) -> Proof:
        """What this person must show to approve it; no more than a tap where their vote could not count anyway."""
        if request.state is not State.PENDING:
            return Proof.NONE
        return await self._database.read(lambda tables: self.needed(tables, request, person.id))

    def needed(self, tables: Tables, request: Request, person_id: int) -> Proof:
        """The same inside a transaction."""
        return request.rule.proof.asked_of(lambda: self._has_factor(tables, person_id))

    def people_changed(self, tables: Tables) -> None:
        """Roles or states changed, in this transaction: what nobody can sign any more ends, and its asker hears why."""
        now = self._clock.now()
        active = {person.id for person in people_in(tables)}
        self._end_delegations(tables, now)
        for request in records.standing(tables, (State.PENDING, State.HELD)):
            if request.asked_by not in active:
                self._settle(tables, request, Event.WITHDRAWN, now, "its asker is no longer at the desk")
            elif request.state is State.PENDING:
                empty = request.rule.missing(self._signers(tables, request))
                if empty:
                    why = f"nobody is left who could sign for {missing_in_words(empty)}"
                    self._settle(tables, request, Event.EXPIRED, now, why)

    def _end_delegations(self, tables: Tables, now: datetime) -> None:
        """Those that lack an approver on either side since: audited, and told to both."""
        for one in end_without_approver(tables, now):
            details: dict[str, str | int] = {"to": one.delegate_id, "reason": "no approver any more"}
            self._audit.record(tables, Deed("delegation.ended", f"person/{one.person_id}", details=details))
            both = [person for person in people_in(tables) if person.id in (one.person_id, one.delegate_id)]
            line = "One of the two is no approver at this desk any more."
            self._prompts.say(tables, both, "A delegation has ended", line, f"delegation/{one.id}/ended")

    def calling_off(self, tables: Tables, request: Request, why: str) -> None:
        """What it was about is gone, in this transaction: it ends, and its asker hears why."""
        self._settle(tables, request, Event.WITHDRAWN, self._clock.now(), why)

    # what becomes of what is sent: the words of whoever sends it

    def count(self, tables: Tables, request: Request) -> tuple[str, ...]:
        """What is missing for it to be carried out now: circles whose seats nobody fills any more (M73)."""
        return request.rule.missing(self._seated(tables, request))

    def moving(
        self,
        tables: Tables,
        request: Request,
        event: Event,
        outcome: str = "",
        details: Mapping[str, str] | None = None,
        *,
        moved_money: bool = True,
        shown: bool = True,
    ) -> Request:
        """Something happened to it, in this transaction: it is written down, and every card shows it.

        At its end, and when its outcome becomes unknown, its asker and everybody who signed are told. Not `shown`:
        neither, because there is no time for it now, or because what its row says is not to be believed.
        """
        now = self._clock.now()
        moved = records.move(tables, request, event, now, outcome, moved_money=moved_money)
        return self._moved(tables, moved, details, shown=shown)

    def unblocking(self, tables: Tables, request: Request) -> None:
        """Its outcome has been unknown for so long that another like it may be asked for, in this transaction (M06)."""
        if records.unblock(tables, request):
            self._note(tables, "request.unblocked", request, None, None)

    async def _after(self, request: Request) -> None:
        is_over = request.state is State.SUCCEEDED
        if is_over or (request.kind.is_sent and request.state in (State.APPROVED, State.HELD)):
            await self.carriers[request.kind].carried(request)

    def _new(self, tables: Tables, by: Person, wish: Wish) -> Request:
        now = self._clock.now()
        carrier = self.carriers[wish.kind]
        rule = carrier.rule(tables, by, wish.parameters)
        return Request(
            id=short_id(),
            kind=wish.kind,
            parameters=dict(wish.parameters),
            hash=hash_of(wish.kind, by.id, wish.parameters),
            rule=rule,
            state=State.PENDING,
            version=1,
            asked_by=by.id,
            asked_at=now,
            expires_at=now + rule.life,
            stake=carrier.stake(wish.parameters),
            number=10 + secrets.randbelow(90) if rule.proof.takes_number else None,
            asked_in_chat=wish.chat_id,
        )

    def _signers(self, tables: Tables, request: Request) -> list[Person]:
        """Everybody who may sign it, with the groups they stand in for."""
        return self.who_could(tables, request.asked_by, request.rule)

    def who_could(self, tables: Tables, asked_by: int, rule: Rule) -> list[Person]:
        """Everybody who could sign what this person asks for under a rule."""
        everybody = signers_in(tables, self._clock.now(), rule.barred | {asked_by})
        return [one for one in everybody if one.id != asked_by and rule.concerns(one)]

    def _seated(self, tables: Tables, request: Request, signers: list[Person] | None = None) -> list[Person]:
        """Those whose approval counts now; `signers`, where they were read in this transaction already."""
        found = self._signers(tables, request) if signers is None else signers
        people = {person.id: person for person in found}
        return [
            people[vote.person_id]
            for vote in request.approvals
            if vote.person_id in people and not records.is_void(tables, vote)
        ]

    def _able(self, tables: Tables, request: Request) -> list[Person]:
        """Those who have not voted and could: with a second factor where a code is asked for, and without a wrong
        number where that is."""
        code = request.rule.proof is Proof.CODE
        done = {vote.person_id for vote in request.votes} | records.missed(tables, request)
        return [
            one
            for one in self._signers(tables, request)
            if one.id not in done and (not code or self._has_factor(tables, one.id))
        ]

    def _denied(self, tables: Tables, request: Request, person: Person, reason: str) -> Request:
        now = self._clock.now()
        if reason:
            add_remark(tables, request.id, Remark(person.id, now, reason))
        why = f": {reason}" if reason else ""
        return self._settle(tables, request, Event.DENIED, now, f"by {person.name}{why}")

    def _count(self, tables: Tables, request: Request, signers: list[Person], now: datetime) -> Request:
        """Seat everybody who approved and still may; when nobody is missing, carry it out."""
        if request.rule.missing(self._seated(tables, request, signers)):
            self._prompts.redraw(tables, request)
            return request
        if request.asked_by not in names_in(tables):
            return self._settle(tables, request, Event.WITHDRAWN, now, "its asker is no longer at the desk")
        return self._approved(tables, request, now)

    def _approved(self, tables: Tables, request: Request, now: datetime) -> Request:
        approved = records.move(tables, request, Event.QUORUM_MET, now)
        if not request.kind.is_sent:
            return self._carried_out(tables, approved, now)
        self._note(tables, "request.released", approved, None, None, {"hash": approved.hash})
        if request.rule.hold:
            until = now + request.rule.hold
            approved = records.move(tables, approved, Event.HOLD_BEGUN, now, held_until=until)
        elif self.carriers[request.kind].approving(tables, approved):
            return approved
        self._prompts.redraw(tables, approved)
        return approved

    def _carried_out(self, tables: Tables, request: Request, now: datetime) -> Request:
        tables.conn.execute("SAVEPOINT carrying")
        try:
            done = self.carriers[request.kind].carry(tables, request)
        except CountersignError as error:
            tables.conn.execute("ROLLBACK TO carrying")
            tables.conn.execute("RELEASE carrying")
            return self._settle(tables, request, Event.REFUSED, now, str(error) or type(error).__name__)
        tables.conn.execute("RELEASE carrying")
        return self._settle(tables, request, Event.DONE, now, done)

    def _settle(
        self,
        tables: Tables,
        request: Request,
        event: Event,
        now: datetime,
        outcome: str,
    ) -> Request:
        """Move it on, write that down, tell whom it concerns, and draw the prompts anew."""
        return self._moved(tables, records.move(tables, request, event, now, outcome))

    def _moved(
        self,
        tables: Tables,
        moved: Request,
        details: Mapping[str, str] | None = None,
        *,
        shown: bool = True,
    ) -> Request:
        about = {"outcome": moved.outcome, **(details or {})}
        self._note(tables, f"request.{moved.state}", moved, None, None, about)
        if shown:
            self._prompts.redraw(tables, moved)
            self._prompts.tell(tables, moved)
        return moved

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


def _check_vote(request: Request, person: Person, decision: Decision, seen: str, signers: list[Person]) -> None:
    """Everything that makes a vote impossible; `signers` are those of this transaction."""
    denying = (State.PENDING, State.APPROVED, State.HELD)
    _check_unsent(request, denying if decision is Decision.DENY else (State.PENDING,))
    if request.hash != seen or request.hash != hash_of(request.kind, request.asked_by, request.parameters):
        raise ConflictError("this is not what you were shown; ask for it anew")
    if request.asked_by == person.id:
        raise NotAllowedError("decide on what you asked for yourself")
    if all(one.id != person.id for one in signers):
        raise NotAllowedError("decide on this request")


def _check_unsent(request: Request, states: Container[State]) -> None:
    """`ConflictError` unless it is in one of these states, all of them before it is sent."""
    if request.state in (State.SENDING, State.ACKED):
        raise ConflictError("too late: it is being sent; /freeze stops what comes after it")
    if request.state not in states:
        raise ConflictError(f"this has ended ({ended_as(request)})")


def _named(tables: Tables, person_id: int) -> str:
    return names_in(tables).get(person_id, "Somebody")


_PAST = {Decision.APPROVE: "approved", Decision.DENY: "denied"}
_PROOFS = {
    Proof.NONE: "nothing",
    Proof.CODE_IF_SET_UP: "a code of your second factor",
    Proof.NUMBER: "the number on the asker's screen",
    Proof.CODE: "a code of your second factor",
    Proof.CODE_OR_NUMBER: "a code of your second factor, or the number on the asker's screen",
}

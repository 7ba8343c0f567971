"""Asking for a second person, and deciding.

A request, its audit row and the prompts to everybody who could sign are one transaction; so are a vote, what follows
from it (the request's `Course`), and the news of that. Who may sign is read again at the vote and at the count: a role
lost in between is a vote lost (M73). Nobody signs what they asked for themselves, by person, not by account (M70). One
denial ends it, also once it is approved, until it is being sent (M71).

What the last signature lets happen within this house is done by the kind's `Carrier` in that same transaction. What a
provider does waits, approved, for whoever sends it: the carrier is told after the commit, and a restart finds it.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from bot.access.model import Person
from bot.access.records import names_in
from bot.access.service import people_in
from bot.approvals import records
from bot.approvals.carriers import Carrier
from bot.approvals.course import Course
from bot.approvals.machine import Event
from bot.approvals.model import Circle, Decision, Kind, Proof, Request, State, Vote, circles_of, hash_of
from bot.approvals.prompting import Prompts, missing_in_words
from bot.approvals.signing import Signing
from bot.approvals.voting import check_unsent, check_vote
from bot.clock import Clock
from bot.crash import crashpoint
from bot.errors import ConflictError, CountersignError, NotAllowedError, NumberWrongError, ProofNeededError
from bot.ids import short_id
from bot.messages.cards import Cards
from bot.messages.outbox import Outbox
from bot.ports import Recorder
from bot.store import Database, Tables


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
        self._clock = clock
        self.carriers: dict[Kind, Carrier] = {}
        self.signing = Signing(clock, has_factor)
        self._prompts = Prompts(outbox, cards, clock, self, self.signing)
        self.course = Course(audit, clock, self.carriers, self._prompts, self.signing)

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
            signers = self.signing.signers(tables, request)
            empty = request.rule.missing(signers)
            if empty:
                raise ConflictError(f"nobody else could sign this: {missing_in_words(empty)} is missing")
            records.insert(tables, request, wish.asked_in)
            self.carriers[wish.kind].asked(tables, request)
            details = {"hash": request.hash, "terms": records.terms_of(request)}
            self.course.note(tables, "request.asked", request, by.id, telegram_id, details)
            self._prompts.begin(tables, request, by, signers if request.rule.seats else [])
            crashpoint("CP02")
            return request if request.rule.seats else self.course.approved(tables, request, self._clock.now())

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
            NumberWrongError, NumberMissedError: Another number was picked, now or before.
        """
        now = self._clock.now()

        def change(tables: Tables) -> Request | CountersignError:
            request = records.read(tables, request_id)
            if request.state is State.PENDING and request.expires_at <= now:
                self.course.settle(tables, request, Event.EXPIRED, now, "nobody decided in time")
                return ConflictError("this request expired before your vote")
            signers = self.signing.signers(tables, request)
            check_vote(request, person, decision, seen.hash, signers)
            if decision is Decision.APPROVE:
                self.course.check_not_missed(tables, request, person)
            proof = shown.proof if shown is not None else Proof.NONE
            if decision is Decision.APPROVE and proof < self.signing.needed(tables, request, person.id):
                raise ProofNeededError(_PROOFS[self.signing.needed(tables, request, person.id)])
            refused = shown.use(tables) if shown is not None else None
            if refused is not None:
                return self.course.missed(tables, request) if isinstance(refused, NumberWrongError) else refused
            vote = Vote(person.id, decision, seen.hash, now, proof, seen.text, seen.message_id)
            details: dict[str, str | int] = {"hash": seen.hash, "proof": proof.name.lower(), "shown": seen.text}
            if seen.message_id is not None:
                details["message"] = seen.message_id
            if not records.vote(tables, request, vote, telegram_id):
                about = {name: said for name, said in details.items() if name != "proof"}  # that is what a vote has
                self.course.note(tables, "request.called_off", request, person.id, telegram_id, about)
                return self.course.denied(tables, request, person, reason)
            self.course.note(tables, f"request.{_PAST[decision]}", request, person.id, telegram_id, details)
            crashpoint("CP04")
            voted = replace(request, votes=(*request.votes, vote))
            if decision is Decision.DENY:
                return self.course.denied(tables, voted, person, reason)
            return self.course.counted(tables, voted, signers, now)

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
            could = any(one.id == person.id for one in self.signing.signers(tables, request))
            too_early = request.state in (State.PENDING, State.APPROVED)
            if request.asked_by != person.id and (too_early or not could):
                raise NotAllowedError("withdraw a request of somebody else")
            check_unsent(request, (State.PENDING, State.APPROVED, State.HELD))
            self.course.note(tables, "request.withdrawn", request, person.id, telegram_id)
            return self.course.settle(tables, request, Event.WITHDRAWN, now, f"by {person.name}")

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
                self.course.settle(tables, request, Event.EXPIRED, now, why)
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
        """Everybody who may approve and has not yet; nobody who has missed the number."""

        def look(tables: Tables) -> list[Person]:
            missed = records.missed(tables, request)
            return [one for one in self.signing.could_decide(tables, request) if one.id not in missed]

        return await self._database.read(look)

    async def could_decide(self, request: Request) -> list[Person]:
        """Everybody who may approve or deny and has not yet."""
        return await self._database.read(lambda tables: self.signing.could_decide(tables, request))

    def prompting(self, tables: Tables, request: Request) -> int:
        """Prompt whoever could sign by now and was not asked yet, such as a delegate; answers how many."""
        prompted = self._prompts.prompted(tables, request)
        new = [one for one in self.signing.awaited(tables, request) if one.id not in prompted]
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
        for person in self.signing.awaited(tables, request):
            self._prompts.remind(tables, request, person, since, stage)

    def escalating(self, tables: Tables, request: Request, circle: Circle, stage: str) -> None:
        """Tell a circle that it waits, once for each stage: those in it whose signature it does not wait for."""
        awaited = {person.id for person in self.signing.awaited(tables, request)}
        but = awaited | {request.asked_by} | {vote.person_id for vote in request.votes}
        people = [one for one in people_in(tables) if circle in circles_of(one) and one.id not in but]
        self._prompts.escalate(tables, request, _named(tables, request.asked_by), people, stage)

    async def waits_for(self, request: Request) -> str:
        """Who could still sign, in words; empty when it waits for nobody."""
        return await self._database.read(lambda tables: self.signing.awaited_in_words(tables, request))

    async def proof_needed(self, request: Request, person: Person) -> Proof:
        """What this person must show to approve it; no more than a tap where their vote could not count anyway.

        Raises:
            NumberMissedError: Nothing helps: they have picked a wrong number.
        """
        if request.state is not State.PENDING:
            return Proof.NONE

        def look(tables: Tables) -> Proof:
            self.course.check_not_missed(tables, request, person)
            return self.signing.needed(tables, request, person.id)

        return await self._database.read(look)

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

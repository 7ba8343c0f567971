"""Who may sign a request, whose signature counts, and what they must show: as of the transaction that asks."""

from collections.abc import Callable

from bot.access.model import Person
from bot.approvals import records
from bot.approvals.model import Circle, Proof, Request, Rule, State
from bot.approvals.seating import signers_in
from bot.approvals.waiting import helping, needed_in_words
from bot.clock import Clock
from bot.store import Tables


class Signing:
    """Reads it anew each time: a role lost since is a signature lost (M73)."""

    def __init__(self, clock: Clock, has_factor: Callable[[Tables, int], bool]) -> None:
        self._clock = clock
        self._has_factor = has_factor

    def signers(self, tables: Tables, request: Request) -> list[Person]:
        """Everybody who may sign it, with the groups they stand in for."""
        return self.who_could(tables, request.asked_by, request.rule)

    def who_could(self, tables: Tables, asked_by: int, rule: Rule) -> list[Person]:
        """Everybody who could sign what this person asks for under a rule."""
        everybody = signers_in(tables, self._clock.now(), rule.barred | {asked_by})
        return [one for one in everybody if one.id != asked_by and rule.concerns(one)]

    def missing(self, tables: Tables, request: Request) -> tuple[str, ...]:
        """What is missing for it to be carried out now: circles whose seats nobody fills any more (M73)."""
        return request.rule.missing(self.seated(tables, request))

    def seated(self, tables: Tables, request: Request, signers: list[Person] | None = None) -> list[Person]:
        """Those whose approval counts now; `signers`, where they were read in this transaction already."""
        found = self.signers(tables, request) if signers is None else signers
        people = {person.id: person for person in found}
        return [
            people[vote.person_id]
            for vote in request.approvals
            if vote.person_id in people and not records.is_void(tables, vote)
        ]

    def awaited(self, tables: Tables, request: Request) -> list[Person]:
        """Whoever could sign now and has not, and whose signature would bring it nearer."""
        return helping(request.rule, self.seated(tables, request), self._able(tables, request))

    def could_decide(self, tables: Tables, request: Request) -> list[Person]:
        """Everybody who may vote and has not. Who has missed the number is among them: they may deny it still."""
        done = {vote.person_id for vote in request.votes}
        return [one for one in self.signers(tables, request) if one.id not in done]

    def lost(self, tables: Tables, request: Request) -> tuple[Circle, ...]:
        """The circles for whose seats nobody is left, since somebody has picked a wrong number; mostly none."""
        if request.state is not State.PENDING or not records.missed(tables, request):
            return ()
        return request.rule.missing([*self.seated(tables, request), *self._able(tables, request)])

    def awaited_in_words(self, tables: Tables, request: Request) -> str:
        """`2 needed: Anna or Ben (approver), Cleo (group risk)`; empty when it waits for nobody."""
        if request.state is not State.PENDING:
            return ""
        return needed_in_words(request.rule, self.seated(tables, request), self._able(tables, request))

    def _able(self, tables: Tables, request: Request) -> list[Person]:
        """Those who have not voted and could: with a second factor where a code is asked for, and without a wrong
        number where that is."""
        code = request.rule.proof is Proof.CODE
        missed = records.missed(tables, request)
        return [
            one
            for one in self.could_decide(tables, request)
            if one.id not in missed and (not code or self._has_factor(tables, one.id))
        ]

    def needed(self, tables: Tables, request: Request, person_id: int) -> Proof:
        """What this person must show to approve it."""
        return request.rule.proof.asked_of(lambda: self._has_factor(tables, person_id))

"""Taking a lost second factor away: two admins must sign, neither of whom asked for it or lost it."""

from collections.abc import Mapping

from bot.access.model import Person, Role
from bot.access.records import people_in
from bot.approvals import records
from bot.approvals.carriers import InHouse
from bot.approvals.guards import at_least, rule_for
from bot.approvals.model import Kind, Proof, Request, Rule, Seat
from bot.approvals.policies import Policies
from bot.approvals.policy.model import Guarded
from bot.approvals.service import Wish
from bot.clock import Clock
from bot.errors import ConflictError, NotAllowedError, NotFoundError
from bot.operations.factor_news import FactorNews
from bot.operations.factor_records import forget, standing_in
from bot.ports import Deed, Recorder
from bot.store import Tables
from bot.store.columns import at
from bot.vault.service import Vault

SIGNERS = 2


def wish_to_reset(person: Person, asked_in: str | None = None) -> Wish:
    """To be asked for by the person, or by an admin. What counts is their number; the name is for whoever signs."""
    return Wish(Kind.FACTOR_RESET, {"person": str(person.id), "name": person.name}, asked_in)


class FactorReset(InHouse):
    """Carries a reset out."""

    def __init__(self, news: FactorNews, vault: Vault, policies: Policies, audit: Recorder, clock: Clock) -> None:
        self._news = news
        self._vault = vault
        self._policies = policies
        self._audit = audit
        self._clock = clock

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return (
            f"Take away the second factor of {parameters['name']} (person {parameters['person']}).",
            "They can set up a new one then. Sign only if you have spoken with them.",
        )

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        person = _person(tables, parameters)
        if asked_by.id != person.id and Role.ADMIN not in asked_by.roles:
            raise NotAllowedError("reset somebody else's second factor")
        if standing_in(tables, person.id) is None:
            raise ConflictError(f"{person.name} has no second factor")
        for request in records.pending(tables):
            if request.kind is Kind.FACTOR_RESET and request.parameters["person"] == str(person.id):
                raise ConflictError(f"that is asked for already: request {request.id}")
        guarded = rule_for(tables, self._policies, Guarded.FACTOR_RESET, frozenset({person.id}))
        return at_least(guarded, (Seat("role/admin", SIGNERS),), Proof.CODE_IF_SET_UP)

    def carry(self, tables: Tables, request: Request) -> str:
        person = _person(tables, request.parameters)
        asker = next((one for one in people_in(tables) if one.id == request.asked_by), None)
        if asker is None or (asker.id != person.id and Role.ADMIN not in asker.roles):
            raise ConflictError("whoever asked for it is no admin any more")
        if standing_in(tables, person.id) is None:
            raise ConflictError(f"{person.name} has no second factor any more")
        forget(tables, self._vault, person.id)
        details = {"request": request.id}
        self._audit.record(tables, Deed("factor.reset", f"person/{person.id}", details=details))
        dedupe = f"factor.reset/{person.id}/{at(self._clock.now())}"
        line, next_step = "Two admins have signed that.", "/factor sets up a new one."
        self._news.tell(tables, person, "Your second factor was reset", dedupe, line, next_step=next_step)
        return f"the second factor of {person.name} was taken away"


def _person(tables: Tables, parameters: Mapping[str, str]) -> Person:
    """`NotFoundError` for somebody who is not at the desk (any more)."""
    number = parameters["person"]
    found = next((one for one in people_in(tables) if str(one.id) == number), None)
    if found is None:
        raise NotFoundError("person", parameters["name"])
    return found

"""A first second factor counts once an admin, who is not its owner, has confirmed it (SAFETY 4.8)."""

from collections.abc import Mapping

from bot.access.model import Person
from bot.access.records import people_in
from bot.approvals.carriers import InHouse
from bot.approvals.model import Proof, Request, Rule, Seat
from bot.errors import NotAllowedError, NotFoundError
from bot.operations.enrolling import CONFIRM_WITHIN, Enrolling
from bot.store import Tables


class FactorFirst(InHouse):
    """Carries the confirmation out. It is asked for by `Enrolling.confirm`, in the transaction of the first code."""

    def __init__(self, enrolling: Enrolling) -> None:
        self._enrolling = enrolling

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return (
            f"Confirm the first second factor of {parameters['name']} (person {parameters['person']}).",
            "Whoever holds their chat could have set it up. Sign only if you have spoken with them.",
        )

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        if str(asked_by.id) != parameters["person"]:
            raise NotAllowedError("set up somebody else's second factor")
        barred = frozenset({asked_by.id})
        return Rule((Seat("role/admin"),), barred, Proof.CODE_IF_SET_UP, life=CONFIRM_WITHIN)

    def carry(self, tables: Tables, request: Request) -> str:
        person = next((one for one in people_in(tables) if one.id == request.asked_by), None)
        if person is None:
            raise NotFoundError("person", request.parameters["name"])
        self._enrolling.confirmed(tables, person, request.id)
        return f"the second factor of {person.name} counts now"

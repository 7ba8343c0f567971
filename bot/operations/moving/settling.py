"""What two people say of a request whose outcome stays unknown: what became of it, or that another like it may go.

Only an unknown outcome is settled by hand, and it is final (M08). Whoever asked for the money signs neither: they are
whom it is about.
"""

from collections.abc import Mapping

from bot.access.model import Person, Right
from bot.access.service import check_right
from bot.approvals import records as requests
from bot.approvals.carriers import InHouse
from bot.approvals.guards import at_least, rule_for
from bot.approvals.machine import Event
from bot.approvals.model import Kind, Proof, Request, Rule, State
from bot.approvals.policies import Policies
from bot.approvals.policy.model import Guarded
from bot.approvals.prompting import ended_as
from bot.approvals.service import Approvals, Wish
from bot.errors import ConflictError, InputError, NotFoundError
from bot.operations.linked import find_one
from bot.operations.moving import records
from bot.operations.moving.reconciling import looks_absent
from bot.ports import Deed, Recorder
from bot.store import Database, Tables

EXECUTED, NOT_EXECUTED = "executed", "not-executed"
WHY_LENGTH = 200
EXAMPLE = f"/settle abcdefghij {NOT_EXECUTED} the bank says so by phone"
Parameters = Mapping[str, str]


class _ByHand(InHouse):
    """What both have in common: they are about one request whose outcome is unknown."""

    kind: Kind
    guarded: Guarded

    def __init__(self, database: Database, approvals: Approvals, policies: Policies, audit: Recorder) -> None:
        self._database = database
        self._approvals = approvals
        self._policies = policies
        self._audit = audit

    def rule(self, tables: Tables, asked_by: Person, parameters: Parameters) -> Rule:
        check_right(tables, asked_by, Right.SETTLE)
        target = _unknown(tables, parameters["request"])
        for request in requests.pending(tables):
            if request.kind is self.kind and request.parameters["request"] == target.id:
                raise ConflictError(f"that is asked for already: request {request.id}")
        guarded = rule_for(tables, self._policies, self.guarded, frozenset({target.asked_by}))
        return at_least(guarded, (), Proof.CODE_IF_SET_UP)

    async def open_to(self, by: Person) -> list[Request]:
        """Those whose outcome is unknown and that this person could say something of, oldest first."""

        def look(tables: Tables) -> list[Request]:
            found = requests.standing(tables, (State.UNKNOWN,))
            return [one for one in found if one.kind.is_sent and _concerns(tables, by, one)]

        return await self._database.read(look)

    async def _about(self, by: Person, request_id: str) -> dict[str, str]:
        """What is signed: the request itself, what it was to do, and what is known of it now."""

        def look(tables: Tables) -> dict[str, str]:
            target = _unknown(tables, request_id)
            _check_concerned(tables, by, target)
            sendings = records.sendings_of(tables, request_id)
            sightings = records.sightings_of(tables, request_id)
            absent = bool(sendings) and looks_absent(sightings, sendings[-1].prepared_at)
            first = "; ".join(f"{one.begun_at:%Y-%m-%d %H:%M} UTC as {one.reference}" for one in sendings)
            return {
                "request": target.id,
                "hash": target.hash,
                "what": "\n".join(self._approvals.lines(target)),
                "sent": first or "no attempt is on record",
                "seen": (sightings[-1].detail or sightings[-1].outcome.value) if sightings else "nothing yet",
                "absent": "yes" if absent else "no",
            }

        return await self._database.read(look)

    @staticmethod
    def _known(parameters: Parameters) -> tuple[str, ...]:
        return (*parameters["what"].split("\n"), f"Sent {parameters['sent']}. Last seen: {parameters['seen']}.")

    @staticmethod
    def _target(tables: Tables, parameters: Parameters) -> Request:
        target = _unknown(tables, parameters["request"])
        if target.hash != parameters["hash"]:
            raise ConflictError(f"request {target.id} is not what it was")
        return target


class Settling(_ByHand):
    """`/settle`: it was executed, or it was not."""

    kind, guarded = Kind.SETTLE, Guarded.SETTLE

    async def ask(
        self,
        by: Person,
        request_id: str,
        word: str,
        why: str,
        *,
        telegram_id: int,
        asked_in: str | None = None,
    ) -> Request:
        """Ask others to sign what became of a request.

        Raises:
            InputError: Neither of the two words.
            NotFoundError, ConflictError: No such request; or its outcome is not unknown.
        """
        said, why = word.lower(), " ".join(why.split())
        if said not in (EXECUTED, NOT_EXECUTED):
            raise InputError(f"say {EXECUTED} or {NOT_EXECUTED} behind the request", EXAMPLE)
        if len(why) > WHY_LENGTH:
            raise InputError(f"a reason has at most {WHY_LENGTH} characters", EXAMPLE)
        about = await self._about(by, request_id.lower())
        parameters = {**about, "became": said, **({"why": why} if why else {})}
        return await self._approvals.ask(by, Wish(Kind.SETTLE, parameters, asked_in), telegram_id=telegram_id)

    def lines(self, parameters: Parameters) -> tuple[str, ...]:
        if parameters["became"] == EXECUTED:
            first, then = "was executed", "It then counts as done, for good."
        else:
            first = "was not executed"
            then = (
                "It then counts in no limit, and may be asked for anew: if it was executed after all, it is paid twice."
            )
            if parameters["absent"] != "yes":
                then += " The provider has not shown yet that it is not there."
        why = (f"Why: {parameters['why']}",) if "why" in parameters else ()
        return (f"Settle by hand that request {parameters['request']} {first}.", *self._known(parameters), *why, then)

    def carry(self, tables: Tables, request: Request) -> str:
        target = self._target(tables, request.parameters)
        executed = request.parameters["became"] == EXECUTED
        said = "executed" if executed else "not executed"
        why = f" ({request.parameters['why']})" if "why" in request.parameters else ""
        self._approvals.course.moving(
            tables,
            target,
            Event.SETTLED,
            f"{said}{why}, as signed in request {request.id}",
            {"request": request.id, "became": request.parameters["became"]},
            moved_money=executed,
        )
        return f"request {target.id} is settled as {said}"


class Repeating(_ByHand):
    """`/repeat`: another like it may be asked for, although nobody knows what became of the first (M03)."""

    kind, guarded = Kind.REPEAT, Guarded.REPEAT

    async def ask(self, by: Person, request_id: str, *, telegram_id: int, asked_in: str | None = None) -> Request:
        """Ask others to let it be asked for again. `NotFoundError`, `ConflictError` as for `Settling.ask`."""
        about = await self._about(by, request_id.lower())
        return await self._approvals.ask(by, Wish(Kind.REPEAT, about, asked_in), telegram_id=telegram_id)

    def lines(self, parameters: Parameters) -> tuple[str, ...]:
        return (
            f"Let the same as request {parameters['request']} be asked for again, although its outcome is unknown.",
            *self._known(parameters),
            "If the first attempt was executed after all, it is paid twice. What is asked for then is signed anew.",
        )

    def carry(self, tables: Tables, request: Request) -> str:
        target = self._target(tables, request.parameters)
        requests.unblock(tables, target)
        details = {"request": request.id, "first_attempt": request.parameters["sent"]}
        self._audit.record(tables, Deed("request.repeatable", f"request/{target.id}", request.asked_by, None, details))
        return f"the same as request {target.id} may be asked for again; the first attempt is followed further"


def _check_concerned(tables: Tables, by: Person, target: Request) -> None:
    """`NotFoundError` for whoever it does not concern."""
    if not _concerns(tables, by, target):
        raise NotFoundError("request", target.id)


def _concerns(tables: Tables, by: Person, target: Request) -> bool:
    """Whether they asked for it, decide, or see its connection."""
    if by.id == target.asked_by or by.may(Right.DECIDE):
        return True
    connection = None if target.stake is None else find_one(tables, target.stake.connection_id)
    return connection is not None and connection.may_read(by)


def _unknown(tables: Tables, request_id: str) -> Request:
    """The request. `ConflictError` unless its outcome is unknown."""
    target = requests.read(tables, request_id)
    if target.state is not State.UNKNOWN:
        standing = "on its way" if target.state is State.ACKED else ended_as(target)
        raise ConflictError(f"the outcome of request {target.id} is not unknown ({standing})")
    return target

"""Ending a freeze: asked for with a reason, signed by others, done with the last signature."""

from collections.abc import Callable, Mapping

from bot.access.model import Person, Right
from bot.access.service import check_right, people_in
from bot.approvals import records
from bot.approvals.carriers import InHouse
from bot.approvals.guards import at_least, rule_for
from bot.approvals.model import Kind, Proof, Request, Rule
from bot.approvals.policies import Policies
from bot.approvals.policy.model import Guarded
from bot.approvals.service import Approvals, Wish
from bot.errors import ConflictError, InputError, NotAllowedError
from bot.operations.freezing import REASON_LENGTH, Freeze, Freezing, called, freeze_of, freezes_in
from bot.ports import Deed, Recorder
from bot.store import Database, Tables
from bot.store.columns import at

EXAMPLE = "/thaw cryptocapital the bank has confirmed the transfer"


class Thawing(InHouse):
    """Asks for it, and carries it out. What was frozen anew since is not thawed by an older signature."""

    def __init__(
        self,
        database: Database,
        approvals: Approvals,
        policies: Policies,
        freezing: Freezing,
        audit: Recorder,
        wake: Callable[[], None],
    ) -> None:
        """`wake`: what waited may go on."""
        self._database = database
        self._approvals = approvals
        self._policies = policies
        self._freezing = freezing
        self._audit = audit
        self._wake = wake

    async def freezes(self) -> list[Freeze]:
        """Every one there is."""
        return await self._database.read(freezes_in)

    async def ask(self, by: Person, scope: str, why: str, *, telegram_id: int, asked_in: str | None = None) -> Request:
        """Ask others to end it.

        Raises:
            InputError: Without a reason.
            ConflictError: It is not frozen, that is asked for already, or too few people could sign.
        """
        why = " ".join(why.split())
        if not why or len(why) > REASON_LENGTH:
            raise InputError(f"say why it can go on, in at most {REASON_LENGTH} characters", EXAMPLE)
        freeze = await self._database.read(lambda tables: freeze_of(tables, scope))
        if freeze is None:
            raise ConflictError(f"{called(scope)} is not frozen")
        wish = Wish(Kind.THAW, _parameters(freeze, why), asked_in)
        return await self._approvals.ask(by, wish, telegram_id=telegram_id)

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return (
            f"Thaw {called(parameters['scope'])}: what is approved and waits then leaves at once.",
            f"Frozen {parameters['frozen_at']} by {parameters['frozen_by']}: {parameters['frozen_for']}.",
            f"Why it can go on: {parameters['why']}",
        )

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        check_right(tables, asked_by, Right.FREEZE)
        _check(tables, parameters)
        for request in records.pending(tables):
            if request.kind is Kind.THAW and request.parameters["scope"] == parameters["scope"]:
                raise ConflictError(f"that is asked for already: request {request.id}")
        return at_least(rule_for(tables, self._policies, Guarded.THAW), (), Proof.CODE_IF_SET_UP)

    def carry(self, tables: Tables, request: Request) -> str:
        asker = next((one for one in people_in(tables) if one.id == request.asked_by), None)
        if asker is None or not asker.may(Right.FREEZE):
            raise NotAllowedError(Right.FREEZE)
        scope = request.parameters["scope"]
        _check(tables, request.parameters)
        tables.conn.execute("DELETE FROM freezes WHERE scope = ?", (scope,))
        details = {"request": request.id, "why": request.parameters["why"]}
        self._audit.record(tables, Deed("freeze.lifted", f"freeze/{scope}", request.asked_by, details=details))
        names = {one.id: one.name for one in people_in(tables)}
        signed = ", ".join(names.get(vote.person_id, "somebody who left") for vote in request.approvals)
        left = [called(one.scope) for one in freezes_in(tables)]
        lines = (
            f"Asked for by {asker.name}: {request.parameters['why']}. Signed by {signed}.",
            f"Still frozen: {' and '.join(left)}." if left else "Money may leave again.",
        )
        self._freezing.tell_all(tables, f"Thawed: {called(scope)}", lines, f"thaw/{request.id}", but=request.asked_by)
        return f"{called(scope)} is thawed"

    async def carried(self, request: Request) -> None:
        self._wake()


def _parameters(freeze: Freeze, why: str) -> dict[str, str]:
    return {
        "scope": freeze.scope,
        "since": str(at(freeze.since)),
        "frozen_at": f"{freeze.since:%Y-%m-%d %H:%M} UTC",
        "frozen_by": freeze.by,
        "frozen_for": freeze.reason,
        "why": why,
    }


def _check(tables: Tables, parameters: Mapping[str, str]) -> None:
    """It is frozen, and by that very freeze."""
    scope = parameters["scope"]
    freeze = freeze_of(tables, scope)
    if freeze is None:
        raise ConflictError(f"{called(scope)} is not frozen")
    if str(at(freeze.since)) != parameters["since"]:
        raise ConflictError(f"{called(scope)} was frozen anew since: {freeze.reason}")

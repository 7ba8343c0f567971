"""Deciding about a client's withdrawal: read, compare, post once, read again.

The CRM's answer says little: an approval of one node of several is answered like the last one, and a request that is no
longer pending is refused whatever it became. So what is told always comes from a read. Nothing is approved twice in a
row: on a tenant with several nodes one decision is one node, and the node is part of what was prepared.

A request's log names who decided; whom it names for an API key is not documented (`Settings.log_name`). A decision
under another name was somebody else's, and is told as theirs even when it is the one that was wanted.
"""

from datetime import timedelta

from bot.clock import Clock
from bot.errors import ConflictError, InputError, ProviderError, RefusedError
from bot.network.rest import Answer
from bot.providers.acts import Act, Evidence, Outcome, Prepared, Receipt
from bot.providers.crm import wire
from bot.providers.crm.client.requests import Requests
from bot.providers.crm.client.wired import wired
from bot.providers.crm.wire.requests import (
    Withdrawal,
    build_approval,
    build_rejection,
    parse_decided,
)

SETTLES_AFTER = timedelta(seconds=50)
"""Longer than a request of ours may be under way: what is still pending by then was not decided by it. With the pause
between two looks it makes less than a minute."""
TOLD_BY_WEBHOOK = "webhook"
_BECOMES = {"approve": "approved", "reject": "rejected"}


class Decisions:
    """Approve and reject, of withdrawals.

    An act names the request (`target`), the account, the amount, and in its parameters `decision` (approve or reject),
    `method`, for a rejection `comment`, perhaps `node`. With `source` = "webhook" it may go out unread on a tenant that
    lacks the call to read requests; everywhere else it is read all the same.
    """

    def __init__(self, requests: Requests, clock: Clock, log_name: str) -> None:
        self._requests = requests
        self._clock = clock
        self._log_name = log_name

    async def prepare(self, act: Act) -> Prepared:
        decision = act.parameters["decision"]
        found = await self._read(act)
        node = int(act.parameters.get("node", "0"))
        if found is not None:
            if found.status != "pending":
                raise ConflictError(f"the request {_became(found)}")
            if differing := _differing(act, found):
                raise ConflictError("; ".join(differing))
            node = found.node
        match decision:
            case "approve":
                request = build_approval("withdrawal", act.target)
            case "reject":
                request = _rejection(act.target, act.parameters.get("comment", ""))
            case _:
                raise InputError("a decision is approve or reject", "approve")
        return Prepared(act, f"{act.target}/{node}", None, wired(request), self._clock.now())

    async def hindrance(self, prepared: Prepared) -> Receipt | None:
        """Why it must not be sent now, if so: the request is read again right before."""
        try:
            found = await self._read(prepared.act)
        except ProviderError as error:
            return Receipt(Outcome.NOT_SENT, prepared.reference, type(error).__name__, "not read before the decision")
        if found is None:
            return None
        if found.status != "pending":
            return Receipt(Outcome.ALREADY_DECIDED, prepared.reference, found.status, _became(found))
        if found.node != _node(prepared):
            return Receipt(Outcome.ALREADY_DECIDED, prepared.reference, "moved", _moved(prepared, found))
        if differing := _differing(prepared.act, found):
            return Receipt(Outcome.NOT_SENT, prepared.reference, "changed", "; ".join(differing))
        return None

    async def taken(self, prepared: Prepared, answer: Answer) -> Receipt:
        """A decision that was accepted; what it made of the request is read.

        Raises:
            ReplyError: The answer is none that a decision gets.
        """
        parse_decided(answer.body)
        try:
            found = await self._read(prepared.act)
        except ProviderError:
            found = None
        if found is None:
            return Receipt(
                Outcome.ACKNOWLEDGED, prepared.reference, detail="accepted; what it became could not be read"
            )
        if found.status == _wanted(prepared):
            return Receipt(Outcome.SUCCEEDED, prepared.reference, found.status, found.status)
        if self._advanced(prepared, found):
            return Receipt(Outcome.SUCCEEDED, prepared.reference, "advanced", _moved(prepared, found))
        return Receipt(
            Outcome.ACKNOWLEDGED, prepared.reference, found.status, f"accepted; since then it {_became(found)}"
        )

    async def lost(self, prepared: Prepared) -> Receipt:
        """Refused, because it is no longer pending: never our success, whatever it became."""
        try:
            found = await self._read(prepared.act)
        except ProviderError:
            found = None
        if found is None:
            return Receipt(Outcome.ALREADY_DECIDED, prepared.reference, detail="decided there; how could not be read")
        if found.status == "pending":
            return Receipt(Outcome.UNKNOWN, prepared.reference, "pending", "refused as decided, and read as pending")
        return Receipt(Outcome.ALREADY_DECIDED, prepared.reference, found.status, _became(found))

    async def find(self, prepared: Prepared) -> Evidence:
        found = await self._read(prepared.act)
        now = self._clock.now()
        if found is None:
            return Evidence(Outcome.UNKNOWN, prepared.reference, "this tenant does not let requests be read", now)
        if found.status != "pending" or self._advanced(prepared, found):
            outcome = Outcome.SUCCEEDED if self._is_ours(prepared, found) else Outcome.ALREADY_DECIDED
            said = _moved(prepared, found) if found.status == "pending" else _became(found)
            return Evidence(outcome, prepared.reference, said, now)
        if found.was_reset:
            return Evidence(Outcome.UNKNOWN, prepared.reference, "it was reset there: a person must look", now)
        if now - prepared.prepared_at < SETTLES_AFTER:
            return Evidence(Outcome.UNKNOWN, prepared.reference, "still pending; it may be under way", now)
        return Evidence(Outcome.NOT_SENT, prepared.reference, "it is still pending there", now)

    def _is_ours(self, prepared: Prepared, found: Withdrawal) -> bool:
        """Whether the log names this key for what was prepared."""
        if prepared.act.parameters["decision"] == "approve":
            return found.passed_by(_node(prepared)) == self._log_name
        return found.status == "rejected" and found.decided_by == self._log_name

    def _advanced(self, prepared: Prepared, found: Withdrawal) -> bool:
        return prepared.act.parameters["decision"] == "approve" and found.node > _node(prepared)

    async def _read(self, act: Act) -> Withdrawal | None:
        """The request; None where the tenant lacks the call, and the approvers knew that a webhook was all there is."""
        try:
            return await self._requests.withdrawal(act.target)
        except RefusedError as error:
            if wire.lacks_call(error) and act.parameters.get("source") == TOLD_BY_WEBHOOK:
                return None
            raise


def _rejection(request_id: str, comment: str) -> wire.Request:
    try:
        return build_rejection("withdrawal", request_id, comment)
    except ValueError:
        raise InputError("a reason for a rejection has 1 to 500 characters", "name does not match") from None


def _differing(act: Act, found: Withdrawal) -> list[str]:
    """What is not as it was approved; every difference, in facts."""
    approved = {
        "request": (act.target, found.id),
        "amount": (act.amount, found.amount),
        "account": (act.account, found.account),
        "method": (act.parameters.get("method"), found.withdrawal_method),
    }
    if "node" in act.parameters:
        approved["node"] = (act.parameters["node"], str(found.node))
    return [f"the {what} is {is_now} now, not {was}" for what, (was, is_now) in approved.items() if was != is_now]


def _wanted(prepared: Prepared) -> str:
    return _BECOMES[prepared.act.parameters["decision"]]


def _node(prepared: Prepared) -> int:
    return int(prepared.reference.rpartition("/")[2])


def _became(found: Withdrawal) -> str:
    by = f" by {found.decided_by}" if found.decided_by else ""
    return f"is pending at node {found.node}" if found.status == "pending" else f"was {found.status} there{by}"


def _moved(prepared: Prepared, found: Withdrawal) -> str:
    of = f" of {found.flow.total}" if found.flow and found.flow.total else ""
    who = found.passed_by(_node(prepared))
    by = f", by {who}" if who else ""
    return f"waits at node {found.node}{of} now; node {_node(prepared)} is done{by}"

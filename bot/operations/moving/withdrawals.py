"""A decision on a client's withdrawal, as the CRM is told of it."""

from bot.approvals.policy.model import Act as Named
from bot.operations.moving.matters import Aspects, Parameters, money_in, where
from bot.providers.acts import Act, ActKind

_NAMED = {"approve": Named.APPROVE_WITHDRAWAL, "reject": Named.REJECT_WITHDRAWAL}
_DONE = {"approve": "Approve", "reject": "Reject"}
_TOLD = "webhook"


class WithdrawalMatter:
    """Fits `bot.operations.moving.matters.Matter`.

    Parameters beside the common ones: `target` (the CRM's id of the request), `client`, `account`, `amount`,
    `currency`, `method`, `node`, `decision`, `comment` for a rejection, `source`, `fee` where the CRM tells one.
    """

    def aspects(self, parameters: Parameters) -> Aspects:
        return Aspects(_NAMED[parameters["decision"]], parameters["account"], "", money_in(parameters))

    def act(self, request_id: str, parameters: Parameters) -> Act:
        words = {
            key: parameters[key] for key in ("decision", "method", "node", "comment", "source") if key in parameters
        }
        return Act(
            request_id,
            ActKind.WITHDRAWAL_DECISION,
            parameters["account"],
            money_in(parameters),
            parameters["target"],
            words,
        )

    def lines(self, parameters: Parameters) -> tuple[str, ...]:
        fee = (f"Fee: {parameters['fee']}",) if "fee" in parameters else ()
        reason = (f"Reason: {parameters['comment']}",) if "comment" in parameters else ()
        unread = ("Not read: only the webhook's word is known",) if parameters.get("source") == _TOLD else ()
        return (
            f"{_DONE[parameters['decision']]} the withdrawal of {money_in(parameters)}",
            f"by {parameters['client']}, account {parameters['account']} ({where(parameters)})",
            f"by {parameters['method']}, at node {parameters['node']}, {parameters['target']}",
            *fee,
            *reason,
            *unread,
        )

    def masked(self, parameters: Parameters) -> tuple[str, ...]:
        return (f"A decision on a client's withdrawal in {where(parameters)}.",)

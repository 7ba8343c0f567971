"""A decision about a client's withdrawal, made ready to be asked for: nothing is decided here, and nothing is sent.

What a person was shown is compared with what the CRM says at this moment (SAFETY M50). What comes out are canonical
texts and nothing else, so that they can be hashed, shown to whoever signs, and sent as they are.
"""

from dataclasses import dataclass
from enum import StrEnum

from bot.access.model import Person, Right
from bot.errors import ConflictError, InputError, NotAllowedError
from bot.operations.linked import Connection
from bot.operations.moving.matters import common
from bot.operations.requested import PENDING
from bot.providers.crm.wire.requests import MOST_COMMENT, Withdrawal

READ, TOLD = "read", "webhook"
_EXAMPLE = "the name on the bank account is not the client's"


class Decision(StrEnum):
    """What is to become of a request."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a card showed of a request."""

    account: str
    amount: str
    currency: str
    method: str
    node: str

    @classmethod
    def of(cls, found: Withdrawal) -> "Seen":
        amount = found.amount
        texts = (found.account, amount.text(), amount.currency.code, found.withdrawal_method, found.waits_at)
        return cls(*map(str, texts))


@dataclass(frozen=True, slots=True)
class PreparedDecision:
    """What would be sent, whole. `reason` is empty for an approval."""

    connection: Connection
    request_id: str
    client: str
    """The client's id in the CRM; `client_name` is for eyes only."""
    client_name: str
    account: str
    amount: str
    currency: str
    method: str
    node: str
    """At which it waits, and which alone is decided; `0` where the CRM does not say."""
    decision: Decision
    reason: str
    source: str
    """`read`, or `webhook` on a tenant that does not let requests be read."""
    fee: str = ""
    """As the CRM writes it; empty where it tells none."""

    @property
    def parameters(self) -> dict[str, str]:
        """All of it as the texts of a request for signatures: `moving.withdrawals` says which there are."""
        return {
            **common(self.connection),
            "target": self.request_id,
            "client": f"{self.client_name} ({self.client})" if self.client_name else self.client,
            "account": self.account,
            "amount": self.amount,
            "currency": self.currency,
            "method": self.method,
            "node": self.node,
            "decision": self.decision.value,
            "source": self.source,
            **({"comment": self.reason} if self.reason else {}),
            **({"fee": self.fee} if self.fee else {}),
        }


def check_may_prepare(person: Person, through: Connection) -> None:
    """`NotAllowedError` unless they may ask for a decision, and act through that connection."""
    if not person.may(Right.ASK):
        raise NotAllowedError(Right.ASK)
    if not through.may_act(person):
        raise NotAllowedError(f"act through {through.name}")


def may_prepare(person: Person, through: Connection) -> bool:
    """Whether `check_may_prepare` would let them."""
    return person.may(Right.ASK) and through.may_act(person)


def check_reason(text: str) -> str:
    """The reason for a rejection, without blanks around it. `InputError` unless it has 1 to 500 characters."""
    reason = text.strip()
    if not reason:
        raise InputError("a reason has at least one character", _EXAMPLE)
    if len(reason) > MOST_COMMENT:
        raise InputError(f"a reason has at most {MOST_COMMENT} characters, and this one has {len(reason):,}", _EXAMPLE)
    return reason


def prepared(
    through: Connection, found: Withdrawal, decision: Decision, reason: str, seen: Seen, *, is_read: bool
) -> PreparedDecision:
    """The record of a decision about what is there now.

    Raises:
        ConflictError: It is not pending any more, or not what was shown.
        InputError: A rejection without a reason, or one too long.
    """
    if found.status != PENDING:
        by = f" by {found.decided_by}" if found.decided_by else ""
        raise ConflictError(f"request {found.id} was {found.status} in the CRM{by}")
    now = Seen.of(found)
    if differing := _differing(seen, now):
        raise ConflictError(f"request {found.id} is not what you were shown: {'; '.join(differing)}")
    return PreparedDecision(
        connection=through,
        request_id=str(found.id),
        client=str(found.user_id or ""),
        client_name=str((found.user and found.user.name) or ""),
        account=now.account,
        amount=now.amount,
        currency=now.currency,
        method=now.method,
        node=now.node,
        decision=decision,
        reason=check_reason(reason) if decision is Decision.REJECT else "",
        source=READ if is_read else TOLD,
        fee=str(found.withdrawal_fee or ""),
    )


def _differing(seen: Seen, now: Seen) -> list[str]:
    amounts = (f"{seen.amount} {seen.currency}", f"{now.amount} {now.currency}")
    pairs = {
        "amount": amounts,
        "account": (seen.account, now.account),
        "method": (seen.method, now.method),
        "node": (seen.node, now.node),
    }
    return [f"the {what} was {was} and is {is_now}" for what, (was, is_now) in pairs.items() if was != is_now]

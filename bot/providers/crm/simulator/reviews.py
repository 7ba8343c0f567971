"""Requests under review: what the back office decides node by node, and what each kind is about.

    pending --approve, node k < last--> pending --approve, last node--> approved --reject, back office--> rejected
       |  ^                               |
       |  +------------- reset -----------+
       +--------------- reject at any node ---------------------------------------------------------> rejected

How many nodes a request has is settled when it is made. The moves below keep state and history together; what each kind
does with money or people is its own file's matter.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct, field

from bot.providers.crm.simulator.fields import RefusedError
from bot.providers.crm.simulator.notation import ZERO, Place
from bot.providers.crm.simulator.people import FilledField


class Status(StrEnum):
    """Of a request."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class Kind(StrEnum):
    """Of a request other than a withdrawal."""

    KYC = "kyc"
    DEPOSIT = "deposit"
    TRANSFER = "transfer"
    PROP_TRADING = "prop_trading"
    PROP_LIVE = "prop_trading_live_step"


class Log(Struct, kw_only=True):
    """One line in a request's history."""

    event: str
    at: datetime
    admin: str
    before: dict[str, str] | None = None
    after: dict[str, str] | None = None


class Review(Struct, kw_only=True):
    """What every request has; `approved` counts the nodes that said yes since the last reset."""

    id: str
    user_id: str
    created_at: datetime
    updated_at: datetime
    total_nodes: int
    approved: int = 0
    previous_node: int = 0
    status: Status = Status.PENDING
    comment: str = ""
    auto: bool = False
    logs: list[Log] = field(default_factory=list)

    def require_pending(self) -> None:
        if self.status is not Status.PENDING:
            raise RefusedError("request_status_not_pending")

    def pass_node(self, admin: str, at: datetime) -> bool:
        """The current node says yes; whether it was the last."""
        self.require_pending()
        self.approved += 1
        self.previous_node = self.approved
        if self.approved == self.total_nodes:
            self.status = Status.APPROVED
        self.log("approve", admin, at)
        return self.status is Status.APPROVED

    def refuse(self, admin: str, comment: str, at: datetime, *, even_approved: bool = False) -> Status:
        """End it with a no; which status it had. An approved one only with `even_approved`."""
        before = self.status
        if before is not Status.APPROVED or not even_approved:
            self.require_pending()
        self.status, self.comment = Status.REJECTED, comment
        self.log("reject", admin, at)
        return before

    def start_over(self, admin: str, at: datetime) -> None:
        """Back to the first node; only while under review."""
        self.require_pending()
        self.previous_node, self.approved = self.approved, 0
        self.log("reset", admin, at)

    def log(
        self,
        event: str,
        admin: str,
        at: datetime,
        before: Mapping[str, str] | None = None,
        after: Mapping[str, str] | None = None,
    ) -> None:
        self.updated_at = at
        kept = [None if values is None else dict(values) for values in (before, after)]
        self.logs.append(Log(event=event, at=at, admin=admin, before=kept[0], after=kept[1]))

    def steps(self) -> dict[str, int]:
        """The flow as a webhook shows it."""
        return {"total_steps": self.total_nodes, "current_steps": self.approved}


class Withdrawal(Review, kw_only=True):
    """A client's withdrawal request; `deducted` while its amount is out of the account."""

    place: Place
    amount: Decimal
    method: str
    deducted: bool = False


class Kyc(Struct, kw_only=True):
    """What a client hands in to be known by."""

    form_id: str
    collection_id: str
    fields: list[FilledField]


class Transfer(Struct, kw_only=True):
    """Money between two places; `rate` is target per source."""

    source: Place
    target: Place
    amount: Decimal
    target_amount: Decimal
    rate: Decimal


class Payment(Struct, kw_only=True):
    """A deposit through the payment provider, named by `order_no` on both sides."""

    place: Place
    order_no: str
    amount: Decimal
    transaction_id: str = ""


class Challenge(Struct, kw_only=True):
    """A prop-trading package a client wants to join, or the live account that ends one."""

    package: dict[str, str]
    place: Place
    fee: Decimal = ZERO
    group: str = ""
    leverage: int = 100
    initial_balance: Decimal = ZERO


class Petition(Review, kw_only=True):
    """A request of any other kind; exactly the part its kind names is there."""

    kind: Kind
    kyc: Kyc | None = None
    payment: Payment | None = None
    transfer: Transfer | None = None
    challenge: Challenge | None = None

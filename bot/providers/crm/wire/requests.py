"""Requests of clients, and decisions about them. Pure.

A request waits at one node after the other; `flow.current` says at which. The documents name no way to decide about a
node that is not the current one.
"""

from datetime import datetime
from typing import Literal

import msgspec

from bot.money import Currency, Money
from bot.providers.crm.wire.grammar import (
    Code,
    Field,
    Id,
    Number,
    Phone,
    Request,
    Text,
    fit,
    get,
    moment,
    money,
    segment,
    send,
)

Kind = Literal["kyc", "withdrawal", "deposit"]
Decided = Literal["kyc", "withdrawal"]
Decision = Literal["approve", "reject"]
NOT_PENDING = "request_status_not_pending"
MOST_COMMENT = 500
WALLET = "WALLET"


class Flow(msgspec.Struct, frozen=True):
    """How far a request has come: which node it waits at, of how many. `total` is inferred."""

    current: int | None = None
    total: int | None = None


class Steps(msgspec.Struct, frozen=True):
    """The same, as webhooks write it; inferred from their siblings."""

    total_steps: int | None = None
    current_steps: int | None = None


class Log(msgspec.Struct, frozen=True):
    """A line of a request's log."""

    event: Text | None = None
    timestamp: Text | None = None
    admin: Text | None = None


class Applicant(msgspec.Struct, frozen=True):
    """Whose request it is."""

    id: Text | None = None
    name: Text | None = None
    email: Text | None = None
    phone: Phone | None = None
    group_name: Text | None = None
    status: Text | None = None


class AnyRequest(msgspec.Struct, frozen=True):
    """What requests of every type have."""

    id: Id
    status: Literal["pending", "approved", "rejected"]
    type: Text | None = None
    user_id: Text | None = None
    created_at: Text | None = None
    timestamp: Text | None = None
    auto: bool | None = None
    user: Applicant | None = None
    flow: Flow | None = None
    logs: tuple[Log, ...] | None = None

    @property
    def node(self) -> int:
        """Where it waits; 0 when it is not said."""
        return (self.flow and self.flow.current) or 0

    @property
    def decided_by(self) -> str:
        """Who is named by the last line of the log that was no edit."""
        named = [line for line in self.logs or () if line.admin and line.event not in ("create", "update")]
        return str(named[-1].admin) if named else ""

    @property
    def was_reset(self) -> bool:
        return any("reset" in (line.event or "") for line in self.logs or ())

    def passed_by(self, node: int) -> str:
        """Who approved that node, by the log since the last reset; empty when nobody did."""
        passed: list[str] = []
        for line in self.logs or ():
            if "reset" in (line.event or ""):
                passed.clear()
            elif "approve" in (line.event or ""):
                passed.append(line.admin or "somebody")
        return passed[node - 1] if 0 < node <= len(passed) else ""


class Withdrawal(AnyRequest, frozen=True, kw_only=True):
    """A client's request to be paid; read from the API, or told by a webhook."""

    trading_id: Text
    trading_currency: Code
    trading_amount: Number
    withdrawal_method: Text
    request_time: Text | None = None
    trading_platform: Text | None = None
    trading_connection_id: Text | None = None
    withdrawal_currency: Text | None = None
    exchange_rate: Text | None = None
    converted_amount: Text | None = None
    withdrawal_fee: Text | None = None
    withdrawal_amount: Text | None = None
    external_order_id: Text | None = None
    custom_fields: tuple[Field, ...] | None = None
    withdrawal_flow: Steps | None = None

    @property
    def account(self) -> str:
        """Where the money comes from, as this house names accounts: a client's wallet has the client's id."""
        if self.trading_id.upper() == WALLET:
            return self.user_id or WALLET
        return f"{self.trading_connection_id}/{self.trading_id}"

    @property
    def amount(self) -> Money:
        """What leaves the account."""
        return money(self.trading_amount, self.trading_currency)

    @property
    def waits_at(self) -> int:
        """At which node, from the request or, for a pending one that a webhook told of, the one after it."""
        passed = self.withdrawal_flow and self.withdrawal_flow.current_steps
        return self.node or (passed + 1 if passed and self.status == "pending" else 0)

    @property
    def asked_at(self) -> datetime | None:
        return moment(self.request_time or self.created_at)


def build_request(kind: Kind, request_id: str) -> Request:
    """Newer tenants only."""
    return get(f"/requests/{kind}/{segment(request_id)}")


def build_approval(kind: Decided, request_id: str) -> Request:
    """[N], seen in use: only the id is certain, so only the id is sent. The current node is approved."""
    return send("POST", f"/requests/{kind}/approve", {"id": request_id})


def build_rejection(kind: Decided, request_id: str, comment: str) -> Request:
    """A comment is needed by newer tenants and taken by all.

    Raises:
        ValueError: It is empty, or longer than 500 characters.
    """
    if not 0 < len(comment.strip()) <= MOST_COMMENT or len(comment) > MOST_COMMENT:
        raise ValueError("a reason has 1 to 500 characters")
    return send("POST", f"/requests/{kind}/reject", {"id": request_id, "comment": comment})


def parse_request(reply: bytes) -> AnyRequest:
    return fit("request", reply, AnyRequest)


def parse_withdrawal(reply: bytes) -> Withdrawal:
    found = fit("withdrawal", reply, Withdrawal)
    Currency.of(found.trading_currency)
    return found


def parse_decided(reply: bytes) -> None:
    """The answer to a decision is not tabled: nothing, or an object that is no failure.

    Raises:
        ReplyError: Anything else.
    """
    if reply.strip():
        fit("decision", reply, _NoFailure)


class _NoFailure(msgspec.Struct, frozen=True):
    error: Literal[False] | None = None

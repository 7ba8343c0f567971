"""The tables of a policy's document. `reading` makes a `Policy` of them; `example.toml` shows each."""

from typing import Literal

import msgspec

ActWord = Literal[
    "transfer",
    "approve withdrawal",
    "reject withdrawal",
    "change wallet",
    "mt deposit",
    "mt withdrawal",
    "order",
    "close",
]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ProofWord = Literal["none", "number", "code"]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the document: unknown keys are refused."""


class _Scoped(_Table, frozen=True, kw_only=True):
    """Conditions: each that is given must hold."""

    acts: list[ActWord] = []
    providers: list[str] = []
    environments: list[Literal["live", "demo"]] = []
    connections: list[str] = []
    sources: list[str] = []
    beneficiaries: list[str] = []
    weekdays: list[Day] = []
    requesters: list[str] = []


class RuleTable(_Scoped, frozen=True, kw_only=True):
    """`[[rules]]`"""

    name: str
    currencies: list[str] = []
    at_least: str | int | None = None
    below: str | int | None = None
    hours: str | None = None
    tier: Literal["free", "confirm", "quorum", "refuse"]
    needs: list[str] = []
    proof: ProofWord = "none"
    hold: str = "0"
    life: str | None = None
    reason: str = ""


class LimitTable(_Scoped, frozen=True, kw_only=True):
    """`[[limits]]`"""

    name: str
    currency: str
    amount: str | int
    per: Literal["person", "connection", "desk"]
    window: Literal["transaction", "24h", "day"]
    every_currency: bool = False


class GuardTable(_Table, frozen=True, kw_only=True):
    """`[guards.…]`"""

    needs: list[str]
    proof: ProofWord = "none"


class GuardsTable(_Table, frozen=True, kw_only=True):
    """`[guards]`"""

    beneficiary: GuardTable | None = None
    role: GuardTable | None = None
    factor_reset: GuardTable | None = None
    policy: GuardTable | None = None
    thaw: GuardTable | None = None
    settle: GuardTable | None = None
    repeat: GuardTable | None = None


class EscalationTable(_Table, frozen=True, kw_only=True):
    """`[[escalate]]`"""

    after: str
    to: str


class Document(_Table, frozen=True, kw_only=True):
    """The whole."""

    zone: str = "UTC"
    life: str = "30m"
    beneficiary_cooldown: str = "24h"
    first_payment_hold: str = "0"
    loosening_delay: str = "24h"
    remind_at_percent: list[int] = msgspec.field(default_factory=lambda: [50, 80])
    rules: list[RuleTable] = []
    limits: list[LimitTable] = []
    guards: GuardsTable = GuardsTable()
    escalate: list[EscalationTable] = []

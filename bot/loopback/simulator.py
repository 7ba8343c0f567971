"""What one provider's simulator brings: its routes, its own controls, its credentials and its ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.routing import BaseRoute


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One thing the simulator really carried out."""

    id: str
    kind: str
    source: str
    target: str
    amount: str
    currency: str
    reference: str
    at_ms: int

    def as_json(self) -> dict[str, str | int]:
        return {
            "id": self.id,
            "kind": self.kind,
            "from": self.source,
            "to": self.target,
            "amount": self.amount,
            "currency": self.currency,
            "reference": self.reference,
            "at_ms": self.at_ms,
        }


@dataclass(slots=True)
class Switches:
    """What the control side can change about any simulator."""

    limits_lifted: bool = False
    origin_http: str = ""
    """Filled in when it listens, e.g. `http://127.0.0.1:4711`; vendors that announce their own addresses need it."""
    origin_ws: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


class Simulator(Protocol):
    """What one provider's simulator brings."""

    name: str
    switches: Switches

    def routes(self) -> Sequence[BaseRoute]:
        """The vendor's own paths, HTTP and WebSocket."""

    def controls(self) -> Sequence[BaseRoute]:
        """Further routes below `/_sim`, without the prefix."""

    def credentials(self) -> Mapping[str, Any]:
        """What a client needs to log in; goes into the line `simulate` prints."""

    def ledger(self) -> Sequence[LedgerEntry]:
        """The truth about what was carried out."""

    def dump(self) -> Mapping[str, Any]:
        """Its whole state as JSON values, for `--state`."""

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up what `dump` gave."""

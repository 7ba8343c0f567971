"""What can be set about this tenant from the control side, and what it is set to at the start.

The names are those of the simulator checklist in the CRM notes; where the vendor's pages leave a choice open, the
setting is the choice.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct, field

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def loopback(url: str) -> str:
    """The address, unchanged; `ValueError` unless it stays on this machine: a simulator calls nobody else."""
    parts = urlsplit(url)
    _ = parts.port  # raises on a port that is none
    if parts.scheme not in ("http", "https") or parts.hostname not in _LOOPBACK or not url.isascii():
        raise ValueError("a simulator calls a loopback http(s) address only")
    return url


class SignMode(StrEnum):
    """Over which bytes a V2 signature is checked."""

    RAW = "raw"
    CANONICAL = "canonical"
    BOTH = "both"


class Webhook(Struct, forbid_unknown_fields=True, kw_only=True):
    """One subscription. `events` empty means all; `prefix` none means as the tenant's `webhook_prefix` says."""

    url: str
    secret: str = ""
    name: str = "Withdrawals"
    events: list[str] = field(default_factory=list)
    prefix: bool | None = None

    def __post_init__(self) -> None:
        loopback(self.url)

    def __repr__(self) -> str:
        return f"Webhook(url={self.url!r}, name={self.name!r})"

    def wants(self, event: str) -> bool:
        return not self.events or event in self.events


class Settings(Struct, forbid_unknown_fields=True, kw_only=True):
    """The tenant's settings; counted in the unit their names say."""

    api_keys: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
    auth_versions: Annotated[list[Literal["v1", "v2"]], Meta(min_length=1)] = field(default_factory=lambda: ["v2"])
    sign_mode: SignMode = SignMode.RAW
    levels: Annotated[int, Meta(ge=0, le=10)] = 0
    """Approval nodes of a new withdrawal; 0 is a tenant without multi-level approval, which has one step."""
    generation: Literal["A", "B"] = "B"
    list_requests: bool = False
    report_shows_pending: bool = True
    report_id_is_request_id: bool = False
    allow_post_approval_reject: bool = False
    deduct_at: Literal["submission", "approval"] = "submission"
    """When a withdrawal's amount leaves the account; the vendor's pages leave it open."""
    first_node_passes: bool = False
    """A rule of the back office that says yes at node 1 as soon as a client asks, so that node 1's event goes out."""
    auto_approve_below: Decimal = Decimal(0)
    """Withdrawals under this amount are approved at once at every node, whatever their currency; 0 is off."""
    wallet_orders_wait: bool = False
    """A wallet update is `pending` until the control side settles it."""
    comments_optional: bool = False
    """A rejection needs no reason on a newer tenant either."""
    absent: list[str] = field(default_factory=list)
    """Calls this tenant does not have, each a method and the start of a path, e.g. `GET /requests/withdrawal/`."""
    webhooks: list[Webhook] = field(default_factory=list)
    webhook_prefix: bool = False
    webhook_timeout_s: Annotated[float, Meta(gt=0, le=60)] = 10
    webhook_retries: Annotated[int, Meta(ge=0, le=10)] = 0
    webhook_copies: Annotated[int, Meta(ge=1, le=1000)] = 1
    """How often each event is delivered; more than 1 plays duplicates."""
    webhook_reorder: bool = False
    """An event waits until the next one to the same address has gone."""

    def __repr__(self) -> str:
        return f"Settings(levels={self.levels}, generation={self.generation!r})"

    def changed(self, given: object) -> "Settings":
        """These settings with `given` (an object of names and values) laid over them.

        Raises:
            ValueError: Not an object, an unknown name, or a value out of its range.
        """
        if not isinstance(given, dict):
            raise ValueError("settings are an object")
        try:
            return msgspec.convert({**msgspec.to_builtins(self), **given}, Settings)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None

    def shown(self) -> dict[str, object]:
        """Everything but the keys and the webhooks' secrets."""
        shown: dict[str, object] = msgspec.to_builtins(self)
        del shown["api_keys"]
        shown["webhooks"] = [{"url": hook.url, "name": hook.name, "events": hook.events} for hook in self.webhooks]
        return shown

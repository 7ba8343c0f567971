"""The configuration table `[providers.crm]`."""

from typing import Annotated, Literal

import msgspec

_Origin = Annotated[
    str, msgspec.Meta(pattern=r"\A((https://[A-Za-z0-9.-]+|http://(127\.0\.0\.1|localhost))(:[0-9]{1,5})?/?)?\Z")
]


PUBLISHED = frozenset({"It's a Secret to Everybody", "It's a Secret to Everybody."})
"""What the documents print as an example protects nobody."""
LEAST_SECRET = 16


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[providers.crm]`. Plain http is for simulators on this machine only."""

    url: _Origin = ""
    """The tenant's own host, as the CRM shows it beside the API keys; empty means not configured."""
    auth_version: Literal["v1", "v2"] = "v2"
    """How bodies are signed. A refused signature is told; the other way is never tried."""
    log_name: str = "open-api"
    """Whom the tenant's log names when this key decides. Nobody documents it; another name is taken for a person."""
    webhook_secret_file: str | None = None
    """Holds the secret of the webhook as set in the CRM, at least 16 characters. Empty: webhooks are not taken."""
    ca_file: str | None = None
    """A certificate to trust instead of the system's, for simulators."""

    @staticmethod
    def webhook_flaw(secret: str) -> str:
        """Why this secret protects nothing; empty when it may."""
        if secret in PUBLISHED:
            return "the one the documents print"
        return f"{len(secret)} characters (masked)" if len(secret) < LEAST_SECRET else ""

"""The configuration table `[providers.crm]`."""

from typing import Annotated

import msgspec

from bot.providers.crm import auth

_Origin = Annotated[
    str, msgspec.Meta(pattern=r"\A((https://[A-Za-z0-9.-]+|http://(127\.0\.0\.1|localhost))(:[0-9]{1,5})?/?)?\Z")
]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[providers.crm]`. Plain http is for simulators on this machine only."""

    url: _Origin = ""
    """The tenant's own host, as the CRM shows it beside the API keys; empty means not configured."""
    auth_version: auth.Version = "v2"
    """How bodies are signed. A refused signature is told; the other way is never tried."""
    ca_file: str | None = None
    """A certificate to trust instead of the system's, for simulators."""

"""The configuration table `[providers.crm]`."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

_Origin = Annotated[
    str,
    msgspec.Meta(
        pattern=r"\A((https://[A-Za-z0-9.-]+|http://(127\.0\.0\.1|localhost))(:[0-9]{1,5})?/?)?\Z",
        description="https://… without a path or a login, or http://… on this machine",
    ),
]


PUBLISHED = frozenset({"It's a Secret to Everybody", "It's a Secret to Everybody."})
"""What the documents print as an example protects nobody."""
LEAST_SECRET = 16
_Rate = Annotated[
    str,
    msgspec.Meta(
        pattern=r"\A[A-Z0-9]{2,10}/[A-Z0-9]{2,10} (?!0*\.?0*\Z)(0|[1-9][0-9]{0,8})(\.[0-9]{1,12})?\Z",
        description="a pair and its rate such as USD/EUR 0.92",
    ),
]


class Psp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table `[providers.crm.psp]`: when given, a payment provider may tell what became of a deposit."""

    merchant_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    """As the CRM's settings of that provider name it; a callback for another one is refused."""
    token_file: str
    """Holds the token of the same settings, at least 16 characters."""


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table `[providers.crm.rates]`: when given, the CRM may ask for exchange rates."""

    key_file: str
    """Holds the API key of that setting in the CRM, at least 16 characters."""
    pairs: list[_Rate] = []
    """Such as `USD/EUR 0.92`: how much of the second one of the first is. The way back is a pair of its own."""

    def __post_init__(self) -> None:
        names = [line.partition(" ")[0] for line in self.pairs if line]
        if len(names) != len(set(names)):
            raise ValueError("a pair stands there twice")

    def as_mapping(self) -> Mapping[str, str]:
        """Pair → rate."""
        return dict(line.split(" ", 1) for line in self.pairs)


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
    requests_from_report: bool = False
    """Whether clients' requests are also looked for in the report of transactions."""
    psp: Psp | None = None
    rates: Rates | None = None
    ca_file: str | None = None
    """A certificate to trust instead of the system's, for simulators."""

    def hook_files(self) -> Mapping[str, str]:
        """By setting: the file with the secret of what comes in by itself, of all that is switched on."""
        files = {"webhook_secret_file": self.webhook_secret_file}
        if self.psp is not None:
            files["psp.token_file"] = self.psp.token_file
        if self.rates is not None:
            files["rates.key_file"] = self.rates.key_file
        return {setting: file for setting, file in files.items() if file is not None}

    @staticmethod
    def webhook_flaw(secret: str) -> str:
        """Why this secret protects nothing; empty when it may."""
        if secret in PUBLISHED:
            return "the one the documents print"
        return f"{len(secret)} characters (masked)" if len(secret) < LEAST_SECRET else ""

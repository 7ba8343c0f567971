"""The configuration table `[providers.capital]`."""

from typing import Annotated

import msgspec

_Origin = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(https://[A-Za-z0-9.-]+|http://(127\.0\.0\.1|localhost))(:[0-9]{1,5})?/?$",
        description="https://… without a path or a login, or http://… on this machine",
    ),
]
_BasisPoints = Annotated[int, msgspec.Meta(ge=1, le=5_000)]
_Rate = Annotated[float, msgspec.Meta(gt=0, le=10_000)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[providers.capital]`. Plain http is for simulators on this machine only."""

    live_url: _Origin = "https://api-capital.backend-capital.com"
    demo_url: _Origin = "https://demo-api-capital.backend-capital.com"
    encrypted_password: bool = True
    """Send the password as RSA ciphertext, inside TLS."""
    requests_per_second: _Rate = 10.0
    logins_per_second: _Rate = 1.0
    price_tolerance: _BasisPoints = 100
    """By how much worse than it was shown the price of an order at market may be when it is sent."""
    ca_file: str | None = None
    """A certificate to trust instead of the system's, for simulators."""

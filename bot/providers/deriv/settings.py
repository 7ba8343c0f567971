"""The configuration table `[providers.deriv]`."""

from typing import Annotated

import msgspec

_AppId = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,9}$", description="the app's number, as a text")]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[providers.deriv]`"""

    url: str = "wss://ws.derivws.com/websockets/v3"
    language: str = "EN"
    """Of the texts Deriv writes (descriptions of contracts); upper case, as `website_status` lists them."""
    answer_seconds: Annotated[float, msgspec.Meta(gt=0, le=120)] = 15.0
    """How long one answer is waited for; the service itself gives up on its back ends after about so long."""
    oauth_app_id: _AppId | None = None
    """The app registered at Deriv whose redirect address is `/oauth/deriv` of `[web]`: people may log in there."""
    oauth_url: str = "https://oauth.deriv.com/oauth2/authorize"
    ca_file: str | None = None
    """A certificate to trust instead of the system's, for simulators."""

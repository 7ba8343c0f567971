"""The configuration table `[providers.cryptocapital]`."""

import re
from typing import Literal

import msgspec

LIVE_SERVER_KEY = "BLmiS8rOACxx3WQfZp/xXyeqjtyrJE6VhMN4gVtpu/RQioE38MXYWxlRF4ONIYI2l9npoSXK1gVcyoB2+VRima0="
_URL = r"(wss://[^/?#@\s]+|ws://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?)(/[^?#\s]*)?"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[providers.cryptocapital]`."""

    url: str = "wss://api.cryptocapital.co"
    """Where the service is; `/ws` or `/socket.io/` is added. Without TLS only on this machine."""
    server_public_key: str = LIVE_SERVER_KEY
    """The only key whose messages are believed: base64 of 65 bytes. The default is the documented one."""
    tolerant: bool = False
    """Also take the signature forms of older API versions."""
    ca_file: str | None = None
    """A certificate to trust, for a simulator."""
    answer_seconds: float = 15.0
    """How long one question may wait. The documentation promises no time at all."""
    quiet_seconds: float = 1.0
    """A statement has no end mark: it is over when a later question is answered and nothing comes for so long."""
    transport: Literal["websocket", "socketio"] = "websocket"
    """How messages travel: over a WebSocket of their own, or inside Socket.io (Engine.IO 3)."""

    def __post_init__(self) -> None:
        if not re.fullmatch(_URL, self.url):
            raise ValueError("url must begin with wss:// (ws:// only for this machine)")
        if not 0 < self.answer_seconds <= 600:
            raise ValueError("answer_seconds must be above 0 and at most 600")
        if not 0 < self.quiet_seconds <= 60:
            raise ValueError("quiet_seconds must be above 0 and at most 60")
        if self.server_public_key == LIVE_SERVER_KEY:
            return
        from bot.providers.cryptocapital.auth import PinnedKey  # brings the curve along, which a desk may not need

        try:
            PinnedKey(self.server_public_key)
        except ValueError as error:
            raise ValueError(f"server_public_key is {error}") from None

"""One client's socket as this side sees it: who it is, what it listens to, what is still to be sent."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from bot.providers.deriv.simulator.prices import Symbol
from bot.providers.deriv.simulator.proposals import Proposal
from bot.providers.deriv.simulator.rules import RefusalError

MOST_WAITING = 2000
"""Messages a client may leave unread; one that falls further behind is dropped."""

_encoder = msgspec.json.Encoder(decimal_format="number")

Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Grant:
    """What one token opened on this connection."""

    token: str = field(repr=False)
    loginid: str
    user_id: int
    scopes: tuple[str, ...]
    oauth: bool


@dataclass(slots=True)
class Stream:
    """One subscription. Later messages repeat the envelope of the request that started it."""

    id: str
    kind: str
    """The name `forget_all` knows it by."""
    subject: str
    """Login id, `all`, symbol, contract or what a proposal asks for; a kind and a subject make the identity."""
    envelope: Body = field(repr=False)
    grant: Grant | None = None
    """Whose login it lives on; None for public streams."""
    last_second: int = 0
    """Of the newest tick it was told."""
    symbol: Symbol | None = None
    """Whose prices it follows."""
    width: int = 0
    """Of candles, in seconds."""
    proposal: Proposal | None = None
    told: dict[int, object] = field(default_factory=dict)
    """By contract: what was said of it last."""


def _nothing() -> None:
    """Until there is a line to break."""


class Connection:
    """The state of one socket."""

    def __init__(self, number: int, app_id: int, language: str, ip: str = "") -> None:
        self.name = f"connection {number}"
        self.app_id = app_id
        self.language = language
        self.ip = ip
        self.main: Grant | None = None
        self.grants: dict[str, Grant] = {}
        self.streams: dict[str, Stream] = {}
        self.proposals: dict[str, Proposal] = {}
        self.outbox: asyncio.Queue[str | None] = asyncio.Queue(MOST_WAITING)
        """None is the end: what is before it is sent, then the line breaks."""
        self.drop: Callable[[], None] = _nothing
        """Breaks the line at once, without a close frame."""
        self.overrun = False
        self.heard = 0.0
        """Event-loop second of the last message in either direction."""

    def send(self, envelope: Body, body: Body) -> None:
        """Queue one message."""
        try:
            self.outbox.put_nowait(_encoder.encode({**envelope, **body}).decode())
        except asyncio.QueueFull:
            self.overrun = True

    def hang_up(self) -> None:
        """Break the line once what is queued has been sent."""
        with suppress(asyncio.QueueFull):
            self.outbox.put_nowait(None)

    def authorize(self, main: Grant | None, grants: Mapping[str, Grant]) -> None:
        """Become somebody (else): account streams end, market streams go on."""
        self.logout()
        self.main = main
        self.grants = dict(grants)

    def logout(self) -> None:
        self.main = None
        self.grants = {}
        for stream in [stream for stream in self.streams.values() if stream.grant is not None]:
            del self.streams[stream.id]

    def subscribe(self, stream: Stream) -> None:
        """Start a stream.

        Raises:
            RefusalError: `AlreadySubscribed`; the first one goes on unharmed.
        """
        if any((other.kind, other.subject) == (stream.kind, stream.subject) for other in self.streams.values()):
            raise RefusalError("AlreadySubscribed", f"You are already subscribed to {stream.subject or stream.kind}.")
        self.streams[stream.id] = stream

    def end(self, stream: Stream, refusal: RefusalError) -> None:
        """A stream that cannot go on ends with an error on its own request."""
        if self.streams.pop(stream.id, None) is not None:
            self.send(stream.envelope, refusal.body())

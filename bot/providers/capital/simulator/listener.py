"""One client's socket as the broker sees it: on whose session it listens, to what, and what is still to be sent."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from bot.loopback.shaping import cut
from bot.providers.capital.simulator.bars import Resolution
from bot.providers.capital.simulator.state import Session

MOST_WAITING = 20_000
"""Frames a client may leave unread; one that falls further behind is cut."""

_ENCODER = msgspec.json.Encoder(decimal_format="number")

Kept = tuple[str, Resolution, str]
"""Epic, resolution and type of the bars somebody listens to."""


class Burst(msgspec.Struct, frozen=True):
    """Many quotes as quickly as the socket takes them, each a millisecond after the one before."""

    quotes: int
    begin_ms: int
    frames: tuple[str, ...]
    """Each with one `%d` for the time; they take turns."""

    def __iter__(self) -> Iterator[str]:
        turns = len(self.frames)
        return (self.frames[number % turns] % (self.begin_ms + number) for number in range(self.quotes))


class Listener:
    """The state of one socket."""

    def __init__(self, scope: Any, now_ms: int) -> None:
        self._scope = scope
        self.heard_ms = now_ms
        """When the client last said something."""
        self.heard = 0
        """Messages of the client."""
        self.session: Session | None = None
        self.account_id = ""
        self.quotes: set[str] = set()
        self.bars: dict[Kept, int] = {}
        """The minute in which the bar opens that has not been told yet."""
        self.outbox: asyncio.Queue[str | Burst] = asyncio.Queue()
        self.sent = 0
        """Events, without the replies."""
        self.is_cut = False
        """Nothing more may be written."""

    @property
    def epics(self) -> set[str]:
        return self.quotes | {epic for epic, _, _ in self.bars}

    def reply(self, body: Mapping[str, object]) -> None:
        self._put(encode(body))

    def tell(self, frames: Iterable[str]) -> None:
        for frame in frames:
            self.sent += 1
            self._put(frame)

    def burst(self, burst: Burst) -> None:
        self.sent += burst.quotes
        self.outbox.put_nowait(burst)

    def _put(self, frame: str) -> None:
        if self.outbox.qsize() >= MOST_WAITING:
            self.cut()
        else:
            self.outbox.put_nowait(frame)

    def fall_silent(self) -> None:
        """Nothing more is told; the socket stays."""
        self.session = None
        self.quotes.clear()
        self.bars.clear()

    def cut(self) -> None:
        """Without a close frame: the client sees 1006."""
        self.fall_silent()
        if not self.is_cut:
            self.is_cut = True
            cut(self._scope)


def encode(body: Mapping[str, object]) -> str:
    return _ENCODER.encode(body).decode()

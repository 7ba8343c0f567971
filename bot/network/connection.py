"""One WebSocket as its line uses it: the library's, with fewer writes, and no redirect followed."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Protocol

import websockets.asyncio.client
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

from bot import crash

MAX_FRAME_BYTES = 1 << 20
ROOM_WITHIN_SECONDS = 15.0
"""Another side that reads nothing for so long, while there is more to say than the system holds, is given up on."""
_quiet = logging.getLogger("countersign.websocket.frames")
_quiet.setLevel(logging.ERROR)  # frames hold tokens; they are never logged
_quiet.propagate = False
_quiet.addHandler(logging.NullHandler())
_DYING: ContextVar[bool] = ContextVar("dying", default=False)
"""Whether the frame that is written here is the one in the middle of which the process is to die."""
_AT_ONCE: ContextVar[bool] = ContextVar("at_once", default=False)
"""Whether what is written here is to have left when it is written: a test is to kill the process afterwards."""


class Socket(Protocol):
    """What a line needs of a connection: the library's own fits, and so does one with another framing around it."""

    @property
    def state(self) -> State:
        """Frames are written in OPEN only; otherwise `send` raises and no byte leaves."""

    async def send(self, message: str, /) -> None:
        """Write one frame."""

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """The frames that arrive, until the connection is closed."""

    async def close(self) -> None:
        """Say goodbye and let go."""


OpenSocket = Callable[[str], Awaitable[Socket]]
"""Opens a WebSocket at an address, with the line's own limits and certificates."""


class _Connect(websockets.asyncio.client.connect):
    """The library's connect, but a redirect is an answer like any other: followed, it would carry a login elsewhere."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Connection(websockets.asyncio.client.ClientConnection):
    """The library's own; frames of one turn of the loop leave in one write, and it can be killed in the middle of one.

    A write for each frame is most of what a question costs where many are asked at once.
    """

    _gathers = False
    take: Callable[[bytes], bool] | None = None
    """Hears a frame as soon as it is there; False: whoever reads is to hear it."""

    def send_data(self) -> None:
        if _DYING.get():
            frame = b"".join(self.protocol.data_to_send())
            self.transport.write(frame[: len(frame) // 2])  # goes out at once: nothing waits before it
            crash.crashpoint("CP09")
        if _AT_ONCE.get() or self.state is not State.OPEN:
            super().send_data()
        else:
            self._gather()

    def _gather(self) -> None:
        if not self._gathers:
            self._gathers = True
            self.loop.call_soon(self._send_gathered)

    def process_event(self, event: Event) -> None:
        """A text in one frame is taken at once, where somebody takes it and nothing waits to be read before it."""
        if (
            self.take is None
            or type(event) is not Frame
            or event.opcode is not Opcode.TEXT
            or not event.fin
            or self.recv_messages.frames
            or not self.take(bytes(event.data))
        ):
            super().process_event(event)

    async def send(self, message: Any, *, text: bool | None = None) -> None:
        """The library's, without its guards where none of them would act: they are half of what a frame costs."""
        is_free = not self.paused and self.send_in_progress is None and self.protocol.state is State.OPEN
        if type(message) is not str or text is not None or not is_free or _AT_ONCE.get() or _DYING.get():
            await super().send(message, text=text)
            return
        self.protocol.send_text(message.encode())
        self._gather()

    async def drain(self) -> None:
        """Wait until there is room again; the library ends the connection when this raises."""
        if self.paused:
            async with asyncio.timeout(ROOM_WITHIN_SECONDS):
                await super().drain()

    def _send_gathered(self) -> None:
        self._gathers = False
        if self.state is not State.OPEN:
            super().send_data()
            return
        gathered = b"".join(self.protocol.data_to_send())
        if gathered and not self.transport.is_closing():
            self.transport.write(gathered)


async def opened(url: str, tls: ssl.SSLContext | None, within_seconds: float) -> Socket:
    """A connection to that address; raises what the library raises."""
    return await _Connect(
        url,
        ssl=tls,
        compression=None,
        proxy=None,
        max_size=MAX_FRAME_BYTES,
        create_connection=Connection,
        open_timeout=within_seconds,
        ping_interval=20,
        ping_timeout=20,
        close_timeout=1,
        logger=_quiet,
    )


async def write(socket: Socket, text: str) -> None:
    """One frame. Around one that moves money the process can be killed: before, in the middle, and when it has left."""
    if not crash.moves_money(text):
        await socket.send(text)
        return
    crash.crashpoint("CP08")
    _AT_ONCE.set(True)
    _DYING.set(crash.armed("CP09"))
    await socket.send(text)
    crash.crashpoint("CP10")

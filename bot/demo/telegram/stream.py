"""Tells any number of listeners what happens, as JSON text over a WebSocket.

A listener that does not read is dropped instead of being waited for: it reconnects and reads the chats again.
"""

import asyncio
import contextlib

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.demo.telegram.model import Obj

BACKLOG = 1000


class Stream:
    """The listeners of `/_sim/stream`."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[str | None]] = set()

    @property
    def heard(self) -> bool:
        """Whether anyone listens at all."""
        return bool(self._queues)

    def publish(self, event: Obj) -> None:
        """Hand one event to everyone who listens; costs nothing when nobody does."""
        if not self.heard:
            return
        text = msgspec.json.encode(event).decode()
        for queue in list(self._queues):
            if queue.qsize() < BACKLOG:
                queue.put_nowait(text)
            else:
                self._queues.discard(queue)
                queue.put_nowait(None)

    async def listen(self, socket: WebSocket) -> None:
        """One listener, until it leaves or falls behind."""
        await socket.accept()
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._queues.add(queue)
        sending = asyncio.create_task(self._send(socket, queue))
        try:
            while True:
                await socket.receive_text()
        except (WebSocketDisconnect, KeyError):  # KeyError: a binary frame, which means nothing here
            pass
        finally:
            self._queues.discard(queue)
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await sending

    async def _send(self, socket: WebSocket, queue: asyncio.Queue[str | None]) -> None:
        while (text := await queue.get()) is not None:
            await socket.send_text(text)
        await socket.close(1013)

"""The native WebSocket: one JSON object per text frame, `{"op", "data"}` in and `{"msg", "data"}` out.

`data` is an object in both directions; a client that sends it as text inside the frame is understood as well.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.providers.cryptocapital.simulator.desk import Desk
from bot.providers.cryptocapital.simulator.numerals import Json, parse

_QUEUE_FRAMES = 20_000
_TOO_SLOW = 1013


class NativeLink:
    """One WebSocket. Frames wait in a queue, so that a client which does not read holds up nobody else."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._frames: asyncio.Queue[str] = asyncio.Queue(_QUEUE_FRAMES)
        self._overrun = False

    def send(self, kind: str, data: Mapping[str, Any]) -> None:
        frame = json.dumps({"msg": kind, "data": data}, ensure_ascii=False, separators=(",", ":"))
        try:
            self._frames.put_nowait(frame)
        except asyncio.QueueFull:
            self._overrun = True

    async def write(self) -> None:
        """Send what is queued until the connection ends or its client has fallen hopelessly behind."""
        with suppress(WebSocketDisconnect, RuntimeError):  # starlette raises either once the peer is gone
            while not self._overrun:
                await self._socket.send_text(await self._frames.get())
            await self._socket.close(_TOO_SLOW)


class Native:
    """Serves `/ws`. The desk is asked for each time: loading a state puts another one in its place."""

    def __init__(self, desk: Callable[[], Desk]) -> None:
        self._desk = desk

    async def serve(self, socket: WebSocket) -> None:
        await socket.accept()
        desk, link = self._desk(), NativeLink(socket)
        desk.join(link)
        writing = asyncio.create_task(link.write())
        try:
            async for frame in _frames(socket):
                _receive(desk, link, frame)
        finally:
            desk.leave(link)
            writing.cancel()


async def _frames(socket: WebSocket) -> AsyncIterator[str | None]:
    """Text frames until the client goes; `None` for a binary one."""
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        yield message.get("text")


def _receive(desk: Desk, link: NativeLink, frame: str | None) -> None:
    try:
        op, data = _unwrap(frame)
    except ValueError as problem:
        link.send("err", {"nonce": None, "msg": str(problem)})
    else:
        desk.receive(link, op, data)


def _unwrap(frame: str | None) -> tuple[Json, Json]:
    """Operation name and operation object of one frame; `ValueError` when it holds no such pair."""
    if frame is None:
        raise ValueError("not a text frame")
    envelope = parse(frame)
    if not isinstance(envelope, Mapping):
        raise ValueError("not an object")
    data = envelope.get("data")
    return envelope.get("op"), parse(data) if isinstance(data, str) else data

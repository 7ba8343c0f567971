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
_GOING_AWAY = 1001


class NativeLink:
    """One WebSocket. Frames wait in a queue, so that a client which does not read holds up nobody else."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._frames: asyncio.Queue[str | None] = asyncio.Queue(_QUEUE_FRAMES + 1)
        self._close_code = 0

    def send(self, kind: str, data: Mapping[str, Any]) -> None:
        frame = json.dumps({"msg": kind, "data": data}, ensure_ascii=False, separators=(",", ":"))
        if self._frames.qsize() >= _QUEUE_FRAMES:
            self._end(_TOO_SLOW)
        elif not self._close_code:
            self._frames.put_nowait(frame)

    def hang_up(self) -> None:
        self._end(_GOING_AWAY)

    async def write(self) -> None:
        """Send what is queued until the connection ends or its client has fallen hopelessly behind."""
        with suppress(WebSocketDisconnect, RuntimeError):  # starlette raises either once the peer is gone
            while self._close_code != _TOO_SLOW and (frame := await self._frames.get()) is not None:
                await self._socket.send_text(frame)
                await asyncio.sleep(0)  # a long statement is no reason to keep everybody else waiting
            await self._socket.close(self._close_code)

    def _end(self, code: int) -> None:
        if not self._close_code:
            self._close_code = code
            self._frames.put_nowait(None)


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
            async for frame in frames(socket):
                _receive(desk, link, frame)
        finally:
            desk.leave(link)
            writing.cancel()


async def frames(socket: WebSocket) -> AsyncIterator[str | None]:
    """Text frames until the client goes; `None` for a binary one. After each of them everybody else has a turn."""
    with suppress(WebSocketDisconnect):
        while True:
            yield await next_frame(socket)
            await asyncio.sleep(0)


async def next_frame(socket: WebSocket) -> str | None:
    """One text frame, `None` for a binary one; `WebSocketDisconnect` when the client has gone."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1006))
    text: str | None = message.get("text")
    return text


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

"""Connections that can be cut, slowed or reset, for as long as they live. Which of them, and when, `faults.py` says."""

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_CONNECTION = "connection"
"""Where an exchange's state holds the connection it came over: a client's port alone names none, since the system gives
the same one to connections that lead to different servers."""


def cut(scope: Any) -> None:
    """Cut this exchange's connection with a reset, as a crashed peer would: no close frame."""
    scope["state"][_CONNECTION].reset()


def shape(scope: Any, *, remaining: int | None = None, trickle_seconds: float = 0.0) -> None:
    """The answer to this exchange is cut after so many bytes, or slowed; the next on the same connection is not."""
    shaped = scope["state"][_CONNECTION]
    shaped.remaining, shaped.trickle_seconds = remaining, trickle_seconds


class _Shaped:
    """A transport that can be cut, slowed or reset; everything else passes through."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.remaining: int | None = None
        self.trickle_seconds = 0.0
        self._slow = bytearray()
        """What trickles still."""
        self._ending = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self.remaining is not None:
            part = data[: self.remaining]
            self.remaining -= len(part)
            if not self._transport.is_closing():
                self._transport.write(part)
            if self.remaining <= 0:
                self._transport.close()
        elif self._slow:
            self._slow += data
        elif self.trickle_seconds and data:
            self._slow += data
            self._drip()
        else:
            self._transport.write(data)

    def close(self) -> None:
        """What still trickles is sent first."""
        self._ending = True
        if not self._slow:
            self._transport.close()

    def _drip(self) -> None:
        """One byte, and the next one in a while."""
        if self._transport.is_closing():
            return
        if self._slow:
            self._transport.write(bytes(self._slow[:1]))
            del self._slow[:1]
            asyncio.get_running_loop().call_later(self.trickle_seconds, self._drip)
        elif self._ending:
            self._transport.close()

    def reset(self) -> None:
        raw = self._transport.get_extra_info("socket")
        if raw is not None and raw.fileno() >= 0:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


class FaultyHTTP(H11Protocol):
    """uvicorn's HTTP protocol on a transport that misfortunes can reach, and so is the WebSocket that it becomes."""

    def connection_made(self, transport: Any) -> None:
        shaped = _Shaped(transport)
        self.app_state = {**self.app_state, _CONNECTION: shaped}
        super().connection_made(shaped)  # type: ignore[arg-type]  # stands in for the transport


class FaultyWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, whose refusals are no errors."""

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # a refusal ends the handshake too; uvicorn would log it as an error

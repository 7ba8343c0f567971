"""A Socket.io session: opened by polling, carried on by a WebSocket, kept alive by our pings.

    GET  …transport=polling          0{"sid", "upgrades", …}, then 40
    open …transport=websocket&sid=…  2probe → 3probe, 5
    every pingInterval               2 → 3

From the outside it is a socket like the native one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import websockets

from bot.clock import Clock
from bot.errors import ReplyError, SilentError, UnreachableError
from bot.network.connection import OpenSocket, Socket
from bot.network.rest import Rest
from bot.providers.cryptocapital import socketio
from bot.providers.cryptocapital.socketio import Opening

NAME = "cryptocapital"
_PATH = "/socket.io/"
_POLLING = {"EIO": "3", "transport": "polling", "b64": "1"}


class Sessions:
    """Opens sessions at one address."""

    def __init__(self, url: str, clock: Clock, ca_file: str | None) -> None:
        """`url` as of a WebSocket; polling asks the same host."""
        self._url = url.rstrip("/")
        self._clock = clock
        self._ca_file = ca_file

    async def dial(self, open_socket: OpenSocket) -> Socket:
        """One new session. Fits `bot.network.websocket.Dial`.

        Raises:
            ProviderError: No session could be had. No operation has left.
        """
        try:
            opening = await self._poll()
            socket = await open_socket(f"{self._url}{_PATH}?EIO=3&transport=websocket&sid={opening.sid}")
            try:
                await _upgrade(socket)
            except BaseException:
                await socket.close()
                raise
        except SilentError as error:
            raise UnreachableError(NAME, error.detail) from None  # nothing of ours has left
        except ValueError as error:
            raise ReplyError(NAME, str(error)) from None
        return EventSocket(socket, opening, self._clock)

    async def _poll(self) -> Opening:
        """Shake hands by polling, until the namespace is ours."""
        rest = Rest(NAME, "http" + self._url.removeprefix("ws"), ca_file=self._ca_file)
        try:
            first, *more = await _polled(rest, _POLLING)
            opening = socketio.parse_opening(first)
            if "websocket" not in opening.upgrades:
                raise UnreachableError(NAME, "the session offers no WebSocket")
            for _ in range(3):
                if socketio.CONNECTED in more:
                    return opening
                more = await _polled(rest, _POLLING | {"sid": opening.sid})
        finally:
            await rest.close()
        raise ValueError("a session without a connect packet")


async def _polled(rest: Rest, params: dict[str, str]) -> list[str]:
    answer = await rest.ask("GET", _PATH, params=params)
    if answer.status != 200:
        raise UnreachableError(NAME, f"handshake answered {answer.status}")
    return socketio.parse_payload(answer.body) or [""]


async def _upgrade(socket: Socket) -> None:
    await socket.send(socketio.PROBE)
    async for packet in socket:
        if packet != socketio.PROBED:
            raise ValueError("a probe that was not answered")
        await socket.send(socketio.UPGRADE)
        return
    raise UnreachableError(NAME, "closed during the upgrade")


class EventSocket:
    """A WebSocket that carries a session. Fits `bot.network.connection.Socket`."""

    def __init__(self, socket: Socket, opening: Opening, clock: Clock) -> None:
        self._socket = socket
        self._opening = opening
        self._clock = clock
        self._answered = asyncio.Event()
        self._heart = asyncio.create_task(self._beat())

    @property
    def state(self) -> websockets.State:
        return self._socket.state

    async def send(self, message: str, /) -> None:
        await self._socket.send(socketio.event_from(message))

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        async for packet in self._socket:
            text = packet if isinstance(packet, str) else "b"
            if text.startswith(socketio.PONG):
                self._answered.set()
            elif text in (socketio.CLOSE, socketio.DISCONNECTED):
                return
            elif text not in (socketio.NOOP, socketio.CONNECTED):
                try:
                    yield socketio.frame_from(text)
                except ValueError:
                    yield ""  # which nobody can read, and says so

    async def close(self) -> None:
        if self._heart is not asyncio.current_task():
            self._heart.cancel()
            await asyncio.wait([self._heart])
        await self._socket.close()

    async def _beat(self) -> None:
        """Ping as often as the server wishes; a server that does not answer is given up."""
        while self.state is websockets.State.OPEN:
            await self._clock.sleep(self._opening.ping_seconds)
            self._answered.clear()
            with contextlib.suppress(websockets.WebSocketException, OSError):
                await self._socket.send(socketio.PING)
            try:
                async with asyncio.timeout(self._opening.pong_seconds):
                    await self._answered.wait()
            except TimeoutError:
                await self._socket.close()

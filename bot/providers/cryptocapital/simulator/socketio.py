"""Socket.io's two carriers under `/socket.io/`: polling by GET and POST, and the WebSocket, begun or taken over.

What is refused is refused as Engine.IO 1.x does it: 400 and a code. JSONP is not spoken, and no origin is looked at.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import IntEnum
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.clock import Clock
from bot.providers.cryptocapital.simulator.desk import Desk
from bot.providers.cryptocapital.simulator.framing import (
    PROBE,
    PROBED,
    Engine,
    binary_body,
    read_binary_body,
    read_text_body,
    text_body,
)
from bot.providers.cryptocapital.simulator.native import frames, next_frame
from bot.providers.cryptocapital.simulator.sessions import Carrier, Manner, Session, Sessions

_PATH = "/socket.io/{rest:path}"
_BINARY = "application/octet-stream"
_TEXT = "text/plain; charset=UTF-8"
_MAX_BODY_BYTES = 1 << 20
_PROBE_SECONDS = 10.0

T = TypeVar("T")


class Refusal(IntEnum):
    """Why a request is not one of this protocol."""

    UNKNOWN_TRANSPORT = 0
    UNKNOWN_SESSION = 1
    BAD_HANDSHAKE_METHOD = 2
    BAD_REQUEST = 3

    def response(self) -> Response:
        message = {
            Refusal.UNKNOWN_TRANSPORT: "Transport unknown",
            Refusal.UNKNOWN_SESSION: "Session ID unknown",
            Refusal.BAD_HANDSHAKE_METHOD: "Bad handshake method",
            Refusal.BAD_REQUEST: "Bad request",
        }[self]
        return JSONResponse({"code": self.value, "message": message}, 400)


class SocketIo:
    """Serves `/socket.io/`. `manner` may be changed at any time and holds for what is said from then on."""

    def __init__(self, desk: Callable[[], Desk], clock: Clock) -> None:
        self.manner = Manner()
        self.sessions = Sessions(desk)
        self._clock = clock

    def routes(self) -> Sequence[BaseRoute]:
        return [Route(_PATH, self._poll, methods=["GET", "POST"]), WebSocketRoute(_PATH, self._socket)]

    async def _poll(self, request: Request) -> Response:
        asked = request.query_params
        if asked.get("transport") not in set(Carrier):
            return Refusal.UNKNOWN_TRANSPORT.response()
        if asked["transport"] != Carrier.POLLING or "j" in asked:
            return Refusal.BAD_REQUEST.response()
        if "sid" not in asked:
            return self._begin(request)
        session = self.sessions.find(asked["sid"])
        if session is None:
            return Refusal.UNKNOWN_SESSION.response()
        if session.carrier is not Carrier.POLLING:
            return Refusal.BAD_REQUEST.response()
        return await (_said(request, session) if request.method == "POST" else _heard(request, session))

    def _begin(self, request: Request) -> Response:
        """The first answer holds the opening packet alone; what follows waits for the next poll."""
        if request.method != "GET":
            return Refusal.BAD_HANDSHAKE_METHOD.response()
        session = self.sessions.begin(Carrier.POLLING, self.manner, text_form="b64" in request.query_params)
        return _body(session, [session.first()])

    async def _socket(self, socket: WebSocket) -> None:
        asked = socket.query_params
        refusal, session = None, None
        if asked.get("transport") not in set(Carrier):
            refusal = Refusal.UNKNOWN_TRANSPORT
        elif asked["transport"] != Carrier.WEBSOCKET:
            refusal = Refusal.BAD_REQUEST
        elif "sid" in asked and (session := self.sessions.find(asked["sid"])) is None:
            refusal = Refusal.UNKNOWN_SESSION
        if refusal is not None:
            await socket.send_denial_response(refusal.response())
            return
        await socket.accept()
        with suppress(WebSocketDisconnect, RuntimeError):  # starlette raises either once the peer is gone
            if session is None:
                await _carry(socket, self.sessions.begin(Carrier.WEBSOCKET, self.manner))
            elif await self._taken_over(socket, session):
                await _carry(socket, session)
            else:
                await socket.close()

    async def _taken_over(self, socket: WebSocket, session: Session) -> bool:
        """Whether the client came through with it: probe, answer, upgrade, within a few seconds."""
        if session.probing or session.carrier is Carrier.WEBSOCKET:
            return False
        session.probe(begun=True)
        try:
            if await self._soon(next_frame(socket)) != PROBE:
                return False
            await socket.send_text(PROBED)
            if await self._soon(next_frame(socket)) != Engine.UPGRADE or not session.open:
                return False
            session.upgrade()
        finally:
            session.probe(begun=False)
        return True

    async def _soon(self, coming: Awaitable[T]) -> T | None:
        """What comes, or nothing when it takes too long."""
        coming = asyncio.ensure_future(coming)
        waiting = asyncio.ensure_future(self._clock.sleep(_PROBE_SECONDS))
        try:
            await asyncio.wait({coming, waiting}, return_when=asyncio.FIRST_COMPLETED)
            return coming.result() if coming.done() else None
        finally:
            coming.cancel()
            waiting.cancel()


async def _heard(request: Request, session: Session) -> Response:
    """A poll: it waits until there is something to say. A second one beside it ends the session, as leaving does."""
    if session.polled:
        session.end(Engine.CLOSE)
        return Response(status_code=500)
    session.polled = True
    taking = asyncio.create_task(session.take(Carrier.POLLING))
    leaving = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({taking, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not taking.done():
            session.end()
            return Response()
        return _body(session, taking.result() or [Engine.NOOP])
    except asyncio.CancelledError:  # the server is ending and has waited for this poll long enough
        session.end(Engine.CLOSE)
        return _body(session, await session.take(Carrier.POLLING))
    finally:
        session.polled = False
        taking.cancel()
        leaving.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _said(request: Request, session: Session) -> Response:
    """A body of packets. It is always `ok`, also when it was malformed and has ended the session."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BODY_BYTES:
            session.end()
            return Response(status_code=413)
    binary = request.headers.get("content-type", "").startswith(_BINARY)
    try:
        for packet in (read_binary_body if binary else read_text_body)(bytes(body)):
            session.receive(packet)
    except ValueError:
        session.end(Engine.CLOSE)
    return Response("ok", media_type="text/html")


def _body(session: Session, packets: list[str]) -> Response:
    if session.text_form:
        return Response(text_body(packets), headers={"content-type": _TEXT})
    return Response(binary_body(packets), media_type=_BINARY)


async def _carry(socket: WebSocket, session: Session) -> None:
    """One packet a frame, both ways, until either side ends it."""
    writing = asyncio.create_task(_write(socket, session))
    try:
        async for frame in frames(socket):
            session.receive(frame or "")  # a binary frame is no packet, as an empty one is none
    finally:
        session.end()
        writing.cancel()


async def _write(socket: WebSocket, session: Session) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        while session.open:
            for packet in await session.take(Carrier.WEBSOCKET):
                await socket.send_text(packet)
                await asyncio.sleep(0)
        await socket.close()

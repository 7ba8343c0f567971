"""The Bot API's own paths: `/bot<TOKEN>/<method>` and `/file/bot<TOKEN>/<path>`.

One plain ASGI callable, because every call of every benchmark passes here: the path is cut by hand, updates are kept
as JSON bytes, and nothing is awaited that need not be.
"""

import hmac
from collections import deque
from datetime import datetime
from typing import Any

import msgspec

from bot.clock import to_millis
from bot.demo.telegram import methods
from bot.demo.telegram.model import ApiError, Obj
from bot.demo.telegram.parameters import Parameters, read
from bot.demo.telegram.server import Server

MAX_BODY_BYTES = 50 * 1000 * 1000 + 64 * 1024
DELIVERIES = 20_000


class BotApi:
    """Answers the bot, and keeps a record of what it asked (the newest `DELIVERIES` calls)."""

    def __init__(self, server: Server, token: str) -> None:
        self.server = server
        self.deliveries: deque[tuple[str, Parameters, datetime, str]] = deque(maxlen=DELIVERIES)
        """Method, parameters, time, and the refusal (empty when it was carried out)."""
        self._token = token.encode()

    @property
    def token(self) -> str:
        """The bot's."""
        return self._token.decode()

    def admit_only(self, token: str) -> None:
        """The bot's token, when a state file brings another."""
        self._token = token.encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        path: str = scope["path"]
        try:
            if path.startswith("/bot"):
                await self._method(scope, receive, send, path[4:])
            elif path.startswith("/file/bot"):
                await self._file(send, path[9:])
            else:
                raise ApiError(404, "Not Found")
        except ApiError as error:
            await _reply(send, error.code, msgspec.json.encode(error.as_json()))

    async def _method(self, scope: Any, receive: Any, send: Any, rest: str) -> None:
        token, _, method = rest.partition("/")
        self._admit(token)
        content_type = next((v for k, v in scope["headers"] if k == b"content-type"), b"").decode("latin-1")
        call = read(scope["query_string"], content_type, await _body(receive))
        method, refusal = method.strip("/"), ""
        try:
            if method.lower() == "getupdates":
                answer = await self._get_updates(call, receive)
            else:
                method = methods.METHODS.get(method.lower(), (method,))[0]
                result = methods.carry_out(self.server, method, call)
                answer = b'{"ok":true,"result":' + msgspec.json.encode(result) + b"}"
        except ApiError as error:
            refusal = f"{error.code} {error.description}"
            raise
        finally:
            self.deliveries.append((method, call.without_files(), self.server.world.clock.now(), refusal))
        await _reply(send, 200, answer)

    async def _get_updates(self, call: Parameters, receive: Any) -> bytes:
        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        offset, limit, timeout_seconds = methods.prepare_poll(self.server, call)
        updates = await self.server.updates.poll(offset, limit, timeout_seconds, gone)
        return b'{"ok":true,"result":[' + b",".join(updates) + b"]}"

    async def _file(self, send: Any, rest: str) -> None:
        token, _, path = rest.partition("/")
        self._admit(token)
        stored = self.server.world.files.get(path.rpartition("/")[2])
        if stored is None or stored.path != path:
            raise ApiError(404, "Not Found")
        await _reply(send, 200, stored.content, b"application/octet-stream")

    def _admit(self, token: str) -> None:
        """A token of the wrong shape is no path at all; a wrong one is refused."""
        number, _, secret = token.partition(":")
        if not number.isdecimal() or not secret:
            raise ApiError(404, "Not Found")
        if not hmac.compare_digest(token.encode(), self._token):
            raise ApiError(401, "Unauthorized")

    def delivered(self, method: str, since_ms: int) -> list[Obj]:
        """The calls the bot made, oldest first; an empty method means all."""
        return [
            {
                "method": name,
                "params": call.shown(),
                "at_ms": to_millis(at),
                "at_us": 1000 * to_millis(at) + at.microsecond % 1000,
                "ok": not refusal,
                "error": refusal,
            }
            for name, call, at, refusal in self.deliveries
            if to_millis(at) >= since_ms and (not method or name.lower() == method.lower())
        ]


async def _body(receive: Any) -> bytes:
    message = await receive()
    if not message.get("more_body"):
        return bytes(message.get("body", b""))
    parts = [message["body"]]
    size = len(parts[0])
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            raise ApiError(413, "Request Entity Too Large")
    return b"".join(parts)


async def _reply(send: Any, status: int, body: bytes, media_type: bytes = b"application/json") -> None:
    headers = [(b"content-type", media_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

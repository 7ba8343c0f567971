"""Misfortunes on demand (SAFETY 6.0).

A script is a list of steps, each `{"match": {...}, "nth": 1, "times": 1, "action": "...", ...}`:

    match    all given keys must fit: "path" (substring), "method", "kind" ("http"|"ws"), "contains" (text in the
             WebSocket frame, client to server; nothing else contains anything)
    nth      the first matching exchange that is hit, counted from 1 (default 1)
    times    how many in a row are hit (default 1; 0 = for ever)
    action   refuse    the connection is reset before the request is looked at; for a WebSocket, before it opens
             reset     the request is carried out, then the connection is reset without an answer
             close     the answer is cut after `bytes` bytes, then the connection is closed
             stall     the answer never comes; the connection stays open
             trickle   the answer comes one byte each `seconds`
             status    HTTP: answered with `status`, `body`, `headers` instead; the request is not carried out
             replace   answered with `body` instead (and `status`, default 200; `content_type`); an HTTP request is
                       carried out, a WebSocket frame is not
             delay     the answer comes `seconds` late
             drop      WebSocket: the frame from the client is lost
             duplicate WebSocket: the next `count` (2) frames to the client come twice
             disconnect WebSocket: the server closes with `code` (default 1006: no close frame)

Which exchange is hit is decided when a request begins, a WebSocket opens, or a frame arrives from the client. A step
looks only at exchanges its action can happen to.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from bot.loopback.shaping import cut, shape

_HTTP = frozenset({"refuse", "reset", "close", "stall", "trickle", "status", "replace", "delay"})
_OPENING = frozenset({"refuse"})
_FRAME = frozenset({"reset", "close", "stall", "trickle", "replace", "delay", "drop", "duplicate", "disconnect"})
_ACTIONS = _HTTP | _FRAME


@dataclass(slots=True)
class Step:
    """One misfortune waiting for its moment."""

    action: str
    match: Mapping[str, str]
    nth: int = 1
    times: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    seen: int = 0

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> "Step":
        """From the script's JSON; `ValueError` for an unknown action."""
        if raw["action"] not in _ACTIONS:
            raise ValueError(f"no such misfortune: {raw['action']}")
        known = {"action", "match", "nth", "times"}
        return cls(
            raw["action"],
            raw.get("match", {}),
            int(raw.get("nth", 1)),
            int(raw.get("times", 1)),
            {key: value for key, value in raw.items() if key not in known},
        )

    @property
    def spent(self) -> bool:
        return self.times > 0 and self.seen >= self.nth + self.times - 1

    def hits(self, kind: str, method: str, path: str, text: str = "") -> bool:
        """Count this exchange if it matches; say whether it is one to hit."""
        if self.match.get("kind", kind) != kind or self.match.get("method", method) != method:
            return False
        if self.match.get("path", "") not in path or self.match.get("contains", "") not in text:
            return False
        self.seen += 1
        return self.seen >= self.nth


NOTHING = Step("nothing", {})


class Misfortunes:
    """The script being played against one simulator."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.down = False
        self.open: list[Any] = []
        """The scope of each WebSocket that is open."""

    def add(self, script: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> None:
        """Append steps; an empty list clears the script."""
        items = [script] if isinstance(script, Mapping) else list(script)
        if not items:
            self.steps.clear()
        self.steps.extend(Step.of(item) for item in items)

    def waiting(self) -> list[dict[str, Any]]:
        return [{"action": step.action, "match": dict(step.match), "seen": step.seen} for step in self.steps]

    def set_down(self, down: bool) -> None:
        """While down, vendor paths are reset at once and open WebSockets are cut."""
        self.down = down
        if down:
            for scope in self.open:
                cut(scope)

    def next(self, kind: str, method: str, path: str, possible: Set[str], text: str = "") -> Step:
        """The step that hits this exchange, of those whose action is `possible`; `NOTHING` when none does."""
        chosen = NOTHING
        for step in list(self.steps):
            if chosen is NOTHING and step.action in possible and step.hits(kind, method, path, text):
                chosen = step
            if step.spent:
                self.steps.remove(step)
        return chosen

    def middleware(self, app: Any) -> "_Middleware":
        return _Middleware(app, self)


class _Middleware:
    """Plays the script around the simulator's application."""

    def __init__(self, app: Any, misfortunes: Misfortunes) -> None:
        self.app = app
        self.misfortunes = misfortunes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if scope["type"] not in ("http", "websocket") or path.startswith("/_sim"):
            await self.app(scope, receive, send)
        elif self.misfortunes.down:
            cut(scope)
            if scope["type"] == "websocket":
                await send({"type": "websocket.close"})
            await asyncio.sleep(
                0.01
            )  # let the server see that the client has gone, or it logs an answer that never came
        elif scope["type"] == "http":
            await self._http(scope, receive, send, path)
        else:
            self.misfortunes.open.append(scope)
            try:
                await self._websocket(scope, receive, send, path)
            finally:
                self.misfortunes.open.remove(scope)

    async def _http(self, scope: Any, receive: Any, send: Any, path: str) -> None:
        step = self.misfortunes.next("http", scope["method"], path, _HTTP)
        match step.action:
            case "refuse":
                cut(scope)
            case "status":
                await _answer(send, int(step.options.get("status", 500)), step.options)
            case "reset":

                async def lost(_: Any) -> None:
                    cut(scope)

                await self.app(scope, receive, lost)
            case "stall":

                async def silent(_: Any) -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass  # until the client gives up, or this server ends
                    raise ConnectionError("the client gave up waiting")

                with contextlib.suppress(ConnectionError):
                    await self.app(scope, receive, silent)
            case "replace":
                done = False
                options = step.options

                async def other(_: Any) -> None:
                    nonlocal done
                    if not done:
                        done = True
                        await _answer(send, int(options.get("status", 200)), options)

                await self.app(scope, receive, other)
            case "delay":
                await asyncio.sleep(float(step.options.get("seconds", 1)))
                await self.app(scope, receive, send)
            case _:  # `close` and `trickle` happen further below, in the transport
                _shape(scope, step)
                await self.app(scope, receive, send)

    async def _websocket(self, scope: Any, receive: Any, send: Any, path: str) -> None:
        if self.misfortunes.next("ws", "GET", path, _OPENING).action == "refuse":
            cut(scope)
            return
        twice = 0
        over = silent = False

        async def receiving() -> Any:
            nonlocal twice, over, silent
            while True:
                message = await receive()
                if message["type"] != "websocket.receive":
                    return message
                if self.misfortunes.down:
                    cut(scope)
                    return {"type": "websocket.disconnect", "code": 1006}
                text = message.get("text") or (message.get("bytes") or b"").decode(errors="replace")
                hit = self.misfortunes.next("ws", "SEND", path, _FRAME, text)
                match hit.action:
                    case "drop":
                        continue
                    case "delay":
                        await asyncio.sleep(float(hit.options.get("seconds", 1)))
                    case "duplicate":
                        twice = int(hit.options.get("count", 2))
                    case "disconnect":
                        if int(hit.options.get("code", 1006)) == 1006:
                            cut(scope)
                        else:
                            await send({"type": "websocket.close", "code": int(hit.options["code"])})
                        return {"type": "websocket.disconnect", "code": 1006}
                    case "reset":
                        over = True  # carried out, but nothing it answers reaches the client
                    case "stall":
                        silent = True
                    case "close" | "trickle":
                        _shape(scope, hit)
                    case "replace":
                        await send({"type": "websocket.send", "text": str(hit.options.get("body", ""))})
                        continue
                    case _:
                        pass
                return message

        async def sending(message: Any) -> None:
            nonlocal twice
            if message["type"] == "websocket.send":
                if self.misfortunes.down or over:
                    cut(scope)
                if self.misfortunes.down or over or silent:
                    return
                if twice > 0:
                    twice -= 1
                    await send(message)
            await send(message)

        await self.app(scope, receiving, sending)


async def _answer(send: Any, status: int, options: Mapping[str, Any]) -> None:
    body = options.get("body", "")
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    content_type = str(options.get("content_type", "application/json")).encode()
    headers = [(b"content-type", content_type), (b"content-length", str(len(raw)).encode())]
    headers += [(key.lower().encode(), str(value).encode()) for key, value in options.get("headers", {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": raw})


def _shape(scope: Any, step: Step) -> None:
    match step.action:
        case "close":
            shape(scope, remaining=int(step.options.get("bytes", 0)))
        case "trickle":
            shape(scope, trickle_seconds=float(step.options.get("seconds", 0.01)))
        case _:
            shape(scope)

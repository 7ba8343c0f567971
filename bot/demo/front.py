"""The demo's own web server: the page, Telegram's control side under `/telegram`, and the strip's acts.

    GET  /            the page             GET /page/<file>   its style and scripts
    GET  /stage       people, group, bot, providers, acts, log
    POST /play        {"act": name} · {"provider": name, "down": bool} · {"bot": "crash"}
    *    /telegram/…  see `telegram/controls.py`; the stream also carries the stage's events: log, providers, bot

Only this machine is served: another Host or a foreign Origin is refused, so that no web page elsewhere can play.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from bot.demo.cast import GROUP, PEOPLE
from bot.demo.script import TITLES, Script

PAGE = Path(__file__).parent / "page"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Front:
    """The routes over one script.

    Args:
        bot_state: Answers how the bot is: starting, running or down.
        crash: Ends the bot the hard way.
    """

    def __init__(self, script: Script, bot: dict[str, Any], bot_state: Callable[[], str], crash: Callable[[], None]):
        self.script = script
        self.bot = bot
        self.bot_state = bot_state
        self.crash = crash

    def app(self, telegram_controls: Sequence[BaseRoute]) -> Starlette:
        routes = [
            Route("/", self.index),
            Route("/page/{name}", self.file),
            Route("/stage", self.stage),
            Route("/play", self.play, methods=["POST"]),
            Mount("/telegram", routes=list(telegram_controls)),
        ]
        return Starlette(routes=routes, middleware=[Middleware(_OnlyHere)])

    async def index(self, request: Request) -> Response:
        host = request.headers["host"]
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            f"connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers = {
            "content-security-policy": policy,
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
            "cache-control": "no-store",
        }
        return FileResponse(PAGE / "index.html", headers=headers)

    async def file(self, request: Request) -> Response:
        path = PAGE / request.path_params["name"]
        if path.parent != PAGE or path.suffix not in _TYPES or not path.is_file():
            return PlainTextResponse("no such file", 404)
        content = path.read_bytes()
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        headers = {"x-content-type-options": "nosniff", "cache-control": "no-cache", "etag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=_TYPES[path.suffix], headers=headers)

    async def stage(self, _: Request) -> Response:
        acts = [
            {"name": act.name, "provider": act.provider, "label": act.label, "hint": act.hint}
            for act in self.script.acts.values()
        ]
        return JSONResponse(
            {
                "people": [
                    {
                        "id": person.id,
                        "name": person.name,
                        "part": person.part,
                        "title": person.title,
                        "suggestions": person.suggestions,
                    }
                    for person in PEOPLE
                ],
                "group": {"id": GROUP.id, "title": GROUP.title},
                "bot": {"id": self.bot["id"], "name": self.bot["first_name"], "username": self.bot["username"]},
                "bot_state": self.bot_state(),
                "providers": [{"name": each.name, "title": TITLES[each.name]} for each in self.script.providers],
                "down": sorted(self.script.down),
                "acts": acts,
                "log": list(self.script.entries),
            }
        )

    async def play(self, request: Request) -> Response:
        try:
            asked = msgspec.json.decode(await request.body(), type=dict[str, Any])
            if "act" in asked:
                await self.script.play(asked["act"])
            elif "provider" in asked:
                await self.script.set_down(str(asked["provider"]), bool(asked["down"]))
            elif asked.get("bot") == "crash":
                self.crash()
            else:
                raise KeyError("act")
        except (msgspec.MsgspecError, KeyError, TypeError):
            return JSONResponse({"error": "there is no such act"}, 400)
        return JSONResponse({"done": True})


class _OnlyHere:
    """Refuses requests that another site made a browser send."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket") and not _from_here(dict(scope["headers"])):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await PlainTextResponse("only this machine is served", 403)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _from_here(headers: dict[bytes, bytes]) -> bool:
    host = headers.get(b"host", b"")
    origin = headers.get(b"origin")
    name = host.rpartition(b":")[0] if b":" in host else host
    return name in (b"127.0.0.1", b"localhost") and origin in (None, b"http://" + host)

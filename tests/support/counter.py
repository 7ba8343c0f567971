"""The smallest simulator there is: it counts. For tests of what every simulator stands on."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from bot.loopback.simulator import LedgerEntry, Switches


class Counter:
    """`POST /add` counts one more, `GET /total` says how many; `/talk` answers each frame with the same."""

    name = "counter"

    def __init__(self) -> None:
        self.switches = Switches()
        self.total = 0
        self.asked: list[str] = []
        self.heard: list[str] = []

    def routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/add", self.add, methods=["POST"]),
            Route("/total", self.say),
            Route("/echo", self.echo, methods=["GET", "POST", "PUT", "DELETE"]),
            Route("/big/{size:int}", self.big),
            Route("/away", self.away),
            WebSocketRoute("/talk", self.talk),
        ]

    def controls(self) -> Sequence[BaseRoute]:
        async def set_total(request: Request) -> Response:
            self.total = (await request.json())["total"]
            return JSONResponse({"total": self.total})

        return [Route("/total", set_total, methods=["POST"])]

    def credentials(self) -> Mapping[str, Any]:
        return {"name": "counter"}

    def ledger(self) -> Sequence[LedgerEntry]:
        return [LedgerEntry(f"e{n}", "add", "here", "there", "1.00", "USD", f"r{n}", n) for n in range(self.total)]

    def dump(self) -> Mapping[str, Any]:
        return {"total": self.total}

    def load(self, state: Mapping[str, Any]) -> None:
        self.total = state["total"]

    async def add(self, request: Request) -> Response:
        await request.body()
        self.total += 1
        return JSONResponse({"total": self.total})

    async def say(self, _: Request) -> Response:
        self.asked.append("total")
        return JSONResponse({"total": self.total})

    async def echo(self, request: Request) -> Response:
        body = (await request.body()).decode()
        headers = {"X-Seen": request.headers.get("x-mine", ""), "X-Accept": request.headers.get("accept-encoding", "")}
        told = {"method": request.method, "query": str(request.url.query), "body": body}
        return JSONResponse(told, 418 if request.method == "DELETE" else 200, headers)

    async def big(self, request: Request) -> Response:
        return Response(b"x" * request.path_params["size"])

    async def away(self, _: Request) -> Response:
        return RedirectResponse("http://127.0.0.1:9/stolen", 307)

    async def talk(self, websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in _frames(websocket):
            self.heard.append(text)
            await websocket.send_text(text)


async def _frames(websocket: WebSocket) -> AsyncIterator[str]:
    async for text in websocket.iter_text():
        yield text

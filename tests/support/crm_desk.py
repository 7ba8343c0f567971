"""A caller of the CRM's simulator for its tests: plain httpx, requests written and signed by hand.

Nothing here knows the project's own CRM adapter.
"""

import asyncio
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.loopback.server import running, serving
from bot.loopback.simulator import Simulator
from tests.support.clock import PassingClock

API = "/public/v1"
NODE = "crm.webhooks.requests.withdrawal.approve.node."
REJECT = "crm.webhooks.requests.withdrawal.reject"


class HandClock(PassingClock):
    def __init__(self) -> None:
        super().__init__(datetime(2025, 11, 20, 8, 15, 2, tzinfo=UTC))


def signed(key: str, body: bytes) -> dict[str, str]:
    digest = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    return {"key": key, "signature": f"sha256={digest}", "Content-Type": "application/json"}


def decimals(answer: httpx.Response) -> Any:
    return json.loads(answer.content, parse_float=Decimal)


@dataclass
class Desk:
    """A caller with the tenant's key and a hand on its control side."""

    http: httpx.AsyncClient
    key: str
    clock: HandClock
    simulator: Simulator

    async def get(self, path: str, **query: str | int) -> httpx.Response:
        return await self.http.get(API + path, params=query, headers={"key": self.key})

    async def send(self, method: str, path: str, body: object) -> httpx.Response:
        raw = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        return await self.http.request(method, API + path, content=raw, headers=signed(self.key, raw))

    async def post(self, path: str, body: object) -> httpx.Response:
        return await self.send("POST", path, body)

    async def control(self, name: str, body: Mapping[str, object] | None = None) -> Any:
        answer = await self.http.post(f"/_sim/{name}", json=body or {})
        assert answer.status_code == 200, answer.text
        return decimals(answer)

    async def look(self, name: str) -> Any:
        return decimals(await self.http.get(f"/_sim/{name}"))

    async def ledger(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = (await self.look("ledger"))["entries"]
        return entries

    async def client(self, number: int) -> str:
        """The id of the client at that place in the list."""
        return str((await self.get("/users", skip=0, limit=100)).json()["records"][number]["id"])

    async def wallet(self, user_id: str) -> dict[str, Decimal | int]:
        found: dict[str, Decimal | int] = decimals(await self.get("/wallets", user_id=user_id))
        return found

    async def connection(self, platform: str) -> str:
        return str((await self.get(f"/{platform}/connections")).json()[0]["id"])

    async def account(self, platform: str, connection_id: str, login: int) -> Any:
        page = decimals(await self.get(f"/{platform}/accounts", connection_id=connection_id, limit=500))
        return next(record for record in page["records"] if record["login"] == login)

    async def request(self, request_id: str) -> Any:
        return decimals(await self.get(f"/requests/withdrawal/{request_id}"))

    async def report(self, **more: object) -> list[dict[str, Any]]:
        body = {"skip": 0, "limit": 500, "start": "2025-09-01", "end": "2025-11-30", **more}
        records: list[dict[str, Any]] = decimals(await self.post("/report/transactions", body))["records"]
        return records


@asynccontextmanager
async def desk_at(simulator: Simulator, clock: HandClock, state: Path | None = None) -> AsyncIterator[Desk]:
    async with serving(simulator, state=state) as listening:
        key = listening.credentials["api_key"]
        async with httpx.AsyncClient(base_url=listening.http, trust_env=False) as http:
            yield Desk(http, key, clock, simulator)


def refused(answer: httpx.Response, status: int, type_: str) -> bool:
    return (answer.status_code, answer.json()) == (status, {"error": True, "code": status, "type": type_})


async def ask(desk: Desk, **more: object) -> tuple[str, str]:
    """A client with 12,400.25 asks for 400.25; answers client and request."""
    user = await desk.client(1)
    asked = await desk.control("withdrawal", {"user_id": user, "amount": "400.25", "currency": "USD"} | more)
    return user, asked["id"]


@dataclass
class Receiver:
    """Our side of a webhook: keeps what came, answers `status`."""

    url: str = ""
    status: int = 200
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        self.came.append((dict(request.headers), await request.body()))
        return Response(status_code=self.status)

    def events(self) -> list[tuple[str, str]]:
        bodies = [json.loads(body) for _, body in self.came]
        return [(body["source"]["event"], body["data"]["status"]) for body in bodies]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = Starlette(routes=[Route("/crm", found.take, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    found.url = f"http://127.0.0.1:{listener.getsockname()[1]}/crm"
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    async with running(config, listener):
        yield found


async def until(true: Callable[[], bool]) -> None:
    """Wait until something out of our hands has become true."""
    async with asyncio.timeout(10):
        while not true():  # the other side of a socket sets no event
            await asyncio.sleep(0.005)


async def settled(desk: Desk, count: int) -> list[dict[str, Any]]:
    """The deliveries once there are `count` and none is on its way."""
    async with asyncio.timeout(10):
        while True:
            deliveries: list[dict[str, Any]] = (await desk.look("deliveries"))["deliveries"]
            if len(deliveries) == count and all(item["state"] in ("delivered", "failed") for item in deliveries):
                return deliveries
            await asyncio.sleep(0.005)

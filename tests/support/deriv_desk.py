"""A served Deriv simulator with a clock that is moved by hand, and plain sockets to it."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from bot.loopback.server import Listening, serving
from bot.providers.deriv.simulator import make
from tests.support.clock import PassingClock

NOON = 1772625600
"""2026-03-04 12:00 UTC."""
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
RISE = {
    "contract_type": "CALL",
    "currency": "USD",
    "symbol": "R_100",
    "amount": 10,
    "basis": "stake",
    "duration": 5,
    "duration_unit": "m",
}


class HandClock(PassingClock):
    def __init__(self) -> None:
        super().__init__(datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC))


class Line:
    """One socket: sends what it is told, reads what comes."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, **request: Any) -> None:
        await self.socket.send(json.dumps(request))

    async def next(self) -> dict[str, Any]:
        raw = await asyncio.wait_for(self.socket.recv(), 5)
        return json.loads(raw, parse_float=Decimal)

    async def until(self, msg_type: str) -> dict[str, Any]:
        """The next message of that type; others are read past."""
        while (message := await self.next())["msg_type"] != msg_type:
            pass
        return message

    async def ask(self, **request: Any) -> dict[str, Any]:
        await self.send(**request)
        return await self.next()

    async def code(self, **request: Any) -> str:
        """The code of the refusal; a success fails the test."""
        return (await self.ask(**request))["error"]["code"]

    async def raw(self, frame: str | bytes) -> dict[str, Any]:
        await self.socket.send(frame)
        return await self.next()


class Desk:
    """A served simulator, its clock, and sockets to it."""

    def __init__(self, sim: Listening, clock: HandClock, http: httpx.AsyncClient, stack: AsyncExitStack) -> None:
        self.sim = sim
        self.clock = clock
        self.http = http
        self.stack = stack
        self.key = sim.credentials

    async def line(self, query: str | None = None) -> Line:
        asked = f"app_id={self.key['app_id']}&l=EN" if query is None else query
        return Line(await self.stack.enter_async_context(connect(f"{self.sim.ws}/websockets/v3?{asked}")))

    async def mailed(self) -> str:
        """The code sent last."""
        code: str = (await self.get("mailbox"))["mails"][-1]["code"]
        return code

    async def login(self, which: str = "token") -> Line:
        line = await self.line()
        assert "error" not in await line.ask(authorize=self.key[which])
        return line

    async def post(self, path: str, body: Any) -> httpx.Response:
        return await self.http.post(f"{self.sim.control}/{path}", json=body)

    async def get(self, path: str) -> Any:
        return json.loads((await self.http.get(f"{self.sim.control}/{path}")).text, parse_float=Decimal)

    async def token_of(self, loginid: str) -> str:
        tokens = (await self.get("tokens"))["tokens"]
        return next(t["token"] for t in tokens if t["loginid"] == loginid and not t["oauth"])


@asynccontextmanager
async def a_desk(clock: HandClock, state: Path | None = None, seed: int = 7) -> AsyncIterator[Desk]:
    async with (
        serving(make(seed, clock), state=state) as sim,
        httpx.AsyncClient(verify=NO_TLS) as http,
        AsyncExitStack() as stack,
    ):
        yield Desk(sim, clock, http, stack)


async def balance_of(line: Line, **more: Any) -> Decimal:
    balance: Decimal = (await line.ask(balance=1, **more))["balance"]["balance"]
    return balance

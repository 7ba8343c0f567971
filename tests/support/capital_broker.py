"""A client of Capital.com's simulator that keeps no rules of its own, over real sockets with plain httpx.

The opening state: USD account with 48,250.00 cash and five positions that stand at +240.00 (EURUSD), -274.00 (BTCUSD),
+207.45 (US100), +220.25 (GOLD) and +88.00 (OIL_CRUDE), together +481.70; EUR account with 12,480.55 and none.
"""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from bot.loopback.server import serving
from bot.providers.capital.simulator import make
from tests.support.clock import PassingClock

KEY = {"X-CAP-API-KEY": "k7Qm2ZtX9pLw4RbC"}
IDENTIFIER = "desk@harbourfield.example"
PASSWORD = "Lantern-Quay-58"
USD = "310441870023915201"
EUR = "310441870023915202"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Everything here is http; making httpx's usual context anew for every test costs more than the test."""
PLAIN = {"identifier": IDENTIFIER, "password": PASSWORD}


class HandClock(PassingClock):
    def __init__(self) -> None:
        super().__init__(datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC))


@dataclass
class Desk:
    """A client that keeps no rules of its own: it sends what it is told, with the tokens it was given."""

    http: httpx.AsyncClient
    clock: HandClock
    tokens: dict[str, str] = field(default_factory=dict)

    async def login(self, **changes: Any) -> Any:
        reply = await self.http.post("/api/v1/session", headers=KEY, json={**PLAIN, **changes})
        assert reply.status_code == 200, reply.text
        self.adopt(reply)
        return json.loads(reply.text)

    def adopt(self, reply: httpx.Response) -> None:
        self.tokens = {name: reply.headers[name] for name in ("CST", "X-SECURITY-TOKEN")}

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return await self.http.request(method, f"/api/v1{path}", headers=self.tokens, json=body)

    async def get(self, path: str) -> Any:
        reply = await self.ask("GET", path)
        assert reply.status_code == 200, reply.text
        return json.loads(reply.text, parse_float=Decimal)

    async def refusal(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        return refusal(await self.ask(method, path, body))

    async def order(self, **body: Any) -> Any:
        """Place a market order and read its confirmation."""
        reply = await self.ask("POST", "/positions", body)
        assert reply.status_code == 200, reply.text
        return await self.get(f"/confirms/{reply.json()['dealReference']}")

    async def rows(self, epic: str) -> list[Any]:
        return [row["position"] for row in (await self.get("/positions"))["positions"] if row["market"]["epic"] == epic]

    async def balance(self, account: str = USD) -> Any:
        accounts = (await self.get("/accounts"))["accounts"]
        return next(one["balance"] for one in accounts if one["accountId"] == account)

    async def sim(self, path: str, **body: Any) -> Any:
        reply = await self.http.post(f"/_sim/{path}", json=body)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def ledger(self) -> list[Any]:
        entries: list[Any] = (await self.http.get("/_sim/ledger")).json()["entries"]
        return entries


def refusal(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["errorCode"]


@asynccontextmanager
async def opened(clock: HandClock, seed: int = 7, state: Path | None = None) -> AsyncIterator[Desk]:
    async with (
        serving(make(seed, clock), state=state) as listening,
        httpx.AsyncClient(base_url=listening.http, verify=NO_TLS) as http,
    ):
        yield Desk(http, clock)

"""Crypto Capital's adapter on its simulator, with either transport: what tests of money and news stand on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx

from bot.clock import Clock, SystemClock
from bot.loopback.server import Listening, serving
from bot.money import Currency, Money
from bot.providers.acts import Act, ActKind, MoneySeam, Prepared, Receipt
from bot.providers.base import Login, Surroundings
from bot.providers.cryptocapital import build
from bot.providers.cryptocapital.client import CryptoCapital
from bot.providers.cryptocapital.settings import Settings
from bot.providers.cryptocapital.simulator import make
from bot.providers.nonces import MemoryNonces, Nonces
from bot.providers.records import Environment
from bot.secret import Secret

USD, EUR = Currency("USD"), Currency("EUR")
OPERATING, RESERVE, EUROS = "9120004471", "9120004488", "9120004495"
HARBOUR, NORDLICHT = "9120007013", "9120007020"


def act(
    request_id: str = "abcdefghjk",
    amount: str = "10.00",
    *,
    source: str = OPERATING,
    target: str = HARBOUR,
    currency: Currency = USD,
    **parameters: str,
) -> Act:
    return Act(request_id, ActKind.TRANSFER, source, Money(Decimal(amount), currency), target, parameters)


async def make_transfer(seam: MoneySeam, wanted: Act) -> tuple[Prepared, Receipt]:
    """As the money room does it, without its rows."""
    async with seam.turn():
        prepared = await seam.prepare(wanted)
        return prepared, await seam.send(prepared)


@dataclass
class Branch:
    """A running bank, its control side, and adapters for it by one transport."""

    listening: Listening
    control: httpx.AsyncClient
    transport: str
    nonces: Nonces
    clock: Clock
    made: list[CryptoCapital] = field(default_factory=list)

    def link(self, accounts: str = f"{OPERATING},{RESERVE},{EUROS}", **settings: Any) -> CryptoCapital:
        given = self.listening.credentials
        login = {"private_key": Secret(given["private_key"]), "accounts": Secret(accounts)}

        @asynccontextmanager
        async def lend() -> AsyncIterator[Login]:
            yield login

        table: dict[str, Any] = {
            "url": self.listening.ws,
            "server_public_key": given["server_public_key"],
            "answer_seconds": 5.0,
            "quiet_seconds": 0.1,
        }
        if self.transport != "websocket":
            table["transport"] = self.transport
        table |= settings
        made = build(lend, Surroundings(Environment.LIVE, Settings(**table), self.clock, self.nonces))
        assert isinstance(made, CryptoCapital)
        self.made.append(made)
        return made

    async def post(self, path: str, **body: Any) -> Any:
        reply = await self.control.post(f"/_sim/{path}", json=body)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def faults(self, *steps: dict[str, Any]) -> None:
        (await self.control.post("/_sim/faults", json=list(steps))).raise_for_status()

    async def executed(self) -> list[Any]:
        entries: list[Any] = (await self.control.get("/_sim/ledger")).json()["entries"]
        return entries

    async def accepted(self) -> list[int]:
        """The accepted nonces of our key, in the order of arrival."""
        answer = (await self.control.get("/_sim/nonces")).json()
        accepted: list[int] = answer["accepted"][self.listening.credentials["public_key"]]
        return accepted


@asynccontextmanager
async def open_branch(
    transport: str = "websocket", *, nonces: Nonces | None = None, clock: Clock | None = None
) -> AsyncIterator[Branch]:
    async with serving(make()) as listening, httpx.AsyncClient(base_url=listening.http) as control:
        branch = Branch(listening, control, transport, nonces or MemoryNonces(), clock or SystemClock())
        try:
            yield branch
        finally:
            for made in branch.made:
                await made.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # what is waited for has no event of its own
            await asyncio.sleep(0.005)

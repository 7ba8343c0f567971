"""A tenant of the CRM: its simulator on a socket, the adapter, and a hand on the control side.

Nothing here reads the simulator's insides: it is told what to do over HTTP.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import httpx

from bot.loopback.server import Listening, serving
from bot.money import Currency, Money
from bot.providers.acts import Act, ActKind
from bot.providers.base import Login, Surroundings
from bot.providers.crm import SPEC
from bot.providers.crm.client import Crm, Settings
from bot.providers.crm.wire.requests import Withdrawal
from bot.providers.records import Environment
from bot.secret import Secret
from tests.support.clock import PassingClock

START = datetime(2025, 11, 20, 8, 15, 2, tzinfo=UTC)


class HandClock(PassingClock):
    def __init__(self) -> None:
        super().__init__(START)


@dataclass
class Tenant:
    """The simulator, a clock it shares with the adapters, and the adapters made here."""

    sim: Listening
    clock: HandClock
    control: httpx.AsyncClient
    made: list[Crm] = field(default_factory=list)

    def link(self, key: str | None = None, **settings: Any) -> Crm:
        login: Login = {"api_key": Secret(key or self.sim.credentials["api_key"])}

        @asynccontextmanager
        async def lend() -> AsyncIterator[Login]:
            yield login

        table = Settings(**{"url": self.sim.http, **settings})
        provider = SPEC.build(lend, Surroundings(Environment.DEMO, table, self.clock))
        assert isinstance(provider, Crm)
        self.made.append(provider)
        return provider

    async def tell(self, path: str, body: Any) -> Any:
        answer = await self.control.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def misfortune(self, action: str, path: str, method: str = "POST", **options: Any) -> None:
        await self.tell("/faults", [{"action": action, "match": {"path": path, "method": method}, **options}])

    async def ledger(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = (await self.control.get("/ledger")).json()["entries"]
        return entries

    async def client(self, number: int = 1) -> str:
        """The id of the client at that place in the list."""
        return (await self.made[0].clients.listed(200)).items[number].id

    async def asked(self, user_id: str, amount: str = "40.25", currency: str = "USD") -> str:
        """A client asks to be paid out of the wallet; the request's id."""
        told = await self.tell("/withdrawal", {"user_id": user_id, "amount": amount, "currency": currency})
        return str(told["id"])


@asynccontextmanager
async def tenant_at(**settings: Any) -> AsyncIterator[Tenant]:
    """A fresh tenant whose settings are told first."""
    clock = HandClock()
    simulator = import_module("bot.providers.crm.simulator").make(clock=clock)
    async with (
        serving(simulator) as sim,
        httpx.AsyncClient(base_url=sim.control, trust_env=False, timeout=20) as control,
    ):
        one = Tenant(sim, clock, control)
        if settings:
            await one.tell("/settings", settings)
        one.link()
        yield one
        for provider in one.made:
            await provider.close()


def deciding(found: Withdrawal, decision: str = "approve", **more: str) -> Act:
    """The act that approvers saw, made of what was read."""
    parameters = {"decision": decision, "method": str(found.withdrawal_method)}
    if decision == "reject":
        parameters["comment"] = "the name does not match"
    return Act("r-1", ActKind.WITHDRAWAL_DECISION, found.account, found.amount, found.id, parameters | more)


def usd(amount: str) -> Money:
    return Money.parse(amount, Currency("USD"))


async def until(true: Callable[[], bool]) -> None:
    """Wait until something out of our hands has become true."""
    async with asyncio.timeout(10):
        while not true():  # the other side of a socket sets no event
            await asyncio.sleep(0.005)

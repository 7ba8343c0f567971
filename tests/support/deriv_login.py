"""Deriv's simulator with adapters on it: what the tests of the adapter stand on.

The desk's client has CR900001 (USD), CR900002 (BTC) and the demo account VRTC900001.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from websockets.asyncio.client import connect

from bot.clock import SystemClock
from bot.loopback.server import Listening, serving
from bot.providers.base import Login, Surroundings
from bot.providers.deriv import SPEC
from bot.providers.deriv.client import Deriv, Settings
from bot.providers.deriv.simulator import make
from bot.providers.records import Environment
from bot.secret import Secret

START = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LIVE = Environment.LIVE


class HandClock:
    """Short waits pass by themselves; half a minute and more passes when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []
        self._moved = asyncio.Condition()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if seconds < 30:
            self.seconds += seconds
            await asyncio.sleep(0)
            return
        until = self.seconds + seconds
        async with self._moved:
            await self._moved.wait_for(lambda: self.seconds >= until)

    async def move(self, seconds: float) -> None:
        async with self._moved:
            self.seconds += seconds
            self._moved.notify_all()


class Desk:
    """A simulator, the adapters made here, and how often their credentials were lent."""

    def __init__(self, sim: Listening, clock: Any, control: httpx.AsyncClient) -> None:
        self.sim = sim
        self.clock = clock
        self.control = control
        self.made: list[Deriv] = []
        self.lent = 0
        self.open_now = 0

    def link(
        self,
        which: str = "token",
        environment: Environment = LIVE,
        *,
        app_id: str = "",
        token: str = "",
        **options: Any,
    ) -> Deriv:
        login: Login = {
            "app_id": Secret(app_id or self.sim.credentials["app_id"]),
            "token": Secret(token or self.sim.credentials[which]),
        }

        @asynccontextmanager
        async def lend() -> AsyncIterator[Login]:
            self.lent += 1
            self.open_now += 1
            try:
                yield login
            finally:
                self.open_now -= 1

        settings = Settings(**{"url": self.sim.ws, **options})
        provider = SPEC.build(lend, Surroundings(environment, settings, self.clock))
        assert isinstance(provider, Deriv)
        self.made.append(provider)
        return provider

    def misfortune(self, action: str, contains: str, **more: Any) -> None:
        self.sim.misfortunes.add({"action": action, "match": {"kind": "ws", "contains": contains}, **more})

    def answer_instead(self, contains: str, body: str, **more: Any) -> None:
        self.misfortune("replace", contains, body=body, **more)

    def count(self, contains: str) -> Callable[[], int]:
        """From now on, count the frames the adapters send that contain this, and meet no earlier misfortune."""
        self.misfortune("delay", contains, seconds=0, times=0)
        step = self.sim.misfortunes.steps[-1]
        return lambda: step.seen

    async def tell(self, path: str, **body: Any) -> None:
        (await self.control.post(f"{self.sim.control}/{path}", json=body)).raise_for_status()

    async def ask(self, path: str) -> Any:
        return json.loads((await self.control.get(f"{self.sim.control}/{path}")).text)

    async def streams(self) -> int:
        """How many the simulator has on all its sockets."""
        return int((await self.ask("connections"))["streams"])

    async def token_of(self, loginid: str) -> str:
        tokens = (await self.ask("tokens"))["tokens"]
        return next(str(entry["token"]) for entry in tokens if entry["loginid"] == loginid and not entry["oauth"])


@asynccontextmanager
async def a_desk(*, one_time: bool = False, real_time: bool = False, tls: bool = False) -> AsyncIterator[Desk]:
    """With `one_time` the simulator counts its minutes on the adapters' clock; `real_time` gives them the machine's."""
    clock = SystemClock() if real_time else HandClock()
    async with (
        serving(make(clock=clock if one_time else None), tls=tls) as sim,
        httpx.AsyncClient(verify=False) as control,  # loopback
    ):
        desk = Desk(sim, clock, control)
        try:
            yield desk
        finally:
            for provider in desk.made:
                await provider.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # what is waited for happens on the other side of a socket
            await asyncio.sleep(0.005)


async def buy(desk: Desk, amount: int) -> Any:
    wanted = {"contract_type": "PUT", "currency": "USD", "symbol": "R_100", "amount": amount, "basis": "stake"}
    key = desk.sim.credentials
    async with connect(f"{desk.sim.ws}/websockets/v3?app_id={key['app_id']}") as other:
        await other.send(json.dumps({"authorize": key["token"]}))
        await other.recv()
        parameters = {**wanted, "duration": 1, "duration_unit": "h"}
        await other.send(json.dumps({"buy": 1, "price": amount, "parameters": parameters}))
        return json.loads(await other.recv())["buy"]

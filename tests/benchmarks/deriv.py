"""What Deriv's adapter costs beside a bare socket, and beside the vendor's own library."""

import asyncio
import itertools
import json
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from bot.clock import SystemClock
from bot.errors import ProviderError
from bot.providers.base import Login, Surroundings
from bot.providers.deriv import SPEC
from bot.providers.deriv.client import Deriv
from bot.providers.deriv.settings import Settings
from bot.providers.records import Environment
from bot.providers.streams import Subject, Told, Topic, Wish
from bot.secret import Secret
from tests.benchmarks.environments import python_with
from tests.benchmarks.figures import Figure, Limit, paired
from tests.benchmarks.processes import CannotMeasureError, simulator
from tests.benchmarks.reservoirs import Reservoir, reservoir

ROUNDS = 21
"""Many short ones: a busy machine then disturbs both halves of each alike."""
PEER_ROUNDS = 9
"""Of a peer that is started for each."""
IN_FLIGHT = 100
CALLS = 2000
BURSTS, TICKS = 4, 1000
SYMBOL = "R_100"
_PEER = Path(__file__).parent / "peers" / "deriv_calls.py"


async def calls(folder: Path) -> list[Figure]:
    """Calls a second of one core, a hundred in flight; the call is `time`, which may be asked as often as one likes.

    Counted in the processor's time of whoever asks: neither the simulator nor the rest of the machine takes any of it.
    """
    async with simulator("deriv", folder) as sim, _login(sim) as login:
        rounds = [(await _ours(login), await _bare(sim)) for _ in range(ROUNDS)]
    against = "bare websockets and futures"
    return [paired("deriv_calls", "calls/s", Limit("at least", 0.6), against, rounds, digits=0)]


async def calls_of_the_vendors_library(folder: Path) -> list[Figure]:
    """The same beside the library the vendor publishes."""
    python = await python_with("python_deriv_api==0.1.6")
    async with simulator("deriv", folder) as sim, _login(sim) as login:
        rounds = [(await _ours(login), await _library(python, sim)) for _ in range(PEER_ROUNDS)]
    return [paired("deriv_calls_library", "calls/s", Limit("at least", 2), "python_deriv_api", rounds, digits=0)]


async def ticks(folder: Path) -> list[Figure]:
    """Prices a second of one core, from a socket that is full of them until each has been handed on.

    The other side reads their JSON and keeps the latest. Counted in the processor's time, as the calls are.
    """
    async with reservoir("deriv", '"msg_type":"tick"', folder) as full, _login(full.sim) as login:
        rounds = [(await _told(login, full), await _read(full)) for _ in range(ROUNDS)]
    return [paired("deriv_ticks", "prices/s", Limit("at least", 0.6), "bare loop", rounds, digits=0)]


@asynccontextmanager
async def _login(sim: dict[str, Any]) -> AsyncIterator[Deriv]:
    given = sim["credentials"]
    login: Login = {"app_id": Secret(given["app_id"]), "token": Secret(given["token"])}

    @asynccontextmanager
    async def lend() -> AsyncIterator[Login]:
        yield login

    linked = SPEC.build(lend, Surroundings(Environment.LIVE, Settings(url=sim["ws"]), SystemClock()))
    if not isinstance(linked, Deriv):
        raise CannotMeasureError("another adapter")
    await linked.accounts()
    try:
        yield linked
    finally:
        await linked.close()


# -------- calls


async def _ours(login: Deriv) -> float:
    left = iter(range(CALLS))

    async def one() -> None:
        for _ in left:
            await login.site.time()

    begun = time.process_time()
    await asyncio.gather(*(one() for _ in range(IN_FLIGHT)))
    return CALLS / (time.process_time() - begun)


async def _bare(sim: dict[str, Any]) -> float:
    async with _socket(sim) as socket:
        waiting: dict[int, asyncio.Future[Any]] = {}
        numbers, left = itertools.count(1), iter(range(CALLS))

        async def hear() -> None:
            async for frame in socket:
                said = json.loads(frame)
                waiting.pop(said["req_id"]).set_result(said["time"])

        async def one() -> None:
            for _ in left:
                number = next(numbers)
                answer = waiting[number] = asyncio.get_running_loop().create_future()
                await socket.send(json.dumps({"time": 1, "req_id": number}))
                await answer

        hearing = asyncio.create_task(hear())
        begun = time.process_time()
        await asyncio.gather(*(one() for _ in range(IN_FLIGHT)))
        taken = time.process_time() - begun
        hearing.cancel()
    return CALLS / taken


async def _library(python: Path, sim: dict[str, Any]) -> float:
    arguments = (sim["ws"], sim["credentials"]["app_id"], str(CALLS), str(IN_FLIGHT))
    process = await asyncio.create_subprocess_exec(str(python), str(_PEER), *arguments, stdout=PIPE)
    said, _ = await process.communicate()
    if process.returncode != 0:
        raise CannotMeasureError("the peer failed")
    return float(said)


def _socket(sim: dict[str, Any]) -> connect:
    address = f"{sim['ws']}/websockets/v3?app_id={sim['credentials']['app_id']}"
    return connect(address, compression=None, proxy=None)


# -------- prices


class _Counting:
    """An ear that knows how many it waits for."""

    def __init__(self) -> None:
        self.left = 0
        self.there = asyncio.Event()
        self.done = asyncio.Event()

    def connected(self) -> None: ...

    def alive(self) -> None: ...

    def acknowledged(self, subject: Subject) -> None:
        self.there.set()

    def refused(self, subject: Subject, error: ProviderError) -> None:
        raise CannotMeasureError("no prices") from error

    def heard(self, subject: Subject, told: Told) -> None:
        self.left -= 1
        if self.left == 0:
            self.done.set()


async def _told(login: Deriv, full: Reservoir) -> float:
    ear = _Counting()
    stream = asyncio.create_task(login.stream(Wish([Subject(Topic.QUOTE, SYMBOL)]), ear))
    try:
        return await _flood(ear, full)
    finally:
        stream.cancel()
        with suppress(asyncio.CancelledError):
            await stream


async def _read(full: Reservoir) -> float:
    ear = _Counting()
    async with _socket(full.sim) as socket:
        hearing = asyncio.create_task(_hear(socket, ear))
        try:
            return await _flood(ear, full)
        finally:
            hearing.cancel()


async def _hear(socket: ClientConnection, ear: _Counting) -> None:
    await socket.send(json.dumps({"ticks": SYMBOL, "subscribe": 1, "req_id": 1}))
    await socket.recv()
    ear.there.set()
    latest: dict[str, float] = {}
    async for frame in socket:
        tick = json.loads(frame)["tick"]
        latest[tick["symbol"]] = tick["quote"]
        ear.left -= 1
        if ear.left == 0:
            ear.done.set()


async def _flood(ear: _Counting, full: Reservoir) -> float:
    async with asyncio.timeout(60):
        await ear.there.wait()
        ear.left = BURSTS * TICKS
        await full.fill("burst", {"symbol": SYMBOL, "count": TICKS}, times=BURSTS, prices=BURSTS * TICKS)
        begun = time.process_time()
        await full.flow()
        await ear.done.wait()
        return BURSTS * TICKS / (time.process_time() - begun)

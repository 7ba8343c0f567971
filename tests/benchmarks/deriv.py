"""Many questions at once, and many ticks, beside a bare socket and beside the vendor's own Python library.

The other side is the simulator in a process of its own, its limits lifted: whoever asks pays for its answers too.
"""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import websockets

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
from tests.benchmarks.processes import PATIENCE_SECONDS, ROOT, CannotMeasureError

ROUNDS = 5
AT_ONCE = 100
CALLS = 3000
SYMBOLS = 100
BURSTS, TICKS_A_BURST = 10, 10
"""A burst is so many ticks of each symbol, sent as fast as they go."""
_PEER = Path(__file__).parent / "peers" / "deriv_calls.py"
_LIBRARY = "python_deriv_api==0.1.6"


async def calls(folder: Path) -> list[Figure]:
    """Questions answered a second, a hundred in flight: typed and timed here, a future for each number there."""
    async with _service() as there, _linked(there) as provider:
        rounds = [(await _asked(provider), await _asked_bare(there)) for _ in range(ROUNDS)]
    return [paired("deriv_calls", "calls/s", Limit("at least", 0.6), "websockets + futures", rounds, digits=0)]


async def calls_library(folder: Path) -> list[Figure]:
    """The same beside the library the vendor gives to people who write Python."""
    python = await python_with(_LIBRARY)
    async with _service() as there, _linked(there) as provider:
        rounds = [(await _asked(provider), await _asked_by_library(python, there)) for _ in range(ROUNDS)]
    return [paired("deriv_calls_library", "calls/s", Limit("at least", 2), "python_deriv_api", rounds, digits=0)]


async def ticks(folder: Path) -> list[Figure]:
    """Ticks heard a second, of a hundred symbols: as quotes with decimals here, as whatever JSON gives there."""
    async with _service() as there, _linked(there) as provider:
        symbols = await _symbols(there)
        rounds = [(await _heard(provider, there, symbols), await _heard_bare(there, symbols)) for _ in range(ROUNDS)]
    return [paired("deriv_ticks", "ticks/s", Limit("at least", 0.6), "bare loop", rounds, digits=0)]


# -------- the other side


@asynccontextmanager
async def _service() -> AsyncIterator[dict[str, Any]]:
    command = (sys.executable, "-m", "bot", "simulate", "deriv")
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, cwd=ROOT)
    try:
        if process.stdout is None:
            raise CannotMeasureError("the simulator says nothing")
        there = json.loads(await process.stdout.readline())
        await _control(there, "limits", {"lifted": True})
        await _control(there, "rate", {"seconds": 3600})  # no tick but those that are measured
        yield there
    finally:
        process.terminate()
        await process.wait()


async def _control(there: dict[str, Any], name: str, body: dict[str, Any]) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as http:
        (await http.post(f"{there['control']}/{name}", json=body)).raise_for_status()


def _socket(there: dict[str, Any]) -> websockets.connect:
    address = f"{there['ws']}/websockets/v3?app_id={there['credentials']['app_id']}"
    return websockets.connect(address, compression=None, proxy=None)


@asynccontextmanager
async def _linked(there: dict[str, Any]) -> AsyncIterator[Deriv]:
    given = there["credentials"]
    login: Login = {"app_id": Secret(given["app_id"]), "token": Secret(given["token"])}

    @asynccontextmanager
    async def lend() -> AsyncIterator[Login]:
        yield login

    settings = Settings(url=f"{there['ws']}/websockets/v3")
    provider = SPEC.build(lend, Surroundings(Environment.LIVE, settings, SystemClock()))
    if not isinstance(provider, Deriv):
        raise CannotMeasureError("another adapter")
    try:
        await provider.site.status()  # it keeps to the limits it is told, and they are lifted
        yield provider
    finally:
        await provider.close()


# -------- questions


async def _asked(provider: Deriv) -> float:
    async def some() -> None:
        for _ in range(CALLS // AT_ONCE):
            await provider.site.time()

    begun = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return CALLS / (time.perf_counter() - begun)


async def _asked_bare(there: dict[str, Any]) -> float:
    loop, waiting = asyncio.get_running_loop(), dict[int, asyncio.Future[Any]]()

    async with _socket(there) as socket:

        async def read() -> None:
            async for raw in socket:
                reply = json.loads(raw)
                waiting.pop(reply["req_id"]).set_result(reply)

        async def some(first: int) -> None:
            for number in range(first, CALLS, AT_ONCE):
                waiting[number] = answer = loop.create_future()
                await socket.send(json.dumps({"time": 1, "req_id": number}))
                if "time" not in await answer:
                    raise CannotMeasureError("refused")

        reader = asyncio.create_task(read())
        begun = time.perf_counter()
        await asyncio.gather(*(some(first) for first in range(AT_ONCE)))
        taken = time.perf_counter() - begun
        reader.cancel()
    return CALLS / taken


async def _asked_by_library(python: Path, there: dict[str, Any]) -> float:
    arguments = (there["ws"], str(there["credentials"]["app_id"]), str(CALLS), str(AT_ONCE))
    process = await asyncio.create_subprocess_exec(str(python), str(_PEER), *arguments, stdout=PIPE)
    said, _ = await process.communicate()
    if process.returncode != 0:
        raise CannotMeasureError("the peer failed")
    return float(said)


# -------- ticks


async def _symbols(there: dict[str, Any]) -> list[str]:
    async with _socket(there) as socket:
        await socket.send(json.dumps({"active_symbols": "brief"}))
        listed = json.loads(await socket.recv())["active_symbols"]
    open_now = [row["symbol"] for row in listed if row["exchange_is_open"]]
    return open_now[:SYMBOLS]


class _Ear:
    """Counts what it hears."""

    def __init__(self) -> None:
        self.count = 0
        self.acknowledgements = 0
        self.enough = asyncio.Event()
        self.wanted = 0

    def connected(self) -> None: ...

    def alive(self) -> None: ...

    def acknowledged(self, subject: Subject) -> None:
        self.acknowledgements += 1

    def refused(self, subject: Subject, error: ProviderError) -> None:
        raise CannotMeasureError(f"{subject.name} is refused")

    def heard(self, subject: Subject, told: Told) -> None:
        self.count += 1
        if self.count == self.wanted:
            self.enough.set()

    async def hear(self, count: int) -> None:
        """Until so many more than by now."""
        self.wanted = self.count + count
        self.enough.clear()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.enough.wait()


async def _heard(provider: Deriv, there: dict[str, Any], symbols: list[str]) -> float:
    ear = _Ear()
    following = asyncio.create_task(
        provider.streams.stream(Wish(Subject(Topic.QUOTE, symbol) for symbol in symbols), ear)
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while ear.acknowledgements < len(symbols) or ear.count < len(symbols):
                await asyncio.sleep(0.01)
        taken = 0.0
        for _ in range(BURSTS):
            hearing = asyncio.create_task(ear.hear(len(symbols) * TICKS_A_BURST))
            taken += await _burst(there, hearing)
    finally:
        following.cancel()
        await asyncio.wait([following])
    return BURSTS * TICKS_A_BURST * len(symbols) / taken


async def _heard_bare(there: dict[str, Any], symbols: list[str]) -> float:
    async with _socket(there) as socket:

        async def hear(count: int) -> None:
            while count:
                message = json.loads(await socket.recv())
                count -= "tick" in message

        await socket.send(json.dumps({"ticks": symbols, "subscribe": 1}))
        await hear(len(symbols))
        taken = 0.0
        for _ in range(BURSTS):
            taken += await _burst(there, asyncio.create_task(hear(len(symbols) * TICKS_A_BURST)))
    return BURSTS * TICKS_A_BURST * len(symbols) / taken


async def _burst(there: dict[str, Any], hearing: asyncio.Task[None]) -> float:
    """Seconds from the moment the ticks are ordered until the last has been heard."""
    begun = time.perf_counter()
    ordering = asyncio.create_task(_control(there, "burst", {"count": TICKS_A_BURST}))
    await hearing
    taken = time.perf_counter() - begun
    await ordering
    return taken

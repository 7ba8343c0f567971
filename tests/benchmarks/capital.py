"""What Capital.com's adapter costs beside the bare client beneath it, and beside the package people use."""

import asyncio
import json
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
import websockets

from bot.clock import SystemClock
from bot.errors import ProviderError
from bot.providers.base import Login, Surroundings
from bot.providers.capital import SPEC
from bot.providers.capital.client import Capital
from bot.providers.capital.settings import Settings
from bot.providers.records import Environment
from bot.providers.streams import Subject, Told, Topic, Wish
from bot.secret import Secret
from tests.benchmarks.environments import python_with
from tests.benchmarks.figures import Figure, Limit, paired
from tests.benchmarks.processes import CannotMeasureError, program, simulator
from tests.benchmarks.reservoirs import Reservoir, reservoir

ROUNDS = 9
TURNS = 40
"""Of the four calls that a desk makes all day."""
SHORT_ROUNDS = 31
SHORT_TURNS = 10
"""Where the two stand close, many short rounds: a busy machine then disturbs both halves of each alike."""
PEER = "capitalcom-python==0.2.3"
QUOTES = 10_000
EPICS = 40
SOCKETS = 40
BACK = timedelta(minutes=10)
CALLS = 4
_PEERS = Path(__file__).parent / "peers"


async def requests(folder: Path) -> list[Figure]:
    """Authenticated requests a second, one after the other: asked, judged, and made records of ours.

    The other side asks with httpx alone and reads the JSON, numbers exactly: whoever wants the figures does that much.
    """
    async with simulator("capital", folder) as sim:
        since = datetime.now(UTC) - BACK
        async with _linked(sim) as capital, _bare(sim) as bare:
            ours, theirs = _our_calls(capital, since), _bare_calls(bare, since)
            await _rate(ours)
            await _rate(theirs)
            rounds = [(await _rate(ours, SHORT_TURNS), await _rate(theirs, SHORT_TURNS)) for _ in range(SHORT_ROUNDS)]
    return [paired("capital_requests", "requests/s", Limit("at least", 0.85), "bare httpx", rounds, digits=0)]


async def requests_tls(folder: Path) -> list[Figure]:
    """The same over TLS, and the package's four calls, with the list of authorities it reads at the real place too."""
    python = await python_with(PEER)
    async with simulator("capital", folder, "--tls") as sim:
        async with _linked(sim) as capital:
            since = datetime.now(UTC) - BACK
            ours = _our_calls(capital, since)
            await _rate(ours)
            rounds = [(await _rate(ours), await _peer(python, sim, folder, since)) for _ in range(ROUNDS)]
    return [paired("capital_requests_tls", "requests/s", Limit("at least", 2.5), "capitalcom-python", rounds, digits=0)]


async def quotes(folder: Path) -> list[Figure]:
    """Quotes a second of one core, from a socket that is full of them until each has been handed on.

    Counted in the processor's time: whoever else uses the machine meanwhile takes none of it.
    """
    async with reservoir("capital", '"destination":"quote"', folder) as full:
        rounds = [(await _our_quotes(full), await _bare_quotes(full)) for _ in range(SHORT_ROUNDS)]
    return [paired("capital_quotes", "quotes/s", Limit("at least", 0.6), "bare websockets", rounds, digits=0)]


async def stream_memory(folder: Path) -> list[Figure]:
    """Python's memory for one more open stream that follows one price and hears nothing. Told without a verdict."""
    async with simulator("capital", folder) as sim:
        async with _linked(sim) as capital, asyncio.TaskGroup() as group:
            wish = Wish([Subject(Topic.QUOTE, "GOLD")])
            tasks = [await _followed(group, capital, wish)]
            tracemalloc.start()
            tasks += [await _followed(group, capital, wish) for _ in range(SOCKETS)]
            now, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            for task in tasks:
                task.cancel()
    return [Figure("capital_stream_memory", "KiB", "none", "nothing", ours=round(now / SOCKETS / 1024, 1), rounds=1)]


# -------- ours


@asynccontextmanager
async def _linked(sim: dict[str, Any]) -> AsyncIterator[Capital]:
    given = sim["credentials"]
    login: Login = {name: Secret(given[name]) for name in ("api_key", "identifier", "password")}

    @asynccontextmanager
    async def lend() -> AsyncIterator[Login]:
        yield login

    settings = Settings(
        demo_url=sim["http"],
        live_url=sim["http"],
        requests_per_second=10_000.0,
        logins_per_second=100.0,
        ca_file=given.get("ca_file"),
    )
    linked = SPEC.build(lend, Surroundings(Environment.DEMO, settings, SystemClock()))
    if not isinstance(linked, Capital):
        raise CannotMeasureError("another adapter")
    try:
        yield linked
    finally:
        await linked.close()


def _our_calls(capital: Capital, since: datetime) -> Callable[[], Awaitable[None]]:
    async def once() -> None:
        await capital.balances()
        if len((await capital.positions()).items) < 2:
            raise CannotMeasureError("no positions were told")
        await capital.quote("GOLD")
        if not (await capital.candles("BTCUSD", timedelta(minutes=1), since, datetime.now(UTC))).items:
            raise CannotMeasureError("no prices were told")

    return once


class _Counting:
    """An ear that knows how many it waits for."""

    def __init__(self) -> None:
        self.left = 0
        self.acknowledged_all = asyncio.Event()
        self.heard_all = asyncio.Event()
        self.epics: set[str] = set()
        self.wanted = 1

    def connected(self) -> None: ...

    def alive(self) -> None: ...

    def refused(self, subject: Subject, error: ProviderError) -> None:
        raise CannotMeasureError(f"{subject.name} was refused: {error}")

    def acknowledged(self, subject: Subject) -> None:
        self.epics.add(subject.name)
        if len(self.epics) == self.wanted:
            self.acknowledged_all.set()

    def heard(self, subject: Subject, told: Told) -> None:
        self.left -= 1
        if self.left == 0:
            self.heard_all.set()


async def _our_quotes(full: Reservoir) -> float:
    ear = _Counting()
    ear.wanted, ear.left = EPICS, QUOTES
    async with _linked(full.sim) as capital:
        wish = Wish(Subject(Topic.QUOTE, epic) for epic in await _epics(full))
        following = asyncio.create_task(capital.stream(wish, ear))
        async with asyncio.timeout(20):
            await ear.acknowledged_all.wait()
        await full.fill("burst", {"quotes": QUOTES}, times=1, prices=QUOTES)
        async with asyncio.timeout(60):
            begun = time.process_time()
            await full.flow()
            await ear.heard_all.wait()
            taken = time.process_time() - begun
        following.cancel()
        await asyncio.wait([following])
    return QUOTES / taken


async def _followed(group: asyncio.TaskGroup, capital: Capital, wish: Wish) -> asyncio.Task[None]:
    ear = _Counting()
    task = group.create_task(capital.stream(wish, ear))
    async with asyncio.timeout(20):
        await ear.acknowledged_all.wait()
    return task


# -------- the others


@asynccontextmanager
async def _bare(sim: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """Logged in, and with no more about it than the tokens."""
    given = sim["credentials"]
    async with httpx.AsyncClient(base_url=sim["http"], trust_env=False, verify=False) as client:
        body = {"identifier": given["identifier"], "password": given["password"]}
        reply = await client.post("/api/v1/session", json=body, headers={"X-CAP-API-KEY": given["api_key"]})
        reply.raise_for_status()
        client.headers.update({name: reply.headers[name] for name in ("CST", "X-SECURITY-TOKEN")})
        yield client


def _bare_calls(client: httpx.AsyncClient, since: datetime) -> Callable[[], Awaitable[None]]:
    history = f"prices/BTCUSD?resolution=MINUTE&max=1000&from={_wire(since)}"
    paths = [f"/api/v1/{path}" for path in ("accounts", "positions", "markets/GOLD", history)]

    async def once() -> None:
        for path in paths:
            reply = await client.get(path)
            if reply.status_code != 200 or not json.loads(reply.content, parse_float=Decimal):
                raise CannotMeasureError(f"{path}: {reply.status_code}")

    return once


async def _rate(once: Callable[[], Awaitable[None]], turns: int = TURNS) -> float:
    begun = time.perf_counter()
    for _ in range(turns):
        await once()
    return CALLS * turns / (time.perf_counter() - begun)


async def _peer(python: Path, sim: dict[str, Any], folder: Path, since: datetime) -> float:
    given = sim["credentials"]
    environ = {name.upper(): given[name] for name in ("api_key", "identifier", "password")}
    environ |= {"CA_FILE": given["ca_file"], "REQUESTS_CA_BUNDLE": str(folder / "trusted.pem")}
    command = (python, _PEERS / "capital_calls.py", sim["http"], str(TURNS), _wire(since))
    async with program("peer", command, folder, environ) as peer:
        return float(await peer.line())


def _wire(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


class _Prices(msgspec.Struct):
    epic: str
    bid: float
    ofr: float
    timestamp: int


class _Frame(msgspec.Struct):
    destination: str
    payload: _Prices


async def _bare_quotes(full: Reservoir) -> float:
    decoder = msgspec.json.Decoder(_Frame)
    epics = await _epics(full)
    async with _bare(full.sim) as client:
        address = (await client.get("/api/v1/session")).json()["streamEndpoint"]
        tokens = {"cst": client.headers["CST"], "securityToken": client.headers["X-SECURITY-TOKEN"]}
        async with websockets.connect(f"{address}connect", compression=None, proxy=None) as socket:
            asked = {"destination": "marketData.subscribe", "correlationId": 1, "payload": {"epics": epics}}
            await socket.send(json.dumps(asked | tokens))
            await socket.recv()
            await full.fill("burst", {"quotes": QUOTES}, times=1, prices=QUOTES)
            begun, left = time.process_time(), QUOTES
            await full.flow()
            async for frame in socket:
                if decoder.decode(frame).payload.epic:
                    left -= 1
                if not left:
                    break
            return QUOTES / (time.process_time() - begun)


async def _epics(full: Reservoir) -> list[str]:
    known = (await full.control.get(f"{full.sim['control']}/quotes")).json()
    return sorted(known)[:EPICS]

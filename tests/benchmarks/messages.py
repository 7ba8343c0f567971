"""`/whoami` against echoes: how many a second in a burst, and how long one takes on a calm day."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import aiohttp
import msgspec

from tests.benchmarks.contestants import AIOGRAM, PTB, ours_afresh, peer
from tests.benchmarks.figures import Figure, Limit, paired
from tests.benchmarks.processes import CannotMeasureError, Program
from tests.benchmarks.telegram import COMMAND, PEOPLE, Telegram, now_ms, telegram

ROUNDS = 5
BURST = 1500
CALM_PER_SECOND = 50
CALM_SECONDS = 3
_WARM_UP = 200
_ANSWERS = ("You are", COMMAND)
"""How our answer and an echo begin."""

Contestant = Callable[[Path, Telegram], AbstractAsyncContextManager[Program]]


def stock(folder: Path, server: Telegram) -> AbstractAsyncContextManager[Program]:
    return peer("ptb_echo", [PTB], folder, server)


def aiogram(folder: Path, server: Telegram) -> AbstractAsyncContextManager[Program]:
    return peer("aiogram_echo", [AIOGRAM], folder, server)


async def throughput(folder: Path) -> list[Figure]:
    rounds = await _rounds(folder, stock, _bursts)
    return [paired("throughput", "updates/s", Limit("at least", 1.5), "PTB echo", rounds)]


async def throughput_aiogram(folder: Path) -> list[Figure]:
    rounds = await _rounds(folder, aiogram, _bursts)
    return [paired("throughput_aiogram", "updates/s", Limit("at least", 0.9), "aiogram echo", rounds)]


async def latency(folder: Path) -> list[Figure]:
    rounds = await _rounds(folder, stock, _calm)
    return [paired("latency_p50", "ms", Limit("at most", 1.0), "PTB echo", rounds, digits=2)]


async def _rounds(
    folder: Path, other: Contestant, measured: Callable[[Telegram, Telegram], Awaitable[tuple[float, float]]]
) -> list[tuple[float, float]]:
    """Both stand ready all the time, each with a Telegram of its own."""
    async with _standing(folder, ours_afresh) as mine, _standing(folder, other) as theirs:
        return [await measured(mine, theirs) for _ in range(ROUNDS)]


@asynccontextmanager
async def _standing(folder: Path, contestant: Contestant) -> AsyncIterator[Telegram]:
    async with telegram(folder) as server, contestant(folder, server) as bot:
        await bot.during(burst(server, _WARM_UP))
        yield server


async def burst(server: Telegram, size: int = BURST) -> float:
    """Updates a second, from the getUpdates that brings the first to the sendMessage that answers the last."""
    since_ms = now_ms()
    await server.write(islice(cycle(PEOPLE), size))
    replies = await server.asked("sendMessage", since_ms, size)
    fetched = await server.calls("getUpdates", since_ms)
    wrong = [reply for reply in replies if not reply["ok"] or not reply["params"]["text"].startswith(_ANSWERS)]
    if wrong or len(replies) != size:
        raise CannotMeasureError(f"{len(wrong)} wrong replies of {len(replies)} to {size} updates: {wrong[:1]}")
    taken_ms: int = replies[-1]["at_ms"] - fetched[0]["at_ms"]
    return size * 1000 / taken_ms


async def _bursts(mine: Telegram, theirs: Telegram) -> tuple[float, float]:
    """One after the other; who does not work waits in its long poll."""
    return await burst(mine), await burst(theirs)


async def _calm(mine: Telegram, theirs: Telegram) -> tuple[float, float]:
    """Both at once, in turns: each is written to while the other has long answered."""
    async with asyncio.TaskGroup() as tasks:
        ours = tasks.create_task(conversation(mine, 0.0))
        others = tasks.create_task(conversation(theirs, 0.5))
    return ours.result(), others.result()


async def conversation(server: Telegram, phase: float) -> float:
    """Median milliseconds from writing to reading the reply, as a person at the other end would time it.

    Args:
        phase: By which part of the time between two messages they are put off.
    """
    waiting: dict[int, deque[float]] = defaultdict(deque)
    total = CALM_PER_SECOND * CALM_SECONDS
    async with server.events() as events, asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(_read(events, waiting, total))
        begun = time.perf_counter() + phase / CALM_PER_SECOND
        for number, person in enumerate(islice(cycle(PEOPLE), total)):
            await asyncio.sleep(begun + number / CALM_PER_SECOND - time.perf_counter())
            waiting[person].append(time.perf_counter())
            await server.write([person])
        return median(await reading) * 1000


async def _read(events: aiohttp.ClientWebSocketResponse, waiting: dict[int, deque[float]], total: int) -> list[float]:
    taken: list[float] = []
    async with asyncio.timeout(CALM_SECONDS + 20):
        while len(taken) < total:
            event = msgspec.json.decode(await events.receive_str())
            if event["type"] == "message":
                taken.append(time.perf_counter() - waiting[event["chat"]].popleft())
    return taken

"""Deriv's ticks while the line is cut again and again: all of them, each once, in order."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from decimal import Decimal

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from bot.clock import SystemClock
from bot.loopback.server import Listening, serving
from bot.providers.base import Login, Provider, Surroundings
from bot.providers.deriv import SPEC
from bot.providers.deriv.settings import Settings
from bot.providers.deriv.simulator import make
from bot.providers.following import Following
from bot.providers.records import Environment
from bot.providers.standing import Figures
from bot.providers.streams import Subject, Topic, Wish
from bot.secret import Secret
from tests.support.listening import Heard

QUICK = Figures(backoff_seconds=0.05, backoff_cap_seconds=0.2)


async def test_f44_after_many_cuts_no_tick_is_missing_and_none_is_told_twice() -> None:
    await cut_again_and_again(symbols=12, seconds=4, each=1)


@pytest.mark.faults
@pytest.mark.timeout(400)
async def test_f44_after_two_minutes_of_cuts_no_tick_of_a_hundred_symbols_is_missing() -> None:
    await cut_again_and_again(symbols=100, seconds=120, each=3)


async def cut_again_and_again(*, symbols: int, seconds: float, each: float) -> None:
    """Every symbol ticks once a second. How often anything may be asked stays as it is."""
    async with serving(make()) as sim, httpx.AsyncClient(base_url=f"{sim.control}/") as control:
        login: Login = {key: Secret(sim.credentials[key]) for key in ("app_id", "token")}

        @asynccontextmanager
        async def lend() -> AsyncIterator[Login]:
            yield login

        provider = SPEC.build(lend, Surroundings(Environment.LIVE, Settings(url=sim.ws), SystemClock()))

        @asynccontextmanager
        async def session() -> AsyncIterator[Provider]:
            yield provider

        address = f"{sim.ws}/websockets/v3?app_id={sim.credentials['app_id']}"
        await control.post("rate", json={"seconds": 1})
        ticks, begun = count(sim, '"ticks":'), SystemClock().monotonic()
        async with connect(address) as other:
            subjects = [Subject(Topic.QUOTE, one) for one in await never_closed(other, symbols)]
        heard = Heard()
        task = asyncio.create_task(Following(session, Wish(subjects), heard, SystemClock(), QUICK).run())
        try:
            await until(lambda: all(heard.of(one) for one in subjects), 90)
            await control.post("cut", json={"every": each})
            await asyncio.sleep(seconds)  # so long the line is bad
            await control.post("cut", json={"every": 0})
            ends = SystemClock().now()
            await until(lambda: all(last_at(heard, one) > ends for one in subjects), 120)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await provider.close()
        assert heard.ups >= 3
        assert heard.holes == []
        assert heard.refusals == {}
        logins = (await control.get("connections")).json()["authorizations"]
        assert logins <= len(heard.downs) + 2
        minutes = (SystemClock().monotonic() - begun) // 60 + 1
        assert logins + ticks() <= 180 * minutes
        await control.post("limits", json={"lifted": True})
        async with connect(address) as other:
            for one in subjects:
                told = [(int(quote.at.timestamp()), quote.mid) for quote in heard.quotes(one)]
                assert told == await truth(other, one.name, told[0][0], told[-1][0])


def count(sim: Listening, contains: str) -> Callable[[], int]:
    """From now on, how many frames with this in them reach the other side."""
    sim.misfortunes.add({"action": "delay", "match": {"kind": "ws", "contains": contains}, "seconds": 0, "times": 0})
    step = sim.misfortunes.steps[-1]
    return lambda: step.seen


def last_at(heard: Heard, subject: Subject) -> datetime:
    return heard.quotes(subject)[-1].at


async def until(true: object, seconds: float) -> None:
    assert callable(true)
    async with asyncio.timeout(seconds):
        while not true():  # the other side of a socket sets no event
            await asyncio.sleep(0.02)


async def ask(socket: ClientConnection, **what: object) -> dict[str, object]:
    await socket.send(json.dumps(what))
    answer: dict[str, object] = json.loads(await socket.recv(), parse_float=str)
    assert "error" not in answer, answer
    return answer


async def never_closed(socket: ClientConnection, count: int) -> list[str]:
    answer = await ask(socket, active_symbols="brief")
    listed = answer["active_symbols"]
    assert isinstance(listed, list)
    return [one["symbol"] for one in listed if not one["symbol"].startswith("frx")][:count]


async def truth(socket: ClientConnection, symbol: str, first: int, last: int) -> list[tuple[int, Decimal]]:
    answer = await ask(socket, ticks_history=symbol, start=first, end=last, count=5000, style="ticks")
    history = answer["history"]
    assert isinstance(history, dict)
    return [(at, Decimal(str(price))) for at, price in zip(history["times"], history["prices"], strict=True)]

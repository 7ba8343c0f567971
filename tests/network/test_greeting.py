"""Until a connection is greeted it belongs to its greeting: nobody else asks on it."""

import asyncio

import pytest

from bot.clock import SystemClock
from bot.errors import SilentError, UnreachableError
from bot.network.websocket import Line
from tests.network.test_websocket import Other, ear, other, until

__all__ = ["other"]


class Greeting:
    """A login whose second and later times take until somebody lets it go on."""

    def __init__(self) -> None:
        self.times = 0
        self.go = asyncio.Event()
        self.refuses = False

    async def __call__(self, line: Line) -> None:
        self.times += 1
        if self.times > 1:
            await line.ask("say wait=1", ["wait"])
            await self.go.wait()
        await asyncio.gather(*(asyncio.create_task(line.ask(f"say h{n}=1", [f"h{n}"])) for n in range(2)))
        if self.refuses:
            raise SilentError("test", "no answer to the login")


async def _reconnecting(line: Line, other: Other) -> "asyncio.Task[None]":
    """The line broke, and somebody is connecting it anew: the greeting has begun, and has not ended."""
    await line.open()
    with pytest.raises(SilentError):
        await line.ask("bye 1011", ["a"])
    opening = asyncio.create_task(line.open())
    await until(lambda: "say wait=1" in other.heard)
    return opening


async def test_a_question_during_the_greeting_of_a_new_connection_is_not_sent(other: Other) -> None:
    greeting = Greeting()
    line = Line("test", other.url + "/talk", clock=SystemClock(), hear=ear, greet=greeting)
    opening = await _reconnecting(line, other)
    with pytest.raises(UnreachableError):
        await line.ask("say a=1", ["a"])
    greeting.go.set()
    await opening
    assert await line.ask("say b=2", ["b"]) == ["2"]
    assert "say a=1" not in other.heard
    await line.close()


async def test_the_greeting_itself_asks_also_from_tasks_of_its_own(other: Other) -> None:
    greeting = Greeting()
    line = Line("test", other.url + "/talk", clock=SystemClock(), hear=ear, greet=greeting)
    opening = await _reconnecting(line, other)
    greeting.go.set()
    await opening
    assert sorted(other.heard) == sorted(["say h0=1", "say h1=1"] * 2 + ["bye 1011", "say wait=1"])
    await line.close()


async def test_whoever_opens_meanwhile_waits_and_asks_after_the_greeting(other: Other) -> None:
    async def asker(line: Line) -> list[str]:
        await line.open()
        return await line.ask("say a=1", ["a"])

    greeting = Greeting()
    line = Line("test", other.url + "/talk", clock=SystemClock(), hear=ear, greet=greeting)
    opening = await _reconnecting(line, other)
    asking = asyncio.create_task(asker(line))
    greeting.go.set()
    await opening
    assert await asking == ["1"]
    assert other.heard.index("say a=1") > other.heard.index("say wait=1")
    assert other.heard[-1] == "say a=1"
    await line.close()


async def test_a_greeting_that_fails_leaves_nothing_to_ask_on(other: Other) -> None:
    greeting = Greeting()
    line = Line("test", other.url + "/talk", clock=SystemClock(), hear=ear, greet=greeting)
    opening = await _reconnecting(line, other)
    greeting.refuses = True
    greeting.go.set()
    with pytest.raises(SilentError):
        await opening
    with pytest.raises(UnreachableError):
        await line.ask("say a=1", ["a"])
    assert "say a=1" not in other.heard
    await line.close()

"""A server ends at once when nothing is open, and gives those who are still there their moment."""

from typing import Any

import httpx
import pytest
import uvicorn
from websockets.asyncio.client import connect

from bot.loopback.server import serving
from tests.support.counter import Counter


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many connections were open each time uvicorn's own ending, which begins with a pause, was taken."""
    found: list[int] = []
    original = uvicorn.Server.shutdown

    async def noting(self: uvicorn.Server, sockets: Any = None) -> None:
        found.append(len(self.server_state.connections))
        await original(self, sockets)

    monkeypatch.setattr(uvicorn.Server, "shutdown", noting)
    return found


async def _answers(origin: str) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=2) as http:
            return (await http.get(f"{origin}/total")).status_code == 200
    except httpx.ConnectError:
        return False


async def test_nobody_came(noted: list[int]) -> None:
    async with serving(Counter()) as sim:
        pass
    assert noted == []
    assert not await _answers(sim.http)


async def test_everybody_has_gone(noted: list[int]) -> None:
    async with serving(Counter()) as sim:
        assert await _answers(sim.http)
        async with connect(f"{sim.ws}/talk", proxy=None) as line:
            await line.send("x")
            assert await line.recv() == "x"
    assert noted == []
    assert not await _answers(sim.http)


async def test_a_line_that_is_open_is_told(noted: list[int]) -> None:
    async with serving(Counter()) as sim:
        line = await connect(f"{sim.ws}/talk", proxy=None)
        await line.send("x")
        await line.recv()
    assert noted == [1]
    await line.wait_closed()
    assert line.close_code == 1012
    assert not await _answers(sim.http)

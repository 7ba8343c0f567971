"""A simulator whose prices come all at once: see `peers/reservoir.py`."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.benchmarks.processes import CannotMeasureError, Program, program


@dataclass(frozen=True, slots=True)
class Reservoir:
    """A running one."""

    sim: dict[str, Any]
    """What the simulator said of itself."""
    control: httpx.AsyncClient
    _program: Program

    async def fill(self, path: str, body: dict[str, object], *, times: int, prices: int) -> None:
        """Have the simulator send `prices` in all, by so many requests to its control side."""
        await self._say(f"hold {prices}")
        for _ in range(times):
            (await self.control.post(f"{self.sim['control']}/{path}", json=body)).raise_for_status()
        if (await self._program.line()).strip() != "full":
            raise CannotMeasureError("the reservoir said something else")

    async def flow(self) -> None:
        await self._say("flow")

    async def _say(self, line: str) -> None:
        if self._program.process.stdin is None:
            raise CannotMeasureError("the reservoir cannot be told anything")
        self._program.process.stdin.write(f"{line}\n".encode())
        await self._program.process.stdin.drain()


@asynccontextmanager
async def reservoir(provider: str, mark: str, folder: Path) -> AsyncIterator[Reservoir]:
    """`mark` stands in each frame that holds a price, and in no other."""
    command = (sys.executable, "-m", "tests.benchmarks.peers.reservoir", provider, mark)
    async with program("reservoir", command, folder) as running, httpx.AsyncClient(trust_env=False, timeout=60) as web:
        yield Reservoir(json.loads(await running.line()), web, running)

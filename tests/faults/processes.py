"""The other side as processes of their own that remember, and the bot as one that is killed and started again."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


@dataclass(frozen=True)
class Side:
    """A simulator that listens, and its control side."""

    line: dict[str, Any]
    http: httpx.AsyncClient

    async def told(self, what: str, **query: Any) -> Any:
        answer = await self.http.get(f"{self.line['control']}/{what}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def does(self, what: str, **how: Any) -> Any:
        return await self._posted(what, how)

    async def suffers(self, *steps: dict[str, Any]) -> None:
        await self._posted("faults", list(steps))

    async def _posted(self, what: str, body: Any) -> Any:
        answer = await self.http.post(f"{self.line['control']}/{what}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@asynccontextmanager
async def simulating(name: str, folder: Path) -> AsyncIterator[Side]:
    """`countersign simulate NAME --state FILE`, for the length of the block."""
    with (folder / f"{name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "simulate", name, "--state", str(folder / f"{name}.json")),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    try:
        line = json.loads(await process.stdout.readline())
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            yield Side(line, http)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


@dataclass
class Clerk:
    """The bot, begun."""

    process: asyncio.subprocess.Process
    log: Path

    @property
    def is_dead(self) -> bool:
        return self.process.returncode is not None

    @property
    def was_killed(self) -> bool:
        return self.process.returncode == -signal.SIGKILL

    def told(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    async def stop(self) -> None:
        if not self.is_dead:
            self.process.send_signal(signal.SIGTERM)
        await self.process.wait()


async def begin(config: Path, wish: Path, crash: str = "") -> Clerk:
    """Start the bot, to die at a point or to live."""
    log = config.parent / f"log-{len(list(config.parent.glob('log-*')))}"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"} | ({"COUNTERSIGN_CRASH": crash} if crash else {})
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.clerk", str(config), str(wish)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=environment,
        )
    return Clerk(process, log)

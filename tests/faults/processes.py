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

    log: Path
    pid: int
    ended: asyncio.Event
    code: int | None = None

    @property
    def is_dead(self) -> bool:
        return self.code is not None

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL

    def told(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    async def stop(self) -> None:
        if not self.is_dead:
            os.kill(self.pid, signal.SIGTERM)
        await self.ended.wait()


class Nursery:
    """`nursery.py`, begun."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._clerks: dict[int, Clerk] = {}
        self._waiting: dict[str, asyncio.Future[Clerk]] = {}

    async def begin(self, config: Path, wish: Path, crash: str = "") -> Clerk:
        """Start the bot, to die at a point or to live."""
        log = config.parent / f"log-{len(list(config.parent.glob('log-*')))}"
        wanted = {"config": str(config), "wish": str(wish), "log": str(log), "crash": crash}
        self._waiting[str(log)] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
        return await self._waiting[str(log)]

    async def hear(self) -> None:
        """What it tells, until it has no more to tell."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "log" in told:
                clerk = Clerk(Path(told["log"]), told["pid"], asyncio.Event())
                self._clerks[clerk.pid] = clerk
                self._waiting.pop(told["log"]).set_result(clerk)
            elif "code" in told:
                clerk = self._clerks.pop(told["pid"])
                clerk.code = told["code"]
                clerk.ended.set()


@asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    """Ready for the length of the block. Whoever begins a clerk there stops it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.nursery"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    found = Nursery(process)
    hearing = asyncio.create_task(found.hear())
    try:
        yield found
    finally:
        process.stdin.close()
        await process.wait()
        await hearing

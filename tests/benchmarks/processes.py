"""Programs under measurement: started, watched from outside, ended."""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bot.logs import redact

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(tempfile.gettempdir()) / "countersign-benchmarks"
"""What outlives a run: environments and bytecode."""
PATIENCE_SECONDS = 60.0
Result = TypeVar("Result")
_LOOK_SECONDS = 0.05
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class CannotMeasureError(Exception):
    """A program did not do its part; the message says which and how it ended."""


@dataclass(slots=True)
class Program:
    """A running child."""

    name: str
    process: asyncio.subprocess.Process
    started_at: float
    """Wall clock, seconds since the epoch, taken just before it was started."""
    said: Path
    """Where its standard error goes."""

    async def line(self) -> str:
        """The next line it prints."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                line = await self.process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            raise CannotMeasureError(f"{self.name} printed nothing. {self.last_words()}")
        return line.decode()

    async def during(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do `work` that needs it alive; its end ends the work."""
        task, end = asyncio.create_task(work), asyncio.create_task(self.process.wait())
        try:
            await asyncio.wait((task, end), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise CannotMeasureError(f"{self.name} ended with {end.result()}. {self.last_words()}")
            return task.result()
        finally:
            task.cancel()
            end.cancel()

    def last_words(self) -> str:
        """The end of its standard error, without what looks like a secret."""
        return "\n".join(map(redact, self.said.read_text(errors="replace").splitlines()[-15:]))

    def resident_bytes(self) -> int:
        statm = Path(f"/proc/{self.process.pid}/statm").read_text()
        return int(statm.split()[1]) * _PAGE_BYTES

    async def settled_bytes(self) -> int:
        """Resident memory once it has stopped growing: the same, to 64 KiB, over half a second."""
        before, at = 0, self.resident_bytes()
        deadline = time.monotonic() + 10
        while at - before > 1 << 16 and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
            before, at = at, self.resident_bytes()
        return at


@asynccontextmanager
async def program(
    name: str, command: Sequence[str | Path], folder: Path, environ: dict[str, str] | None = None
) -> AsyncIterator[Program]:
    """Run `command` for the length of the block; it is told to end, and killed if it does not listen."""
    said = folder / f"{name}.stderr"
    with said.open("wb") as errors:
        started_at = time.time()
        process = await asyncio.create_subprocess_exec(
            *command, stdout=PIPE, stderr=errors, stdin=PIPE, cwd=ROOT, env=_surroundings() | (environ or {})
        )
    try:
        yield Program(name, process, started_at, said)
    finally:
        await _end(process)


@asynccontextmanager
async def simulator(name: str, folder: Path, *options: str) -> AsyncIterator[dict[str, Any]]:
    """The simulator of that name as a program, for the length of the block: the line it prints."""
    async with program(name, (sys.executable, "-m", "bot", "simulate", name, *options), folder) as running:
        yield json.loads(await running.line())


def _surroundings() -> dict[str, str]:
    """The caller's environment without its wishes to Python. Everybody's bytecode is kept, apart from the sources."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | {"PYTHONPYCACHEPREFIX": str(CACHE / "bytecode")}


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(10):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def until(holds: Callable[[], Awaitable[bool]], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something is so; looks every 50 ms, which is rare enough not to be felt."""
    deadline = time.monotonic() + seconds
    while not await holds():
        if time.monotonic() > deadline:
            raise CannotMeasureError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(_LOOK_SECONDS)

"""The bot as a process of its own, as an operator runs it."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.chatting import until

START_SECONDS, STOP_SECONDS = 60.0, 20.0


@dataclass
class Bot:
    """`countersign run`, begun."""

    process: asyncio.subprocess.Process
    log: Path

    def told(self) -> str:
        """Everything it wrote so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    async def up(self) -> None:
        """Until it says so."""
        await until(lambda: " up " in self.told() or self.process.returncode is not None, START_SECONDS)
        assert self.process.returncode is None, self.told()

    async def ended(self, seconds: float = STOP_SECONDS) -> int:
        return await asyncio.wait_for(self.process.wait(), seconds)

    async def stop(self) -> int:
        """SIGTERM; its exit code. Later than 20 seconds is too late."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def run(config: Path, *, ready: bool = True) -> AsyncIterator[Bot]:
    """Run the bot for the length of the block; what still runs then is killed."""
    log = config.parent / f"log-{len(list(config.parent.glob('log-*')))}"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "run", "--config", str(config)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    bot = Bot(process, log)
    try:
        if ready:
            await bot.up()
        yield bot
    finally:
        if process.returncode is None:
            await bot.kill()

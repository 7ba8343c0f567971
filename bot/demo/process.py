"""The bot as a process of its own: started, watched, started again, ended.

It is ready when it has asked Telegram for updates. Dying before it was ever ready ends the demo; dying later is shown
on the page, and it is started again after a pause that grows while it keeps dying.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from bot.errors import StartRefusedError

EX_SOFTWARE = 70
PATIENCE_SECONDS = 15.0
"""How long the bot may take to end before it is killed."""
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 20.0


class BotProcess:
    """One bot, kept alive.

    Args:
        log_file: Where it writes; the last lines are told when it cannot start.
        polled: Set by Telegram's simulator whenever the bot asks for updates.
        told: Hears of each state (starting, running, down), with a sentence for the log or an empty one.
    """

    def __init__(self, config: Path, log_file: Path, polled: asyncio.Event, told: Callable[[str, str], None]) -> None:
        self.config = config
        self.log_file = log_file
        self.state = "starting"
        self.ready = asyncio.Event()
        self._polled = polled
        self._told = told
        self._process: asyncio.subprocess.Process | None = None

    async def keep(self) -> None:
        """Start it, and start it again; returns never.

        Raises:
            StartRefusedError: It died before it was ready for the first time.
        """
        pause = FIRST_PAUSE_SECONDS
        while True:
            code, ran = await self._live()
            if not self.ready.is_set():
                raise StartRefusedError(f"The bot ended with {code} before it was ready:\n{self._last()}", EX_SOFTWARE)
            pause = FIRST_PAUSE_SECONDS if ran else min(pause * 2, LONGEST_PAUSE_SECONDS)
            self._become("down", f"The bot ended ({_ending(code)}); it is started again")
            await asyncio.sleep(pause)

    async def _live(self) -> tuple[int, bool]:
        """One life: the exit code, and whether it got as far as asking for updates."""
        self._polled.clear()
        self._become("starting", "")
        with self.log_file.open("ab") as log:
            process = self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot", "run", "--config", str(self.config)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the demo, which ends the bot in its own time
            )
        coming = asyncio.create_task(self._polled.wait())
        ending = asyncio.create_task(process.wait())
        await asyncio.wait({coming, ending}, return_when=asyncio.FIRST_COMPLETED)
        ran = coming.done()
        coming.cancel()
        if ran:
            self._become("running", "The bot is back" if self.ready.is_set() else "")
            self.ready.set()
        return await ending, ran

    def crash(self) -> None:
        """Kill it outright."""
        self._signal(signal.SIGKILL)

    async def end(self) -> None:
        """Ask it to end, and wait; after `PATIENCE_SECONDS` it is killed."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), PATIENCE_SECONDS)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _become(self, state: str, sentence: str) -> None:
        self.state = state
        self._told(state, sentence)

    def _last(self) -> str:
        return "\n".join(self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"

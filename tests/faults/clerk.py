"""`countersign run` as it is, and one wish that somebody has at this desk: a process of its own, which can be killed.

Where a door leads to what is wished, people ask in the chat, and there is none. Otherwise it is asked for at every
start, as a message that Telegram hands out again would be; it comes in one message, and asks once (M09). Everything
else that people do comes through Telegram. `ahead_seconds` is how long this process believes to have been away.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.approvals.model import Kind
from bot.approvals.service import Wish
from bot.commands import run
from bot.config import Config
from bot.errors import ConflictError
from bot.wiring import House, house


class LaterClock:
    """The machine's time, and some seconds."""

    def __init__(self, ahead_seconds: float) -> None:
        self._ahead = timedelta(seconds=ahead_seconds)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def asking(said: dict[str, Any]) -> Any:
    @asynccontextmanager
    async def asked_in(config: Config) -> AsyncIterator[House]:
        async with house(config, LaterClock(said["ahead_seconds"])) as rooms:
            task = asyncio.create_task(_ask(rooms, said)) if "kind" in said else None
            yield rooms
            if task is not None:
                await task

    return asked_in


async def _ask(rooms: House, said: dict[str, Any]) -> None:
    by = rooms.access.roster.person(said["by"])
    assert by is not None
    wish = Wish(Kind(said["kind"]), said["parameters"], asked_in=said["asked_in"])
    try:
        await rooms.approvals.ask(by, wish, telegram_id=said["by"])
    except ConflictError as error:
        print("not asked again:", error, flush=True)


def work(config: str, wish: str) -> None:
    """`countersign run --config CONFIG`, with the wish of that file. Ends with `SystemExit`."""
    run.house = asking(json.loads(Path(wish).read_text()))
    run.run(["--config", config])

"""The simulated Telegram, in a process of its own, and the people who write there."""

import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from tests.benchmarks.processes import simulator, until

PEOPLE = tuple(range(40_001, 40_051))
"""Those who are known to every bot here."""
COMMAND = "/whoami"


@dataclass(slots=True)
class Telegram:
    """Its control side. Times are the simulator's own, in milliseconds of this machine's clock."""

    origin: str
    token: str = field(repr=False)
    session: aiohttp.ClientSession
    numbers: Iterator[int] = field(default_factory=lambda: count(10_000_000))
    """Message ids, far from those the simulator gives."""

    async def write(self, senders: Iterable[int]) -> None:
        """Each of these people sends the command, privately; all of it waits at once."""
        await self._post("updates", {"updates": [self._message(sender) for sender in senders]})

    async def calls(self, method: str, since_ms: int) -> list[dict[str, Any]]:
        """What the bot asked since then, oldest first. A long poll counts when it is answered."""
        wanted = {"method": method, "since": str(since_ms)}
        async with self.session.get(f"{self.origin}/_sim/deliveries", params=wanted) as answer:
            found: list[dict[str, Any]] = (await answer.json())["deliveries"]
        return found

    async def asked(self, method: str, since_ms: int, times: int = 1) -> list[dict[str, Any]]:
        """The same, once there are so many of them."""
        tally = _Tally(self, method, since_ms)

        async def enough() -> bool:
            return await tally.count() >= times

        await until(enough, f"{times} × {method}")
        return await self.calls(method, since_ms)

    @asynccontextmanager
    async def events(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """What happens in the chats, as it happens."""
        async with self.session.ws_connect(f"{self.origin}/_sim/stream") as stream:
            yield stream

    async def meet(self, people: Iterable[int]) -> None:
        await self._post("people", {"people": [{"id": each, "first_name": f"Person {each}"} for each in people]})

    async def _post(self, path: str, body: object) -> None:
        async with self.session.post(f"{self.origin}/_sim/{path}", json=body) as answer:
            answer.raise_for_status()
            await answer.read()

    def _message(self, sender: int) -> dict[str, Any]:
        person = {"id": sender, "is_bot": False, "first_name": f"Person {sender}", "language_code": "en"}
        message = {
            "message_id": next(self.numbers),
            "from": person,
            "chat": {"id": sender, "first_name": person["first_name"], "type": "private"},
            "date": int(time.time()),
            "text": COMMAND,
            "entities": [{"type": "bot_command", "offset": 0, "length": len(COMMAND)}],
        }
        return {"message": message}


class _Tally:
    """Counts calls without asking for the same one twice, so that counting costs the simulator little."""

    def __init__(self, telegram: Telegram, method: str, since_ms: int) -> None:
        self._telegram = telegram
        self._method = method
        self._since_ms = since_ms
        self._before = 0
        """How many came before `_since_ms`."""

    async def count(self) -> int:
        fresh = [call["at_ms"] for call in await self._telegram.calls(self._method, self._since_ms)]
        total = self._before + len(fresh)
        if fresh:
            self._since_ms = fresh[-1]
            self._before = total - fresh.count(self._since_ms)  # more may follow within that millisecond
        return total


@asynccontextmanager
async def telegram(folder: Path) -> AsyncIterator[Telegram]:
    """A simulated Telegram for the length of the block; its flood limits are off unless asked for."""
    async with simulator("telegram", folder) as standing, aiohttp.ClientSession() as session:
        found = Telegram(standing["http"], standing["credentials"]["bot_token"], session)
        await found.meet(PEOPLE)
        yield found


def now_ms() -> int:
    """The clock the simulator uses, too."""
    return time.time_ns() // 1_000_000

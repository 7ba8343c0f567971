"""The queue of updates and the one poller that empties it.

An update is confirmed, and forgotten, when getUpdates is asked with a higher offset; unasked-for it is kept for 24
hours. A negative offset keeps only that many from the end. While one call waits, a second one ends it with 409. A call
whose client is gone takes nothing with it: only an offset confirms.
Source: Telegram Bot API, section "getUpdates".
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from bot.clock import Clock, to_millis
from bot.demo.telegram.model import Obj, conflict

RETENTION_MS = 24 * 3600 * 1000
MAX_LIMIT = 100
MAX_TIMEOUT_SECONDS = 50
NOT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})


@dataclass(frozen=True, slots=True)
class Pending:
    """One update that nobody has confirmed."""

    id: int
    kind: str
    at_ms: int
    raw: bytes
    """Its JSON, ready to be sent."""


class Updates:
    """Waiting updates, oldest first.

    Args:
        confirmed: Told which updates have been confirmed.
    """

    def __init__(self, clock: Clock, first_id: int, confirmed: Callable[[Sequence[Pending]], None]) -> None:
        self.clock = clock
        self.next_id = first_id
        self.offset = 0
        self.allowed: frozenset[str] = frozenset()
        """Empty: everything but `NOT_BY_DEFAULT`."""
        self.webhook_waiting: asyncio.Event | None = None
        self.polled = asyncio.Event()
        """Set by every getUpdates call; whoever waits for a bot to come clears it first."""
        self._confirmed = confirmed
        self._pending: deque[Pending] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def push(self, update: Obj) -> int:
        """Queue one update and answer its id; what the bot did not ask for is dropped."""
        update_id = int(update.get("update_id", self.next_id))
        self.next_id = max(self.next_id, update_id + 1)
        kind = next((key for key in update if key != "update_id"), "")
        if self.wants(kind):
            now = to_millis(self.clock.now())
            raw = msgspec.json.encode({"update_id": update_id, **{k: v for k, v in update.items() if k != "update_id"}})
            self._pending.append(Pending(update_id, kind, now, raw))
            self._wake()
        return update_id

    def wants(self, kind: str) -> bool:
        return kind in self.allowed if self.allowed else kind not in NOT_BY_DEFAULT

    def waiting(self) -> list[Pending]:
        """Those not confirmed and not too old."""
        self._expire()
        return list(self._pending)

    def first(self) -> Pending | None:
        self._expire()
        return self._pending[0] if self._pending else None

    def clear(self) -> None:
        self._pending.clear()

    def done(self, delivered: Pending) -> None:
        """A webhook took this one."""
        if delivered in self._pending:
            self._pending.remove(delivered)
            self._confirmed([delivered])

    async def poll(
        self, offset: int, limit: int, timeout_seconds: int, gone: Callable[[], Coroutine[Any, Any, None]]
    ) -> list[bytes]:
        """What getUpdates answers.

        Args:
            gone: Returns when the client has closed its connection.
        Raises:
            ApiError: 409, because a younger call came.
        """
        self.end_poll("terminated by other getUpdates request; make sure that only one bot instance is running")
        self.polled.set()
        self._confirm(offset)
        limit = min(max(limit, 1), MAX_LIMIT)
        if not self._pending and timeout_seconds > 0:
            await self._wait(min(timeout_seconds, MAX_TIMEOUT_SECONDS), gone)
        self._expire()
        return [self._pending[index].raw for index in range(min(limit, len(self._pending)))]

    def end_poll(self, why: str) -> None:
        """End the call that waits now, if any, with 409."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(conflict(why))

    async def _wait(self, seconds: int, gone: Callable[[], Coroutine[Any, Any, None]]) -> None:
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        others = [asyncio.ensure_future(self.clock.sleep(seconds)), asyncio.ensure_future(gone())]
        try:
            await asyncio.wait([waiter, *others], return_when=asyncio.FIRST_COMPLETED)
            if waiter.done():
                waiter.result()
        finally:
            for each in (waiter, *others):
                each.cancel()
            if self._waiter is waiter:
                self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self.webhook_waiting is not None:
            self.webhook_waiting.set()

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            forget = max(len(self._pending) + offset, 0)
            self._confirmed([self._pending.popleft() for _ in range(forget)])
            return
        if offset > 0:
            self.offset = offset
        confirmed = []
        while self._pending and self._pending[0].id < offset:
            confirmed.append(self._pending.popleft())
        if confirmed:
            self._confirmed(confirmed)

    def _expire(self) -> None:
        oldest = to_millis(self.clock.now()) - RETENTION_MS
        while self._pending and self._pending[0].at_ms < oldest:
            self._pending.popleft()

    def dump(self) -> Obj:
        return {
            "next_id": self.next_id,
            "offset": self.offset,
            "allowed": sorted(self.allowed),
            "pending": [[p.id, p.kind, p.at_ms, p.raw.decode()] for p in self._pending],
        }

    def load(self, state: Any) -> None:
        self.next_id = state["next_id"]
        self.offset = state["offset"]
        self.allowed = frozenset(state["allowed"])
        self._pending = deque(Pending(number, kind, at, raw.encode()) for number, kind, at, raw in state["pending"])

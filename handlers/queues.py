"""What waits to be handled: each chat has its own queue.

Updates of one chat are handled in order, different chats side by side, at most `concurrency` at a time.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.messages.inbox import Incoming

_log = logging.getLogger(__name__)
BACKLOG = 2000
"""With so many updates waiting, the next batch is not taken yet."""
CHAT_BACKLOG = 100
"""And with so many in one chat, the rest of that chat is dropped: one stuck client does not make the desk deaf."""
MISSED_SECONDS = 60.0
"""What was dropped is told when the chat has been dealt with, or after so long, whichever comes first."""


@dataclass(slots=True)
class _Queue:
    """What waits in one chat, and how much was dropped behind it since that was last told."""

    items: deque[Incoming]
    missed: int = 0
    missed_since: float = 0.0


class ChatQueues:
    """One queue for each chat that has something waiting.

    Args:
        missed: Told the chat and how many of its updates were dropped.
    """

    def __init__(
        self,
        handle: Callable[[Incoming], Awaitable[None]],
        missed: Callable[[int, int], Awaitable[None]],
        concurrency: int,
    ) -> None:
        self._handle = handle
        self._tell_missed = missed
        self._slots = asyncio.Semaphore(concurrency)
        self._queues: dict[int, _Queue] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._room.set()
        self.waiting = 0

    def offer(self, item: Incoming) -> bool:
        """Queue it. False when its chat has as much waiting as one chat may: it is dropped, and counted."""
        queue = self._queues.get(item.chat_id)
        if queue is None or len(queue.items) < CHAT_BACKLOG:
            self.put(item)
            return True
        if not queue.missed:
            queue.missed_since = time.monotonic()
        queue.missed += 1
        return False

    def put(self, item: Incoming) -> None:
        """Queue behind what its chat already has."""
        self.waiting += 1
        if self.waiting >= BACKLOG:
            self._room.clear()
        queue = self._queues.get(item.chat_id)
        if queue is not None:
            queue.items.append(item)
            return
        self._queues[item.chat_id] = _Queue(deque([item]))
        task = asyncio.create_task(self._drain(item.chat_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def room(self) -> None:
        """Wait until the backlog is below its ceiling."""
        await self._room.wait()

    async def stop(self, seconds: float) -> None:
        """Let what runs finish within `seconds`; what has not begun stays in the inbox."""
        for queue in self._queues.values():
            while len(queue.items) > 1:
                queue.items.pop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _drain(self, chat_id: int) -> None:
        queue = self._queues[chat_id]
        items = queue.items
        try:
            while items:
                try:
                    async with self._slots:
                        await self._handle(items[0])
                except asyncio.CancelledError:
                    if _being_cancelled():
                        raise
                    _log.error("a handler was cancelled from within", extra={"update_id": items[0].update_id})
                if queue.missed and (len(items) == 1 or time.monotonic() - queue.missed_since >= MISSED_SECONDS):
                    missed, queue.missed = queue.missed, 0
                    await self._tell_missed(chat_id, missed)
                items.popleft()
                self.waiting -= 1
                if self.waiting < BACKLOG:
                    self._room.set()
        finally:
            self.waiting -= len(items)
            del self._queues[chat_id]


def _being_cancelled() -> bool:
    """Whether somebody cancels this task, rather than something it waited for having been cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0

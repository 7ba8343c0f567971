"""Outgoing pacing with lanes, instead of the library's own limiter.

Telegram allows about one message a second in a chat (short bursts are tolerated), 30 a second over all, 20 a minute in
a group; edits count like messages. Whoever waits is served by lane, then by age; every tenth turn goes to the lowest
lane that waits, so that none starves. A `RetryAfter` pauses its own chat only; when several chats are told to wait,
all do. How long a chat is to be left alone is a row, too: a restart does not hammer it (R12).

Each chat has a queue of its own in each lane, and stands with its first ticket only where turns are given out: what
waits in one chat costs the others nothing, however much it is.
"""

import asyncio
import heapq
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from aiolimiter import AsyncLimiter
from telegram.error import BadRequest, NetworkError, RetryAfter
from telegram.ext import BaseRateLimiter

from bot.config import Pacing
from bot.errors import StoreError
from bot.messages.notice import Lane

_log = logging.getLogger(__name__)
_PACED = ("send", "edit", "copy", "forward")
_FREE = frozenset({"sendChatAction"})
_BURST = 3
_LOOK_SECONDS = 0.03
_REST_SECONDS = 0.1
"""A chat whose budget is used up is looked at again after so long."""
_FAIR_EVERY = 10
_MAX_WAIT_SECONDS = 60.0
"""A reply is not kept waiting for longer: it is given up, and its chat is left alone all the same."""
_MAX_PAUSE_SECONDS = 24 * 3600.0
_MORE_TRIES = 3
_PAUSE_SECONDS = 0.5


class Pauses(Protocol):
    """Where it is kept which chats are to be left alone."""

    async def paused(self) -> dict[int, float]:
        """Seconds that are left, by chat."""

    async def pause(self, chat_id: int, seconds: float) -> None:
        """Leave that chat alone for so long; a longer pause stays as it is."""


@dataclass(slots=True)
class _Ticket:
    number: int
    turn: "asyncio.Future[None]"


class Pacer(BaseRateLimiter[Lane]):
    """Turns for outgoing messages."""

    def __init__(self, pacing: Pacing, pauses: Pauses | None = None) -> None:
        self._pacing = pacing
        self._pauses = pauses
        self._overall = _limiter(pacing.overall_per_second, 1.0)
        self._chats: dict[int | str, list[AsyncLimiter]] = {}
        self._paused: dict[int | str, float] = {}
        self._queues: dict[tuple[Lane, int | str], deque[_Ticket]] = {}
        self._ready: dict[Lane, list[tuple[int, int | str]]] = {lane: [] for lane in Lane}
        """Heaps of first tickets, by lane: their number and chat. Each queue stands here or in `_resting`, once."""
        self._resting: list[tuple[float, Lane, int, int | str]] = []
        """A heap of those whose chat has used up its budget, by when they are looked at again."""
        self._number = 0
        self._granted = 0
        self._server: asyncio.Task[None] | None = None

    async def initialize(self) -> None:
        """Take up the pauses of an earlier run."""
        if self._pauses is not None:
            now = time.monotonic()
            for chat_id, seconds in (await self._pauses.paused()).items():
                self._paused[chat_id] = now + min(seconds, _MAX_WAIT_SECONDS)  # it may have been the line's fault

    async def shutdown(self) -> None:
        """Let everybody who waits go: the program is ending."""
        if self._server is not None:
            self._server.cancel()
        for queue in self._queues.values():
            for ticket in queue:
                ticket.turn.cancel()

    async def process_request(
        self,
        callback: Callable[..., Coroutine[Any, Any, Any]],
        args: Any,
        kwargs: dict[str, Any],
        endpoint: str,
        data: dict[str, Any],
        rate_limit_args: Lane | None,
    ) -> Any:
        """Called by the library around each Bot API call. Without a lane it is a direct reply and goes first."""
        chat_id = data.get("chat_id")
        if chat_id is None or endpoint in _FREE or not endpoint.startswith(_PACED):
            return await callback(*args, **kwargs)
        has_lane = rate_limit_args is not None  # then the outbox keeps it, and comes again
        lane = rate_limit_args if rate_limit_args is not None else Lane.DECISIONS
        left = 0 if has_lane else _MORE_TRIES
        while True:
            if not has_lane:
                self._check_worth_waiting(chat_id)
            await self.turn(chat_id, lane)
            try:
                return await callback(*args, **kwargs)
            except RetryAfter as error:
                await self._pause(chat_id, error)
                if left == 0:
                    raise
            except BadRequest:
                raise
            except NetworkError:  # it may have arrived: a second answer is the lesser evil (R13)
                if left == 0:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS * (_MORE_TRIES - left + 1))
            left -= 1

    def _check_worth_waiting(self, chat_id: int | str) -> None:
        """`RetryAfter` for a reply that would come when nobody looks for it any more."""
        seconds = self._paused.get(chat_id, 0.0) - time.monotonic()
        if seconds > _MAX_WAIT_SECONDS:
            raise RetryAfter(int(seconds))

    def is_free(self, chat_id: int | str) -> bool:
        """Whether that chat takes a message now: nobody waits there, and no budget is used up."""
        return not any((lane, chat_id) in self._queues for lane in Lane) and self._may(chat_id) and self._all_may()

    async def turn(self, chat_id: int | str, lane: Lane) -> None:
        """Wait for a turn in that chat."""
        if not self._queues and self._all_may() and self._may(chat_id):
            await self._use(chat_id)
            return
        self._number += 1
        ticket = _Ticket(self._number, asyncio.get_running_loop().create_future())
        queue = self._queues.get((lane, chat_id))
        if queue is None:
            self._queues[lane, chat_id] = deque((ticket,))
            heapq.heappush(self._ready[lane], (ticket.number, chat_id))
        else:
            queue.append(ticket)
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve())
        await ticket.turn

    async def _serve(self) -> None:
        while self._queues:
            found = self._next()
            if found is None:
                await asyncio.sleep(_LOOK_SECONDS)
                continue
            ticket, chat_id = found
            await self._use(chat_id)
            self._granted += 1
            if not ticket.turn.done():
                ticket.turn.set_result(None)

    def _next(self) -> tuple[_Ticket, int | str] | None:
        now = time.monotonic()
        while self._resting and self._resting[0][0] <= now:
            _, lane, number, chat_id = heapq.heappop(self._resting)
            heapq.heappush(self._ready[lane], (number, chat_id))
        if not self._all_may():
            return None
        is_fair = self._granted % _FAIR_EVERY == _FAIR_EVERY - 1
        for lane in reversed(Lane) if is_fair else Lane:
            while self._ready[lane]:
                number, chat_id = heapq.heappop(self._ready[lane])
                if not self._has_somebody(lane, chat_id):
                    continue
                if self._may(chat_id):
                    return self._first(lane, chat_id), chat_id
                again = max(now + _REST_SECONDS, self._paused.get(chat_id, 0.0))
                heapq.heappush(self._resting, (again, lane, number, chat_id))
        return None

    def _has_somebody(self, lane: Lane, chat_id: int | str) -> bool:
        """Whether somebody waits there still; those who have gone are forgotten."""
        queue = self._queues[lane, chat_id]
        while queue and queue[0].turn.done():
            queue.popleft()
        if not queue:
            del self._queues[lane, chat_id]
        return bool(queue)

    def _first(self, lane: Lane, chat_id: int | str) -> _Ticket:
        """Take it out; who comes after it takes its place."""
        queue = self._queues[lane, chat_id]
        ticket = queue.popleft()
        if queue:
            heapq.heappush(self._ready[lane], (queue[0].number, chat_id))
        else:
            del self._queues[lane, chat_id]
        return ticket

    def _all_may(self) -> bool:
        if self._paused.get("*", 0) > time.monotonic():
            return False
        return self._overall is None or self._overall.has_capacity()

    def _may(self, chat_id: int | str) -> bool:
        if self._paused.get(chat_id, 0) > time.monotonic():
            return False
        return all(limiter.has_capacity() for limiter in self._limiters(chat_id))

    async def _use(self, chat_id: int | str) -> None:
        if self._overall is not None:
            await self._overall.acquire()
        for limiter in self._limiters(chat_id):
            await limiter.acquire()

    def _limiters(self, chat_id: int | str) -> list[AsyncLimiter]:
        found = self._chats.get(chat_id)
        if found is None:
            wanted = [_limiter(self._pacing.per_chat_per_second * _BURST, float(_BURST))]
            if str(chat_id).startswith(("-", "@")):
                wanted.append(_limiter(self._pacing.group_per_minute, 60.0))
            found = self._chats[chat_id] = [limiter for limiter in wanted if limiter is not None]
            if len(self._chats) > 5000:
                self._chats = {chat_id: found}
        return found

    async def _pause(self, chat_id: int | str, error: RetryAfter) -> None:
        seconds = min(error._retry_after.total_seconds(), _MAX_PAUSE_SECONDS)
        now = time.monotonic()
        self._paused = {key: until for key, until in self._paused.items() if until > now}
        self._paused[chat_id] = now + seconds
        if len(self._paused) >= 3:
            self._paused["*"] = now + min(seconds, 5.0)
        if seconds > _MAX_WAIT_SECONDS:
            self._send_away(chat_id, seconds)
        if self._pauses is not None and isinstance(chat_id, int):
            try:
                await self._pauses.pause(chat_id, seconds)
            except StoreError as trouble:  # this run knows all the same
                _log.warning("pause not kept", extra={"error": type(trouble).__name__})

    def _send_away(self, chat_id: int | str, seconds: float) -> None:
        """Whoever waits there already waits no longer: replies are given up, and notices are the outbox's again."""
        for lane in Lane:
            for ticket in self._queues.get((lane, chat_id), ()):
                if not ticket.turn.done():
                    ticket.turn.set_exception(RetryAfter(int(seconds)))


def _limiter(amount: float, seconds: float) -> AsyncLimiter | None:
    """None lifts it. A limiter below one could never be used: it is stretched until it lets one through."""
    if amount <= 0:
        return None
    return AsyncLimiter(amount, seconds) if amount >= 1 else AsyncLimiter(1, seconds / amount)

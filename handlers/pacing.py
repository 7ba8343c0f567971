"""Outgoing pacing with lanes, instead of the library's own limiter.

Telegram allows about one message a second in a chat (short bursts are tolerated), 30 a second over all, 20 a minute in
a group; edits count like messages. Whoever waits is served by lane, then by age; every tenth turn goes to the lowest
lane that waits, so that none starves. A `RetryAfter` pauses its own chat only; when several chats are told to wait,
all do.
"""

import asyncio
import heapq
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from aiolimiter import AsyncLimiter
from telegram.error import BadRequest, NetworkError, RetryAfter
from telegram.ext import BaseRateLimiter

from bot.config import Pacing
from bot.messages.outbox import Lane

_PACED = ("send", "edit", "copy", "forward")
_FREE = frozenset({"sendChatAction"})
_BURST = 3
_LOOK_SECONDS = 0.03
_FAIR_EVERY = 10
_MAX_WAIT_SECONDS = 60.0
_MORE_TRIES = 3
_PAUSE_SECONDS = 0.5


@dataclass(order=True, slots=True)
class _Ticket:
    lane: int
    number: int
    chat_id: int | str = field(compare=False)
    turn: "asyncio.Future[None]" = field(compare=False)


class Pacer(BaseRateLimiter[Lane]):
    """Turns for outgoing messages."""

    def __init__(self, pacing: Pacing) -> None:
        self._pacing = pacing
        self._overall = _limiter(pacing.overall_per_second, 1.0)
        self._chats: dict[int | str, list[AsyncLimiter]] = {}
        self._paused: dict[int | str, float] = {}
        self._waiting: list[_Ticket] = []
        self._number = 0
        self._granted = 0
        self._server: asyncio.Task[None] | None = None

    async def initialize(self) -> None:
        """Nothing to open."""

    async def shutdown(self) -> None:
        """Let everybody who waits go: the program is ending."""
        if self._server is not None:
            self._server.cancel()
        for ticket in self._waiting:
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
            await self.turn(chat_id, lane)
            try:
                return await callback(*args, **kwargs)
            except RetryAfter as error:
                self._pause(chat_id, error)
                if left == 0:
                    raise
            except BadRequest:
                raise
            except NetworkError:  # it may have arrived: a second answer is the lesser evil (R13)
                if left == 0:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS * (_MORE_TRIES - left + 1))
            left -= 1

    async def turn(self, chat_id: int | str, lane: Lane) -> None:
        """Wait for a turn in that chat."""
        if not self._waiting and self._free(chat_id):
            await self._use(chat_id)
            return
        self._number += 1
        ticket = _Ticket(int(lane), self._number, chat_id, asyncio.get_running_loop().create_future())
        heapq.heappush(self._waiting, ticket)
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve())
        await ticket.turn

    async def _serve(self) -> None:
        while self._waiting:
            ticket = self._next()
            if ticket is None:
                await asyncio.sleep(_LOOK_SECONDS)
                continue
            self._waiting.remove(ticket)
            heapq.heapify(self._waiting)
            if ticket.turn.done():
                continue  # whoever waited has gone
            await self._use(ticket.chat_id)
            self._granted += 1
            ticket.turn.set_result(None)

    def _next(self) -> _Ticket | None:
        order = sorted(self._waiting)
        if self._granted % _FAIR_EVERY == _FAIR_EVERY - 1:
            order.sort(key=lambda ticket: (-ticket.lane, ticket.number))
        return next((ticket for ticket in order if ticket.turn.done() or self._free(ticket.chat_id)), None)

    def _free(self, chat_id: int | str) -> bool:
        now = time.monotonic()
        if self._paused.get("*", 0) > now or self._paused.get(chat_id, 0) > now:
            return False
        if self._overall is not None and not self._overall.has_capacity():
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

    def _pause(self, chat_id: int | str, error: RetryAfter) -> None:
        seconds = min(error._retry_after.total_seconds(), _MAX_WAIT_SECONDS)
        now = time.monotonic()
        self._paused = {key: until for key, until in self._paused.items() if until > now}
        self._paused[chat_id] = now + seconds
        if len(self._paused) >= 3:
            self._paused["*"] = now + min(seconds, 5.0)


def _limiter(amount: float, seconds: float) -> AsyncLimiter | None:
    """None lifts it. A limiter below one could never be used: it is stretched until it lets one through."""
    if amount <= 0:
        return None
    return AsyncLimiter(amount, seconds) if amount >= 1 else AsyncLimiter(1, seconds / amount)

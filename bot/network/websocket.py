"""A socket that answers questions, as long as it is wanted: one connection after another.

The line connects when it is first needed, greets (the adapter's login), and is connected anew at the next question
after it broke; questions that were waiting fail, they are never asked again from here. What belongs to one connection
is in its `Talk`, and ends with it.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import ContextVar
from typing import Any

import websockets.exceptions

from bot.clock import Clock
from bot.errors import CountersignError, ProviderError, SilentError, UnreachableError
from bot.network.connection import OpenSocket, Socket, opened
from bot.network.talk import Hear, Talk
from bot.network.trouble import unreached

_log = logging.getLogger(__name__)
Dial = Callable[[OpenSocket], Awaitable[Socket]]
Greet = Callable[["Line"], Awaitable[None]]
KeepAlive = Callable[["Line"], Awaitable[None]]
TurnedAway = Callable[[int], ProviderError | None]
_GREETING: ContextVar[Talk | None] = ContextVar("greeting", default=None)
"""The connection that is being greeted here. Tasks the greeting starts inherit it, and nobody else has it."""


class Line:
    """One WebSocket to one provider, for one login."""

    def __init__(
        self,
        provider: str,
        url: str,
        *,
        clock: Clock,
        hear: Hear,
        greet: Greet,
        keep_alive: KeepAlive | None = None,
        keep_alive_seconds: float = 30.0,
        connect_seconds: float = 5.0,
        answer_seconds: float = 15.0,
        rest_seconds: float = 0.0,
        turned_away: TurnedAway | None = None,
        dial: Dial | None = None,
        ca_file: str | None = None,
    ) -> None:
        """
        Args:
            hear: Called with each frame; says what it settles. A `ReplyError` it raises closes the line.
            greet: Called once per connection before any other question; asks with `ask` like everybody.
            keep_alive: Called every `keep_alive_seconds` while connected, for the provider's own ping.
            rest_seconds: At least so long lies between two attempts to connect.
            dial: How to get from `open` to a connection, where one WebSocket at `url` is not all of it.
            turned_away: What an HTTP status instead of a socket means; without it, or for None, `UnreachableError`.
        """
        self._provider = provider
        self._url = url
        self._clock = clock
        self._hear = hear
        self._greet = greet
        self._keep_alive = keep_alive
        self._keep_alive_seconds = keep_alive_seconds
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._rest_seconds = rest_seconds
        self._turned_away = turned_away
        self._dial = dial
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        self._attempt: asyncio.Task[None] | None = None
        self._attempted_at: float | None = None
        self._greeting: Talk | None = None
        self._talk: Talk | None = None
        self._closed = False

    @property
    def connected(self) -> bool:
        """Whether a greeted socket is open now."""
        return self._talk is not None

    async def open(self) -> None:
        """Connect and greet unless that is done. Concurrent callers share one attempt, and its failure.

        A caller who gives up waiting does not end the attempt for the others.

        Raises:
            UnreachableError: No connection.
            ProviderError: Whatever the greeting met.
        """
        if self._talk is not None:
            return
        if self._closed:
            raise UnreachableError(self._provider, "line is closed")
        if self._attempt is None:
            self._attempt = asyncio.create_task(self._begin())
            self._attempt.add_done_callback(self._attempted)
        attempt = self._attempt
        try:
            await asyncio.shield(attempt)
        except asyncio.CancelledError:
            if attempt.cancelled() and self._closed:  # `close` did it before the attempt had begun
                raise UnreachableError(self._provider, "line is closed") from None
            raise

    async def ask(
        self,
        text: str,
        expect: Sequence[Hashable],
        *,
        timeout_seconds: float | None = None,
        written: Callable[[], None] = lambda: None,
    ) -> list[Any]:
        """Send one frame on the open socket and wait until every key in `expect` is settled, in that order.

        The first error among them is raised at once. Call `open` first; the greeting itself asks without it. Until a
        connection is greeted it is nobody else's, and nobody else's question waits for it: it would meet the errors of
        a login it has nothing to do with, and a greeting's silence is not its own.

        Args:
            written: Called as soon as the frame has been handed over.
        Raises:
            UnreachableError: Not connected, or not greeted yet; nothing was sent.
            SilentError: Sent, and the socket broke or the time was up.
            ProviderError: What `hear` settled a key with.
        """
        greeting = _GREETING.get()
        talk = greeting if greeting is not None and greeting is self._greeting else self._talk
        if talk is None:
            raise UnreachableError(self._provider, "not connected")
        seconds = self._answer_seconds if timeout_seconds is None else timeout_seconds
        return await talk.ask(text, expect, seconds, written)

    async def until_broken(self) -> None:
        """Wait as long as the connection that is open now lasts; not at all when there is none."""
        if self._talk is not None:
            await self._talk.until_over()

    async def close(self) -> None:
        """End the line for good. Waiting questions fail."""
        self._closed = True
        attempt = self._attempt
        if attempt is not None and attempt is not asyncio.current_task():
            attempt.cancel()
            await asyncio.wait([attempt])
        await self.hang_up()

    async def hang_up(self) -> None:
        """End this connection; the next `open` makes a new one."""
        talk, self._talk = self._talk, None
        if talk is not None:
            await talk.end()

    async def _begin(self) -> None:
        try:
            await self._rest()
            talk = Talk(self._provider, await self._connect(), self._hear, self._over)
            self._greeting = talk
            _GREETING.set(talk)  # in this attempt's own context
            try:
                await self._greet(self)
            except BaseException:
                await talk.end()
                raise
            finally:
                self._greeting = None
        except asyncio.CancelledError:
            if self._closed:  # `close` did it: those who wait are told, not cancelled
                raise UnreachableError(self._provider, "line is closed") from None
            raise
        if talk.over:
            raise SilentError(self._provider, "connection closed")
        self._talk = talk
        if self._keep_alive is not None:
            talk.keep(self._keeping(talk, self._keep_alive))

    def _attempted(self, attempt: asyncio.Task[None]) -> None:
        self._attempt = None
        if not attempt.cancelled():
            attempt.exception()  # seen here: everybody who waited may have given up

    def _over(self, talk: Talk) -> None:
        if self._talk is talk:
            self._talk = None

    async def _rest(self) -> None:
        if self._attempted_at is not None:
            left = self._attempted_at + self._rest_seconds - self._clock.monotonic()
            if left > 0:
                await self._clock.sleep(left)
        self._attempted_at = self._clock.monotonic()

    async def _connect(self) -> Socket:
        try:
            if self._tls is None and self._url.startswith("wss"):
                self._tls = ssl.create_default_context(cafile=self._ca_file)  # OSError when that file is not to be had
            if self._dial is None:
                return await self._open_socket(self._url)
            async with asyncio.timeout(self._connect_seconds):
                return await self._dial(self._open_socket)
        except websockets.exceptions.InvalidStatus as error:
            status = error.response.status_code
            meant = self._turned_away(status) if self._turned_away is not None else None
            raise meant or UnreachableError(self._provider, f"handshake answered {status}") from None
        except (OSError, TimeoutError, websockets.exceptions.WebSocketException) as error:
            raise UnreachableError(self._provider, unreached(error)) from None

    async def _open_socket(self, url: str) -> Socket:
        return await opened(url, self._tls, self._connect_seconds)

    async def _keeping(self, talk: Talk, keep_alive: KeepAlive) -> None:
        while not talk.over:
            await self._clock.sleep(self._keep_alive_seconds)
            try:
                await keep_alive(self)
            except CountersignError as error:
                _log.info("keep-alive failed", extra={"provider": self._provider, "error": type(error).__name__})
                self._over(talk)
                await talk.end()

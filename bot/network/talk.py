"""One connection's questions and answers: a `Dialogue` on an open socket.

Who waits for what, the reader and the keep-alive live and die with their connection, so that a late frame or a slow
farewell of an old one never touches a question asked on a new one (M33). The reader never does the adapter's work: it
hands each frame to `hear`, which says which keys the frame settles.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import websockets.exceptions
from websockets.protocol import State

from bot.errors import ProviderError, ReplyError, SilentError, UnreachableError
from bot.network.connection import Connection, Socket, write
from bot.network.dialogue import Dialogue, Waiting
from bot.network.overhearing import overheard_message
from bot.network.trouble import unanswered

_UNREADABLE = {1002: "not WebSocket as documented", 1007: "text that is not UTF-8", 1009: "frame larger than 1 MiB"}
"""Codes with which *we* end a connection because of what arrived (RFC 6455, section 7.4.1)."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settled:
    """One key a frame settles, with its value or the error to raise instead."""

    key: Hashable
    value: Any = None
    error: ProviderError | None = None


Hear = Callable[[str | bytes], Iterable[Settled]]


class Talk:
    """One connection: who waits for what on it, and the tasks that end with it."""

    def __init__(
        self,
        provider: str,
        socket: Socket,
        hear: Hear,
        ended: Callable[["Talk"], None],
    ) -> None:
        self._provider = provider
        self._socket = socket
        self._hear = hear
        self._ended = ended
        self._dialogue = Dialogue()
        self._futures: dict[Waiting, asyncio.Future[Any]] = {}
        """Of those that wait; whatever is not here is settled, or given up."""
        self._loop = asyncio.get_running_loop()
        self._look: asyncio.TimerHandle | None = None
        self._keeper: asyncio.Task[None] | None = None
        self.over = False
        self._slip: Exception | None = None
        if isinstance(socket, Connection):
            socket.take = self._take
        self._reader = asyncio.create_task(self._read())

    def keep(self, keeping: Coroutine[Any, Any, None]) -> None:
        """Run the keep-alive for as long as this connection lasts."""
        self._keeper = asyncio.create_task(keeping)

    async def ask(
        self, text: str, expect: Sequence[Hashable], seconds: float, written: Callable[[], None]
    ) -> list[Any]:
        if self.over or self._socket.state is not State.OPEN:
            raise UnreachableError(self._provider, "not connected")
        deadline = self._loop.time() + seconds
        asked = [self._dialogue.expect(key, deadline) for key in expect]
        futures: list[asyncio.Future[Any]] = [self._loop.create_future() for _ in asked]
        self._futures.update(zip(asked, futures, strict=True))
        self._look_at(deadline)
        try:
            await write(self._socket, text)
            written()
            answers = [await futures[0]] if len(futures) == 1 else await asyncio.gather(*futures)
        except (websockets.exceptions.WebSocketException, OSError) as error:
            raise SilentError(self._provider, unanswered(error)) from None
        finally:
            for waiting, future in zip(asked, futures, strict=True):
                if self._futures.pop(waiting, None) is not None:
                    self._dialogue.forget(waiting)
                    future.cancel()
                elif not future.cancelled():
                    future.exception()  # seen here, so that asyncio does not report it as never retrieved
        for answer in answers:
            overheard_message(answer)
        return answers

    def _look_at(self, deadline: float) -> None:
        """One look for all that wait, at the earliest deadline: most are answered long before, and cost no timer."""
        if self._look is not None and self._look.when() > deadline:
            self._look.cancel()
            self._look = None
        if self._look is None:
            self._look = self._loop.call_at(deadline, self._give_up)

    def _give_up(self) -> None:
        self._look = None
        for waiting in self._dialogue.overdue(self._loop.time()):
            self._finish(waiting, SilentError(self._provider, unanswered(TimeoutError())))
        earliest = self._dialogue.earliest
        if earliest is not None:
            self._look_at(earliest)

    async def until_over(self) -> None:
        await asyncio.wait([self._reader])

    async def end(self) -> None:
        """Say goodbye and let go. What was waiting fails; a second call does nothing."""
        await self._farewell()
        tasks = [self._reader] if self._keeper is None else [self._reader, self._keeper]
        left = [task for task in tasks if task is not asyncio.current_task() and not task.done()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    async def _read(self) -> None:
        error: ProviderError = SilentError(self._provider, "connection closed")
        try:
            async for frame in self._socket:
                if self._slip is not None:
                    raise self._slip
                for settled in self._hear(frame):
                    self._settle(settled)
        except ReplyError as unreadable:
            error = unreadable
        except websockets.exceptions.ConnectionClosed as closed:
            error = _why(self._provider, closed) or error
        except Exception as slip:  # noqa: BLE001  # an adapter's slip fails its questions, it never leaves them hanging
            # without the traceback: a message there may quote the frame
            _log.error("frame not heard", extra={"provider": self._provider, "error": type(slip).__name__})
            error = ReplyError(self._provider, f"not heard: {type(slip).__name__}")
        finally:
            self.over = True
            self._ended(self)
            self._fail(error)
            if self._keeper is not None and self._keeper is not asyncio.current_task():
                self._keeper.cancel()
            await self._farewell()

    def _take(self, frame: bytes) -> bool:
        """Hear it here and now; whatever becomes of a slip is the reader's to do."""
        if self._slip is not None or self.over:
            return False
        try:
            text = frame.decode()
        except UnicodeDecodeError:
            return False
        try:
            for settled in self._hear(text):
                self._settle(settled)
        except Exception as slip:  # noqa: BLE001  # raised again where the frames are read
            self._slip = slip
            return False
        return True

    async def _farewell(self) -> None:
        with contextlib.suppress(OSError, websockets.exceptions.WebSocketException):
            await self._socket.close()

    def _settle(self, settled: Settled) -> None:
        waiting = self._dialogue.settle(settled.key)
        if waiting is None:
            return
        if settled.error is not None:
            self._finish(waiting, settled.error)
            return
        future = self._futures.pop(waiting, None)
        if future is not None and not future.done():
            future.set_result(settled.value)

    def _finish(self, waiting: Waiting, error: ProviderError) -> None:
        future = self._futures.pop(waiting, None)
        if future is not None and not future.done():
            future.set_exception(error)

    def _fail(self, error: ProviderError) -> None:
        if self._look is not None:
            self._look.cancel()
        for waiting in self._dialogue.abandon():
            self._finish(waiting, error)


def _why(provider: str, closed: websockets.exceptions.ConnectionClosed) -> ReplyError | None:
    """The reply that made us end the connection; None when the other side ended it, or nobody did."""
    if closed.sent is None or closed.rcvd_then_sent:
        return None
    reason = _UNREADABLE.get(closed.sent.code)
    return None if reason is None else ReplyError(provider, reason)

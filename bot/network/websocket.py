"""A socket that answers questions: `Dialogue` with a real WebSocket under it.

The line connects when it is first needed, greets (the adapter's login), and is connected anew at the next question
after it broke; questions that were waiting fail, they are never asked again from here. The reader never does the
adapter's work: it hands each frame to `hear`, which says which keys the frame settles.

Everything that belongs to one connection (who waits for what, the reader, the keep-alive) lives and dies with that
connection, so that a late frame or a slow farewell of the old one never touches a question asked on the new one (M33).
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import websockets.asyncio.client
import websockets.exceptions
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

from bot import crash
from bot.clock import Clock
from bot.errors import CountersignError, ProviderError, ReplyError, SilentError, UnreachableError
from bot.network.dialogue import Dialogue, Waiting
from bot.network.overhearing import overheard_message

MAX_FRAME_BYTES = 1 << 20
ROOM_WITHIN_SECONDS = 15.0
"""Another side that reads nothing for so long, while there is more to say than the system holds, is given up on."""
_UNREADABLE = {1002: "not WebSocket as documented", 1007: "text that is not UTF-8", 1009: "frame larger than 1 MiB"}
"""Codes with which *we* end a connection because of what arrived (RFC 6455, section 7.4.1)."""

_log = logging.getLogger(__name__)
_quiet = logging.getLogger("countersign.websocket.frames")
_quiet.setLevel(logging.ERROR)  # frames hold tokens; they are never logged
_quiet.propagate = False
_quiet.addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Settled:
    """One key a frame settles, with its value or the error to raise instead."""

    key: Hashable
    value: Any = None
    error: ProviderError | None = None


class Socket(Protocol):
    """What a line needs of a connection: the library's own fits, and so does one with another framing around it."""

    @property
    def state(self) -> State:
        """Frames are written in OPEN only; otherwise `send` raises and no byte leaves."""

    async def send(self, message: str, /) -> None:
        """Write one frame."""

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """The frames that arrive, until the connection is closed."""

    async def close(self) -> None:
        """Say goodbye and let go."""


OpenSocket = Callable[[str], Awaitable[Socket]]
"""Opens a WebSocket at an address, with the line's own limits and certificates."""
Dial = Callable[[OpenSocket], Awaitable[Socket]]
Hear = Callable[[str | bytes], Iterable[Settled]]
Greet = Callable[["Line"], Awaitable[None]]
KeepAlive = Callable[["Line"], Awaitable[None]]
TurnedAway = Callable[[int], ProviderError | None]
_DYING: ContextVar[bool] = ContextVar("dying", default=False)
"""Whether the frame that is written here is the one in the middle of which the process is to die."""
_AT_ONCE: ContextVar[bool] = ContextVar("at_once", default=False)
"""Whether what is written here is to have left when it is written: a test is to kill the process afterwards."""
_GREETING: ContextVar["_Talk | None"] = ContextVar("greeting", default=None)
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
        self._greeting: _Talk | None = None
        self._talk: _Talk | None = None
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
            talk = _Talk(self._provider, await self._connect(), self._hear, self._over)
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

    def _over(self, talk: "_Talk") -> None:
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
            raise UnreachableError(self._provider, type(error).__name__) from None

    async def _open_socket(self, url: str) -> Socket:
        return await _Connect(
            url,
            ssl=self._tls,
            compression=None,
            proxy=None,
            max_size=MAX_FRAME_BYTES,
            create_connection=_Connection,
            open_timeout=self._connect_seconds,
            ping_interval=20,
            ping_timeout=20,
            close_timeout=1,
            logger=_quiet,
        )

    async def _keeping(self, talk: "_Talk", keep_alive: KeepAlive) -> None:
        while not talk.over:
            await self._clock.sleep(self._keep_alive_seconds)
            try:
                await keep_alive(self)
            except CountersignError as error:
                _log.info("keep-alive failed", extra={"provider": self._provider, "error": type(error).__name__})
                self._over(talk)
                await talk.end()


class _Connect(websockets.asyncio.client.connect):
    """The library's connect, but a redirect is an answer like any other: followed, it would carry a login elsewhere."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Connection(websockets.asyncio.client.ClientConnection):
    """The library's own; frames of one turn of the loop leave in one write, and it can be killed in the middle of one.

    A write for each frame is most of what a question costs where many are asked at once.
    """

    _gathers = False
    take: Callable[[bytes], bool] | None = None
    """Hears a frame as soon as it is there; False: whoever reads is to hear it."""

    def send_data(self) -> None:
        if _DYING.get():
            frame = b"".join(self.protocol.data_to_send())
            self.transport.write(frame[: len(frame) // 2])  # goes out at once: nothing waits before it
            crash.crashpoint("CP09")
        if _AT_ONCE.get() or self.state is not State.OPEN:
            super().send_data()
        else:
            self._gather()

    def _gather(self) -> None:
        if not self._gathers:
            self._gathers = True
            self.loop.call_soon(self._send_gathered)

    def process_event(self, event: Event) -> None:
        """A text in one frame is taken at once, where somebody takes it and nothing waits to be read before it."""
        if (
            self.take is None
            or type(event) is not Frame
            or event.opcode is not Opcode.TEXT
            or not event.fin
            or self.recv_messages.frames
            or not self.take(bytes(event.data))
        ):
            super().process_event(event)

    async def send(self, message: Any, *, text: bool | None = None) -> None:
        """The library's, without its guards where none of them would act: they are half of what a frame costs."""
        is_free = not self.paused and self.send_in_progress is None and self.protocol.state is State.OPEN
        if type(message) is not str or text is not None or not is_free or _AT_ONCE.get() or _DYING.get():
            await super().send(message, text=text)
            return
        self.protocol.send_text(message.encode())
        self._gather()

    async def drain(self) -> None:
        """Wait until there is room again; the library ends the connection when this raises."""
        if self.paused:
            async with asyncio.timeout(ROOM_WITHIN_SECONDS):
                await super().drain()

    def _send_gathered(self) -> None:
        self._gathers = False
        if self.state is not State.OPEN:
            super().send_data()
            return
        gathered = b"".join(self.protocol.data_to_send())
        if gathered and not self.transport.is_closing():
            self.transport.write(gathered)


class _Talk:
    """One connection: who waits for what on it, and the tasks that end with it."""

    def __init__(
        self,
        provider: str,
        socket: Socket,
        hear: Hear,
        ended: Callable[["_Talk"], None],
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
        if isinstance(socket, _Connection):
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
            await self._write(text)
            written()
            answers = [await futures[0]] if len(futures) == 1 else await asyncio.gather(*futures)
        except (websockets.exceptions.WebSocketException, OSError) as error:
            raise SilentError(self._provider, type(error).__name__) from None
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
            self._finish(waiting, SilentError(self._provider, "TimeoutError"))
        earliest = self._dialogue.earliest
        if earliest is not None:
            self._look_at(earliest)

    async def _write(self, text: str) -> None:
        is_money = crash.moves_money(text)
        if not is_money:
            await self._socket.send(text)
            return
        crash.crashpoint("CP08")
        _AT_ONCE.set(True)
        _DYING.set(crash.armed("CP09"))
        await self._socket.send(text)
        crash.crashpoint("CP10")

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

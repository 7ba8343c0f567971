"""Lines to Telegram: HTTP/1.1 by h11, over asyncio's own connections, kept open and bounded in number.

A question goes out once. What broke before its answer was whole is told as that and never asked again here: whoever
asks knows whether asking twice does harm. A line that has said something unasked, or was left in the middle of an
exchange, is not used any more.
"""

import asyncio
import math
import select
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from secrets import token_hex
from typing import Final
from urllib.parse import quote, urlsplit

import h11

MAX_ANSWER_BYTES: Final = 20 << 20
KEPT_SECONDS: Final = 15.0
"""A line that has been idle for longer is dialled anew: the other end may be about to hang up."""
ANSWER_SECONDS: Final = 300.0
"""After its beginning an answer that is not whole never will be, though something comes of it now and then."""
_PIECE_BYTES: Final = 1 << 16
_KEPT: Final = "/%:@!$&'()*+,;=~"
"""What of an address goes out as it is written there, beside letters, digits, and _.-"""


class BrokenLineError(Exception):
    """No answer, or no whole one. Holds what happened, and never the address: that holds the token."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds; None waits for ever."""

    free: float | None
    """For a line that nobody uses."""
    dial: float | None
    silence: float | None
    """At a time, while something is to be sent or heard."""


@dataclass(frozen=True, slots=True)
class Question:
    method: str
    url: str
    body: bytes = b""
    content_type: str | None = None


Answer = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a question goes, and how it begins."""

    host: str
    port: int
    is_secret: bool
    """By TLS."""
    named: bytes
    target: bytes


@lru_cache(maxsize=64)
def address(url: str) -> Address:
    """`ValueError` for what is no address of a server."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        raise ValueError("not an address")
    is_secret = parts.scheme == "https"
    target = quote(parts.path or "/", safe=_KEPT) + (f"?{quote(parts.query, safe=_KEPT + '?')}" if parts.query else "")
    named = parts.netloc.rpartition("@")[2].encode("idna" if not parts.netloc.isascii() else "ascii")
    if not parts.netloc.isprintable() or " " in parts.netloc:
        raise ValueError("not an address")
    return Address(parts.hostname, parts.port or (443 if is_secret else 80), is_secret, named, target.encode("ascii"))


class Line(asyncio.Protocol):
    """One connection; one exchange at a time."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.gone = asyncio.Event()
        """The connection is closed, its socket too."""
        self._http = h11.Connection(h11.CLIENT)
        self._transport: asyncio.Transport | None = None
        self._status = 0
        """Of the answer that has begun, or 0."""
        self._busy = False
        self._lost = False
        self._paused = False
        self._waiting: asyncio.Future[None] | None = None

    # what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("not a stream")
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._busy:
            self.hang_up()
            return
        self._http.receive_data(data)
        self._wake()

    def eof_received(self) -> bool:
        if self._busy:
            self._http.receive_data(b"")
        self._lost = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self.gone.set()
        self._wake()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._wake()

    # what an asker calls

    @property
    def is_good(self) -> bool:
        return not (self._lost or self._busy or self._transport is None or self._transport.is_closing())

    @property
    def is_quiet(self) -> bool:
        """Whether nothing lies there unread: what was said before a question would be taken for its answer."""
        found = None if self._transport is None else self._transport.get_extra_info("socket")
        if found is None or found.fileno() < 0:
            return False
        look = select.poll()
        look.register(found.fileno(), select.POLLIN)
        return not look.poll(0)

    def hang_up(self) -> None:
        self._lost = True
        if self._transport is not None:
            self._transport.abort()

    async def exchange(self, question: Question, to: Address, silence: float | None) -> Answer:
        """Send it and hear the answer out.

        Raises:
            TimeoutError: Nothing moved for `silence` seconds.
            BrokenLineError: The line broke, or what came was no answer.
        """
        self._busy, self._status = True, 0
        try:
            is_said = await self._say(question, to, silence)
            answer = await self._hear(silence)
        except h11.ProtocolError as error:
            raise BrokenLineError(type(error).__name__) from None
        is_over = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if is_said and is_over and not self._http.trailing_data[0]:
            self._http.start_next_cycle()
            self._busy = False
        return answer

    async def _say(self, question: Question, to: Address, silence: float | None) -> bool:
        """Whether all of it was: who is answered or left before that has no more to say, and may have been answered."""
        self._http.send(_asked(question.method))
        self._http.send(h11.EndOfMessage())
        whole = memoryview(_head(question, to) + question.body)
        for start in range(0, len(whole), _PIECE_BYTES):
            if self._lost or self._transport is None:
                return False
            self._transport.write(whole[start : start + _PIECE_BYTES])
            while self._paused and not self._lost:
                await self._wait(silence)
                if self._is_answered():
                    return False
        return True

    def _is_answered(self) -> bool:
        """Whether an answer has begun."""
        event = self._http.next_event()
        while isinstance(event, h11.InformationalResponse):
            event = self._http.next_event()
        if isinstance(event, h11.Response):
            self._status = event.status_code
        return self._status != 0

    async def _hear(self, silence: float | None) -> Answer:
        parts, loop, end = bytearray(), asyncio.get_running_loop(), math.inf
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._lost:
                    raise BrokenLineError("hung up")
                left = min(end - loop.time(), math.inf if silence is None else silence)
                await self._wait(None if left == math.inf else left)
                end = min(end, loop.time() + ANSWER_SECONDS)
            elif isinstance(event, h11.Response):
                self._status = event.status_code
            elif isinstance(event, h11.Data):
                parts += event.data
                if len(parts) > MAX_ANSWER_BYTES:
                    raise BrokenLineError("answer too large")
            elif isinstance(event, h11.EndOfMessage):
                return self._status, bytes(parts)
            elif not isinstance(event, h11.InformationalResponse):
                raise BrokenLineError("hung up")

    async def _wait(self, silence: float | None) -> None:
        """Until something came or could be sent."""
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(silence):
                await self._waiting
        finally:
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def _head(question: Question, to: Address) -> bytes:
    lines = [
        b"%s %s HTTP/1.1" % (question.method.encode("ascii"), to.target),
        b"Host: " + to.named,
        b"Accept: */*",
        b"User-Agent: countersign",
    ]
    if question.content_type is not None:
        lines.append(b"Content-Type: " + question.content_type.encode("ascii"))
    if question.content_type is not None or question.method == "POST":
        lines.append(b"Content-Length: %d" % len(question.body))
    return b"\r\n".join((*lines, b"", b""))


@lru_cache(maxsize=8)
def _asked(method: str) -> h11.Request:
    """All that h11 has to know of a question to read its answer. To write one itself takes it far longer."""
    return h11.Request(method=method, target=b"/", headers=[(b"Host", b"-")])


class Lines:
    """At most so many at a time, whatever they lead to."""

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)
        self._idle: dict[tuple[str, int, bool], list[Line]] = {}
        self._standing: set[Line] = set()
        self._dialling: dict[asyncio.Timeout, asyncio.Event] = {}
        """For each that is being dialled the patience with it, and what is set when that is over."""
        self._is_over = False
        self._trust: ssl.SSLContext | None = None

    async def ask(self, question: Question, patience: Patience) -> Answer:
        """Ask once. An answer is one whatever its status.

        Raises:
            TimeoutError: Some patience was exhausted.
            BrokenLineError, OSError: Nobody could be reached, or the line broke.
        """
        to = address(question.url)
        async with asyncio.timeout(patience.free):
            await self._free.acquire()
        try:
            async with self._line(to, patience.dial) as line:
                return await line.exchange(question, to, patience.silence)
        finally:
            self._free.release()

    async def hang_up(self) -> None:
        """All of them, for good, also those being dialled; whoever still waits for an answer gets none."""
        self._is_over = True
        self._idle.clear()
        for patience, over in list(self._dialling.items()):
            if not patience.expired():
                patience.reschedule(0)
            await over.wait()
        for line in list(self._standing):
            line.hang_up()
            await line.gone.wait()
        self._standing.clear()

    @asynccontextmanager
    async def _line(self, to: Address, seconds: float | None) -> AsyncIterator[Line]:
        """One that was left open, or a new one; kept for the next question unless this one broke it."""
        loop = asyncio.get_running_loop()
        kept = self._idle.setdefault((to.host, to.port, to.is_secret), [])
        line = _last_good(kept, loop.time() - KEPT_SECONDS)
        if line is None:
            line = await self._dial(to, seconds)
        try:
            yield line
        finally:
            if line.is_good:
                line.idle_since = loop.time()
                kept.append(line)
            else:
                line.hang_up()

    async def _dial(self, to: Address, seconds: float | None) -> Line:
        if self._is_over:
            raise BrokenLineError("hung up")
        async with asyncio.timeout(seconds) as patience:
            self._dialling[patience] = over = asyncio.Event()
            try:
                line = await self._dialled(to)
            except asyncio.CancelledError:
                await asyncio.sleep(0)  # the loop closes a socket a turn after it was given up
                raise
            finally:
                del self._dialling[patience]
                over.set()
        self._standing = {one for one in self._standing if not one.gone.is_set()} | {line}
        return line

    async def _dialled(self, to: Address) -> Line:
        trust = None
        if to.is_secret:
            if self._trust is None:
                self._trust = await asyncio.to_thread(ssl.create_default_context)
            trust = self._trust
        _, line = await asyncio.get_running_loop().create_connection(Line, to.host, to.port, ssl=trust)
        return line


def _last_good(lines: list[Line], since: float) -> Line | None:
    """The one used last, if it may be used again; those that may not are let go of."""
    while lines:
        line = lines.pop()
        if line.is_good and line.idle_since >= since and line.is_quiet:
            return line
        line.hang_up()
    return None


File = tuple[str, bytes, str]
"""Its name, what is in it, and its media type."""


def multipart(fields: Mapping[str, str], files: Mapping[str, File]) -> tuple[bytes, str]:
    """A form with files (RFC 7578): its body and its content type."""
    boundary = token_hex(16)
    body = bytearray()
    for name, text in fields.items():
        body += _part(boundary, f'name="{_named(name)}"', "") + text.encode() + b"\r\n"
    for name, (filename, content, kind) in files.items():
        where = f'name="{_named(name)}"; filename="{_named(filename)}"'
        body += _part(boundary, where, f"Content-Type: {_named(kind)}\r\n") + content + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return bytes(body), f"multipart/form-data; boundary={boundary}"


def _part(boundary: str, where: str, more: str) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {where}\r\n{more}\r\n".encode()


def _named(name: str) -> str:
    """As browsers write it: what would end the name early is escaped."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")

"""Lines to Telegram, against a server that says exactly what a test tells it to."""

import asyncio
import gc
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from bot.loopback.server import make_tls
from handlers.telegraph import BrokenLineError, Lines, Patience, Question, address, multipart

PATIENT = Patience(free=20, dial=20, silence=20)
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Speaks = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """Answers the n-th question with the n-th of `answers`; each is bytes, or somebody who speaks."""

    answers: Sequence[bytes | Speaks]
    origin: str = ""
    heard: list[bytes] = field(default_factory=list)
    """Each question, whole."""
    serving: "dict[asyncio.Task[None] | None, asyncio.StreamWriter]" = field(default_factory=dict)

    @property
    def lines(self) -> int:
        return len(self.serving)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving[asyncio.current_task()] = writer
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [line.split(b": ")[1] for line in head.split(b"\r\n") if line.startswith(b"Content-Length")]
                self.heard.append(head + await reader.readexactly(int(length[0]) if length else 0))
                answer = self.answers[len(self.heard) - 1]
                if isinstance(answer, bytes):
                    writer.write(answer)
                else:
                    await answer(writer)
        writer.close()


@asynccontextmanager
async def serving(*answers: bytes | Speaks, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    found = Server(answers)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=tls)
    found.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        server.close()
        for writer in found.serving.values():
            writer.transport.abort()
        if found.serving:
            await asyncio.wait(found.serving)


@pytest.fixture
async def lines() -> AsyncIterator[Lines]:
    found = Lines(2)
    yield found
    await found.hang_up()


def asked(server: Server, patience: Patience = PATIENT) -> tuple[Question, Patience]:
    return Question("POST", f"{server.origin}/bot1:x/getMe", b"{}", "application/json"), patience


async def test_questions_follow_one_another_on_one_line(lines: Lines) -> None:
    async with serving(
        FINE, b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"
    ) as server:
        assert await lines.ask(*asked(server)) == (200, b"ok")
        assert await lines.ask(*asked(server)) == (404, b"no")
        assert server.lines == 1
        head, _, body = server.heard[0].partition(b"\r\n\r\n")
        assert head.split(b"\r\n")[:2] == [b"POST /bot1:x/getMe HTTP/1.1", b"Host: " + server.origin[7:].encode()]
        assert body == b"{}"


@pytest.mark.parametrize("cut", [b"", FINE[:20], FINE[:-1], b"garbage\r\n\r\n"])
async def test_a_line_that_breaks_is_told_and_nothing_is_asked_twice(lines: Lines, cut: bytes) -> None:
    async def hang_up(writer: asyncio.StreamWriter) -> None:
        writer.write(cut)
        writer.close()

    async with serving(hang_up, FINE) as server:
        with pytest.raises(BrokenLineError):
            await lines.ask(*asked(server))
        assert len(server.heard) == 1
        assert await lines.ask(*asked(server)) == (200, b"ok")
        assert server.lines == 2


async def test_silence_is_borne_for_so_long_and_the_late_answer_is_nobodys(lines: Lines) -> None:
    async def say_nothing(writer: asyncio.StreamWriter) -> None:
        writer.write(FINE[:-1])

    async with serving(say_nothing, FINE) as server:
        with pytest.raises(TimeoutError):
            await lines.ask(*asked(server, Patience(free=20, dial=20, silence=0.05)))
        assert await lines.ask(*asked(server)) == (200, b"ok")
        assert server.lines == 2


async def test_who_gives_up_leaves_no_answer_behind_for_the_next(lines: Lines) -> None:
    heard = asyncio.Event()

    async def wait(writer: asyncio.StreamWriter) -> None:
        heard.set()

    async with serving(wait, FINE) as server:
        asking = asyncio.create_task(lines.ask(*asked(server)))
        await heard.wait()
        asking.cancel()
        await asyncio.wait({asking})
        assert asking.cancelled()
        assert await lines.ask(*asked(server)) == (200, b"ok")
        assert server.lines == 2


async def test_what_is_said_unasked_is_no_answer_to_the_next_question(lines: Lines) -> None:
    async with serving(FINE + FINE.replace(b"ok", b"no"), FINE) as server:
        assert await lines.ask(*asked(server)) == (200, b"ok")
        assert await lines.ask(*asked(server)) == (200, b"ok")
        assert server.lines == 2


async def test_a_line_that_was_hung_up_meanwhile_is_dialled_anew(lines: Lines) -> None:
    gone = asyncio.Event()

    async def answer_and_go(writer: asyncio.StreamWriter) -> None:
        writer.write(FINE)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        gone.set()

    async with serving(answer_and_go, FINE) as server:
        assert await lines.ask(*asked(server)) == (200, b"ok")
        await gone.wait()
        while any(line.is_good for kept in lines._idle.values() for line in kept):
            await asyncio.sleep(0)
        assert await lines.ask(*asked(server)) == (200, b"ok")
        assert len(server.heard) == 2


async def test_what_was_said_unasked_and_nobody_read_yet_is_no_answer_either(lines: Lines) -> None:
    """A line that was idle for too long is told so by many a server: 408, at any moment."""
    async with serving(FINE, FINE) as server:
        assert await lines.ask(*asked(server)) == (200, b"ok")
        (writer,) = server.serving.values()
        writer.write(FINE.replace(b"200 OK", b"408 Too Late"))  # it lies there when the next question goes out
        assert await lines.ask(*asked(server)) == (200, b"ok")
        assert server.lines == 2


async def test_who_is_answered_before_the_end_stops_there_and_hears_why(lines: Lines) -> None:
    """Nothing is read on of what was too much: the answer is there, whether the server hangs up behind it or not."""
    too_large = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
    gone = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport reads
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await asyncio.sleep(0)
        writer.write(too_large)
        await gone.wait()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/bot1:x/sendDocument"
        for is_patient in (True, False):
            if not is_patient:
                gone.set()
            assert await lines.ask(Question("POST", url, bytes(30 << 20), "application/x"), PATIENT) == (413, b"no")
        assert not any(lines._idle.values())


async def test_an_answer_that_trickles_for_ever_is_given_up(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.telegraph.ANSWER_SECONDS", 0.1)

    async def trickle(writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
            await asyncio.sleep(0.005)

    async with serving(trickle, FINE) as server:
        asking = asyncio.create_task(lines.ask(*asked(server)))
        done, _ = await asyncio.wait({asking}, timeout=10)
        asking.cancel()  # if it still waits
        with pytest.raises(TimeoutError):
            await asking
        assert done
        assert await lines.ask(*asked(server)) == (200, b"ok")


async def test_no_more_than_so_many_are_asked_at_a_time(lines: Lines) -> None:
    held, go = asyncio.Semaphore(0), asyncio.Event()

    async def hold(writer: asyncio.StreamWriter) -> None:
        held.release()
        await go.wait()
        writer.write(FINE)

    async with serving(hold, hold, FINE) as server:
        asking = [asyncio.create_task(lines.ask(*asked(server))) for _ in range(3)]
        await held.acquire()
        await held.acquire()
        with pytest.raises(TimeoutError):
            await lines.ask(*asked(server, Patience(free=0.05, dial=20, silence=20)))
        assert len(server.heard) == 2
        go.set()
        assert await asyncio.gather(*asking) == [(200, b"ok")] * 3
        assert server.lines == 2


async def test_an_answer_has_a_greatest_size(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.telegraph.MAX_ANSWER_BYTES", 1)
    async with serving(FINE) as server:
        with pytest.raises(BrokenLineError, match="too large"):
            await lines.ask(*asked(server))


async def test_a_large_body_goes_out_whole(lines: Lines) -> None:
    body = bytes(range(256)) * 40_000
    async with serving(FINE) as server:
        assert await lines.ask(Question("POST", server.origin, body, "application/x"), PATIENT) == (200, b"ok")
        assert server.heard[0].endswith(b"\r\n\r\n" + body)


async def test_a_server_that_nobody_vouches_for_hears_nothing(lines: Lines) -> None:
    context, _ = make_tls()
    async with serving(FINE, tls=context) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await lines.ask(Question("GET", server.origin.replace("http", "https")), PATIENT)
        assert server.heard == []


@pytest.mark.parametrize("turns", range(8))
def test_who_stops_at_once_while_dialling_leaves_no_socket_behind(turns: int) -> None:
    """The loop ends as soon as all is hung up: a socket it would have closed a turn later stays open."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        origin = f"http://127.0.0.1:{silent.getsockname()[1]}"

        async def stop_in_between() -> None:
            lines = Lines(1)
            asking = asyncio.create_task(lines.ask(Question("GET", origin), PATIENT))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            await lines.hang_up()

        loop = asyncio.new_event_loop()
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            loop.run_until_complete(stop_in_between())
            loop.close()
            gc.collect()
    assert [str(each.message) for each in heard] == []


async def test_hanging_up_waits_for_nobody_who_is_being_dialled(lines: Lines) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # and says nothing to whoever offers TLS
        question = Question("GET", f"https://127.0.0.1:{silent.getsockname()[1]}")
        asking = asyncio.create_task(lines.ask(question, Patience(free=None, dial=None, silence=None)))
        theirs, _ = await asyncio.to_thread(silent.accept)
        with theirs:
            await lines.hang_up()
            with pytest.raises(TimeoutError):
                await asking
        with pytest.raises(BrokenLineError):
            await lines.ask(question, PATIENT)


def test_an_address_says_where_to_and_what_for() -> None:
    found = address("https://api.telegram.org/file/bot1:x/a b/\u00e4.jpg?a=1")
    assert (found.host, found.port, found.is_secret) == ("api.telegram.org", 443, True)
    assert (found.named, found.target) == (b"api.telegram.org", b"/file/bot1:x/a%20b/%C3%A4.jpg?a=1")
    assert (address("http://[::1]:8081/x").host, address("http://[::1]:8081/x").port) == ("::1", 8081)
    assert address("http://x/a?b c\x00\x7f\u00e4=1").target == b"/a?b%20c%00%7F%C3%A4=1"
    for wrong in ("ftp://x/", "http:///x", "x", "http://a b/", "http://a\x00b/"):
        with pytest.raises(ValueError, match="not an address"):
            address(wrong)


def test_a_form_holds_its_fields_and_files() -> None:
    body, kind = multipart({"chat_id": "7"}, {"document": ('a"\r\nb.txt', b"\x00\xff", "text/plain")})
    boundary = kind.removeprefix("multipart/form-data; boundary=").encode()
    assert body.split(b"--" + boundary) == [
        b"",
        b'\r\nContent-Disposition: form-data; name="chat_id"\r\n\r\n7\r\n',
        (
            b'\r\nContent-Disposition: form-data; name="document"; filename="a%22%0D%0Ab.txt"\r\n'
            b"Content-Type: text/plain\r\n\r\n\x00\xff\r\n"
        ),
        b"--\r\n",
    ]

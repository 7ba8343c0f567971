"""HTTP over real sockets: what matters is whether a byte of the request may have left."""

import asyncio
import gzip
import socket
import ssl
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.errors import ProviderError, ReplyError, SilentError, UnreachableError
from bot.loopback.ports import free_port
from bot.loopback.server import Listening, make_tls, serving
from bot.network.rest import Rest
from tests.support.chatting import until
from tests.support.counter import Counter

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
async def sim(counter: Counter) -> AsyncIterator[Listening]:
    async with serving(counter) as listening:
        yield listening


@asynccontextmanager
async def talking(origin: str, **settings: Any) -> AsyncIterator[Rest]:
    rest = Rest("alpha", origin, **{"read_seconds": 2.0, **settings})
    try:
        yield rest
    finally:
        await rest.close()


@asynccontextmanager
async def answering(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """A server that speaks bytes; `answer` is asked once for each connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        server.close()


def saying(raw: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()

    return answer


def silent_port() -> socket.socket:
    """A socket that takes the connection into its backlog and never says a word."""
    return socket.create_server(("127.0.0.1", 0))


async def kind_of(rest: Rest, method: str = "POST", path: str = "/add") -> type[ProviderError]:
    with pytest.raises(ProviderError) as caught:
        await rest.ask(method, path, content=b"{}")
    assert caught.value.provider == "alpha"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None  # no foreign error comes along
    return type(caught.value)


async def test_a_whole_answer_comes_back_as_it_is(sim: Listening) -> None:
    async with talking(sim.http) as rest:
        answer = await rest.ask(
            "PUT", "/echo", headers={"X-Mine": "yes"}, params={"a": "1 2", "b": "ä&"}, content=b'{"x":1}'
        )
    assert answer.status == 200
    assert answer.headers["x-seen"] == answer.headers["X-SEEN"] == "yes"
    assert answer.body == b'{"method":"PUT","query":"a=1+2&b=%C3%A4%26","body":"{\\"x\\":1}"}'


async def test_a_status_is_the_adapters_business(sim: Listening) -> None:
    async with talking(sim.http) as rest:
        assert (await rest.ask("DELETE", "/echo")).status == 418
        assert (await rest.ask("GET", "/nowhere")).status == 404


async def test_the_answer_does_not_show_what_it_carries(sim: Listening) -> None:
    async with talking(sim.http) as rest:
        answer = await rest.ask("POST", "/echo", headers={"X-Mine": "canary-token"}, content=b"canary-body")
    assert "canary" in answer.body.decode() + answer.headers["X-Seen"]
    assert "canary" not in repr(answer) + repr(rest) + str(vars(rest))


@pytest.mark.parametrize("path", ["https://127.0.0.1:9/x", "http://h/x", "total", "", "@evil.example/"])
async def test_a_path_that_would_leave_the_host_is_refused(sim: Listening, counter: Counter, path: str) -> None:
    async with talking(sim.http) as rest:
        with pytest.raises(ValueError, match="begins with /"):
            await rest.ask("GET", path)
    assert counter.asked == []


async def test_two_slashes_stay_on_the_host(sim: Listening) -> None:
    async with talking(sim.http) as rest:
        assert (await rest.ask("GET", "//127.0.0.1:9/total")).status in (200, 404)


async def test_nobody_listening_means_nothing_was_sent() -> None:
    async with talking(f"http://127.0.0.1:{free_port()}") as rest:
        assert await kind_of(rest) is UnreachableError


async def test_a_reset_before_or_after_the_request_was_looked_at_is_silence(sim: Listening, counter: Counter) -> None:
    """The bytes have left in both cases: only the ledger knows which it was."""
    async with talking(sim.http) as rest:
        sim.misfortunes.add({"action": "refuse", "match": {"path": "/add"}})
        assert await kind_of(rest) is SilentError
        assert counter.total == 0
        sim.misfortunes.add({"action": "reset", "match": {"path": "/add"}})
        assert await kind_of(rest) is SilentError
        assert counter.total == 1
        assert (await rest.ask("POST", "/add")).body == b'{"total":2}'


async def test_an_answer_that_never_comes_is_silence(sim: Listening, counter: Counter) -> None:
    sim.misfortunes.add({"action": "stall", "match": {"path": "/add"}})
    async with talking(sim.http, read_seconds=1.0) as rest:
        assert await kind_of(rest) is SilentError
    assert counter.total == 1


async def test_an_answer_cut_anywhere_is_silence_and_never_a_success(sim: Listening, counter: Counter) -> None:
    async with talking(sim.http) as rest:
        whole = await rest.ask("POST", "/add")
        head = (
            len(b"HTTP/1.1 200 OK\r\n") + sum(len(f"{name}: {value}\r\n") for name, value in whole.headers.items()) + 2
        )
        total = head + len(whole.body)
        for cut in (0, 1, 8, 17, head - 3, head - 1, head, head + 1, total - 2, total - 1):
            sim.misfortunes.add({"action": "close", "bytes": cut})
            assert await kind_of(rest) is SilentError, cut
        assert sim.misfortunes.waiting() == []
        assert counter.total == 11


async def test_a_trickle_is_patience_up_to_the_whole_time_and_then_silence(sim: Listening) -> None:
    sim.misfortunes.add({"action": "trickle", "seconds": 0.0005})
    async with talking(sim.http) as rest:
        assert (await rest.ask("POST", "/add")).body == b'{"total":1}'
        sim.misfortunes.add({"action": "trickle", "seconds": 0.05})
    async with talking(sim.http, total_seconds=1.0) as rest:  # every single byte is in time
        started = time.monotonic()
        assert await kind_of(rest) is SilentError
        assert time.monotonic() - started < 2


async def test_a_connection_that_is_never_taken_further_is_silence_for_http_and_unreachable_for_tls() -> None:
    with silent_port() as listener:
        port = listener.getsockname()[1]
        async with talking(f"http://127.0.0.1:{port}", read_seconds=0.2) as rest:
            assert await kind_of(rest) is SilentError
        async with talking(f"https://127.0.0.1:{port}", connect_seconds=0.2) as rest:
            assert await kind_of(rest) is UnreachableError


async def test_no_free_connection_means_nothing_was_sent(sim: Listening, counter: Counter) -> None:
    sim.misfortunes.add({"action": "trickle", "seconds": 0.1})
    async with talking(sim.http, connections=1, read_seconds=0.3) as rest:
        first = asyncio.create_task(rest.ask("GET", "/total"))
        await asyncio.sleep(0)  # it has the only connection, and its answer takes long
        assert await kind_of(rest) is UnreachableError
        assert counter.total == 0
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_a_close_ends_what_is_being_connected_too() -> None:
    """Made a moment later, such a connection would be nobody's, and stay open."""
    with ExitStack() as stack:
        busy = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # it accepts nobody: who comes after its queue is full waits
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(busy.getsockname())
        async with talking(f"http://127.0.0.1:{busy.getsockname()[1]}", connect_seconds=60, total_seconds=60) as rest:
            asking = asyncio.create_task(rest.ask("GET", "/total"))
            await asyncio.sleep(0)  # it has begun to connect
            await rest.close()
            async with asyncio.timeout(5):
                with pytest.raises(UnreachableError):
                    await asking


async def test_the_right_certificate_is_trusted_and_no_other(counter: Counter) -> None:
    async with serving(counter, tls=True) as sim:
        assert sim.http.startswith("https://127.0.0.1:")
        ca_file = sim.credentials["ca_file"]
        async with talking(sim.http, ca_file=ca_file) as rest:
            assert (await rest.ask("POST", "/add")).status == 200
        async with talking(sim.http) as rest:
            assert await kind_of(rest) is UnreachableError
        async with talking(sim.http.replace("https", "HTTPS")) as rest:
            assert await kind_of(rest) is UnreachableError
        async with talking(sim.http, ca_file=make_tls()[1]) as rest:
            assert await kind_of(rest) is UnreachableError
        assert counter.total == 1


async def test_a_certificate_for_another_host_is_unreachable(sim: Listening, tmp_path: Path) -> None:
    context, ca_file = _certificate_for("elsewhere.example", tmp_path)
    async with answering(saying(OK), context) as origin, talking(origin, ca_file=ca_file) as rest:
        assert await kind_of(rest) is UnreachableError


async def test_a_plain_server_behind_https_is_unreachable(sim: Listening) -> None:
    async with talking(sim.http.replace("http:", "https:")) as rest:
        assert await kind_of(rest) is UnreachableError


async def test_a_redirect_is_not_followed(sim: Listening) -> None:
    async with talking(sim.http) as rest:
        with pytest.raises(ReplyError, match=r"redirect \(307\) not followed"):
            await rest.ask("GET", "/away", headers={"Authorization": "canary"})
        for status in (301, 302, 303, 304, 308):
            sim.misfortunes.add({"action": "status", "status": status, "headers": {"Location": "http://127.0.0.1:9/"}})
            with pytest.raises(ReplyError, match=f"redirect \\({status}\\)"):
                await rest.ask("GET", "/total")


async def test_a_mebibyte_is_taken_and_one_byte_more_is_not(sim: Listening) -> None:
    async with talking(sim.http) as rest:
        assert len((await rest.ask("GET", f"/big/{1 << 20}")).body) == 1 << 20
        with pytest.raises(ReplyError, match="larger than 1 MiB"):
            await rest.ask("GET", f"/big/{(1 << 20) + 1}")
        assert (await rest.ask("GET", "/total")).status == 200


async def test_f06_an_endless_answer_is_cut_at_the_cap() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            sent += 65536
            await writer.drain()

    async with answering(flood) as origin, talking(origin) as rest:
        assert await kind_of(rest, "GET") is ReplyError
    assert sent < 32 << 20


async def test_f06_a_packed_answer_is_neither_asked_for_nor_unpacked(sim: Listening) -> None:
    bomb = gzip.compress(bytes(64 << 20))
    raw = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb
    async with talking(sim.http) as rest:
        assert (await rest.ask("GET", "/echo")).headers["X-Accept"] == "identity"
    async with answering(saying(raw)) as origin, talking(origin) as rest:
        tracemalloc.start()
        try:
            assert await kind_of(rest, "GET") is ReplyError
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 400,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00" * 100,
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
    ],
)
async def test_an_answer_that_is_no_http_or_not_whole_is_silence(raw: bytes) -> None:
    async with answering(saying(raw)) as origin, talking(origin) as rest:
        assert await kind_of(rest) is SilentError


async def test_a_dead_kept_connection_is_not_used_again_unseen() -> None:
    """The server hangs up between two questions: the second is answered over a new connection, or silence is told."""
    async with answering(saying(OK)) as origin, talking(origin) as rest:
        assert (await rest.ask("GET", "/a")).body == b"ok"
        assert (await rest.ask("GET", "/b")).body == b"ok"


async def test_whoever_gives_up_waiting_is_let_go(sim: Listening, counter: Counter) -> None:
    sim.misfortunes.add({"action": "stall", "match": {"path": "/add"}})
    async with talking(sim.http, read_seconds=30) as rest:
        asking = asyncio.create_task(rest.ask("POST", "/add"))
        await until(lambda: counter.total == 1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await rest.ask("GET", "/total")).body == b'{"total":1}'


def _certificate_for(host: str, folder: Path) -> tuple[ssl.SSLContext, str]:
    """A server context whose certificate names `host`, and that certificate's path."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 4711)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "other.pem", folder / "other.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    return context, str(pem)

"""F02 on the wire: what stands in the way of a connection, and that no byte of a request passes it."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bot.clock import SystemClock
from bot.errors import UnreachableError
from bot.network.leaving import leaving
from bot.network.rest import Rest
from bot.network.websocket import Line
from tests.support.site import free_port

Ask = Callable[[int, str, str | None], Any]


async def by_http(port: int, host: str, ca_file: str | None) -> None:
    scheme = "https" if ca_file is not None else "http"
    rest = Rest("alpha", f"{scheme}://{host}:{port}", ca_file=ca_file or None, read_seconds=2.0)
    try:
        await rest.ask("POST", "/pay", content=b"all of it")
    finally:
        await rest.close()


async def by_websocket(port: int, host: str, ca_file: str | None) -> None:
    async def greet(line: Line) -> None:
        raise AssertionError("nobody is there to be greeted")

    scheme = "wss" if ca_file is not None else "ws"
    line = Line(
        "alpha",
        f"{scheme}://{host}:{port}/ws",
        clock=SystemClock(),
        hear=lambda _: (),
        greet=greet,
        ca_file=ca_file or None,
        connect_seconds=2.0,
    )
    try:
        await line.open()
    finally:
        await line.close()


@pytest.fixture(params=[by_http, by_websocket])
def ask(request: pytest.FixtureRequest) -> Ask:
    found: Ask = request.param
    return found


class Guard:
    """A server that speaks TLS, and keeps what it was told behind it."""

    def __init__(self) -> None:
        self.port = 0
        self.heard = b""


@asynccontextmanager
async def guarding(context: ssl.SSLContext) -> AsyncIterator[Guard]:
    guard = Guard()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        guard.heard += await reader.read(1000)
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0, ssl=context)
    guard.port = server.sockets[0].getsockname()[1]
    try:
        yield guard
    finally:
        server.close()


def certified(folder: Path, host: str, *, until: timedelta) -> tuple[ssl.SSLContext, str]:
    """A server's context, and the path of its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 4711)
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "public.pem", folder / "private.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, str(public)


async def test_f02_a_refused_connection_is_unreachable(ask: Ask) -> None:
    with pytest.raises(UnreachableError):
        await ask(free_port(), "127.0.0.1", None)


async def test_f02_a_name_that_nobody_knows_is_unreachable(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(host: Any, *_: Any, **__: Any) -> Any:
        assert host in ("bank.invalid", b"bank.invalid")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UnreachableError):
        await ask(443, "bank.invalid", None)


@pytest.mark.parametrize(
    ("host", "until", "is_trusted"),
    [
        pytest.param("elsewhere.example", timedelta(days=1), True, id="for another host"),
        pytest.param("localhost", timedelta(days=-1), True, id="expired"),
        pytest.param("localhost", timedelta(days=1), False, id="signed by itself"),
    ],
)
async def test_f02_a_certificate_that_is_none_is_unreachable_and_nothing_is_said_behind_it(
    ask: Ask, tmp_path: Path, host: str, until: timedelta, is_trusted: bool
) -> None:
    context, ca_file = certified(tmp_path, host, until=until)
    async with guarding(context) as guard:
        with pytest.raises(UnreachableError):
            await ask(guard.port, "localhost", ca_file if is_trusted else "")
        assert guard.heard == b""


async def test_what_is_stopped_while_the_connection_is_made_is_not_written_and_everything_else_is() -> None:
    """N9: the last look is when the first byte is due."""
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1000))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    rest = Rest("alpha", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", read_seconds=5.0)
    try:
        with leaving(b"all of it", lambda: False):
            with pytest.raises(UnreachableError, match="it was stopped before it left"):
                await rest.ask("POST", "/pay", content=b"all of it")
            assert (await rest.ask("POST", "/look", content=b"something else")).status == 204
        with leaving(b"all of it", lambda: True):
            assert (await rest.ask("POST", "/pay", content=b"all of it")).status == 204
    finally:
        await rest.close()
        server.close()
    assert [one.split()[1] for one in heard if one] == [b"/look", b"/pay"]

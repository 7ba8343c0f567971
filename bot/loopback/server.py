"""One way to stand on the other side of a socket.

A simulator brings what `simulator.py` says; this file serves it on 127.0.0.1, with the control side of `controls.py`
under `/_sim`, keeps the ledger in a file when asked, and plays misfortunes.
"""

import asyncio
import json
import logging
import os
import shutil
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bot.loopback.controls import build_app
from bot.loopback.faults import Misfortunes
from bot.loopback.shaping import FaultyHTTP, FaultyWebSocket
from bot.loopback.simulator import Simulator

_TURNS_OF_THE_LOOP = 10
"""Within so many, what a client has ended is let go, and what was accepted just now is a connection."""


@dataclass(frozen=True, slots=True)
class Listening:
    """A simulator that listens: its origins and how to end it."""

    name: str
    http: str
    ws: str
    control: str
    credentials: Mapping[str, Any]
    misfortunes: Misfortunes

    def line(self) -> str:
        """The one JSON line of `countersign simulate`."""
        return json.dumps(
            {
                "name": self.name,
                "http": self.http,
                "ws": self.ws,
                "control": self.control,
                "credentials": dict(self.credentials),
            }
        )


@asynccontextmanager
async def serving(
    simulator: Simulator, *, port: int = 0, state: Path | None = None, tls: bool = False
) -> AsyncIterator[Listening]:
    """Serve `simulator` on 127.0.0.1 until the block ends.

    Args:
        port: 0 picks a free one.
        state: A JSON file that keeps the ledger across restarts; read when it exists.
        tls: Serve https/wss with a certificate made at start; its path is in the credentials as `ca_file`.
    """
    if state is not None:
        _take_up(simulator, state)
    misfortunes = Misfortunes()
    listener = socket.create_server(("127.0.0.1", port))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited; else 40 ms lie between head and body
    port = listener.getsockname()[1]
    suffix = "s" if tls else ""
    simulator.switches.origin_http = f"http{suffix}://127.0.0.1:{port}"
    simulator.switches.origin_ws = f"ws{suffix}://127.0.0.1:{port}"
    config = uvicorn.Config(
        build_app(simulator, misfortunes, state),
        http=FaultyHTTP,
        ws=FaultyWebSocket,
        ws_per_message_deflate=False,
        ws_max_size=1 << 20,
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
    )
    credentials = dict(simulator.credentials())
    if tls:
        context, ca_file = make_tls()
        config.load()
        config.ssl = context
        credentials["ca_file"] = ca_file
    async with AsyncExitStack() as stack:
        if tls:
            stack.callback(shutil.rmtree, Path(credentials["ca_file"]).parent, ignore_errors=True)
        await stack.enter_async_context(running(config, listener))
        yield Listening(
            simulator.name,
            simulator.switches.origin_http,
            simulator.switches.origin_ws,
            f"{simulator.switches.origin_http}/_sim",
            credentials,
            misfortunes,
        )


def _take_up(simulator: Simulator, state: Path) -> None:
    if state.exists():
        simulator.load(json.loads(state.read_text()))


@asynccontextmanager
async def running(config: uvicorn.Config, listener: socket.socket) -> AsyncIterator[uvicorn.Server]:
    """Run one uvicorn server on an already bound socket for the length of the block."""
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(0.005)
        yield server
    finally:
        server.should_exit = True
        server.ending.set()
        await task
        listener.close()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, its ticks and its last pause: whoever starts it ends it, at once."""

    def capture_signals(self) -> Any:
        return nullcontext()

    async def main_loop(self) -> None:
        """Stand until told to end. The ticks of the original only refresh the Date header and count requests."""
        self.ending = asyncio.Event()
        self.server_state.default_headers = self.config.encoded_headers
        await self.ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """The original gives connections a tenth of a second to end, also when there is none."""
        for server in self.servers:
            server.close()
        for _ in range(_TURNS_OF_THE_LOOP):
            await asyncio.sleep(0)
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
        else:
            await self.lifespan.shutdown()


def make_tls() -> tuple[ssl.SSLContext, str]:
    """A server context with a fresh self-signed certificate for 127.0.0.1, and the path of that certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1")), x509.DNSName("localhost")]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    folder = Path(tempfile.mkdtemp(prefix="countersign-tls-"))
    certificate_file = folder / "certificate.pem"
    key_file = folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.touch(mode=0o600)
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    os.unlink(key_file)
    return context, str(certificate_file)

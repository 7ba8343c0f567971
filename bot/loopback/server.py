"""One way to stand on the other side of a socket.

A simulator brings its vendor routes, its own controls, its credentials and its ledger; this file serves them on
127.0.0.1, adds the control side under `/_sim`, keeps the ledger in a file when asked, and plays misfortunes.

Control side, the same for all (a simulator adds its own beside these):

    GET  /_sim/ledger    {"entries": [{"id","kind","from","to","amount","currency","reference","at_ms"}]}
    POST /_sim/faults    a script of misfortunes, see `faults.py`; answers how many are waiting
    GET  /_sim/faults    the misfortunes still waiting
    POST /_sim/limits    {"lifted": true|false}: pacing and rate limits off, for measuring
    POST /_sim/down      {"down": true|false}: every vendor path is unreachable while down
"""

import asyncio
import json
import logging
import os
import shutil
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route

from bot.loopback.faults import Misfortunes
from bot.loopback.shaping import FaultyHTTP, FaultyWebSocket

_TURNS_OF_THE_LOOP = 10
"""Within so many, what a client has ended is let go, and what was accepted just now is a connection."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One thing the simulator really carried out."""

    id: str
    kind: str
    source: str
    target: str
    amount: str
    currency: str
    reference: str
    at_ms: int

    def as_json(self) -> dict[str, str | int]:
        return {
            "id": self.id,
            "kind": self.kind,
            "from": self.source,
            "to": self.target,
            "amount": self.amount,
            "currency": self.currency,
            "reference": self.reference,
            "at_ms": self.at_ms,
        }


@dataclass(slots=True)
class Switches:
    """What the control side can change about any simulator."""

    limits_lifted: bool = False
    origin_http: str = ""
    """Filled in when it listens, e.g. `http://127.0.0.1:4711`; vendors that announce their own addresses need it."""
    origin_ws: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


class Simulator(Protocol):
    """What one provider's simulator brings."""

    name: str
    switches: Switches

    def routes(self) -> Sequence[BaseRoute]:
        """The vendor's own paths, HTTP and WebSocket."""

    def controls(self) -> Sequence[BaseRoute]:
        """Further routes below `/_sim`, without the prefix."""

    def credentials(self) -> Mapping[str, Any]:
        """What a client needs to log in; goes into the line `simulate` prints."""

    def ledger(self) -> Sequence[LedgerEntry]:
        """The truth about what was carried out."""

    def dump(self) -> Mapping[str, Any]:
        """Its whole state as JSON values, for `--state`."""

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up what `dump` gave."""


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


def build_app(simulator: Simulator, misfortunes: Misfortunes, state: Path | None = None) -> Starlette:
    """The simulator's ASGI application: vendor routes behind the misfortunes, controls beside them."""

    async def asked(request: Request) -> Any:
        try:
            return await request.json()
        except ValueError:
            raise HTTPException(400, "the body is not JSON") from None

    async def ledger(_: Request) -> JSONResponse:
        return JSONResponse({"entries": [entry.as_json() for entry in simulator.ledger()]})

    async def faults(request: Request) -> JSONResponse:
        if request.method == "POST":
            try:
                misfortunes.add(await asked(request))
            except (KeyError, TypeError, ValueError) as error:
                raise HTTPException(400, f"not a script: {error}") from None
        return JSONResponse({"waiting": misfortunes.waiting()})

    async def limits(request: Request) -> JSONResponse:
        simulator.switches.limits_lifted = bool((await asked(request)).get("lifted"))
        return JSONResponse({"lifted": simulator.switches.limits_lifted})

    async def down(request: Request) -> JSONResponse:
        misfortunes.set_down(bool((await asked(request)).get("down")))
        return JSONResponse({"down": misfortunes.down})

    control = [
        Route("/ledger", ledger),
        Route("/faults", faults, methods=["GET", "POST"]),
        Route("/limits", limits, methods=["POST"]),
        Route("/down", down, methods=["POST"]),
        *simulator.controls(),
    ]
    app = Starlette(routes=[Mount("/_sim", routes=control), *simulator.routes()])
    app.add_middleware(_Keeping, simulator=simulator, path=state)
    app.add_middleware(misfortunes.middleware)
    return app


class _Keeping:
    """Writes the simulator's state to its file after each exchange, whole or not at all."""

    def __init__(self, app: Any, simulator: Simulator, path: Path | None) -> None:
        self.app = app
        self.simulator = simulator
        self.path = path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            self.keep()  # before the answer leaves: what was answered is on disk
            await send(message)

        await self.app(scope, receive, send if self.path is None else sending)

    def keep(self) -> None:
        if self.path is None:
            return
        with tempfile.NamedTemporaryFile("w", dir=self.path.parent, delete=False) as file:
            file.write(json.dumps(self.simulator.dump()))  # several times as quick as `json.dump`
        Path(file.name).replace(self.path)


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

"""A client of Crypto Capital written from the documents, and a running simulator for it to talk to.

Nothing here is shared with the simulator or with the adapter: it has signature and text code of its own.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import websockets
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bot.loopback.server import Listening, serving
from bot.providers.cryptocapital.simulator import make

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOON_MS = 1772452800000

OPERATING, RESERVE, EUROS = "9120004471", "9120004488", "9120004495"
HARBOUR, NORDLICHT, ASHGROVE, KITANO = "9120007013", "9120007020", "9120007037", "9120007044"
REGISTRATION_USD, REGISTRATION_EUR = "9120231592", "9120231638"

TRANSFER_ORDER = (
    "id",
    "date",
    "sendAccount",
    "receiveAccount",
    "sendCurrency",
    "receiveCurrency",
    "sendAmount",
    "receiveAmount",
    "narrative",
)
ACCOUNT_ORDER = ("accountNumber", "name", "currency", "balance", "available")


class HandClock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self.sleepers.append((self.seconds + seconds, woken))
        await woken.wait()

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
        for due, woken in self.sleepers:
            if due <= self.seconds:
                woken.set()


@dataclass
class Key:
    """A client's key pair, made from 32 bytes."""

    raw: bytes
    private: ec.EllipticCurvePrivateKey = field(init=False)
    public: str = field(init=False)

    def __post_init__(self) -> None:
        self.private = ec.derive_private_key(int.from_bytes(self.raw), ec.SECP256K1())
        point = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public = base64.b64encode(point).decode()

    def der(self, text: str, *, high: bool = False) -> bytes:
        r, s = decode_dss_signature(self.private.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return encode_dss_signature(r, s if (s > N // 2) is high else N - s)

    def sign(self, text: str, *, high: bool = False) -> str:
        return base64.b64encode(self.der(text, high=high)).decode()


class Teller:
    """One native connection of one key."""

    def __init__(self, socket: websockets.ClientConnection, key: Key) -> None:
        self.socket = socket
        self.key = key
        self.nonce = NOON_MS

    def operation(self, op: str, params: Mapping[str, Any] | None = None, tail: str = "") -> dict[str, Any]:
        """A rightly signed operation object; `tail` is what follows the nonce in its text."""
        self.nonce += 1
        data: dict[str, Any] = {"apiVersion": 2, "key": self.key.public, "nonce": self.nonce}
        if params is not None:
            data["params"] = params
        data["signed"] = self.key.sign(f"{op.upper()}{self.key.public}{self.nonce}{tail}")
        return data

    async def send(self, op: str, data: object) -> None:
        await self.socket.send(json.dumps({"op": op, "data": data}))

    async def next(self) -> tuple[str, Any]:
        async with asyncio.timeout(5):
            message = json.loads(await self.socket.recv())
        assert set(message) == {"msg", "data"}
        return message["msg"], message["data"]

    async def acked(self, op: str, params: Mapping[str, Any] | None = None, tail: str = "") -> None:
        await self.send(op, self.operation(op, params, tail))
        assert await self.next() == ("ack", {"nonce": self.nonce})

    async def result(self) -> Any:
        _, data = await self.next()
        return data

    async def account(self, number: str) -> Any:
        await self.acked("account", {"accountNumber": number}, number)
        kind, data = await self.next()
        assert kind == "account"
        return data["params"]

    async def balance(self, number: str) -> str:
        params = await self.account(number)
        assert isinstance(params["balance"], str)
        return params["balance"]

    async def pay(
        self, source: str, target: str, currency: str, amount: int | float | str, text: str, narrative: str = ""
    ) -> None:
        """Send a transfer and see it acked; `text` is what the amount is in the signed text."""
        params = {
            "accountNumber": source,
            "beneficiary": target,
            "currency": currency,
            "amount": amount,
            "narrative": narrative,
        }
        await self.acked("transfer", params, f"{source}{target}{currency}{text}")

    async def statement(self, number: str, **filters: object) -> list[Any]:
        """All rows that come before the ack of a ping sent after the question."""
        await self.send("statement", self.operation("statement", {"accountNumber": number, **filters}, number))
        asked = self.nonce
        await self.send("ping", self.operation("ping"))
        assert await self.next() == ("ack", {"nonce": asked})
        rows = []
        while (message := await self.next()) != ("ack", {"nonce": self.nonce}):
            assert message[0] == "transfer"
            rows.append(message[1]["params"])
        return rows

    async def hears_nothing(self) -> None:
        """Whatever was under way before would have come before the answer to this ping."""
        await self.acked("ping")


class Bank:
    """The simulator as a test sees it: its address, its controls and tellers to it."""

    def __init__(self, listening: Listening, http: httpx.AsyncClient, stack: AsyncExitStack, clock: HandClock) -> None:
        self.listening = listening
        self.http = http
        self.stack = stack
        self.clock = clock
        self.client = Key(base64.b64decode(listening.credentials["private_key"]))
        self.server_key = listening.credentials["server_public_key"]
        self.tellers = 0

    async def teller(self, key: Key | None = None, *, auth: bool = True) -> Teller:
        socket = await self.stack.enter_async_context(
            websockets.connect(f"{self.listening.ws}/ws", compression=None, proxy=None)
        )
        teller = Teller(socket, key or self.client)
        self.tellers += 1
        teller.nonce += 1000 * self.tellers  # a later connection of the same key goes on above the earlier ones
        if auth:
            await teller.acked("auth")
        return teller

    async def post(self, path: str, expect: int = 200, **body: Any) -> Any:
        reply = await self.http.post(f"{self.listening.control}/{path}", content=json.dumps(body))
        assert reply.status_code == expect, reply.text
        return reply.json()

    async def get(self, path: str) -> Any:
        return (await self.http.get(f"{self.listening.control}/{path}")).json()

    async def ledger(self) -> list[Any]:
        entries = (await self.get("ledger"))["entries"]
        assert isinstance(entries, list)
        return entries


@asynccontextmanager
async def open_bank(seed: int = 7, state: Path | None = None) -> AsyncIterator[Bank]:
    """A bank made from `seed` at noon, or taken up from `state`."""
    clock = HandClock()
    async with (
        serving(make(seed, clock), state=state) as listening,
        httpx.AsyncClient(trust_env=False) as http,
        AsyncExitStack() as stack,
    ):
        yield Bank(listening, http, stack, clock)


def signed_by(key: str, text: str, signed: str) -> bool:
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), base64.b64decode(key))
    try:
        point.verify(base64.b64decode(signed), text.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def text_of(kind: str, message: Mapping[str, Any]) -> str:
    """The documented text of a signed message."""
    params, key, nonce, rcpt = message["params"], message["key"], message["nonce"], message["rcpt"]
    match kind:
        case "transfer":
            return f"TRANSFER{key}{rcpt}{nonce}" + "".join(params[name] for name in TRANSFER_ORDER)
        case "account":
            return f"ACCOUNT{key}{nonce}{rcpt}" + "".join(params[name] for name in ACCOUNT_ORDER)
        case _:
            return f"ERROR{key}{nonce}{rcpt}{params['nonce']}{params['msg']}"


def is_genuine(bank: Bank, kind: str, message: Mapping[str, Any], rcpt: str) -> bool:
    """Signed by the bank's own key over the documented text, and addressed to `rcpt`."""
    return (
        message["key"] == bank.server_key
        and message["rcpt"] == rcpt
        and signed_by(bank.server_key, text_of(kind, message), message["signed"])
    )

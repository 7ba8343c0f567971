"""What signing, and moving money with it, costs beside the bare curve and a bare socket."""

import asyncio
import base64
import json
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import coincurve
import websockets

from bot.clock import SystemClock
from bot.money import Currency, Money
from bot.operations.nonces import StoredNonces
from bot.providers.acts import Act, ActKind, Outcome
from bot.providers.base import Login, Surroundings
from bot.providers.cryptocapital import build
from bot.providers.cryptocapital.auth import PinnedKey, Signer
from bot.providers.cryptocapital.client import CryptoCapital
from bot.providers.cryptocapital.settings import Settings
from bot.providers.records import Environment
from bot.secret import Secret
from bot.store import Database
from tests.benchmarks.environments import python_with
from tests.benchmarks.figures import Figure, Limit, paired
from tests.benchmarks.processes import CannotMeasureError, simulator

ROUNDS = 5
PAIRS = 4000
SLOW_PAIRS = 40
TRANSFERS = 200
_RAW_KEY = bytes(range(1, 33))
_SOURCE, _TARGET = "9120004471", "9120007013"
_ORDER = (
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
_PEER = Path(__file__).parent / "peers" / "ecdsa_pair.py"


async def signing(folder: Path) -> list[Figure]:
    """Texts signed and verified a second, in the forms that travel: text and base64 here, bytes there."""
    ours, bare = _ours(), _bare()
    rounds = [(_rate(ours, PAIRS), _rate(bare, PAIRS)) for _ in range(ROUNDS)]
    return [paired("cryptocapital_signing", "pairs/s", Limit("at least", 0.8), "bare coincurve", rounds, digits=0)]


async def signing_pure(folder: Path) -> list[Figure]:
    """The same beside the package that does it in Python."""
    python = await python_with("ecdsa==0.19.1")
    ours = _ours()
    rounds = [(_rate(ours, PAIRS), await _pure(python)) for _ in range(ROUNDS)]
    return [paired("cryptocapital_signing_pure", "pairs/s", Limit("at least", 10), "ecdsa", rounds, digits=0)]


def _ours() -> Callable[[int], bool]:
    signer = Signer(base64.b64encode(_RAW_KEY).decode())
    public = PinnedKey(signer.public_key)

    def once(number: int) -> bool:
        text = f"TRANSFER{number}"
        return public.verify(signer.sign(text), text)

    return once


def _bare() -> Callable[[int], bool]:
    key = coincurve.PrivateKey(_RAW_KEY)
    public = key.public_key

    def once(number: int) -> bool:
        text = f"TRANSFER{number}".encode()
        return public.verify(key.sign(text), text)

    return once


def _rate(once: Callable[[int], bool], count: int) -> float:
    begun = time.perf_counter()
    if not all(once(number) for number in range(count)):
        raise CannotMeasureError("what was signed was not verified")
    return count / (time.perf_counter() - begun)


async def _pure(python: Path) -> float:
    process = await asyncio.create_subprocess_exec(str(python), str(_PEER), str(SLOW_PAIRS), stdout=PIPE)
    said, _ = await process.communicate()
    if process.returncode != 0:
        raise CannotMeasureError("the peer failed")
    return float(said)


# -------- transfers


async def transfers(folder: Path) -> list[Figure]:
    """Transfers a second through the seam, one after the other, each until its signed end has been believed.

    The other side signs, sends, reads the `ack` and the end, and verifies; its nonces are in memory, ours on disk.
    """
    async with simulator("cryptocapital", folder) as bank:
        database = await Database.open(folder / "nonces.sqlite")
        try:
            rounds = []
            for number in range(ROUNDS):
                rounds.append((await _through_the_seam(bank, database, number), await _by_hand(bank)))
        finally:
            await database.close()
    return [paired("cryptocapital_transfers", "transfers/s", Limit("at least", 0.4), "bare loop", rounds)]


async def _through_the_seam(bank: dict[str, Any], database: Database, number: int) -> float:
    given = bank["credentials"]
    login: Login = {"private_key": Secret(given["private_key"]), "accounts": Secret(_SOURCE)}

    @asynccontextmanager
    async def lend() -> AsyncIterator[Login]:
        yield login

    settings = Settings(url=bank["ws"], server_public_key=given["server_public_key"])
    linked = build(lend, Surroundings(Environment.LIVE, settings, SystemClock(), StoredNonces(database)))
    if not isinstance(linked, CryptoCapital):
        raise CannotMeasureError("another adapter")
    seam, ended = linked.money, asyncio.Event()
    await linked.balances()
    (await linked.key_line()).listeners.append(lambda _: ended.set())
    begun = time.perf_counter()
    for each in range(TRANSFERS):
        act = Act(f"r{number}x{each}", ActKind.TRANSFER, _SOURCE, Money(Decimal("0.01"), Currency("USD")), _TARGET)
        ended.clear()
        async with seam.turn():
            prepared = await seam.prepare(act)
            receipt = await seam.send(prepared)
        outcome = receipt.outcome
        if outcome is Outcome.ACKNOWLEDGED:
            async with asyncio.timeout(10):
                await ended.wait()
            outcome = (await seam.find(prepared)).outcome
        if outcome is not Outcome.SUCCEEDED:
            raise CannotMeasureError(f"a transfer is {outcome}")
    taken = time.perf_counter() - begun
    await linked.close()
    return TRANSFERS / taken


async def _by_hand(bank: dict[str, Any]) -> float:
    given = bank["credentials"]
    key = coincurve.PrivateKey(base64.b64decode(given["private_key"]))
    server = coincurve.PublicKey(base64.b64decode(given["server_public_key"]))
    mine, nonce = given["public_key"], time.time_ns() // 1_000_000

    def operation(op: str, text: str, **params: Any) -> str:
        signed = base64.b64encode(key.sign(f"{op.upper()}{mine}{nonce}{text}".encode())).decode()
        data: dict[str, Any] = {"apiVersion": 2, "key": mine, "nonce": nonce, "signed": signed}
        return json.dumps({"op": op, "data": data | ({"params": params} if params else {})})

    async with websockets.connect(f"{bank['ws']}/ws", compression=None, proxy=None) as socket:
        await socket.send(operation("auth", ""))
        await socket.recv()
        begun = time.perf_counter()
        for _ in range(TRANSFERS):
            nonce = max(nonce + 1, time.time_ns() // 1_000_000)
            params = {"accountNumber": _SOURCE, "beneficiary": _TARGET, "currency": "USD", "amount": 0.01}
            text = f"{_SOURCE}{_TARGET}USD0.01"
            await socket.send(operation("transfer", text, **params, narrative="by hand"))
            while (message := json.loads(await socket.recv()))["msg"] != "transfer":
                if message["msg"] != "ack":
                    raise CannotMeasureError("refused")
            data = message["data"]
            data = json.loads(data) if isinstance(data, str) else data
            said = f"TRANSFER{data['key']}{mine}{data['nonce']}" + "".join(data["params"][name] for name in _ORDER)
            r_s = coincurve.ecdsa.der_to_cdata(base64.b64decode(data["signed"]))
            low = coincurve.ecdsa.cdata_to_der(coincurve.ecdsa.signature_normalize(r_s)[1])
            if not server.verify(low, said.encode()):
                raise CannotMeasureError("not verified")
        return TRANSFERS / (time.perf_counter() - begun)

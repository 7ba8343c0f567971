"""Every reply of Deriv's simulator against the official JSON schemas, and its rules against the send side of the same.

The schemas lie in a folder that a user's clone does not have: `COUNTERSIGN_SHARED` names it, else it is looked for
beside the checkout. `transaction` and `forget_all` are not among the files; their shape is tested with the ordinary
tests.

Perl-only patterns are translated before they are compiled; see `PERL`. `$` becomes `\\Z`, because Python's also matches
before a last newline.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft4Validator
from websockets.asyncio.client import ClientConnection, connect

from bot.loopback.server import Listening, serving
from bot.providers.deriv.simulator import make

SHARED = Path(os.environ.get("COUNTERSIGN_SHARED") or Path(__file__).parents[2] / "shared")
SCHEMAS = SHARED / "protocols" / "data" / "deriv"

PERL = {
    r"\p{L}": r"[^\W\d_]",
    r"\p{Nd}": r"\d",
    r"\x{b0}": "\u00b0",
    r"[[:xdigit:]]": r"[0-9A-Fa-f]",
}
"""What Python's `re` does not know, and what it is told instead. None of the calls played so far needs one."""

PLAYED = (
    "ping",
    "time",
    "website_status",
    "forget",
    "logout",
    "authorize",
    "balance",
    "portfolio",
    "statement",
    "active_symbols",
    "ticks",
    "buy",
    "sell",
)
RISE = {"contract_type": "CALL", "currency": "USD", "symbol": "R_100", "amount": 10, "basis": "stake", "duration": 300}


def translated(schema: Any) -> Any:
    """The schema with patterns that Python can compile."""
    if isinstance(schema, list):
        return [translated(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {}
    for name, value in schema.items():
        if name == "pattern" and isinstance(value, str):
            result[name] = in_python(value)
        elif name == "patternProperties":
            result[name] = {in_python(pattern): translated(inner) for pattern, inner in value.items()}
        else:
            result[name] = translated(value)
    return result


def in_python(pattern: str) -> str:
    for perl, python in PERL.items():
        pattern = pattern.replace(perl, python)
    return pattern[:-1] + r"\Z" if pattern.endswith("$") and not pattern.endswith(r"\$") else pattern


def validator(call: str, side: str) -> Draft4Validator:
    schema = json.loads((SCHEMAS / call / f"{side}.json").read_text())
    Draft4Validator.check_schema(translated(schema))
    return Draft4Validator(translated(schema))


class Examined:
    """A socket whose every exchange is held against the schemas."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.examined: list[str] = []

    async def ask(self, call: str, **more: Any) -> dict[str, Any]:
        """Send a request that obeys its schema; the reply must obey its own."""
        request = {call: 1, **more}
        validator(call, "send").validate(request)
        await self.socket.send(json.dumps(request))
        return await self.next(call)

    async def next(self, call: str) -> dict[str, Any]:
        reply: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), 5))
        validator(call, "receive").validate(reply)
        self.examined.append(call)
        return reply


@pytest.fixture(scope="module", autouse=True)
def _schemas() -> None:
    if not SCHEMAS.is_dir():
        pytest.skip("Deriv's JSON schemas are not here; set COUNTERSIGN_SHARED to the folder that has them")


@pytest.fixture
async def sim() -> AsyncIterator[Listening]:
    async with serving(make()) as listening:
        yield listening


@pytest.fixture
async def line(sim: Listening) -> AsyncIterator[Examined]:
    async with AsyncExitStack() as stack:
        address = f"{sim.ws}/websockets/v3?app_id={sim.credentials['app_id']}"
        yield Examined(await stack.enter_async_context(connect(address)))


async def test_every_reply_and_stream_message_obeys_its_schema(line: Examined, sim: Listening) -> None:
    oauth = sim.credentials["token_oauth"]
    await line.ask("ping", req_id=1)
    await line.ask("time", passthrough={"a": "b"})
    await line.ask("website_status", subscribe=1)
    await line.ask("active_symbols", active_symbols="brief")
    await line.ask("active_symbols", active_symbols="full")
    await line.ask("ticks", ticks="R_100")
    stream = (await line.ask("ticks", ticks="R_50", subscribe=1))["subscription"]["id"]
    assert (await line.ask("forget", forget=stream))["forget"] == 1
    await line.ask("authorize", authorize=oauth, req_id=2)
    await line.ask("balance", account="all", req_id=3, subscribe=1)
    await line.ask("balance", account="current")
    await line.ask("portfolio")
    await line.ask("statement", description=1, limit=999)
    await line.ask("statement")
    bought = (await line.ask("buy", buy="1", price=10, parameters=RISE))["buy"]
    await line.next("balance")
    assert "sell" in await line.ask("sell", sell=bought["contract_id"], price=0)
    await line.next("balance")
    async with httpx.AsyncClient() as http:
        await http.post(f"{sim.control}/deposit", json={"loginid": "CR900002", "amount": "0.5"})
        await line.next("balance")
        await http.post(f"{sim.control}/site", json={"status": "updating"})
        await line.next("website_status")
    await line.ask("statement", description=1)
    await line.ask("logout")
    assert set(line.examined) == set(PLAYED)


@pytest.mark.parametrize(
    ("call", "more", "code"),
    [
        ("authorize", {"authorize": "wrong"}, "InvalidToken"),
        ("balance", {}, "AuthorizationRequired"),
        ("portfolio", {"req_id": 4}, "AuthorizationRequired"),
        ("statement", {}, "AuthorizationRequired"),
        ("buy", {"buy": "1", "price": 1, "parameters": RISE}, "AuthorizationRequired"),
        ("sell", {"sell": 7, "price": 0}, "AuthorizationRequired"),
        ("ticks", {"ticks": "NOPE"}, "InvalidSymbol"),
    ],
)
async def test_a_refusal_obeys_the_schema_too(line: Examined, call: str, more: dict[str, Any], code: str) -> None:
    assert (await line.ask(call, **more))["error"]["code"] == code


@pytest.mark.parametrize("call", PLAYED)
async def test_what_a_schema_forbids_is_refused(line: Examined, call: str) -> None:
    """One field of the official request at a time is made wrong, then the simulator must see it."""
    schema, judge = json.loads((SCHEMAS / call / "send.json").read_text()), validator(call, "send")
    example = json.loads((SCHEMAS / call / "example.json").read_text())
    tried = 0
    for name in [*schema["properties"], "a_stranger"]:
        for wrong in (None, True, -1, 3.5, "", "§", [], [[]], ["§"], {"§": 1}, {}):
            request = {**example, name: wrong}
            if judge.is_valid(request) or lenient(schema["properties"].get(name, {}), wrong):
                continue
            await line.socket.send(json.dumps(request))
            reply = json.loads(await asyncio.wait_for(line.socket.recv(), 5))
            assert reply["error"]["code"] in {"InputValidationFailed", "SanityCheckFailed"}, (name, wrong)
            tried += 1
    assert tried > 10


def lenient(rule: dict[str, Any], value: object) -> bool:
    """Whether the simulator takes it on purpose: numbers for texts."""
    kinds = [rule.get("type"), *(each.get("type") for each in rule.get("oneOf", ()))]
    return "string" in kinds and isinstance(value, int | float) and not isinstance(value, bool)


@pytest.mark.parametrize("call", PLAYED)
async def test_the_official_example_is_understood(line: Examined, sim: Listening, call: str) -> None:
    """Understood, not necessarily granted: a made-up token or contract may be refused, its shape may not."""
    example = json.loads((SCHEMAS / call / "example.json").read_text())
    await line.ask("authorize", authorize=sim.credentials["token"])
    await line.socket.send(json.dumps(example))
    reply = await line.next(call)
    assert reply.get("error", {}).get("code") not in {"InputValidationFailed", "UnrecognisedRequest"}

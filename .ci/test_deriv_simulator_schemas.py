"""Every reply of Deriv's simulator against the official JSON schemas, and its rules against the send side of the same.

The schemas lie in a folder that a user's clone does not have: `COUNTERSIGN_SHARED` names it, else it is looked for
beside the checkout. Eight calls are not among the files; they are held against what the call reference says of them.

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

import deriv_described
import httpx
import pytest
from jsonschema import Draft4Validator
from websockets.asyncio.client import ClientConnection, connect

from bot.loopback.server import Listening, serving
from bot.providers.deriv.simulator import make
from bot.providers.deriv.simulator.calls import PLAYS

SHARED = Path(os.environ.get("COUNTERSIGN_SHARED") or Path(__file__).parents[2] / "shared")
SCHEMAS = SHARED / "protocols" / "data" / "deriv"

LETTERS = "A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02c1\u0370-\u0373\u0376-\u037d\u0386-\u1fff"
PERL = {
    r"^\p{L}": f"^[{LETTERS}]",
    r"\p{L}": LETTERS,
    r"\p{Nd}": r"\d",
    r"\x{b0}": "\u00b0",
    r"[[:xdigit:]]": r"[0-9A-Fa-f]",
}
"""What Python's `re` does not know, and what it is told instead, mostly inside brackets. Names and addresses of
new_account_real need it; the letters are those of the scripts the tests write in."""

PLAYED = (
    "ping",
    "time",
    "website_status",
    "forget",
    "logout",
    "authorize",
    "get_settings",
    "get_limits",
    "api_token",
    "app_register",
    "verify_email",
    "residence_list",
    "landing_company",
    "landing_company_details",
    "new_account_virtual",
    "new_account_real",
    "balance",
    "portfolio",
    "statement",
    "active_symbols",
    "contracts_for",
    "ticks",
    "ticks_history",
    "proposal",
    "buy",
    "sell",
    "proposal_open_contract",
    "paymentagent_list",
    "paymentagent_details",
    "paymentagent_withdraw",
    "cashier",
)
DESCRIBED = tuple(deriv_described.ASKED)
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
    schema = translated(schema_of(call, side))
    Draft4Validator.check_schema(schema)
    return Draft4Validator(schema)


def schema_of(call: str, side: str) -> Any:
    if call in DESCRIBED:
        return deriv_described.shape_of(call, side)
    return json.loads((SCHEMAS / call / f"{side}.json").read_text())


def example_of(call: str) -> Any:
    if call in DESCRIBED:
        return deriv_described.EXAMPLES[call]
    return json.loads((SCHEMAS / call / "example.json").read_text())


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

    async def ask_past(self, call: str, **more: Any) -> dict[str, Any]:
        """The same, where a stream may speak in between."""
        request = {call: 1, **more}
        validator(call, "send").validate(request)
        await self.socket.send(json.dumps(request))
        return await self.until(call)

    async def until(self, call: str) -> dict[str, Any]:
        """The next message of a call; others before it obey theirs."""
        while True:
            reply: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), 5))
            validator(reply["msg_type"], "receive").validate(reply)
            self.examined.append(reply["msg_type"])
            if reply["msg_type"] == call:
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


def test_nothing_is_played_that_is_not_looked_at_here() -> None:
    assert {call.name for call, _ in PLAYS} == {*PLAYED, *DESCRIBED}


async def test_every_reply_and_stream_message_obeys_its_schema(line: Examined, sim: Listening) -> None:
    oauth = sim.credentials["token_oauth"]
    async with httpx.AsyncClient(trust_env=False) as http:
        await http.post(f"{sim.control}/limits", json={"lifted": True})
    await line.ask("ping", req_id=1)
    await line.ask("time", passthrough={"a": "b"})
    await line.ask("website_status", subscribe=1)
    await _prices(line)
    await line.ask("authorize", authorize=oauth, req_id=2)
    await _profile(line)
    await _payments(line, sim)
    await line.ask("balance", account="all", req_id=3, subscribe=1)
    await line.ask("balance", account="current")
    await line.ask("portfolio")
    await line.ask("statement", description=1, limit=999)
    await line.ask("statement")
    bought = (await line.ask("buy", buy="1", price=10, parameters=RISE))["buy"]
    await line.next("balance")
    await line.ask("proposal_open_contract", contract_id=bought["contract_id"])
    assert "sell" in await line.ask("sell", sell=bought["contract_id"], price=0)
    await line.next("balance")
    await line.ask("proposal_open_contract", contract_id=bought["contract_id"], subscribe=1)
    async with httpx.AsyncClient(trust_env=False) as http:
        await http.post(f"{sim.control}/deposit", json={"loginid": "CR900002", "amount": "0.5"})
        await line.next("balance")
        await http.post(f"{sim.control}/site", json={"status": "updating"})
        await line.next("website_status")
    await line.ask("statement", description=1)
    await line.ask("logout")
    await _joining(line, sim)
    assert set(line.examined) == set(PLAYED)


async def test_replies_that_are_only_described_are_as_described(line: Examined, sim: Listening) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        tokens = (await http.get(f"{sim.control}/tokens")).json()["tokens"]
    demo = next(one["token"] for one in tokens if one["loginid"].startswith("VRTC"))
    for country in ("id", "ke", "zz"):
        assert "error" not in await line.ask("states_list", states_list=country)
    await line.ask("authorize", authorize=sim.credentials["token"])
    assert "error" not in await line.ask("transaction", subscribe=1, req_id=7)
    assert "error" not in await line.ask("profit_table", description=1, limit=5, sort="ASC")
    assert (await line.ask("profit_table"))["profit_table"]["count"] > 0
    assert "error" not in await line.ask("sell_expired")
    await _bought_and_sold(line)
    client = {"amount": 10.5, "currency": "USD", "transfer_to": "CR900010", "description": "Invoice 4711"}
    assert (await line.ask("paymentagent_transfer", dry_run=1, **client))["paymentagent_transfer"] == 2
    await line.socket.send(json.dumps({"paymentagent_transfer": 1, **client}))
    assert (await line.until("paymentagent_transfer"))["paymentagent_transfer"] == 1
    await line.ask_past("transfer_between_accounts", accounts="all")
    coins = {"account_from": "CR900001", "account_to": "CR900002", "amount": 20, "currency": "USD"}
    moved = await line.ask_past("transfer_between_accounts", **coins)
    assert (moved["transfer_between_accounts"], len(moved["accounts"])) == (1, 2)
    assert len((await line.ask_past("forget_all", forget_all=["transaction", "ticks"]))["forget_all"]) == 1
    assert (await line.ask("forget_all", forget_all="balance"))["forget_all"] == []
    await line.ask("authorize", authorize=demo)
    assert (await line.ask("topup_virtual"))["error"]["code"] == "DemoTopupBalance"
    stake = {**RISE, "amount": 9500}
    assert "buy" in await line.ask("buy", buy="1", price=9500, parameters=stake)
    assert "error" not in await line.ask("topup_virtual")
    assert set(DESCRIBED) <= set(line.examined)


async def _bought_and_sold(line: Examined) -> None:
    await line.socket.send(json.dumps({"buy": "1", "price": 10, "parameters": RISE}))
    bought, moved = [await line.until(one) for one in ("buy", "transaction")]
    assert moved["transaction"]["contract_id"] == bought["buy"]["contract_id"]
    await line.socket.send(json.dumps({"sell": bought["buy"]["contract_id"], "price": 0}))
    await line.until("sell")
    assert (await line.until("transaction"))["transaction"]["action"] == "sell"


async def _prices(line: Examined) -> None:
    await line.ask("active_symbols", active_symbols="brief")
    await line.ask("active_symbols", active_symbols="full")
    await line.ask("contracts_for", contracts_for="R_100", currency="BTC")
    await line.ask("ticks", ticks="R_100")
    stream = (await line.ask("ticks", ticks="R_50", subscribe=1))["subscription"]["id"]
    assert (await line.ask("forget", forget=stream))["forget"] == 1
    await line.ask("ticks_history", ticks_history="R_100", end="latest", count=7)
    await line.ask("ticks_history", ticks_history="R_100", end="latest", style="candles", granularity=120, count=7)
    await line.ask("proposal", **RISE)
    coin = {**RISE, "symbol": "cryBTCUSD", "barrier": "+100", "duration": 5, "duration_unit": "t"}
    stream = (await line.ask("proposal", **coin, subscribe=1))["subscription"]["id"]
    assert (await line.ask("forget", forget=stream))["forget"] == 1


async def _profile(line: Examined) -> None:
    await line.ask("get_settings")
    await line.ask("get_limits")
    (token,) = [
        row["token"]
        for row in (await line.ask("api_token", new_token="another", new_token_scopes=["read"]))["api_token"]["tokens"]
        if row["display_name"] == "another"
    ]
    assert (await line.ask("api_token", delete_token=token))["api_token"]["delete_token"] == 1
    await line.ask("app_register", name="Looking glass", scopes=["read"], redirect_uri="https://bot.example.com/back")


async def _payments(line: Examined, sim: Listening) -> None:
    await line.ask("paymentagent_list", paymentagent_list="id")
    await line.ask("paymentagent_details")
    code = await _mailed(line, sim, "treasury@meridian-desk.example", "paymentagent_withdraw")
    wanted = {"amount": 25, "currency": "USD", "paymentagent_loginid": "CR900073", "verification_code": code}
    assert (await line.ask("paymentagent_withdraw", dry_run=1, **wanted))["paymentagent_withdraw"] == 2
    assert (await line.ask("paymentagent_withdraw", **wanted))["paymentagent_withdraw"] == 1
    assert "error" not in await line.ask("cashier", cashier="deposit")


async def _joining(line: Examined, sim: Listening) -> None:
    assert "disabled" in str(await line.ask("residence_list"))
    await line.ask("landing_company", landing_company="id")
    await line.ask("landing_company", landing_company="us")
    await line.ask("landing_company", landing_company="de")
    await line.ask("landing_company_details", landing_company_details="maltainvest", country="de")
    code = await _mailed(line, sim, "new@example.org", "account_opening")
    demo = {"verification_code": code, "client_password": "Aa1" * 4, "residence": "ke"}
    token = (await line.ask("new_account_virtual", **demo))["new_account_virtual"]["oauth_token"]
    await line.ask("authorize", authorize=token)
    await line.ask("get_settings")
    await line.ask("get_limits")
    await line.ask("paymentagent_details")
    person = {"first_name": "José-María", "last_name": "Ñandú", "residence": "ke", "date_of_birth": "1990-02-03"}
    assert "new_account_real" in await line.ask("new_account_real", currency="BTC", **person)
    assert "new_account_real" in await line.ask("new_account_real", currency="USD")


async def _mailed(line: Examined, sim: Listening, address: str, purpose: str) -> str:
    await line.ask("verify_email", verify_email=address, type=purpose)
    async with httpx.AsyncClient(trust_env=False) as http:
        code: str = (await http.get(f"{sim.control}/mailbox")).json()["mails"][-1]["code"]
    return code


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


@pytest.mark.parametrize("call", [*PLAYED, *DESCRIBED])
async def test_what_a_schema_forbids_is_refused(line: Examined, call: str) -> None:
    """One field of the official request at a time is made wrong, then the simulator must see it."""
    schema, judge = schema_of(call, "send"), validator(call, "send")
    example = example_of(call)
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
    choices = (*rule.get("oneOf", ()), *rule.get("anyOf", ()))
    types = [rule.get("type"), *(each.get("type") for each in choices)]
    kinds = [kind for each in types for kind in (each if isinstance(each, list) else [each])]
    return "string" in kinds and isinstance(value, int | float) and not isinstance(value, bool)


@pytest.mark.parametrize("call", [*PLAYED, *DESCRIBED])
async def test_the_official_example_is_understood(line: Examined, sim: Listening, call: str) -> None:
    """Understood, not necessarily granted: a made-up token or contract may be refused, its shape may not."""
    example = example_of(call)
    await line.ask("authorize", authorize=sim.credentials["token"])
    await line.socket.send(json.dumps(example))
    reply = await line.next(call)
    assert reply.get("error", {}).get("code") not in {"InputValidationFailed", "UnrecognisedRequest"}

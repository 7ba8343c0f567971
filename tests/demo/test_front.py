"""The demo's web server and the strip: who is served, what is shown, what an act does at a provider."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import httpx
import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from bot.clock import SystemClock
from bot.demo.front import PAGE, Front
from bot.demo.script import Provider, Script
from bot.demo.telegram import make
from bot.loopback.server import Listening, running, serving


@dataclass
class Theatre:
    """Page server, simulators and script, without the bot."""

    http: httpx.AsyncClient
    address: str
    script: Script
    providers: dict[str, Listening]
    crashes: list[str]

    async def play(self, **what: Any) -> int:
        return (await self.http.post(f"{self.address}/play", json=what)).status_code

    async def ledger(self, name: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = (await self.http.get(f"{self.providers[name].control}/ledger")).json()[
            "entries"
        ]
        return entries

    def said(self) -> str:
        return str(self.script.entries[-1]["sentence"])


@pytest.fixture
async def theatre() -> AsyncIterator[Theatre]:
    async with AsyncExitStack() as stack:
        telegram = make()
        await stack.enter_async_context(serving(telegram))
        providers = {
            name: await stack.enter_async_context(serving(import_module(f"bot.providers.{name}.simulator").make()))
            for name in ("capital", "deriv", "cryptocapital", "crm")
        }
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        await http.post(f"{providers['crm'].control}/settings", json={"levels": 2})
        accounts = {"cryptocapital": "9120004471", "deriv": "CR900001"}
        listed = [Provider(name, each.control, accounts.get(name, "")) for name, each in providers.items()]
        script = Script(listed, SystemClock(), http, telegram.stream.publish)
        crashes: list[str] = []
        front = Front(script, telegram.world.bot, lambda: "running", lambda: crashes.append("crash"))
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        app = front.app(telegram.controls())
        config = uvicorn.Config(app, http="h11", ws="websockets-sansio", log_config=None, lifespan="off")
        await stack.enter_async_context(running(config, listener))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield Theatre(http, address, script, providers, crashes)


async def test_the_page_comes_with_a_strict_policy_and_all_its_files(theatre: Theatre) -> None:
    page = await theatre.http.get(theatre.address)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    for path in PAGE.iterdir():
        answer = await theatre.http.get(f"{theatre.address}/page/{path.name}")
        assert answer.status_code == (404 if path.suffix == ".html" else 200), path


@pytest.mark.parametrize("name", ["..%2Ffront.py", "%2e%2e/front.py", "nothing.js", "..%2f..%2f__main__.py"])
async def test_nothing_beside_the_page_is_served(theatre: Theatre, name: str) -> None:
    assert (await theatre.http.get(f"{theatre.address}/page/{name}")).status_code == 404


def test_the_page_takes_no_text_as_markup() -> None:
    for path in PAGE.glob("*.js"):
        source = path.read_text()
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://"):
            assert word not in source, (path.name, word)


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"host": "evil.example:80"}, {"origin": "http://evil.example"}, {"origin": "null"}],
)
async def test_other_sites_cannot_play(theatre: Theatre, headers: dict[str, str]) -> None:
    for path in ("/play", "/telegram/send"):
        answer = await theatre.http.post(theatre.address + path, json={"bot": "crash"}, headers=headers)
        assert answer.status_code == 403
    assert theatre.crashes == []
    with pytest.raises(InvalidStatus):
        await connect(theatre.address.replace("http", "ws") + "/telegram/stream", origin=Origin("http://evil.example"))


async def test_the_page_learns_who_and_what_there_is(theatre: Theatre) -> None:
    stage = (await theatre.http.get(f"{theatre.address}/stage")).json()
    parts = [person["part"] for person in stage["people"]]
    assert parts == ["operator", "approver", "second-approver", "viewer", "admin", "second-admin"]
    assert [each["title"] for each in stage["providers"]] == ["Capital.com", "Deriv", "Crypto Capital", "Broctagon CRM"]
    assert stage["bot_state"] == "running"
    assert "9120004471" not in str(stage)


async def test_a_price_moves_at_capital_and_at_deriv(theatre: Theatre) -> None:
    assert await theatre.play(act="gold-up") == 200
    up = theatre.said()
    await theatre.play(act="gold-down")
    assert up.startswith("Gold is quoted at 4")
    assert theatre.said() != up
    await theatre.play(act="volatility-up")
    assert theatre.said().startswith("Volatility 100 stands at 1")


async def test_money_arrives_at_crypto_capital_and_at_deriv(theatre: Theatre) -> None:
    before = len(await theatre.ledger("cryptocapital")), len(await theatre.ledger("deriv"))
    await theatre.play(act="money-arrives")
    await theatre.play(act="deriv-deposit")
    wire = (await theatre.ledger("cryptocapital"))[-1]
    assert (wire["to"], wire["amount"]) == ("9120004471", "12500.00")
    assert (await theatre.ledger("deriv"))[-1]["amount"] in ("250", "250.00")
    assert (len(await theatre.ledger("cryptocapital")), len(await theatre.ledger("deriv"))) == (
        before[0] + 1,
        before[1] + 1,
    )


async def test_the_crm_passes_the_first_node_only_of_what_a_client_asked_for(theatre: Theatre) -> None:
    await theatre.play(act="node-passes")
    assert theatre.said() == "No withdrawal waits for its first node: let a client ask first"
    await theatre.play(act="client-asks")
    (request,) = (await theatre.http.get(f"{theatre.providers['crm'].control}/requests")).json()["requests"]
    assert request["id"] in theatre.said()
    await theatre.play(act="node-passes")
    assert theatre.said() == f"Node 1 of request {request['id']} is passed (pending); the CRM announces it"
    await theatre.play(act="node-passes")
    assert theatre.said().startswith("No withdrawal waits")


async def test_a_provider_goes_down_and_comes_back(theatre: Theatre) -> None:
    def is_down() -> bool:
        return theatre.providers["crm"].misfortunes.down

    await theatre.play(provider="crm", down=True)
    assert is_down()
    assert theatre.said() == "Broctagon CRM is down"
    assert (await theatre.http.get(f"{theatre.address}/stage")).json()["down"] == ["crm"]
    await theatre.play(provider="crm", down=False)
    assert not is_down()
    assert (await theatre.http.get(f"{theatre.address}/stage")).json()["down"] == []


@pytest.mark.parametrize("what", [{}, {"act": "rob-the-bank"}, {"provider": "nobody", "down": True}, {"act": ["x"]}])
async def test_unknown_acts_are_refused(theatre: Theatre, what: dict[str, Any]) -> None:
    assert await theatre.play(**what) == 400
    assert list(theatre.script.entries) == []


async def test_the_bot_can_be_made_to_crash(theatre: Theatre) -> None:
    assert await theatre.play(bot="crash") == 200
    assert theatre.crashes == ["crash"]

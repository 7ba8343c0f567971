"""A Telegram to talk to, both sides over real sockets, on a clock moved by hand; and the whole demo in a browser."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bot.demo.telegram import make
from bot.loopback.server import serving
from tests.support.clock import HandClock

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.playing import Demo

OLGA = 501
ANNA = 502
DESK = -1_001_234_567_890


@dataclass
class Telegram:
    """The simulator as the bot sees it (`ask`) and as the people behind it do (`play`, `look`)."""

    http: httpx.AsyncClient
    origin: str
    ws: str
    token: str
    clock: HandClock
    simulator: Any

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One Bot API call with a JSON body; the whole answer."""
        answer = await self.http.post(f"{self.origin}/bot{self.token}/{method}", json=parameters)
        body: dict[str, Any] = answer.json()
        assert answer.status_code == (200 if body["ok"] else body["error_code"])
        return body

    async def got(self, method: str, **parameters: Any) -> Any:
        """The result of a call that succeeds."""
        body = await self.ask(method, **parameters)
        assert body["ok"], body
        return body["result"]

    async def refused(self, method: str, **parameters: Any) -> tuple[int, str]:
        """Code and description of a call that is refused."""
        body = await self.ask(method, **parameters)
        assert not body["ok"], body
        return body["error_code"], body["description"]

    async def play(self, act: str, **what: Any) -> dict[str, Any]:
        answer = await self.http.post(f"{self.origin}/_sim/{act}", json=what)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def look(self, what: str, **query: Any) -> dict[str, Any]:
        body: dict[str, Any] = (await self.http.get(f"{self.origin}/_sim/{what}", params=query)).json()
        return body

    async def chat(self, chat: int) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = (await self.look("chat", id=chat, **{"as": OLGA}))["messages"]
        return messages


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    clock = HandClock()
    simulator = make(seed=7, clock=clock)
    async with serving(simulator) as listening, httpx.AsyncClient(trust_env=False) as http:
        token = listening.credentials["bot_token"]
        line = Telegram(http, listening.http, listening.ws, token, clock, simulator)
        people = [
            {"id": OLGA, "first_name": "Olga", "username": "olga"},
            {"id": ANNA, "first_name": "Anna", "last_name": "Berg"},
        ]
        await line.play(
            "people", people=people, groups=[{"id": DESK, "title": "Treasury desk", "members": [OLGA, ANNA]}]
        )
        yield line


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    from tests.support.browser import browsing

    with browsing() as browser:
        yield browser


@pytest.fixture(scope="module")
def demo(browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Iterator["Demo"]:
    """It plays where there is a browser to look at it."""
    from tests.support.playing import playing

    with playing(tmp_path_factory.mktemp("demo")) as demo:
        yield demo

"""The simulated Deriv's login page, with a plain browser's means."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from bot.loopback.server import Listening, serving
from bot.providers.deriv.simulator import make

BACK = "https://bot.example.com/oauth/deriv"


@pytest.fixture
async def side() -> AsyncIterator[Listening]:
    async with serving(make(7)) as listening:
        yield listening


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


def page(side: Listening, **query: str) -> httpx.URL:
    return httpx.URL(f"{side.http}/oauth2/authorize", params=query)


async def test_the_browser_is_sent_back_with_a_triple_for_each_account_and_the_state(
    side: Listening, browser: httpx.AsyncClient
) -> None:
    app = str(side.credentials["app_id"])
    await browser.post(f"{side.control}/app", json={"app_id": app, "redirect_uri": BACK})
    address = page(side, app_id=app, l="EN", state="s t&ate")
    shown = await browser.get(address)
    assert "CR900001, CR900002, VRTC900001" in shown.text
    backs = [await browser.post(address) for _ in range(2)]
    first, second = ([*parse_qsl(urlsplit(back.headers["location"]).query)] for back in backs)
    assert backs[0].headers["location"].startswith(f"{BACK}?acct1=")
    assert [pair for pair in first if not pair[0].startswith("token")] == [
        *(("acct1", "CR900001"), ("cur1", "USD"), ("acct2", "CR900002"), ("cur2", "BTC")),
        *(("acct3", "VRTC900001"), ("cur3", "USD"), ("state", "s t&ate")),
    ]
    tokens = {value for name, value in [*first, *second] if name.startswith("token")}
    assert len(tokens) == 6
    assert {(token[:3], len(token)) for token in tokens} == {("a1-", 32)}
    known = {each["token"]: each for each in (await browser.get(f"{side.control}/tokens")).json()["tokens"]}
    assert known[dict(first)["token2"]]["loginid"] == "CR900002"
    assert known[dict(first)["token2"]]["oauth"] is True


async def test_without_a_state_it_comes_back_empty(side: Listening, browser: httpx.AsyncClient) -> None:
    app = str(side.credentials["app_id"])
    await browser.post(f"{side.control}/app", json={"app_id": app, "redirect_uri": BACK})
    assert (await browser.post(page(side, app_id=app))).headers["location"].endswith("&state=")


@pytest.mark.parametrize("app", ["", "x", "0", "99999999", "1089", "-1", "9" * 40])
async def test_an_app_that_is_unknown_or_has_no_address_leads_nowhere(
    side: Listening, browser: httpx.AsyncClient, app: str
) -> None:
    for ask in (browser.get, browser.post):
        assert (await ask(page(side, app_id=app))).status_code == 400


@pytest.mark.parametrize("change", [{"app_id": "77"}, {"redirect_uri": "ftp://x"}, {"app_id": "x"}])
async def test_an_address_is_registered_for_an_app_that_is_known(
    side: Listening, browser: httpx.AsyncClient, change: dict[str, str]
) -> None:
    app = {"app_id": str(side.credentials["app_id"]), "redirect_uri": BACK} | change
    assert (await browser.post(f"{side.control}/app", json=app)).status_code == 400

"""/key and /register: the public half of a key, what to do with it, and that it was done."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.access.model import Role
from bot.operations.connections import Wanted
from bot.providers.records import Environment
from bot.secret import Secret
from tests.support.chatting import ADAM, OLGA, Desk, at_work, configured, providers, telegram, texts, until

OPERATING, HARBOUR = "9120004471", "9120007013"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with telegram() as chat, providers("capital", "cryptocapital") as sides:
        async with at_work(configured(tmp_path, chat, sides), chat, sides) as opened:
            yield opened


async def linked(desk: Desk, accounts: str) -> None:
    given = desk.sides["cryptocapital"].credentials
    fields = {"private_key": Secret(given["private_key"]), "accounts": Secret(accounts)}
    wanted = Wanted("cryptocapital", "main", Environment.LIVE, fields, frozenset(Role))
    await desk.rooms.connections.link(desk.person(OLGA), wanted, desk.rooms.access.roster, telegram_id=OLGA)


async def control(desk: Desk, path: str, **body: Any) -> None:
    async with httpx.AsyncClient() as http:
        reply = await http.post(f"{desk.sides['cryptocapital'].control}/{path}", json=body)
        assert reply.status_code == 200, reply.text


async def test_the_public_key_is_shown_whole_and_asks_nobody(desk: Desk) -> None:
    await linked(desk, OPERATING)
    await control(desk, "down", down=True)
    given = desk.sides["cryptocapital"].credentials
    text = await desk.said(OLGA, "/key cryptocapital")
    first, whole, short = text.split("\n")
    assert first == "Public key of cryptocapital/main"
    assert whole == given["public_key"]
    assert len(short.removeprefix("fingerprint ").replace(" ", "")) == 16
    assert given["private_key"] not in text


async def test_only_the_owner_is_shown_a_key(desk: Desk) -> None:
    await linked(desk, OPERATING)
    for words in ("/key cryptocapital", "/register cryptocapital"):
        assert "somebody else" in await desk.said(ADAM, words)


async def test_a_login_without_such_a_key_is_told_so(desk: Desk) -> None:
    await desk.link("capital")
    assert "has no public key" in await desk.said(OLGA, "/key capital")


async def test_registering_is_told_step_by_step_and_its_success_once(desk: Desk) -> None:
    await linked(desk, f"{OPERATING},{HARBOUR}")
    given = desk.sides["cryptocapital"].credentials
    text = await desk.said(OLGA, "/register cryptocapital/main")
    assert f"Registered already: {OPERATING}." in text
    assert f"To do: {HARBOUR}." in text
    assert "transfer exactly 1.00 of its currency to CCAPI, Panama City, Panama" in text
    for currency, account in (("USD", "9120231592"), ("EUR", "9120231638"), ("PLN", "9120231707")):
        assert f"{currency}  {account}" in text
    assert given["public_key"] in text
    await desk.rooms.registering.watch()
    await control(desk, "register", account=HARBOUR, key=given["public_key"])
    await desk.rooms.registering.watch()
    await desk.rooms.registering.watch()
    said = f"Account registered\n{HARBOUR} answers to the key of cryptocapital/main now."
    await until(lambda: said in texts(desk.chat.from_bot(OLGA)))
    assert texts(desk.chat.from_bot(OLGA)).count(said) == 1
    assert "There is nothing to do." in await desk.said(OLGA, "/register cryptocapital")


async def test_after_a_week_nobody_looks_any_more(desk: Desk) -> None:
    await linked(desk, f"{OPERATING},{HARBOUR}")
    await desk.said(OLGA, "/register cryptocapital")
    desk.clock.ahead_by(7 * 86400 + 60)
    await desk.rooms.registering.watch()
    left = await desk.rooms.database.read(
        lambda tables: tables.conn.execute("SELECT count(*) FROM registrations").fetchone()
    )
    assert left == (0,)

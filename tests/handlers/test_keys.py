"""/key and /register: a key made here, the public half of any, what to do with it, and that it was done."""

import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.access.model import Role
from bot.operations.credentials import Wanted
from bot.providers.records import Environment
from bot.secret import Secret
from tests.support.chatting import (
    ADAM,
    GROUP,
    OLGA,
    VERA,
    Desk,
    Message,
    at_work,
    buttons,
    configured,
    providers,
    telegram,
    texts,
    until,
)
from tests.support.cryptocapital_teller import Key

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
    await desk.rooms.credentials.link(desk.person(OLGA), wanted, desk.rooms.access.roster, telegram_id=OLGA)


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


MADE = "Linked Crypto Capital cryptocapital/main with a key made here just now.\nPublic key\n"
BANK = "Crypto Capital: please send the "


async def private_half(desk: Desk) -> Key:
    """What lies sealed, as a key of code that is not the bot's."""
    (connection,) = await desk.rooms.connections.everything()
    fields = await desk.rooms.vault.open(connection.subject)
    return Key(base64.b64decode(fields["private_key"].reveal(), validate=True))


def everything_said(desk: Desk) -> str:
    return repr([call["params"] for call in desk.chat.calls()])


async def made_by(desk: Desk, words: str) -> list[Message]:
    """/key new, up to what follows the account's number."""
    assert await desk.said(OLGA, words) == "Crypto Capital: who may read it?"
    assert (await desk.said(OLGA, "only me")).startswith(f"{BANK}Account numbers.")
    return await desk.says(OLGA, HARBOUR)


async def test_a_key_is_made_here_and_leads_on_to_its_registration(desk: Desk) -> None:
    assert (await desk.said(OLGA, "/key new")).startswith("Crypto Capital: what shall it be called?")
    made, steps = await made_by(desk, "main")
    key = await private_half(desk)
    figures = hashlib.sha256(base64.b64decode(key.public)).hexdigest()
    short = f"{figures[:4]} {figures[4:8]} {figures[8:12]} {figures[12:16]}"
    assert made["text"].startswith(f"{MADE}{key.public}\nfingerprint {short}\n")
    assert "countersign backup" in made["text"]
    assert "No account is registered yet." in steps["text"]
    assert f"To do: {HARBOUR}." in steps["text"]
    assert key.public in steps["text"]
    await desk.rooms.inbox.flush()
    kept = b"".join(path.read_bytes() for path in desk.rooms.config.data_dir.iterdir() if path.is_file())
    private = base64.b64encode(key.raw).decode()
    assert [private in everything_said(desk), private.encode() in kept, key.raw in kept] == [False, False, False]
    await control(desk, "register", account=HARBOUR, key=key.public)
    await desk.rooms.registering.watch()
    said = f"Account registered\n{HARBOUR} answers to the key of cryptocapital/main now."
    await until(lambda: said in texts(desk.chat.from_bot(OLGA)))
    assert "Harbour" in await desk.said(OLGA, "/balance cryptocapital")
    assert await desk.rooms.cards.draft(desk.person(OLGA).id) is None


@pytest.mark.parametrize("words", ["/key new main", "/key new cryptocapital main", "/key NEW CryptoCapital/main"])
async def test_the_first_steps_of_a_new_key_can_be_said_at_once(desk: Desk, words: str) -> None:
    made, _ = await made_by(desk, words)
    assert made["text"].startswith(MADE)
    await until(lambda: desk.chat.from_bot(ADAM))
    assert texts(desk.chat.from_bot(ADAM)) == [
        "Connections changed\nOlga linked cryptocapital/main (live) with a key made here."
    ]


async def test_every_new_key_is_another_one(desk: Desk) -> None:
    first, _ = await made_by(desk, "/key new main")
    second, _ = await made_by(desk, "/key new spare")
    assert first["text"].split("\n")[2] != second["text"].split("\n")[2]


async def test_connecting_offers_a_new_key_beside_typing_one(desk: Desk) -> None:
    await desk.says(OLGA, "/connect cryptocapital main")
    (question,) = await desk.says(OLGA, "only me")
    assert question["text"].startswith(f"{BANK}Private key.")
    assert list(buttons(question)) == ["Make a new key"]
    chosen, following = await desk.taps(OLGA, question, "Make a new key")
    assert chosen["text"].replace("\u2060", "") == "→ Make a new key"
    assert following["text"].startswith(f"{BANK}Account numbers.")
    made, _ = await desk.says(OLGA, HARBOUR)
    assert made["text"].startswith(MADE)


async def test_a_login_that_is_there_is_not_given_a_new_key(desk: Desk) -> None:
    """The old one would be erased before the bank knows the new one."""
    await linked(desk, OPERATING)
    await desk.says(OLGA, "/replace cryptocapital/main")
    assert "does not look like the Private key" in await desk.said(OLGA, "make a new key")


async def test_a_key_is_kept_while_the_bank_is_out_of_reach(desk: Desk) -> None:
    await control(desk, "down", down=True)
    made, later = await made_by(desk, "/key new main")
    assert made["text"].startswith(MADE)
    assert "could not be reached" in later["text"]
    assert later["text"].endswith("The key is kept. What to do next says /register cryptocapital/main.")
    assert (await private_half(desk)).public in await desk.said(OLGA, "/key cryptocapital/main")


async def test_what_was_made_is_written_down_without_the_key(desk: Desk) -> None:
    made, _ = await made_by(desk, "/key new main")
    short = made["text"].split("\n")[3].removeprefix("fingerprint ")
    rows = await desk.rooms.database.read(
        lambda tables: tables.conn.execute("SELECT * FROM audit WHERE action = 'connection.linked'").fetchall()
    )
    assert len(rows) == 1
    assert short in repr(rows[0])


async def test_a_key_is_made_in_private_only_and_by_who_may_link(desk: Desk) -> None:
    assert "private" in await desk.said(OLGA, "/key new main", GROUP)
    assert "which you do not have" in await desk.said(VERA, "/key new main")
    assert await desk.rooms.connections.everything() == []

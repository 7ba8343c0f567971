"""Money that comes in is told once, at once, to whoever may see it; and what nobody sent is told to the admins."""

import asyncio
import base64
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from bot.access.model import Role
from bot.operations.credentials import Wanted
from bot.operations.linked import Connection
from bot.providers.records import Environment
from bot.secret import Secret
from bot.vault import locks
from bot.vault.passphrase import Argon
from tests.support.chatting import (
    ADAM,
    NO_PACING,
    OLGA,
    VERA,
    Chat,
    Desk,
    at_work,
    configured,
    providers,
    telegram,
    texts,
    until,
)
from tests.support.cryptocapital_teller import Key, Teller

OPERATING, HARBOUR = "9120004471", "9120007013"
PASSPHRASE = "canary battery staple"
QUICK = "[streams]\nbackoff = 0.05\nbackoff_cap = 0.1"


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


@asynccontextmanager
async def listening(desk: Desk) -> AsyncIterator[None]:
    await desk.rooms.alerts.start()
    task = asyncio.create_task(desk.rooms.watch.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def a_desk(folder: Path, chat: Chat, sides: Any) -> AsyncIterator[Desk]:
    async with at_work(configured(folder, chat, sides, f"{NO_PACING}\n{QUICK}"), chat, sides) as desk:
        yield desk


async def control(desk: Desk, path: str, **body: Any) -> Any:
    async with httpx.AsyncClient() as http:
        reply = await http.post(f"{desk.sides['cryptocapital'].control}/{path}", json=body)
        assert reply.status_code == 200, reply.text
        return reply.json()


async def arrives(desk: Desk, amount: str, narrative: str = "") -> None:
    await control(desk, "deposit", account=OPERATING, amount=amount, sender="9120555555", narrative=narrative)


async def begun(desk: Desk, connection: Connection) -> None:
    """Until the feed has its beginning."""
    async with asyncio.timeout(15):
        while not await desk.rooms.database.read(
            lambda tables: tables.conn.execute(
                "SELECT 1 FROM streams WHERE connection_id = ? AND told_at IS NOT NULL", (connection.id,)
            ).fetchone()
        ):
            await asyncio.sleep(0.02)  # what is waited for is a row


def told(desk: Desk, person: int) -> list[str]:
    return [text for text in texts(desk.chat.from_bot(person)) if text.startswith("Money came in")]


async def test_who_may_see_it_is_told_at_once_with_sender_amount_and_words(tmp_path: Path, chat: Chat) -> None:
    async with providers("cryptocapital") as sides, a_desk(tmp_path, chat, sides) as desk:
        connection = await desk.link("cryptocapital", share=(Role.VIEWER,))
        async with listening(desk):
            await begun(desk, connection)
            await arrives(desk, "250.10", "</b> /freeze @all")
            await until(lambda: told(desk, VERA) and told(desk, OLGA))
            (text,) = told(desk, VERA)
            first, second, third, fourth, fifth = text.split("\n")
            assert first == "Money came in"
            assert second == "250.10 USD to 9120004471, cryptocapital/main"
            assert third == "from 9120555555"
            assert fourth == "«</\u2060b> /\u2060freeze @\u2060all»"
            assert ", no. " in fifth
            assert told(desk, ADAM) == []


async def test_what_was_there_before_is_no_news_and_a_statement_makes_none(tmp_path: Path, chat: Chat) -> None:
    async with providers("cryptocapital") as sides, a_desk(tmp_path, chat, sides) as desk:
        connection = await desk.link("cryptocapital")
        await arrives(desk, "1.00", "before")
        async with listening(desk):
            await begun(desk, connection)
            assert "before" in await desk.said(VERA, "/statement 200")
            await arrives(desk, "2.00", "after")
            await until(lambda: told(desk, VERA))
            assert "before" in await desk.said(VERA, "/statement 200")
            await arrives(desk, "3.00", "later")
            await until(lambda: len(told(desk, VERA)) == 2)
            assert ["after" in told(desk, VERA)[0], "later" in told(desk, VERA)[1]] == [True, True]


async def test_what_came_while_the_bot_was_down_is_told_once_when_it_is_up_again(tmp_path: Path, chat: Chat) -> None:
    async with providers("cryptocapital") as sides:
        async with a_desk(tmp_path, chat, sides) as desk:
            connection = await desk.link("cryptocapital")
            async with listening(desk):
                await begun(desk, connection)
                await arrives(desk, "1.00", "seen")
                await until(lambda: told(desk, VERA))
            await arrives(desk, "2.00", "meanwhile")
        async with a_desk(tmp_path, chat, sides) as desk, listening(desk):
            await until(lambda: len(told(desk, VERA)) == 2)
        async with a_desk(tmp_path, chat, sides) as desk, listening(desk):
            await arrives(desk, "3.00", "last")
            await until(lambda: len(told(desk, VERA)) >= 3)
            words = [text.split("\n")[3] for text in told(desk, VERA)]
            assert words == ["«seen»", "«meanwhile»", "«last»"]


async def test_after_a_break_the_line_stands_again(tmp_path: Path, chat: Chat) -> None:
    async with providers("cryptocapital") as sides, a_desk(tmp_path, chat, sides) as desk:
        connection = await desk.link("cryptocapital")
        async with listening(desk):
            await begun(desk, connection)
            await control(desk, "hangup")
            await arrives(desk, "2.00", "in the gap")
            await until(lambda: told(desk, VERA))
            await control(desk, "hangup")
            await until(lambda: desk.rooms.connections.health[connection.id].trouble is None)
            await arrives(desk, "3.00", "again")
            await until(lambda: len(told(desk, VERA)) == 2)


async def test_an_arrival_nobody_signed_is_no_news_but_the_admins_hear_of_it_once(tmp_path: Path, chat: Chat) -> None:
    async with providers("cryptocapital") as sides, a_desk(tmp_path, chat, sides) as desk:
        connection = await desk.link("cryptocapital")
        async with listening(desk):
            await begun(desk, connection)
            await control(desk, "misbehave", mode="unsigned", kind="transfer", times=2)
            await arrives(desk, "2.00", "forged")
            await arrives(desk, "3.00", "forged")
            await arrives(desk, "4.00", "genuine")
            await until(lambda: told(desk, VERA))
            odd = "Something odd\ncryptocapital/main: messages that the provider did not send"

            def heard() -> list[str]:
                return [text for text in texts(desk.chat.from_bot(ADAM)) if text.startswith(odd)]

            await until(heard)
            assert len(heard()) == 1
            assert not any("forged" in text for text in told(desk, VERA))
            assert "⚠ 2 × messages that the provider did not send" in await desk.said(VERA, "/status")


@asynccontextmanager
async def another_program(desk: Desk) -> AsyncIterator[Teller]:
    """A client written from the documents, with the very key that the bot has."""
    given = desk.sides["cryptocapital"]
    async with websockets.connect(f"{given.ws}/ws", compression=None, proxy=None) as socket:
        yield Teller(socket, Key(base64.b64decode(given.credentials["private_key"])))


async def takes_nonces(desk: Desk, other: Teller, ahead: timedelta) -> None:
    other.nonce = int((desk.clock.now() + ahead).timestamp() * 1000)
    for _ in range(3):
        await other.acked("ping")


async def test_another_program_with_the_same_key_is_told_to_the_admins_once(tmp_path: Path, chat: Chat) -> None:
    async with providers("cryptocapital") as sides, a_desk(tmp_path, chat, sides) as desk:
        desk.clock.ahead_by(3600 - desk.clock.now().timestamp() % 3600)  # an hour begins: what is told is told in it
        connections = [await desk.link("cryptocapital"), await desk.link("cryptocapital", label="again", share=())]

        def heard(name: str) -> list[str]:
            odd = f"Something odd\n{name}: another program uses the same key."
            return [text for text in texts(desk.chat.from_bot(ADAM)) if text.startswith(odd)]

        async with listening(desk), another_program(desk) as other:
            for connection in connections:
                await begun(desk, connection)
            await takes_nonces(desk, other, timedelta(seconds=30))
            assert "another program uses the same key and was ahead of us. Try again" in await desk.said(
                VERA, "/balance"
            )
            assert "Treasury Operating" in await desk.said(VERA, "/balance")
            desk.clock.ahead_by(6)
            await until(lambda: heard("cryptocapital/main"))
            await takes_nonces(desk, other, timedelta(minutes=10))
            await desk.said(VERA, "/balance")
            desk.clock.ahead_by(6)
            assert "⚠ 2 × another program uses the same key" in await desk.said(VERA, "/status")
        await desk.rooms.watch.oddities.look()
        await until(lambda: heard("cryptocapital/again"))
        assert [len(heard("cryptocapital/main")), len(heard("cryptocapital/again"))] == [1, 1]
        assert not any("Something odd" in text for text in texts(desk.chat.from_bot(VERA)))


async def test_a_key_that_is_not_registered_yet_is_tried_until_it_is_and_nobody_misses_it(
    tmp_path: Path, chat: Chat
) -> None:
    async with providers("cryptocapital") as sides, a_desk(tmp_path, chat, sides) as desk:
        wanted = Wanted("cryptocapital", "new", Environment.LIVE, {"accounts": Secret(HARBOUR)}, frozenset(Role))
        connection, key = await desk.rooms.credentials.link_new_key(
            desk.person(OLGA), wanted, desk.rooms.access.roster, telegram_id=OLGA
        )
        async with listening(desk):
            health = desk.rooms.connections.health
            await until(lambda: connection.id in health and health[connection.id].trouble is None)
            await control(desk, "down", down=True)
            await control(desk, "hangup")
            await until(lambda: health[connection.id].trouble is not None)
            desk.clock.ahead_by(60)
            await control(desk, "down", down=False)
            await until(lambda: health[connection.id].trouble is None)
            desk.clock.ahead_by(60)
            await control(desk, "register", account=HARBOUR, key=key.text)
            await begun(desk, connection)
            await control(desk, "deposit", account=HARBOUR, amount="2.00", sender="9120555555", narrative="first")
            await until(lambda: told(desk, VERA))
        assert not any("No news from a provider" in text for text in texts(desk.chat.from_bot(VERA)))


async def connected(desk: Desk) -> int:
    """How many lines the bank has with our keys."""
    async with httpx.AsyncClient() as http:
        rows = (await http.get(f"{desk.sides['cryptocapital'].control}/keys")).json()["keys"]
    return sum(row["connections"] for row in rows)


async def test_a_login_that_is_locked_waits_quietly_until_it_is_unlocked(
    tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "new_stretching", lambda: Argon(os.urandom(16), memory_kib=19 * 1024, passes=2))
    async with providers("cryptocapital") as sides:
        async with a_desk(tmp_path, chat, sides) as desk:
            connection = await desk.link("cryptocapital")
            async with listening(desk):
                await begun(desk, connection)
            for words in ("/passphrase cryptocapital", PASSPHRASE, PASSPHRASE):
                await desk.says(OLGA, words)
        async with a_desk(tmp_path, chat, sides) as desk:
            heard = {person: len(desk.chat.from_bot(person)) for person in (ADAM, OLGA, VERA)}
            caplog.clear()
            async with listening(desk):
                await until(lambda: desk.rooms.watch.watches)
                await arrives(desk, "2.00", "meanwhile")
                for _ in range(20):
                    desk.clock.ahead_by(6)
                    await asyncio.sleep(0)
                assert await connected(desk) == 0
                assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == []
                assert {person: len(desk.chat.from_bot(person)) for person in heard} == heard

                await desk.says(OLGA, "/unlock")
                await desk.says(OLGA, PASSPHRASE)
                desk.clock.ahead_by(6)
                await until(lambda: told(desk, VERA))
                assert len(told(desk, VERA)) == 1
                await arrives(desk, "3.00", "and on")
                await until(lambda: len(told(desk, VERA)) == 2)


async def test_an_unlinked_login_is_left_alone(tmp_path: Path, chat: Chat) -> None:
    async with providers("cryptocapital") as sides, a_desk(tmp_path, chat, sides) as desk:
        connection = await desk.link("cryptocapital")
        async with listening(desk):
            await begun(desk, connection)
            await desk.rooms.credentials.unlink(
                desk.person(OLGA), connection, desk.rooms.access.roster, telegram_id=OLGA
            )
            await arrives(desk, "2.00")
            assert await connected(desk) == 0
            assert told(desk, OLGA) == []


async def test_an_account_that_does_not_answer_to_the_key_keeps_no_other_from_being_heard(
    tmp_path: Path, chat: Chat
) -> None:
    async with providers("cryptocapital") as sides, a_desk(tmp_path, chat, sides) as desk:
        sides["cryptocapital"].credentials["accounts"].append("9120007037")  # somebody else's
        connection = await desk.link("cryptocapital")
        async with listening(desk):
            await begun(desk, connection)
            await arrives(desk, "2.00", "for the one that does")
            await until(lambda: told(desk, VERA))

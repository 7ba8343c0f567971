"""The owner of a connection hears of it when somebody else unlinks it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.messages.notice import Lane
from tests.support.chatting import (
    ADAM,
    OLGA,
    VERA,
    Chat,
    Desk,
    at_work_with,
    texts,
    until,
)

REVOKE = "Delete the API key in the CRM under Settings → Dev Space → Open API Keys."


@pytest.fixture
async def crm(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    async with at_work_with(tmp_path, chat, "crm") as desk:
        yield desk


def _told(desk: Desk, person: int) -> list[str]:
    said = texts(desk.chat.from_bot(person))
    return [text for text in said if text.startswith("Connections changed") and "unlinked" in text]


async def _unlink(desk: Desk, by: int) -> None:
    (question,) = await desk.says(by, "/disconnect crm/main")
    await desk.taps(by, question, "Unlink")
    assert await desk.rooms.connections.everything() == []


async def test_an_admin_unlinks_it_and_the_owner_is_told_what_to_do(crm: Desk) -> None:
    await crm.link("crm")
    await _unlink(crm, ADAM)
    await until(lambda: _told(crm, OLGA))
    assert _told(crm, OLGA) == [f"Connections changed\nAdmin 1 unlinked crm/main; its credential is erased.\n{REVOKE}"]
    assert _told(crm, ADAM) == []
    assert _told(crm, VERA) == []
    lanes = await crm.rooms.database.read(
        lambda tables: tables.conn.execute("SELECT DISTINCT lane FROM outbox").fetchall()
    )
    assert lanes == [(int(Lane.SECURITY),)]


async def test_its_owner_unlinks_it_and_only_the_admins_are_told(crm: Desk) -> None:
    await crm.link("crm")
    await _unlink(crm, OLGA)
    await until(lambda: _told(crm, ADAM))
    assert _told(crm, ADAM) == [f"Connections changed\nOlga unlinked crm/main; its credential is erased.\n{REVOKE}"]
    assert _told(crm, OLGA) == []


async def test_at_the_terminal_owner_and_admins_are_told_once_each(crm: Desk) -> None:
    for owner in (OLGA, ADAM):
        connection = await crm.link("crm", owner)
        await crm.rooms.credentials.unlink(crm.person(owner), connection, crm.rooms.access.roster, telegram_id=None)
    await until(lambda: len(_told(crm, ADAM)) == 2)
    first = "At the host's terminal, for {}: unlinked crm/main; its credential is erased."
    assert [text.split("\n")[1] for text in _told(crm, ADAM)] == [first.format("Olga"), first.format("Admin 1")]
    assert [text.split("\n")[1] for text in _told(crm, OLGA)] == [first.format("Olga")]

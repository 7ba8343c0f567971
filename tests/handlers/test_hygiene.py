"""The weekly word about keys, as owners and admins get it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.operations.leaks import doubt_all
from bot.providers.records import Environment
from bot.secret import Secret
from tests.support.chatting import ADAM, OLGA, VERA, Chat, Desk, at_work, configured, providers, texts, until

OLGAS = "Keys that deserve a look"
ADMINS = "Key hygiene of week "
TOO_STRONG = [
    "deriv/main: it can trade, pay out and manage the account, and nobody here was let do that.",
    "Next: /replace deriv/main with a token with the scope Read alone.",
]


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    """A demo account of Capital.com, and a token of Deriv that can do everything."""
    async with (
        providers("capital", "deriv") as sides,
        at_work(configured(tmp_path, chat, sides), chat, sides) as found,
    ):
        now = found.clock.now()
        monday = (now - timedelta(days=now.weekday())).replace(hour=9, minute=0) + timedelta(days=7)
        found.clock.ahead += monday - now  # so that hours later is the same week
        await found.link("capital", environment=Environment.DEMO)
        await found.link("deriv")
        yield found


def _told(desk: Desk, person: int, title: str) -> list[list[str]]:
    said = [text.replace("\u2060", "") for text in texts(desk.chat.from_bot(person))]
    return [text.splitlines()[1:] for text in said if text.startswith(title)]


async def _tell(desk: Desk) -> int:
    return await desk.rooms.hygiene.tell(desk.rooms.access.roster)


async def test_an_owner_is_told_the_next_step_and_an_admin_gets_a_summary(desk: Desk) -> None:
    assert await _tell(desk) == 1
    await until(lambda: _told(desk, OLGA, OLGAS) and _told(desk, ADAM, ADMINS))
    assert _told(desk, OLGA, OLGAS) == [TOO_STRONG]
    assert _told(desk, ADAM, ADMINS) == [["deriv/main of Olga: stronger than its job"]]
    assert _told(desk, VERA, OLGAS) == []
    year, week, _ = desk.clock.now().isocalendar()
    assert texts(desk.chat.from_bot(ADAM))[-1].startswith(f"{ADMINS}{year}-W{week:02}\n")


async def test_it_is_told_once_in_a_week_of_the_calendar(desk: Desk) -> None:
    for _ in range(3):
        await _tell(desk)
        desk.clock.ahead_by(3600)
    desk.clock.ahead_by(7 * 86400)
    await _tell(desk)
    await until(lambda: len(_told(desk, OLGA, OLGAS)) == 2 and len(_told(desk, ADAM, ADMINS)) == 2)


async def test_old_and_unused_ones_are_named_with_their_days(desk: Desk) -> None:
    await desk.said(OLGA, "/balance capital")
    await desk.said(OLGA, "/share deriv/main with viewers to act")
    desk.clock.ahead_by(95 * 86400)
    assert await _tell(desk) == 2
    await until(lambda: _told(desk, OLGA, OLGAS))
    assert _told(desk, OLGA, OLGAS) == [
        [
            "capital/main: its key is 95 days old, nobody has used it for 95 days.",
            "deriv/main: its key is 95 days old, nobody has used it yet.",
            "Next: /replace capital/main, or /disconnect capital/main if nobody needs it.",
            "Next: /replace deriv/main, or /disconnect deriv/main if nobody needs it.",
        ]
    ]


async def test_a_desk_whose_keys_are_in_order_hears_nothing(desk: Desk) -> None:
    deriv = (await desk.rooms.connections.everything())[1]
    fields = {"app_id": Secret("1089"), "token": Secret(desk.sides["deriv"].credentials["token_read"])}
    await desk.rooms.credentials.replace(desk.person(OLGA), deriv, fields, desk.rooms.access.roster, telegram_id=OLGA)
    assert await _tell(desk) == 0
    assert datetime.now(UTC) < desk.clock.now()
    assert _told(desk, OLGA, OLGAS) == _told(desk, ADAM, ADMINS) == []


async def test_a_key_that_may_have_been_copied_is_shown_and_named_until_it_was_replaced(desk: Desk) -> None:
    rooms = desk.rooms
    assert "rotated at the provider" not in await desk.said(OLGA, "/connections")
    doubted = await doubt_all(rooms.database, rooms.audit, rooms.outbox, rooms.clock)
    assert [one.name for one in doubted] == ["capital/main", "deriv/main"]
    await until(lambda: _told(desk, OLGA, "These credentials may have been copied"))
    assert (await desk.said(OLGA, "/connections")).count("rotated at the provider: no") == 2
    await _tell(desk)
    await until(lambda: _told(desk, ADAM, ADMINS))
    assert _told(desk, ADAM, ADMINS)[0][0] == "capital/main of Olga: rotated at the provider: no"
    deriv = (await rooms.connections.everything())[1]
    fields = {"app_id": Secret("1089"), "token": Secret(desk.sides["deriv"].credentials["token_read"])}
    await rooms.credentials.replace(desk.person(OLGA), deriv, fields, rooms.access.roster, telegram_id=OLGA)
    assert (await desk.said(OLGA, "/connections")).count("rotated at the provider: no") == 1
    assert [one.connection.name for one in await rooms.hygiene.complaints()] == ["capital/main"]

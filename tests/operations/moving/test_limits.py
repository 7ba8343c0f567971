"""What the limits leave, and what a full disk stops."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from bot.approvals.model import Decision, State
from bot.errors import DiskShortError
from tests.support.chatting import ADAM, ANNA, OLGA, VERA, Chat, telegram, texts, until
from tests.support.treasury import CONFIRM, ONE_APPROVER, Treasury, treasury

LIMITED = (
    ONE_APPROVER
    + """
[[limits]]
name = "a day for each"
amount = "100"
currency = "USD"
per = "person"
window = "24h"

[[limits]]
name = "the desk"
amount = "500"
currency = "USD"
per = "desk"
window = "day"

[[limits]]
name = "at a time"
amount = "60"
currency = "USD"
per = "person"
window = "transaction"

[[limits]]
name = "euros"
amount = "70"
currency = "EUR"
per = "connection"
window = "24h"
"""
)


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


async def test_an_operator_sees_what_is_used_what_is_left_and_when_more_comes_free(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, LIMITED) as at_desk:
        first = await at_desk.asked("40.00")
        at_desk.desk.clock.ahead_by(4000)
        await at_desk.asked("25.00")

        said = lines(await at_desk.desk.said(OLGA, "/limits"))

        assert said[0] == "Limit “a day for each”: anything: at most 100.00 USD within 24 hours for each person."
        assert said[1].startswith("Olga: 65.00 USD used, 35.00 USD left; 40.00 USD come free at ")
        frees = first.asked_at + timedelta(hours=24)
        assert f" {frees:%Y-%m-%d %H:%M} UTC, in 22 h " in said[1]
        assert "Limit “at a time”: anything: at most 60.00 USD at a time." in said
        assert "Each by itself: nothing is added up." in said
        assert "0.00 EUR used, 70.00 EUR left" in said


async def test_what_was_denied_is_free_again(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, LIMITED) as at_desk:
        request = await at_desk.asked("40.00")
        await at_desk.says(ANNA, Decision.DENY, request)
        said = lines(await at_desk.desk.said(OLGA, "/limits"))
        assert said[1] == "Olga: 0.00 USD used, 100.00 USD left"


async def test_a_viewer_sees_what_all_share_and_an_admin_everybody(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, LIMITED) as at_desk:
        await at_desk.asked("40.00")
        viewer, admin = await at_desk.desk.said(VERA, "/limits"), await at_desk.desk.said(ADAM, "/limits")
        assert "a day for each" not in viewer
        assert "40.00 USD used, 460.00 USD left" in viewer
        assert "Olga: 40.00 USD used, 60.00 USD left" in admin


async def test_without_limits_it_says_so(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat) as at_desk:
        assert await at_desk.desk.said(OLGA, "/limits") == (
            "No limit concerns you. /policy shows who must sign for what."
        )


# the disk


@dataclass
class Room:
    """What is said of a disk."""

    free: int
    total: int = 100_000_000_000


def has(at_desk: Treasury, free: int, total: int = 100_000_000_000) -> None:
    at_desk.rooms.disk.usage = lambda _: Room(free, total)


@pytest.mark.parametrize(
    ("free", "total", "is_short"),
    [
        (199_999_999, 1_000_000_000, True),
        (200_000_000, 1_000_000_000, False),
        (4_999_999_999, 100_000_000_000, True),
        (5_000_000_000, 100_000_000_000, False),
        (2_400_000_000, 50_000_000_000, True),
        (5_000_000_000, 4_000_000_000_000, False),  # five in a hundred of a large disk is plenty
    ],
)
async def test_with_too_little_room_no_money_is_asked_for(
    tmp_path: Path, chat: Chat, free: int, total: int, is_short: bool
) -> None:
    async with treasury(tmp_path, chat) as at_desk:
        has(at_desk, free, total)
        if is_short:
            with pytest.raises(DiskShortError):
                await at_desk.asked("10.00")
            assert await at_desk.rows("SELECT count(*) FROM requests") == [(0,)]
        else:
            await at_desk.asked("10.00")


async def test_what_was_asked_for_before_goes_on(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat) as at_desk:
        request = await at_desk.asked("10.00")
        has(at_desk, 1_000)
        await at_desk.approves(request)
        await at_desk.comes_to(request, State.SUCCEEDED)


async def test_admins_hear_of_it_once_and_when_it_is_over(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, CONFIRM) as at_desk:
        disk = at_desk.rooms.disk

        def told(title: str) -> int:
            return sum(one.startswith(title) for one in texts(chat.from_bot(ADAM)))

        has(at_desk, 100_000_000, 1_000_000_000)
        await disk.watch()
        await disk.watch()
        has(at_desk, 900_000_000, 1_000_000_000)
        await disk.watch()
        await disk.watch()
        await until(lambda: told("There is room on the disk again"))
        assert (told("The disk is nearly full"), told("There is room on the disk again")) == (1, 1)
        assert await at_desk.rows("SELECT action FROM audit WHERE action LIKE 'disk.%' ORDER BY seq") == [
            ("disk.short",),
            ("disk.enough",),
        ]

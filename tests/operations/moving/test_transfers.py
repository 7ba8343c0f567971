"""A transfer is asked for, signed by another, sent once, and found again when its answer is lost."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.approvals.model import State
from tests.support.chatting import Chat, telegram
from tests.support.treasury import CONFIRM, treasury


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


async def test_what_another_signs_is_sent_once(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat) as desk:
        request = await desk.asked("10.00", note="Invoice 4711")
        assert request.state is State.PENDING
        assert await desk.executed() == []

        await desk.approves(request)
        done = await desk.comes_to(request, State.SUCCEEDED)

        assert done.version > request.version
        entries = await desk.executed()
        assert [(one["amount"], one["currency"]) for one in entries] == [("10.00", "USD")]
        assert entries[0]["reference"].endswith("Invoice 4711")


async def test_what_the_policy_lets_one_do_alone_is_sent_when_asked(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, CONFIRM) as desk:
        request = await desk.asked("10.00")
        await desk.comes_to(request, State.SUCCEEDED)
        assert len(await desk.executed()) == 1


async def test_what_nobody_is_sending_any_more_is_unknown_and_not_forgotten(tmp_path: Path, chat: Chat) -> None:
    """As after a slip between the row and the wire: it is neither sent again nor left as if it were under way."""
    async with treasury(tmp_path, chat) as desk:
        request = await desk.asked("10.00")
        await desk.write("UPDATE requests SET state = 'sending', version = version + 1 WHERE id = ?", request.id)
        await desk.comes_to(request, State.UNKNOWN)
        assert await desk.executed() == []

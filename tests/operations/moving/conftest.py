"""A Telegram for every test of moving money."""

from collections.abc import AsyncIterator

import pytest

from tests.support.chatting import Chat, telegram


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened

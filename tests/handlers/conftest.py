"""A desk with nobody's login linked, and one with all four."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.providers.records import Environment
from tests.support.chatting import PROVIDERS, Chat, Desk, at_work, at_work_with, configured, telegram


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as found:
        yield found


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    async with at_work(configured(tmp_path, chat), chat) as found:
        yield found


@pytest.fixture
async def linked(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    """All four providers, linked by the operator and shared with everybody."""
    async with at_work_with(tmp_path, chat, *PROVIDERS) as found:
        demo = {"capital"}
        links = [
            found.link(name, environment=Environment.DEMO if name in demo else Environment.LIVE) for name in PROVIDERS
        ]
        await asyncio.gather(*links)
        yield found

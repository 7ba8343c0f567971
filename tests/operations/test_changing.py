"""What one person changes by their own word is stopped by a freeze, too, also by one that comes in the middle."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.errors import FrozenError
from bot.operations.adapters import capital_behind
from bot.operations.freezing import DESK
from tests.support.chatting import ANNA, OLGA, Chat, at_work_with, telegram


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


@pytest.mark.parametrize(("scope", "is_stopped"), [(DESK, True), ("deriv", False)])
async def test_what_has_not_left_when_a_freeze_comes_does_not_leave_and_is_no_fault_of_the_provider(
    tmp_path: Path, chat: Chat, scope: str, is_stopped: bool
) -> None:
    async with at_work_with(tmp_path, chat, "capital") as desk:
        connection, rooms = await desk.link("capital"), desk.rooms
        await rooms.brokerage.lists(desk.person(OLGA), None)
        health = rooms.connections.health[connection.id]
        before = health.good_at

        async def makes_a_list() -> None:
            through = rooms.changing.through(desk.person(OLGA), connection, "watchlist.changed", {}, telegram_id=OLGA)
            async with through as provider:
                await rooms.freezing.freeze(desk.person(ANNA), scope, "a stolen phone", telegram_id=ANNA)
                await capital_behind(provider, "lists").watchlists.make("Bullion", ["GOLD"])

        if is_stopped:
            with pytest.raises(FrozenError):
                await makes_a_list()
        else:
            await makes_a_list()
        assert (health.trouble, health.bad_since, health.good_at == before) == (None, None, is_stopped)
        _, lists = await rooms.brokerage.lists(desk.person(OLGA), None)
        assert ("Bullion" in {one.name for one in lists}) is not is_stopped

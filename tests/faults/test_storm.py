"""Reconnects, kills and firings by the thousand, through sockets: none is missed, and none is in the table twice (G14).

A broker and Telegram are processes; so is the bot, and it is killed. In the plain run 5,000 firings over 50 cut lines
and 10 kills; ten times as many of each, and five times as many kills, with `-m faults`.
"""

import random
from pathlib import Path

import pytest

from tests.faults.processes import nursery, simulating
from tests.faults.storming import RULES_A_TURN, Size, Storm

MOST_TWICE = 0.005
"""Of all that is told, so much may come twice; by its short id it is known for what it is."""


async def storm(folder: Path, size: Size, seed: int) -> None:
    async with nursery() as clerks, simulating("telegram", folder) as chat, simulating("capital", folder) as broker:
        made = Storm(size, clerks, chat, broker, folder / "desk", random.Random(seed))
        await made.prepare()
        try:
            await made.blows()
        finally:
            if hasattr(made, "clerk"):
                await made.clerk.stop()
        fired, wanted = made.fired(), made.wanted()
        assert {rule: count for rule, count in fired.items() if count != 1} == {}
        assert sorted(wanted - fired.keys()) == []
        assert len(fired) == size.firings
        assert (made.twice_queued(), made.undelivered()) == (0, 0)
        assert made.late() >= size.breaks * RULES_A_TURN
        messages = await made.messages()
        assert [one for one in made.critical() if not messages[one]] == []
        twice = sum(messages.values()) - len(messages)
        print(f"{size}: {twice} told twice")
        assert twice <= MOST_TWICE * size.firings


@pytest.mark.timeout(600)
async def test_none_is_missed_over_cut_lines_and_kills(tmp_path: Path) -> None:
    await storm(tmp_path, Size(firings=5_000, cuts=50, kills=10), seed=7)


@pytest.mark.faults
@pytest.mark.timeout(3600)
async def test_none_is_missed_in_a_storm_ten_times_as_large(tmp_path: Path) -> None:
    await storm(tmp_path, Size(firings=50_000, cuts=500, kills=50), seed=8)

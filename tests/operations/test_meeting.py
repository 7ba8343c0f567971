"""Rules that nobody can meet any more are told to the admins: once, and once more when it happens again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.operations.meeting import Meeting
from bot.operations.people import Doer
from bot.wiring import House
from tests.support.chatting import ADAM, ANNA, OLGA, Chat, Desk, at_work, configured, telegram, texts, until
from tests.support.treasury import Treasury, treasury

TITLE = "The policy asks for people who are not there"
ONE = """
[[rules]]
name = "one approver"
tier = "quorum"
needs = ["1 of role/approver"]
"""
GUARDS = "".join(
    f'[guards.{name}]\nneeds = ["1 of role/viewer"]\n'
    for name in ("beneficiary", "role", "factor_reset", "policy", "thaw", "settle", "repeat")
)
CODE = ONE + 'proof = "code"\n'


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


@pytest.fixture
async def house(tmp_path: Path, chat: Chat) -> AsyncIterator[Treasury]:
    async with treasury(tmp_path, chat, ONE + GUARDS) as opened:
        yield opened


def anew(rooms: House) -> Meeting:
    """As after a restart: it remembers nothing but what lies in the tables."""
    return Meeting(rooms.database, rooms.money.policies, rooms.outbox, rooms.clock)


async def told(house: Treasury) -> list[str]:
    rows = await house.rows(
        "SELECT json_extract(body, '$.lines') FROM outbox WHERE chat_id = ? AND dedupe LIKE 'unmee%'", ADAM
    )
    return [line for (line,) in rows]


async def test_a_policy_that_can_be_met_is_nothing_to_tell(house: Treasury) -> None:
    assert await house.rooms.meeting.look() == ()
    assert await told(house) == []


async def test_when_the_last_approver_is_suspended_the_admins_hear_of_it_once(house: Treasury) -> None:
    await house.rooms.meeting.look()
    await house.rooms.people.suspend(Doer(house.person(ADAM), ADAM), house.person(ANNA).id)
    for room in (house.rooms.meeting, house.rooms.meeting, anew(house.rooms)):
        found = await room.look()
        assert found[0] == "Rule “one approver” cannot be met whoever asks: it takes one more approver."
    assert len(await told(house)) == 1
    await until(lambda: [one for one in texts(house.desk.chat.from_bot(ADAM)) if one.startswith(TITLE)])
    assert [one for one in texts(house.desk.chat.from_bot(OLGA)) if one.startswith(TITLE)] == []


async def test_mended_and_broken_again_it_is_told_again(house: Treasury) -> None:
    anna = house.person(ANNA).id
    for times in (1, 2):
        await house.write("DELETE FROM roles WHERE person_id = ? AND role = 'approver'", anna)
        await house.rooms.meeting.look()
        assert len(await told(house)) == times
        await house.write("INSERT INTO roles (person_id, role) VALUES (?, 'approver')", anna)
        await house.rooms.meeting.look()


async def test_a_second_factor_that_was_removed_counts(house: Treasury) -> None:
    anna = house.person(ANNA).id
    await house.write("INSERT INTO factors (person_id, active_since) VALUES (?, 1)", anna)
    await house.policy(CODE + GUARDS, version=2)
    assert await house.rooms.meeting.look() == ()
    await house.write("DELETE FROM factors WHERE person_id = ?", anna)
    (found,) = await house.rooms.meeting.look()
    assert found == "Rule “one approver” cannot be met whoever asks: it takes a second factor for Anna."
    assert len(await told(house)) == 1


async def test_a_desk_without_a_policy_is_not_told_of_one(tmp_path: Path, chat: Chat) -> None:
    async with at_work(configured(tmp_path, chat), chat) as desk:
        assert isinstance(desk, Desk)
        assert await desk.rooms.meeting.look() == ()

"""Out of office: the groups go to another approver for some days, and come back."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.access.model import Role
from bot.approvals.model import Request, State
from bot.errors import ConflictError, CountersignError, InputError, NotAllowedError, NotFoundError
from bot.operations.delegating import Delegating
from bot.operations.notices import Notices
from bot.operations.people import Doer
from tests.support.chatting import ADAM, ANNA, OLGA, VERA, Chat, buttons, telegram, texts, until
from tests.support.clock import HandClock
from tests.support.treasury import Treasury, treasury

RISK_SIGNS = """
[[rules]]
name = "risk signs"
tier = "quorum"
needs = ["1 of group/risk"]
"""


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


@pytest.fixture
async def house(tmp_path: Path, chat: Chat) -> AsyncIterator[Treasury]:
    """Anna sits in the group risk; Vera is an approver in no group."""
    async with treasury(tmp_path, chat, RISK_SIGNS) as opened:
        anna, vera = opened.person(ANNA).id, opened.person(VERA).id
        await opened.write("INSERT INTO approver_groups (person_id, name) VALUES (?, 'risk')", anna)
        await opened.write("INSERT INTO roles (person_id, role) VALUES (?, 'approver')", vera)
        await opened.rooms.access.refresh()
        yield opened


async def prompts(house: Treasury, person: int) -> list[str]:
    said = texts(house.desk.chat.from_bot(person))
    return [one for one in said if one.startswith("Olga asks for your signature")]


async def minute(house: Treasury) -> None:
    await house.rooms.reminding.look()


async def test_the_delegate_is_asked_at_once_and_signs_in_their_place(house: Treasury) -> None:
    request = await house.asked()
    await until(lambda: texts(house.desk.chat.from_bot(ANNA)))
    assert await prompts(house, VERA) == []
    said = texts(await house.desk.says(ANNA, "/delegate Vera until tomorrow"))
    assert any(one.startswith("Vera stands in for you until 20") for one in said)
    async with asyncio.timeout(15):
        while not await prompts(house, VERA):
            await asyncio.sleep(0.01)
    (prompt,) = await prompts(house, VERA)
    assert "1 needed: Vera (group risk)." in prompt
    with pytest.raises(NotAllowedError):
        await house.approves(request, ANNA)
    await house.approves(request, VERA)
    await house.comes_to(request, State.SUCCEEDED)


async def test_the_delegate_finds_what_waits_and_decides_by_its_id(house: Treasury) -> None:
    assert texts(await house.desk.says(VERA, "/approve")) == ["Nothing waits for your signature."]
    request = await house.asked()
    await house.desk.says(ANNA, "/delegate Vera until tomorrow")
    for line in ("/approve", "/pending", f"/request {request.id}"):
        assert any("Transfer 10.00 USD" in one for one in texts(await house.desk.says(VERA, line))), line
    await house.desk.says(VERA, f"/reject {request.id} not this week")
    assert await house.state(request) is State.DENIED


async def test_the_delegate_and_the_admins_are_told_and_it_is_recorded(house: Treasury) -> None:
    await house.desk.says(ANNA, "/delegate Vera until tomorrow")
    for person, what in (
        (VERA, "You stand in for them in the group risk."),
        (ADAM, "Vera stands in for them in the group risk."),
    ):
        await until(
            lambda person=person, what=what: [  # type: ignore[misc]
                one for one in texts(house.desk.chat.from_bot(person)) if what in one
            ]
        )
    await house.desk.said(ANNA, "/delegate end")
    await until(lambda: [one for one in texts(house.desk.chat.from_bot(VERA)) if "has taken their groups back" in one])
    rows = await house.rows("SELECT action, object, person_id FROM audit WHERE action LIKE 'delegation.%' ORDER BY seq")
    anna = house.person(ANNA).id
    assert rows == [(action, f"person/{anna}", anna) for action in ("delegation.made", "delegation.ended")]


async def test_it_ends_by_itself_and_by_hand(house: Treasury) -> None:
    first = await house.asked("1.00")
    await house.desk.says(ANNA, "/delegate Vera until today")
    house.desk.clock.ahead_by(25 * 3600)
    second = await house.asked("2.00")
    with pytest.raises(CountersignError):
        await house.approves(second, VERA)
    await house.desk.says(ANNA, "/delegate Vera until tomorrow")
    await house.desk.said(ANNA, "/delegate end")
    with pytest.raises(NotAllowedError):
        await house.approves(second, VERA)
    await house.approves(second, ANNA)
    assert first.id != second.id


async def test_one_that_begins_later_counts_from_then_and_the_delegate_is_asked_then(house: Treasury) -> None:
    await house.desk.says(ANNA, "/delegate Vera from tomorrow until 2999-01-01")
    assert await house.rows("SELECT 1 FROM delegations") == []  # at most 90 days
    room, clock = house.rooms.delegating, house.desk.clock
    words = ["Vera", "from", "tomorrow", "until", "tomorrow"]
    if room.reading(words).since - clock.now() < timedelta(minutes=20):
        clock.ahead_by(1200)  # at the end of a day, in the next one
    tomorrow = room.reading(words)
    clock.ahead_by((tomorrow.since - clock.now()).total_seconds() - 600)
    await house.desk.says(ANNA, "/delegate Vera from tomorrow until tomorrow")
    request = await house.asked()
    await minute(house)
    assert await _cards(house, request, VERA) == 0
    clock.ahead_by(660)
    await minute(house)
    await minute(house)
    assert await _cards(house, request, VERA) == 1


async def _cards(house: Treasury, request: Request, person: int) -> int:
    rows = await house.rows(
        "SELECT 1 FROM cards WHERE kind = 'request' AND chat_id = ? AND json_extract(body, '$.request') = ?",
        person,
        request.id,
    )
    return len(rows)


async def test_what_somebody_asked_for_is_not_signed_with_their_own_groups(house: Treasury) -> None:
    await house.write("INSERT INTO roles (person_id, role) VALUES (?, 'approver')", house.person(OLGA).id)
    await house.write("INSERT INTO approver_groups (person_id, name) VALUES (?, 'risk')", house.person(OLGA).id)
    await house.rooms.access.refresh()
    request = await house.asked()
    handing = house.rooms.delegating.reading(["Vera", "until", "tomorrow"])
    await house.rooms.delegating.hand_on(house.person(OLGA), handing, telegram_id=OLGA)
    with pytest.raises(NotAllowedError):
        await house.approves(request, VERA)


@pytest.mark.parametrize("who", [ANNA, VERA])
async def test_a_suspension_of_either_ends_it(house: Treasury, who: int) -> None:
    await house.desk.says(ANNA, "/delegate Vera until tomorrow")
    await house.rooms.people.suspend(Doer(house.person(ADAM), ADAM), house.person(who).id)
    assert await house.rows("SELECT 1 FROM delegations WHERE ended_at IS NULL") == []
    assert await house.rows("SELECT 1 FROM audit WHERE action = 'delegation.ended'") == [(1,)]


async def test_a_role_that_was_taken_ends_it_too(house: Treasury) -> None:
    await house.desk.says(ANNA, "/delegate Vera until tomorrow")
    await house.rooms.people.take(Doer(house.person(ADAM), ADAM), house.person(VERA).id, Role.APPROVER, None)
    assert await house.rows("SELECT 1 FROM delegations WHERE ended_at IS NULL") == []


async def test_what_is_refused(house: Treasury) -> None:
    room, anna = house.rooms.delegating, house.person(ANNA)
    until_tomorrow = ["until", "tomorrow"]
    with pytest.raises(NotFoundError) as nobody:
        await room.hand_on(anna, room.reading(["Olga", *until_tomorrow]), telegram_id=ANNA)
    assert nobody.value.known == ("Vera",)
    with pytest.raises(ConflictError, match="nothing to hand on"):
        await room.hand_on(house.person(VERA), room.reading(["Anna", *until_tomorrow]), telegram_id=VERA)
    await room.hand_on(anna, room.reading(["vera", *until_tomorrow]), telegram_id=ANNA)
    with pytest.raises(ConflictError, match="handed on for that time already"):
        await room.hand_on(anna, room.reading(["Vera", *until_tomorrow]), telegram_id=ANNA)
    await room.take_back(anna, telegram_id=ANNA)
    with pytest.raises(ConflictError, match="handed nothing on"):
        await room.take_back(anna, telegram_id=ANNA)


async def test_days_are_those_of_the_desk_and_the_last_one_counts(house: Treasury) -> None:
    rooms, clock = house.rooms, HandClock(datetime(2026, 3, 1, 23, 30, tzinfo=UTC))
    zone = ZoneInfo("Europe/Zurich")  # where it is half past midnight on 2 March
    room = Delegating(rooms.database, rooms.approvals, rooms.audit, Notices(rooms.outbox), clock, zone)
    handing = room.reading(["Ben", "B", "from", "2026-03-28", "until", "2026-03-29"])
    assert (handing.name, handing.since, handing.until) == (
        "Ben B",
        datetime(2026, 3, 27, 23, 0, tzinfo=UTC),
        datetime(2026, 3, 29, 22, 0, tzinfo=UTC),  # summer time has begun
    )
    assert room.reading(["Ben", "until", "today"]).until == datetime(2026, 3, 2, 23, 0, tzinfo=UTC)
    for words in (
        "Ben until 2026-03-01",
        "Ben from 2026-03-05 until 2026-03-04",
        "Ben until 2026-02-30",
        "Ben until 30.3.",
        "Ben until",
        "Ben",
        "until tomorrow",
        "from today until tomorrow",
        "Ben until tomorrow or so",
        "Ben until 2026-07-01",
    ):
        with pytest.raises(InputError):
            room.reading(words.split())


async def test_who_is_away_is_shown(house: Treasury) -> None:
    (nobody,) = await house.desk.says(ANNA, "/delegate")
    assert nobody["text"].startswith("Nobody is out of office.")
    assert list(buttons(nobody)) == ["Hand mine on…"]
    await house.desk.says(ANNA, "/delegate Vera until tomorrow")
    answers = await house.desk.says(VERA, "/delegate")
    (seen,) = [one for one in answers if one["text"].startswith("Out of office\nAnna, until 2")]
    assert seen["text"].endswith(": Vera stands in")
    assert "Take mine back" not in buttons(seen)
    (own,) = await house.desk.says(ANNA, "/delegate")
    assert "Take mine back" in buttons(own)

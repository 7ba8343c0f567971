"""Whoever could sign is reminded under the prompt that stands, once for each stage; then others hear of it."""

import pytest

from bot.approvals.model import Decision, Proof, Rule, Seat
from bot.approvals.policies import Policies
from bot.approvals.reminding import Reminding
from bot.config import Member
from bot.messages.outbox import Outbox
from bot.store import Database
from bot.store.columns import at
from tests.approvals.test_service import ANNA, BEN, CLEO, DORA, Desk
from tests.support.clock import HandClock
from tests.support.waiting import due

POLICY = """
remind_at_percent = [50, 80]
[[escalate]]
after = "15m"
to = "role/auditor"
[[escalate]]
after = "15m"
to = "role/admin"
[[escalate]]
after = "25m"
to = "role/approver"
[[rules]]
name = "all"
tier = "quorum"
needs = ["1 of role/admin"]
"""
STILL = "still waits for your signature"
HEARD = "still waits for a signature"


@pytest.fixture
async def desk(database: Database, clock: HandClock) -> Desk:
    """Anna asks; Ben and one more admin could sign. Cleo is an approver, Dora an auditor."""
    desk = Desk(database, clock)
    members = [Member(CLEO, "Cleo", ["approver"]), Member(DORA, "Dora", ["auditor"])]
    await desk.access.start([ANNA, BEN], [Member(ANNA, "Anna", []), Member(BEN, "Ben", []), *members])
    await desk.change("INSERT INTO policies VALUES (1, ?, ?, NULL, NULL)", POLICY, at(clock.now()))
    return desk


async def minute(desk: Desk) -> None:
    """The job, as after a restart each time: what it remembers is in the tables."""
    await Reminding(desk.database, desk.approvals, Policies(desk.clock), desk.clock).look()


async def told(desk: Desk, chat: int, what: str) -> list[str]:
    return [title for title, _ in await desk.told(chat) if what in title]


async def test_each_stage_once_and_nobody_before_their_time(desk: Desk, clock: HandClock) -> None:
    request = await desk.asked()
    await minute(desk)
    await clock.move(14 * 60)
    await minute(desk)
    assert await told(desk, BEN, STILL) == []
    await clock.move(60)
    for _ in range(3):
        await minute(desk)
        await clock.move(60)
    assert await told(desk, BEN, STILL) == [f"Request {request.id} {STILL}"]
    await clock.move(6 * 60)
    await minute(desk)
    await minute(desk)
    assert len(await told(desk, BEN, STILL)) == 2
    assert await told(desk, ANNA, STILL) == []


async def test_a_reminder_is_a_reply_to_the_prompt_and_has_no_buttons_of_its_own(desk: Desk, clock: HandClock) -> None:
    await desk.asked()
    await clock.move(15 * 60)
    await minute(desk)
    waiting = await due(Outbox(desk.database, clock))
    prompt, *_ = [row.notice for row in waiting if row.notice.chat_id == BEN]
    assert prompt.title == "Anna asks for your signature"
    rows = await desk.database.read(
        lambda tables: tables.conn.execute(
            "SELECT dedupe, json_extract(body, '$.under'), json_extract(body, '$.card') FROM outbox"
            " WHERE chat_id = ? ORDER BY id",
            (BEN,),
        ).fetchall()
    )
    (key, _, _), (_, under, card) = rows
    assert (under, card) == (key, None)


async def test_after_a_pause_only_the_latest_is_said(desk: Desk, clock: HandClock) -> None:
    await desk.asked()
    await clock.move(29 * 60)
    await minute(desk)
    assert len(await told(desk, BEN, STILL)) == 1


async def test_who_has_signed_is_left_alone(desk: Desk, clock: HandClock) -> None:
    desk.painting.rule_is = Rule((Seat("role/admin"), Seat("role/approver")))
    request = await desk.asked()
    await desk.says(BEN, Decision.APPROVE, request)
    await clock.move(16 * 60)
    await minute(desk)
    assert await told(desk, BEN, STILL) == []
    assert len(await told(desk, CLEO, STILL)) == 1


async def test_a_circle_hears_of_it_once_with_who_could_sign(desk: Desk, clock: HandClock) -> None:
    request = await desk.asked()
    await clock.move(14 * 60)
    await minute(desk)
    assert await told(desk, DORA, HEARD) == []
    await clock.move(60)
    await minute(desk)
    await minute(desk)
    said = [line for title, line in await desk.told(DORA) if title == f"Request {request.id} {HEARD}"]
    assert len(said) == 1
    assert "Anna asked at" in said[0]
    assert "1 needed: Ben (admin)." in said[0]
    assert "Paint" not in said[0]
    assert await told(desk, BEN, HEARD) == []
    assert await told(desk, ANNA, HEARD) == []
    assert await told(desk, CLEO, HEARD) == []
    await clock.move(10 * 60)
    await minute(desk)
    assert len(await told(desk, CLEO, HEARD)) == 1


async def test_nothing_is_said_of_what_has_ended(desk: Desk, clock: HandClock) -> None:
    request = await desk.asked()
    await desk.says(BEN, Decision.DENY, request)
    await clock.move(29 * 60)
    await minute(desk)
    assert await told(desk, BEN, STILL) == []
    assert await told(desk, DORA, HEARD) == []


async def test_whoever_can_sign_since_is_asked_within_a_minute_and_not_reminded_at_once(
    desk: Desk, clock: HandClock
) -> None:
    await desk.asked()
    await desk.change(
        "INSERT INTO roles (person_id, role) SELECT person_id, 'admin' FROM telegram_ids WHERE telegram_id = ?", DORA
    )
    await clock.move(16 * 60)
    await minute(desk)
    await minute(desk)
    assert [title for title, _ in await desk.told(DORA)][:1] == ["Anna asks for your signature"]
    assert await told(desk, DORA, STILL) == []


async def test_a_desk_without_a_policy_reminds_at_half_and_at_four_fifths(database: Database, clock: HandClock) -> None:
    desk = Desk(database, clock)
    await desk.access.start([ANNA, BEN], [Member(ANNA, "Anna", []), Member(BEN, "Ben", [])])
    await desk.asked()
    await clock.move(15 * 60)
    await minute(desk)
    assert len(await told(desk, BEN, STILL)) == 1


async def test_who_has_picked_a_wrong_number_or_lacks_the_second_factor_is_not_waited_for(
    desk: Desk, clock: HandClock
) -> None:
    desk.painting.rule_is = Rule((Seat("role/admin"), Seat("role/approver")), proof=Proof.NUMBER)
    first = await desk.asked()
    assert await desk.approvals.waits_for(first) == "2 needed: Ben (admin), Cleo (approver)"
    await desk.change("INSERT INTO number_misses VALUES (?, ?, 0)", first.id, desk.person(CLEO).id)
    assert await desk.approvals.waits_for(first) == "2 needed: Ben (admin), nobody just now (approver)"
    desk.painting.rule_is = Rule((Seat("role/admin"), Seat("role/approver")), proof=Proof.CODE)
    desk.with_factor = {desk.person(CLEO).id}
    second = await desk.asked()
    assert await desk.approvals.waits_for(second) == "2 needed: Cleo (approver), nobody just now (admin)"

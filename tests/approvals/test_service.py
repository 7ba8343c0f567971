"""A request is asked for once, signed by others, carried out once, and told."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta

import pytest

from bot.access.model import Person
from bot.access.service import Access
from bot.approvals.carriers import InHouse
from bot.approvals.model import Decision, Kind, Request, Rule, Seat, State
from bot.approvals.service import Approvals, Seen, Wish
from bot.config import Member
from bot.errors import ConflictError, CountersignError, NotAllowedError, NotFoundError
from bot.messages.cards import Cards
from bot.messages.outbox import Outbox
from bot.ports import Deed
from bot.store import Database, Tables
from tests.support.clock import HandClock

ANNA, BEN, CLEO, DORA = 1001, 2002, 3003, 4004
COLOUR = {"colour": "green"}


class Diary:
    def __init__(self) -> None:
        self.deeds: list[Deed] = []

    def record(self, tables: Tables, deed: Deed) -> None:
        assert tables.conn.in_transaction
        self.deeds.append(deed)

    def actions(self) -> list[str]:
        return [deed.action for deed in self.deeds if deed.action.startswith("request.")]


class Painting(InHouse):
    """Paints one row of `meta`; two admins must sign, or as many as told."""

    def __init__(self) -> None:
        self.rule_is = Rule((Seat("role/admin"),))
        self.trouble: CountersignError | None = None
        self.carried_out: list[str] = []

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return (f"Paint the desk {parameters['colour']}",)

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        return self.rule_is

    def carry(self, tables: Tables, request: Request) -> str:
        tables.conn.execute(
            "INSERT INTO meta VALUES ('colour', ?) ON CONFLICT (key) DO UPDATE SET value = value || excluded.value",
            (request.parameters["colour"],),
        )
        if self.trouble is not None:
            raise self.trouble
        return "painted"

    async def carried(self, request: Request) -> None:
        self.carried_out.append(request.id)


class Desk:
    """Four people, an approvals room, and one kind of request."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        self.database, self.clock = database, clock
        self.diary = Diary()
        self.access = Access(database, self.diary, clock, [])
        self.painting = Painting()
        self.with_factor: set[int] = set()
        self.approvals = self.opened()

    def opened(self) -> Approvals:
        approvals = Approvals(
            self.database,
            self.diary,
            Outbox(self.database, self.clock),
            Cards(self.database, self.clock),
            self.clock,
            lambda tables, person_id: person_id in self.with_factor,
        )
        approvals.carriers[Kind.ROLE] = self.painting
        return approvals

    def person(self, telegram_id: int) -> Person:
        person = self.access.roster.person(telegram_id)
        assert person is not None
        return person

    async def asked(self, by: int = ANNA, **more: str) -> Request:
        return await self.approvals.ask(self.person(by), Wish(Kind.ROLE, COLOUR, more.get("asked_in")), telegram_id=by)

    async def says(self, who: int, decision: Decision, request: Request) -> Request:
        return await self.approvals.decide(self.person(who), request.id, decision, Seen(request.hash), telegram_id=who)

    async def approves(self, who: int, request: Request) -> Request:
        return await self.says(who, Decision.APPROVE, request)

    async def colour(self) -> str | None:
        row = await self.database.read(
            lambda tables: tables.conn.execute("SELECT value FROM meta WHERE key = 'colour'").fetchone()
        )
        return row and row[0]

    async def told(self, chat: int) -> list[tuple[str, str]]:
        """Titles and lines queued for one chat, oldest first."""
        rows = await self.database.read(
            lambda tables: tables.conn.execute(
                "SELECT body FROM outbox WHERE chat_id = ? ORDER BY id", (chat,)
            ).fetchall()
        )
        said = [json.loads(body) for (body,) in rows]
        return [(one["title"], " | ".join(one["lines"])) for one in said]

    async def change(self, statement: str, *values: object) -> None:
        await self.database.write(lambda tables: tables.conn.execute(statement, values))
        await self.access.refresh()


@pytest.fixture
async def desk(database: Database, clock: HandClock) -> Desk:
    desk = Desk(database, clock)
    members = [Member(CLEO, "Cleo", ["approver"]), Member(DORA, "Dora", ["viewer"])]
    await desk.access.start([ANNA, BEN, 5005], [Member(ANNA, "Anna", []), Member(BEN, "Ben", []), *members])
    return desk


async def test_one_signature_carries_it_out_and_everybody_hears(desk: Desk) -> None:
    request = await desk.asked()
    assert (request.state, request.version, await desk.colour()) == (State.PENDING, 1, None)

    ended = await desk.approves(BEN, request)

    assert (ended.state, ended.outcome, await desk.colour()) == (State.SUCCEEDED, "painted", "green")
    assert desk.painting.carried_out == [request.id]
    assert desk.diary.actions() == ["request.asked", "request.approved", "request.succeeded"]
    assert (await desk.told(ANNA))[-1] == (f"Request {request.id}: done", "Paint the desk green | Painted.")
    prompts = await desk.told(BEN)
    assert prompts[0][0] == "Anna asks for your signature"
    assert prompts[0][1].startswith("Paint the desk green | Request ")
    assert "| Ben approved, " in prompts[-1][1]
    assert prompts[-1][1].endswith(" UTC. | Done: painted.")


async def test_only_those_who_could_sign_are_prompted(desk: Desk) -> None:
    await desk.asked()
    assert [len(await desk.told(who)) for who in (ANNA, BEN, 5005, CLEO, DORA)] == [0, 1, 1, 0, 0]


async def test_nobody_signs_their_own(desk: Desk) -> None:
    request = await desk.asked()
    with pytest.raises(NotAllowedError, match="asked for yourself"):
        await desk.approves(ANNA, request)


async def test_a_second_account_is_the_same_person(desk: Desk) -> None:
    """F21: the asker, by person and not by account."""
    await desk.change("INSERT INTO telegram_ids VALUES (1002, ?)", desk.person(ANNA).id)
    request = await desk.asked()
    with pytest.raises(NotAllowedError, match="asked for yourself"):
        await desk.approves(1002, request)


@pytest.mark.parametrize("who", [CLEO, DORA])
async def test_who_holds_no_seat_decides_nothing(desk: Desk, who: int) -> None:
    request = await desk.asked()
    for decision in Decision:
        with pytest.raises(NotAllowedError):
            await desk.says(who, decision, request)
    assert (await desk.approvals.find(request.id)).votes == ()


async def test_a_role_lost_before_the_vote_is_no_vote(desk: Desk) -> None:
    """F21."""
    request = await desk.asked()
    ben = desk.person(BEN)  # as a handler may still hold him
    await desk.change("DELETE FROM roles WHERE person_id = ?", ben.id)
    with pytest.raises(NotAllowedError):
        await desk.approvals.decide(ben, request.id, Decision.APPROVE, Seen(request.hash), telegram_id=BEN)


async def test_a_role_lost_after_the_vote_does_not_count(desk: Desk) -> None:
    """F21."""
    desk.painting.rule_is = Rule((Seat("role/admin", 2),))
    request = await desk.asked()
    await desk.approves(BEN, request)
    await desk.change("DELETE FROM roles WHERE person_id = ?", desk.person(BEN).id)

    still = await desk.approves(5005, request)

    assert (still.state, await desk.colour()) == (State.PENDING, None)


async def test_one_denial_ends_it_whoever_approved_before(desk: Desk) -> None:
    desk.painting.rule_is = Rule((Seat("role/admin", 2),))
    request = await desk.asked()
    await desk.approves(BEN, request)
    ended = await desk.says(5005, Decision.DENY, request)
    assert (ended.state, await desk.colour()) == (State.DENIED, None)
    assert ended.outcome == "by Admin 3"


async def test_a_second_vote_of_the_same_person_changes_nothing(desk: Desk) -> None:
    desk.painting.rule_is = Rule((Seat("role/admin", 2),))
    request = await desk.asked()
    await desk.approves(BEN, request)
    with pytest.raises(ConflictError, match="recorded already"):
        await desk.says(BEN, Decision.DENY, request)
    assert (await desk.approvals.find(request.id)).state is State.PENDING


async def test_votes_at_the_same_moment_carry_it_out_once(desk: Desk) -> None:
    for number in range(20):
        await desk.change("DELETE FROM meta WHERE key = 'colour'")
        request = await desk.asked(asked_in=f"m/1/{number}")
        results = await asyncio.gather(
            desk.approves(BEN, request), desk.approves(5005, request), return_exceptions=True
        )
        assert [type(one) for one in results].count(Request) == 1
        assert [type(one) for one in results].count(ConflictError) == 1
        assert await desk.colour() == "green"


async def test_approval_and_denial_at_the_same_moment_have_one_outcome(desk: Desk) -> None:
    for number in range(20):
        await desk.change("DELETE FROM meta WHERE key = 'colour'")
        request = await desk.asked(asked_in=f"m/1/{number}")
        votes = [desk.approves(BEN, request), desk.says(5005, Decision.DENY, request)]
        await asyncio.gather(*(votes if number % 2 else reversed(votes)), return_exceptions=True)
        ended = await desk.approvals.find(request.id)
        assert (ended.state, await desk.colour()) in [(State.SUCCEEDED, "green"), (State.DENIED, None)]
        assert len(ended.votes) == 1


async def test_another_hash_than_what_was_asked_is_refused(desk: Desk) -> None:
    request = await desk.asked()
    with pytest.raises(ConflictError, match="not what you were shown"):
        await desk.approvals.decide(desk.person(BEN), request.id, Decision.APPROVE, Seen("0" * 64), telegram_id=BEN)


async def test_parameters_changed_behind_our_back_void_the_request(desk: Desk) -> None:
    request = await desk.asked()
    await desk.change("DROP TRIGGER requests_keep_what_was_asked")
    await desk.change("UPDATE requests SET parameters = ? WHERE id = ?", '{"colour":"red"}', request.id)
    with pytest.raises(ConflictError, match="not what you were shown"):
        await desk.approves(BEN, request)
    assert await desk.colour() is None


@pytest.mark.parametrize(("after_ms", "state"), [(-1, State.SUCCEEDED), (0, State.EXPIRED), (1, State.EXPIRED)])
async def test_expiry_is_strict(desk: Desk, after_ms: int, state: State) -> None:
    """F22: a millisecond before, at, and after."""
    request = await desk.asked()
    await desk.clock.move((timedelta(minutes=30) + timedelta(milliseconds=after_ms)).total_seconds())
    if state is State.EXPIRED:
        with pytest.raises(ConflictError, match="expired"):
            await desk.approves(BEN, request)
    else:
        await desk.approves(BEN, request)
    assert (await desk.approvals.find(request.id)).state is state


async def test_what_expired_while_nobody_looked_ends_at_the_next_look(desk: Desk) -> None:
    """F22: the process was down meanwhile; the prompts say it."""
    request = await desk.asked()
    await desk.clock.move(1801)
    later = desk.opened()
    assert (await later.expire(), await later.expire()) == (1, 0)
    ended = await later.find(request.id)
    assert (ended.state, ended.outcome) == (State.EXPIRED, "nobody decided in time")
    assert (await desk.told(ANNA))[-1][0] == f"Request {request.id}: expired"
    assert (await desk.told(BEN))[-1][1].endswith("Expired: nobody decided in time.")


async def test_what_a_carrier_refuses_has_failed_and_left_nothing(desk: Desk) -> None:
    desk.painting.trouble = ConflictError("the wall is wet")
    request = await desk.asked()
    ended = await desk.approves(BEN, request)
    assert (ended.state, ended.outcome, await desk.colour()) == (State.FAILED, "the wall is wet", None)
    assert desk.painting.carried_out == []


async def test_the_same_message_asks_once(desk: Desk) -> None:
    await desk.asked(asked_in="m/1001/7")
    with pytest.raises(ConflictError, match="already"):
        await desk.asked(asked_in="m/1001/7")
    assert len(await desk.approvals.pending()) == 1


async def test_a_rule_that_nobody_can_meet_is_refused_when_asked(desk: Desk) -> None:
    desk.painting.rule_is = Rule((Seat("group/finance"), Seat("role/admin")))
    with pytest.raises(ConflictError, match="the group finance is missing"):
        await desk.asked()
    assert await desk.approvals.pending() == []


async def test_when_the_last_who_could_sign_leaves_it_ends_and_says_why(desk: Desk) -> None:
    """F21."""
    desk.painting.rule_is = Rule((Seat("role/admin", 2),))
    request = await desk.asked()
    ben = desk.person(BEN).id

    def gone(tables: Tables) -> None:
        tables.conn.execute("UPDATE persons SET state = 'suspended' WHERE id = ?", (ben,))
        desk.approvals.course.people_changed(tables)

    await desk.database.write(gone)

    ended = await desk.approvals.find(request.id)
    assert (ended.state, ended.outcome) == (State.EXPIRED, "nobody is left who could sign for another admin")


async def test_its_asker_may_take_it_back_and_nobody_else(desk: Desk) -> None:
    request = await desk.asked()
    with pytest.raises(NotAllowedError):
        await desk.approvals.withdraw(desk.person(BEN), request.id, telegram_id=BEN)
    ended = await desk.approvals.withdraw(desk.person(ANNA), request.id, telegram_id=ANNA)
    assert ended.state is State.CANCELLED
    with pytest.raises(ConflictError, match=r"has ended \(called off by Anna\)"):
        await desk.approves(BEN, request)


async def test_a_request_whose_asker_left_ends(desk: Desk) -> None:
    request = await desk.asked()
    anna = desk.person(ANNA).id
    await desk.change("UPDATE persons SET state = 'suspended' WHERE id = ?", anna)
    ended = await desk.approves(BEN, request)
    assert (ended.state, await desk.colour()) == (State.CANCELLED, None)


async def test_who_could_still_sign_is_named(desk: Desk) -> None:
    desk.painting.rule_is = Rule((Seat("role/admin", 2),))
    request = await desk.asked()
    await desk.approves(BEN, request)
    now = await desk.approvals.find(request.id)
    assert [one.name for one in await desk.approvals.could_sign(now)] == ["Admin 3"]


async def test_an_unknown_request_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFoundError):
        await desk.approvals.decide(desk.person(BEN), "nosuch", Decision.APPROVE, Seen("0" * 64), telegram_id=BEN)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE requests SET hash = 'x'",
        "UPDATE requests SET asked_by = 2",
        "DELETE FROM requests",
        "UPDATE votes SET decision = 'deny'",
        "DELETE FROM votes",
        "UPDATE requests SET state = 'pending'",
    ],
)
async def test_what_was_asked_decided_and_ended_stays(desk: Desk, statement: str) -> None:
    request = await desk.asked()
    await desk.approves(BEN, request)
    with pytest.raises(CountersignError):
        await desk.change(statement)


async def test_the_vote_shares_the_fate_of_its_consequences(desk: Desk) -> None:
    request = await desk.asked()
    desk.painting.trouble = None

    def broken(tables: Tables, deed: Deed) -> None:
        raise ConflictError("the audit log is full")

    desk.diary.record = broken  # type: ignore[method-assign]
    with pytest.raises(ConflictError, match="audit log is full"):
        await desk.approves(BEN, request)
    still = await desk.approvals.find(request.id)
    assert (still.state, still.votes, await desk.colour()) == (State.PENDING, (), None)

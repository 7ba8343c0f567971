"""Many decide at once: what is decided is decided once, and everybody learns how (SAFETY F20, M71, M75; goal G05)."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Mapping
from pathlib import Path

import pytest

from bot.access.model import Person, Role
from bot.access.records import insert_person
from bot.access.service import Access
from bot.approvals.carriers import InHouse
from bot.approvals.model import Decision, Kind, Request, Rule, Seat, State
from bot.approvals.service import Approvals, Seen, Wish
from bot.audit.service import Audit
from bot.config import Member
from bot.errors import ConflictError
from bot.messages.cards import Cards
from bot.messages.outbox import Outbox
from bot.store import Database, Tables
from bot.vault.keys import KeyTree, MasterKey
from tests.support.chatting import telegram
from tests.support.clock import HandClock
from tests.support.treasury import treasury

OLGA = 2001
FIVE = (3001, 3002, 3003, 3004, 3005)
QUORUM_OF_TWO = Rule((Seat("role/approver", 2),))
WITHIN_SECONDS = 0.01
SIDE_BY_SIDE = 20


class Counting(InHouse):
    """Each request that is carried out is counted in a row of its own."""

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return (f"Count {parameters['number']}",)

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        return QUORUM_OF_TWO

    def carry(self, tables: Tables, request: Request) -> str:
        tables.conn.execute(
            "INSERT INTO meta VALUES (?, '1') ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1",
            (f"carried/{request.id}",),
        )
        return "counted"


class Desk:
    """One who asks, five who sign, and a counter."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        audit = Audit(clock, KeyTree(MasterKey.new(), "races", bytes(32)).audit_code, 1)
        self.database = database
        self.access = Access(database, audit, clock, [])
        outbox, cards = Outbox(database, clock), Cards(database, clock)
        self.approvals = Approvals(database, audit, outbox, cards, clock, lambda tables, person_id: False)
        self.approvals.carriers[Kind.ROLE] = Counting()

    def person(self, telegram_id: int) -> Person:
        found = self.access.roster.person(telegram_id)
        assert found is not None
        return found

    async def asked(self, number: int) -> Request:
        wish = Wish(Kind.ROLE, {"number": str(number)})
        return await self.approvals.ask(self.person(OLGA), wish, telegram_id=OLGA)

    async def says(self, who: int, decision: Decision, request: Request, after: float = 0.0) -> Request:
        await asyncio.sleep(after)
        seen = Seen(request.hash)
        return await self.approvals.decide(self.person(who), request.id, decision, seen, telegram_id=who)

    async def carried(self) -> dict[str, int]:
        """How often each request was carried out."""
        rows = await self.database.read(
            lambda tables: tables.conn.execute("SELECT key, value FROM meta WHERE key LIKE 'carried/%'").fetchall()
        )
        return {key.removeprefix("carried/"): int(value) for key, value in rows}

    async def recorded(self, action: str) -> Counter[str]:
        """How often an action is in the audit log, by request."""
        rows = await self.database.read(
            lambda tables: tables.conn.execute("SELECT object FROM audit WHERE action = ?", (action,)).fetchall()
        )
        return Counter(name.removeprefix("request/") for (name,) in rows)

    async def last_said(self, request: Request) -> dict[int, str]:
        """By chat: the last line of what the request's card says by now."""
        rows = await self.database.read(
            lambda tables: tables.conn.execute(
                "SELECT chat_id, body FROM outbox WHERE dedupe LIKE ? ORDER BY id", (f"request/{request.id}/card/%",)
            ).fetchall()
        )
        return {chat: json.loads(body)["lines"][-1] for chat, body in rows}


@pytest.fixture
async def desk(database: Database, clock: HandClock) -> Desk:
    desk = Desk(database, clock)
    signers = [Member(number, f"Signer {number}", ["approver"]) for number in FIVE]
    await desk.access.start([1001], [Member(OLGA, "Olga", ["operator"]), *signers])
    return desk


async def _all(outcomes: list[Awaitable[Request]]) -> list[Request | ConflictError]:
    """What each comes to; anything but a decision and its polite refusal is an error of this test."""
    found = await asyncio.gather(*outcomes, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, ConflictError):
            raise one
    return [one for one in found if isinstance(one, Request | ConflictError)]


async def test_five_approvals_within_ten_milliseconds_carry_it_out_once_five_hundred_times(desk: Desk) -> None:
    """F20, G05: two votes count, three are refused and told that it is done; the counter says one, in each round."""
    chance = random.Random(20)

    async def a_round(number: int) -> str:
        request = await desk.asked(number)
        delays = [chance.uniform(0, WITHIN_SECONDS) for _ in FIVE]
        votes = [desk.says(who, Decision.APPROVE, request, delay) for who, delay in zip(FIVE, delays, strict=True)]
        outcomes = await _all(votes)
        states = sorted(one.state for one in outcomes if isinstance(one, Request))
        late = [str(one) for one in outcomes if isinstance(one, ConflictError)]
        assert states == [State.PENDING, State.SUCCEEDED]
        assert late == ["this has ended (done: counted)"] * 3
        ended = await desk.approvals.find(request.id)
        assert (ended.state, len(ended.votes)) == (State.SUCCEEDED, 2)
        return request.id

    rounds: list[str] = []
    for begun in range(0, 500, SIDE_BY_SIDE):
        rounds += await asyncio.gather(*(a_round(number) for number in range(begun, begun + SIDE_BY_SIDE)))

    assert await desk.carried() == dict.fromkeys(rounds, 1)
    assert await desk.recorded("request.succeeded") == Counter(dict.fromkeys(rounds, 1))
    assert await desk.recorded("request.approved") == Counter(dict.fromkeys(rounds, 2))


async def test_a_denial_against_the_last_approval_is_decided_once_a_thousand_times_and_told_to_both(desk: Desk) -> None:
    """G05, M71: whoever was first decides; the other one hears how it ended, and every card says the same."""
    chance, ends = random.Random(71), Counter[State]()
    earlier, approves, denies = FIVE[:3]

    async def a_round(number: int) -> Request:
        request = await desk.asked(number)
        await desk.says(earlier, Decision.APPROVE, request)
        delays = [chance.uniform(0, WITHIN_SECONDS / 5) for _ in range(2)]
        votes = [
            desk.says(approves, Decision.APPROVE, request, delays[0]),
            desk.says(denies, Decision.DENY, request, delays[1]),
        ]
        if number % 2:
            approved, denied = await _all(votes)
        else:
            denied, approved = await _all(votes[::-1])
        ended = await desk.approvals.find(request.id)
        ends[ended.state] += 1
        if ended.state is State.SUCCEEDED:
            assert isinstance(approved, Request)
            assert str(denied) == "this has ended (done: counted)"
            assert [vote.person_id for vote in ended.votes if vote.decision is Decision.DENY] == []
        else:
            assert ended.state is State.DENIED
            assert isinstance(denied, Request)
            assert str(approved) == f"this has ended (denied by Signer {denies})"
        assert len(ended.votes) == 2
        return ended

    rounds: list[Request] = []
    for begun in range(0, 1000, SIDE_BY_SIDE):
        rounds += await asyncio.gather(*(a_round(number) for number in range(begun, begun + SIDE_BY_SIDE)))

    assert await desk.carried() == {one.id: 1 for one in rounds if one.state is State.SUCCEEDED}
    assert min(ends[State.SUCCEEDED], ends[State.DENIED]) > 0, "a race that only one side wins is none"
    assert await desk.recorded("request.succeeded") == {one.id: 1 for one in rounds if one.state is State.SUCCEEDED}
    denials = {one.id: 2 for one in rounds if one.state is State.DENIED}  # the vote, and the end it brought
    assert await desk.recorded("request.denied") == denials
    for one in rounds[:40]:
        said = await desk.last_said(one)
        assert set(said) == set(FIVE)
        wanted = "Done: counted." if one.state is State.SUCCEEDED else f"Denied by Signer {denies}."
        assert set(said.values()) == {wanted}


TWO_SIGN = """
[[rules]]
name = "two sign"
tier = "quorum"
needs = ["2 of role/approver"]
"""


async def test_what_five_approve_at_once_leaves_for_the_provider_once_each_time(tmp_path: Path) -> None:
    """F20 with money in it: twenty rounds, and the provider's own ledger has twenty transfers."""
    chance = random.Random(2)
    async with telegram() as chat, treasury(tmp_path, chat, TWO_SIGN) as desk:

        def hire(tables: Tables) -> None:
            for number in FIVE:
                insert_person(tables, f"Signer {number}", number, [Role.APPROVER], desk.rooms.clock.now())

        await desk.rooms.database.write(hire)
        await desk.rooms.access.refresh()

        async def votes(who: int, request: Request) -> Request:
            await asyncio.sleep(chance.uniform(0, WITHIN_SECONDS))
            return await desk.approves(request, who)

        for number in range(20):
            request = await desk.asked(f"{number + 1}.00")
            outcomes = await _all([votes(who, request) for who in FIVE])
            assert [type(one) for one in outcomes].count(Request) == 2
            await desk.comes_to(request, State.SUCCEEDED)

        left = sorted(int(one["amount"].removesuffix(".00")) for one in await desk.executed())
        assert left == list(range(1, 21))
        attempts = await desk.rows("SELECT count(*), max(attempt) FROM sendings")
        assert attempts == [(20, 1)]

"""What must be shown with a signature, and by whoever may do it alone; a code serves one request, once (SAFETY 4.8)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from bot.access.model import Person
from bot.approvals.carriers import InHouse
from bot.approvals.model import Decision, Kind, Proof, Request, Rule, Seat, State
from bot.approvals.service import Seen, Shown, Wish
from bot.errors import CodeUsedError, ConflictError, CountersignError, ProofNeededError, StepUpError
from bot.secret import Secret
from bot.store import Database, Tables
from bot.vault.totp import code_of, seed_from, step_of
from bot.wiring import House
from tests.support.clock import HandClock
from tests.support.desk import opened, write_desk
from tests.support.factors import confirmed_by_another
from tests.support.guarded import ANNA, ARNO, OLGA, Guarded, showing
from tests.support.jumping import JumpingClock

SIGNED = '[[rules]]\nname = "signed"\ntier = "quorum"\nneeds = ["role/approver"]\nproof = "{proof}"\n'
ALONE = '[[rules]]\nname = "alone"\ntier = "confirm"\nproof = "{proof}"\n'


@pytest.fixture
async def desk(database: Database, clock: HandClock) -> Guarded:
    desk = Guarded(database, clock)
    await desk.furnish(None)
    return desk


ENOUGH = [
    ("none", Proof.NONE, True),
    ("none", Proof.CODE, True),
    ("number", Proof.NONE, False),
    ("number", Proof.CODE_IF_SET_UP, False),
    ("number", Proof.NUMBER, True),
    ("number", Proof.CODE, True),
    ("code", Proof.NONE, False),
    ("code", Proof.CODE_IF_SET_UP, False),
    ("code", Proof.NUMBER, False),
    ("code", Proof.CODE, True),
]


@pytest.mark.parametrize(("asked", "shown", "is_enough"), ENOUGH)
async def test_a_signature_needs_what_the_policy_asks_for(
    desk: Guarded, asked: str, shown: Proof, is_enough: bool
) -> None:
    await desk.policy(SIGNED.format(proof=asked))
    request = await desk.asked()
    if is_enough:
        signed = await desk.approves(ANNA, request, showing(shown))
        assert (signed.state, signed.votes[0].proof, desk.woken) == (State.APPROVED, shown, 1)
        return
    with pytest.raises(ProofNeededError):
        await desk.approves(ANNA, request, showing(shown))
    still = await desk.now(request)
    assert (still.state, still.votes, desk.woken) == (State.PENDING, (), 0)


@pytest.mark.parametrize(("asked", "shown", "is_enough"), ENOUGH)
async def test_whoever_may_do_it_alone_shows_it_when_asking(
    desk: Guarded, asked: str, shown: Proof, is_enough: bool
) -> None:
    """Without it there is no request, no case and no audit row of one."""
    await desk.policy(ALONE.format(proof=asked))
    if is_enough:
        request = await desk.asked(shown=showing(shown))
        assert (request.state, desk.woken) == (State.APPROVED, 1)
        return
    with pytest.raises(ProofNeededError):
        await desk.asked(shown=showing(shown))
    with pytest.raises(ProofNeededError):
        await desk.asked()
    assert await desk.rows("SELECT id FROM requests") == []
    assert await desk.rows("SELECT request_id FROM cases") == []
    assert await desk.rows("SELECT 1 FROM audit WHERE action LIKE 'request.%'") == []
    assert desk.woken == 0


async def test_without_a_policy_two_sign_with_codes(desk: Guarded) -> None:
    request = await desk.asked()
    with pytest.raises(ProofNeededError, match="a code of your second factor"):
        await desk.approves(ANNA, request, showing(Proof.NUMBER))
    assert (await desk.approves(ANNA, request, showing(Proof.CODE))).state is State.PENDING
    assert (await desk.approves(ARNO, request, showing(Proof.CODE))).state is State.APPROVED


async def test_a_denial_needs_no_proof(desk: Guarded) -> None:
    await desk.policy(SIGNED.format(proof="code"))
    request = await desk.asked()
    assert (await desk.says(ANNA, Decision.DENY, request)).state is State.DENIED


async def test_a_proof_that_does_not_hold_casts_no_vote_and_keeps_what_it_wrote_down(desk: Guarded) -> None:
    """A wrong try is to be counted, although the vote is refused."""
    await desk.policy(SIGNED.format(proof="code"))
    request = await desk.asked()

    def use(tables: Tables) -> CountersignError:
        tables.conn.execute("INSERT INTO meta VALUES ('tries', '1')")
        return ConflictError("a wrong code")

    with pytest.raises(ConflictError, match="a wrong code"):
        await desk.approves(ANNA, request, Shown(Proof.CODE, use))
    assert (await desk.now(request)).votes == ()
    assert await desk.rows("SELECT value FROM meta WHERE key = 'tries'") == [("1",)]


async def test_a_proof_for_a_vote_that_cannot_be_cast_is_not_used_up(desk: Guarded) -> None:
    await desk.policy(SIGNED.format(proof="code").replace('["role/approver"]', '["2 of role/approver"]'))
    request = await desk.asked()
    used: list[int] = []

    def use(tables: Tables) -> None:
        tables.conn.execute("INSERT INTO meta VALUES (?, '1')", (f"used/{len(used)}",))
        used.append(1)

    await desk.approves(ANNA, request, Shown(Proof.CODE, use))
    with pytest.raises(ConflictError, match="recorded already"):
        await desk.approves(ANNA, request, Shown(Proof.CODE, use))
    assert await desk.rows("SELECT key FROM meta WHERE key LIKE 'used/%'") == [("used/0",)]


async def test_a_code_is_asked_of_those_who_have_one_where_the_rule_leaves_it_to_them(desk: Guarded) -> None:
    class Leaving(InHouse):
        def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
            return ("Whatever",)

        def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
            return Rule((Seat("role/approver", 2),), proof=Proof.CODE_IF_SET_UP)

        def carry(self, tables: Tables, request: Request) -> str:
            return "done"

    desk.approvals.carriers[Kind.ROLE] = Leaving()
    desk.with_factor.add(desk.person(ANNA).id)
    request = await desk.asked(Wish(Kind.ROLE, {}))
    assert await desk.approvals.proof_needed(request, desk.person(ANNA)) is Proof.CODE
    assert await desk.approvals.proof_needed(request, desk.person(ARNO)) is Proof.NONE
    with pytest.raises(ProofNeededError):
        await desk.approves(ANNA, request)
    await desk.approves(ARNO, request)
    assert (await desk.approves(ANNA, request, showing(Proof.CODE))).state is State.SUCCEEDED


# with real codes

BEA = 1002


class Coded(InHouse):
    """What an admin signs with a code."""

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return (f"Number {parameters['number']}",)

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        return Rule((Seat("role/admin"),), proof=Proof.CODE)

    def carry(self, tables: Tables, request: Request) -> str:
        return "done"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    config = write_desk(tmp_path, admins=[1001, BEA], members=[(OLGA + 1000, "Olga", ["operator"])])
    async with opened(config, JumpingClock()) as rooms:
        rooms.approvals.carriers[Kind.ROLE] = Coded()
        yield rooms


async def _device(house: House, who: int) -> bytes:
    person = house.access.roster.person(who)
    assert person is not None
    enrolment = await house.enrolling.begin(person)
    seed = seed_from(enrolment.uri.reveal().partition("secret=")[2].partition("&")[0])
    before = Secret(code_of(seed, step_of(house.clock.now()) - 1))
    await house.enrolling.confirm(person, before, telegram_id=who)
    await confirmed_by_another(house, person.id)
    return seed


async def _asked(house: House, number: int) -> Request:
    olga = house.access.roster.person(OLGA + 1000)
    assert olga is not None
    return await house.approvals.ask(olga, Wish(Kind.ROLE, {"number": str(number)}), telegram_id=OLGA + 1000)


async def _signs(house: House, request: Request, code: Secret) -> Request:
    bea = house.access.roster.person(BEA)
    assert bea is not None
    use = house.factors.checking(bea.id, code, purpose=f"approve request/{request.id}", telegram_id=BEA)
    shown = Shown(Proof.CODE, use)
    return await house.approvals.decide(
        bea, request.id, Decision.APPROVE, Seen(request.hash), telegram_id=BEA, shown=shown
    )


async def test_one_code_serves_one_request(house: House) -> None:
    seed = await _device(house, BEA)
    first, second = await _asked(house, 1), await _asked(house, 2)
    code = Secret(code_of(seed, step_of(house.clock.now())))

    assert (await _signs(house, first, code)).state is State.SUCCEEDED
    with pytest.raises(CodeUsedError):
        await _signs(house, second, code)
    assert (await house.approvals.find(second.id)).state is State.PENDING


async def test_one_code_for_ten_requests_at_once_serves_one(house: House) -> None:
    seed = await _device(house, BEA)
    requests = [await _asked(house, number) for number in range(10)]
    code = Secret(code_of(seed, step_of(house.clock.now())))

    outcomes = await asyncio.gather(*(_signs(house, one, code) for one in requests), return_exceptions=True)

    assert [type(one) for one in outcomes].count(Request) == 1
    assert [type(one) for one in outcomes].count(CodeUsedError) == 9
    states = sorted([(await house.approvals.find(one.id)).state for one in requests])
    assert states == [State.PENDING] * 9 + [State.SUCCEEDED]


async def test_a_code_for_a_request_that_has_ended_can_still_be_used(house: House) -> None:
    seed = await _device(house, BEA)
    ended, other = await _asked(house, 1), await _asked(house, 2)
    olga = house.access.roster.person(OLGA + 1000)
    assert olga is not None
    await house.approvals.withdraw(olga, ended.id, telegram_id=OLGA + 1000)
    code = Secret(code_of(seed, step_of(house.clock.now())))
    with pytest.raises(ConflictError, match="has ended"):
        await _signs(house, ended, code)
    assert (await _signs(house, other, code)).state is State.SUCCEEDED


async def test_a_wrong_code_is_counted_and_signs_nothing(house: House) -> None:
    seed = await _device(house, BEA)
    request = await _asked(house, 1)
    near = {code_of(seed, step_of(house.clock.now()) + step) for step in range(-2, 3)}
    wrong = next(each for each in (f"{number:06}" for number in range(9)) if each not in near)
    with pytest.raises(StepUpError):
        await _signs(house, request, Secret(wrong))
    assert (await house.approvals.find(request.id)).votes == ()
    failures = await house.database.read(
        lambda tables: tables.conn.execute("SELECT count(*) FROM factor_failures").fetchone()
    )
    assert failures == (1,)

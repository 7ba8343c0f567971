"""A first second factor has nothing behind it but a phone: somebody else confirms it, or it proves nothing."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.approvals.model import Decision, Proof, Request, State
from bot.approvals.service import Seen, Shown
from bot.errors import ConflictError, FactorMissingError, NotAllowedError, ProofNeededError
from bot.store import Tables
from bot.wiring import House
from tests.operations.test_factor import ADAM, BEA, OLGA, Device, deeds, enrolled, person, refused, shown, told
from tests.operations.test_factor import clock as clock
from tests.operations.test_factor import reopened as reopened
from tests.operations.test_factor import rooms as rooms
from tests.support.desk import opened, write_desk
from tests.support.factors import confirmed_by_another
from tests.support.jumping import JumpingClock

CAROL = 1003


async def waiting(rooms: House, clock: JumpingClock, who: int = OLGA) -> tuple[Device, Request]:
    """Set up, and confirmed by nobody yet."""
    device = Device(await rooms.enrolling.begin(person(rooms, who)), clock)
    request = await rooms.enrolling.confirm(person(rooms, who), device.shows(-1), telegram_id=who)
    assert request is not None
    return device, request


async def decide(rooms: House, request: Request, who: int, decision: Decision = Decision.APPROVE) -> Request:
    return await rooms.approvals.decide(person(rooms, who), request.id, decision, Seen(request.hash), telegram_id=who)


async def seeds(rooms: House) -> int:
    return await rooms.database.read(lambda tables: tables["sealed"].count)


async def test_it_proves_nothing_until_an_admin_has_confirmed_it(rooms: House, clock: JumpingClock) -> None:
    device, request = await waiting(rooms, clock)
    standing = await rooms.factors.standing(person(rooms).id)
    assert (standing.is_active, standing.waiting) == (False, request.id)
    assert isinstance(await refused(rooms, device.shows()), FactorMissingError)
    assert await deeds(rooms, "factor.enrolled") == []
    done = await decide(rooms, request, BEA)
    assert (done.state, done.outcome) == (State.SUCCEEDED, "the second factor of Olga counts now")
    await shown(rooms, device.shows())
    assert await deeds(rooms, "factor.enrolled") == [{"request": request.id}]
    assert "Your second factor was set up" in await told(rooms, OLGA)


async def test_the_code_that_showed_it_works_is_used_up(rooms: House, clock: JumpingClock) -> None:
    device = Device(await rooms.enrolling.begin(person(rooms)), clock)
    code = device.shows()
    await rooms.enrolling.confirm(person(rooms), code, telegram_id=OLGA)
    await confirmed_by_another(rooms, person(rooms).id)
    assert type(await refused(rooms, code)).__name__ == "CodeUsedError"


async def test_nobody_confirms_their_own(rooms: House, clock: JumpingClock) -> None:
    _, request = await waiting(rooms, clock, ADAM)
    with pytest.raises(NotAllowedError):
        await decide(rooms, request, ADAM)
    assert not (await rooms.factors.standing(person(rooms, ADAM).id)).is_active


async def test_one_that_is_denied_or_comes_too_late_is_erased(rooms: House, clock: JumpingClock) -> None:
    device, request = await waiting(rooms, clock)
    await decide(rooms, request, ADAM, Decision.DENY)
    assert (await rooms.factors.standing(person(rooms).id)).waiting is None
    assert (await rooms.enrolling.void(), await seeds(rooms)) == (1, 0)
    _, request = await waiting(rooms, clock)
    assert (await rooms.enrolling.void(), await seeds(rooms)) == (0, 1)
    await clock.move(timedelta(hours=12).total_seconds())
    await rooms.approvals.expire()
    assert (await rooms.enrolling.void(), await seeds(rooms)) == (1, 0)
    assert isinstance(await refused(rooms, device.shows()), FactorMissingError)


async def test_setting_up_another_one_takes_the_first_ones_request_back(rooms: House, clock: JumpingClock) -> None:
    _, first = await waiting(rooms, clock)
    device, second = await waiting(rooms, clock)
    assert (await rooms.approvals.find(first.id)).state is State.CANCELLED
    with pytest.raises(ConflictError):
        await decide(rooms, first, BEA)
    await decide(rooms, second, BEA)
    await shown(rooms, device.shows())


async def test_a_signature_counts_for_what_was_set_up_and_nothing_later(rooms: House, clock: JumpingClock) -> None:
    """The seed that waits is not the one the admin was asked about."""
    _, request = await waiting(rooms, clock)

    def another(tables: Tables) -> None:
        tables.conn.execute("UPDATE factors SET waiting = NULL, enrolling_until = 1")

    await rooms.database.write(another)
    done = await decide(rooms, request, BEA)
    assert done.state is State.FAILED
    assert not (await rooms.factors.standing(person(rooms).id)).is_active


async def test_one_in_place_of_another_needs_the_old_ones_code_and_nobody_else(
    rooms: House, clock: JumpingClock
) -> None:
    device = await enrolled(rooms, clock)
    new = Device(await rooms.enrolling.begin_anew(person(rooms), device.shows(), telegram_id=OLGA), clock)
    assert await rooms.enrolling.confirm(person(rooms), new.shows(), telegram_id=OLGA) is None
    await clock.move(30)
    await shown(rooms, new.shows())


async def test_whoever_has_one_shows_it_to_confirm_anothers(rooms: House, clock: JumpingClock) -> None:
    phone = await enrolled(rooms, clock, BEA)
    _, request = await waiting(rooms, clock)
    with pytest.raises(ProofNeededError):
        await decide(rooms, request, BEA)
    await clock.move(30)
    code = rooms.factors.checking(person(rooms, BEA).id, phone.shows(), purpose="a test")
    done = await rooms.approvals.decide(
        person(rooms, BEA),
        request.id,
        Decision.APPROVE,
        Seen(request.hash),
        telegram_id=BEA,
        shown=Shown(Proof.CODE, code),
    )
    assert done.state is State.SUCCEEDED


async def test_the_only_admin_of_a_desk_is_not_locked_out(tmp_path: Path, clock: JumpingClock) -> None:
    """Nobody else could confirm it. Whoever decides or looks on hears of it."""
    members = [(OLGA, "Olga", ["operator"]), (CAROL, "Carol", ["approver"]), (2002, "Otto", ["auditor"])]
    async with opened(write_desk(tmp_path, admins=[ADAM], members=members), clock) as rooms:
        device = Device(await rooms.enrolling.begin(person(rooms, ADAM)), clock)
        assert await rooms.enrolling.confirm(person(rooms, ADAM), device.shows(-1), telegram_id=ADAM) is None
        await shown(rooms, device.shows(), ADAM)
        assert await deeds(rooms, "factor.enrolled") == [{"confirmed_by": "nobody: the only admin"}]
        news = "Admin 1 has set up a second factor"
        assert [await told(rooms, each) for each in (CAROL, 2002, OLGA)] == [[news], [news], []]
        _, request = await waiting(rooms, clock)  # anybody else's needs that admin, of course
        await clock.move(30)
        proof = rooms.factors.checking(person(rooms, ADAM).id, device.shows(), purpose="a test")
        shown_with = Shown(Proof.CODE, proof)
        done = await rooms.approvals.decide(
            person(rooms, ADAM), request.id, Decision.APPROVE, Seen(request.hash), telegram_id=ADAM, shown=shown_with
        )
        assert done.state is State.SUCCEEDED

"""What happens between a question and its answer counts: powers lost meanwhile are lost, and do not revive."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from bot.access.model import Role
from bot.approvals.model import Decision, Proof, Request, State
from bot.approvals.service import Seen, Shown
from bot.errors import (
    ClockDoubtedError,
    ConflictError,
    CountersignError,
    NotAllowedError,
    OwnerSuspendedError,
    ProofNeededError,
    RecordUnreadableError,
)
from bot.operations.factor_reset import wish_to_reset
from bot.operations.linked import Connection, Scope
from bot.operations.people import Doer
from bot.wiring import House
from tests.operations.test_factor import ADAM, BEA, CARL, OLGA, Device, enrolled, person
from tests.operations.test_factor import clock as clock
from tests.operations.test_factor import rooms as rooms
from tests.support.desk import opened, write_desk
from tests.support.jumping import JumpingClock

DAN, NORA = 1004, 2002


@pytest.fixture
def reopened(tmp_path: Path, clock: JumpingClock) -> Callable[[], AbstractAsyncContextManager[House]]:
    """Four admins, one more than a reset bars."""
    members = [(OLGA, "Olga", ["operator"]), (NORA, "Nora", ["viewer"])]
    config = write_desk(tmp_path, admins=[ADAM, BEA, CARL, DAN], members=members)
    return lambda: opened(config, clock)


async def signs(rooms: House, who: int, request: Request, shown: Shown | None = None) -> Request:
    seen = Seen(request.hash)
    return await rooms.approvals.decide(
        person(rooms, who), request.id, Decision.APPROVE, seen, telegram_id=who, shown=shown
    )


def doer(rooms: House, who: int) -> Doer:
    return Doer(person(rooms, who), who, "m/1")


async def reset_asked(rooms: House, by: int = OLGA) -> Request:
    return await rooms.approvals.ask(person(rooms, by), wish_to_reset(person(rooms)), telegram_id=by)


async def linked(rooms: House) -> Connection:
    owner = person(rooms).id
    await rooms.database.write(
        lambda tables: tables.conn.execute(
            "INSERT INTO connections (owner, provider, label, environment, created_at, tested_at)"
            " VALUES (?, 'capital', 'main', 'live', 0, 0)",
            (owner,),
        )
    )
    return (await rooms.connections.everything())[0]


async def test_a_vote_does_not_revive_when_who_cast_it_is_suspended_and_comes_back(
    rooms: House, clock: JumpingClock
) -> None:
    await enrolled(rooms, clock)
    reset = await reset_asked(rooms)
    await signs(rooms, ADAM, reset)
    adam = person(rooms, ADAM)
    await rooms.people.suspend(doer(rooms, BEA), adam.id)
    back = await rooms.people.resume(doer(rooms, BEA), adam.id)
    assert isinstance(back, Request)
    await signs(rooms, CARL, back)
    assert (await signs(rooms, DAN, reset)).state is State.PENDING


async def test_nor_when_the_role_is_taken_and_given_back(rooms: House, clock: JumpingClock) -> None:
    await enrolled(rooms, clock)
    reset = await reset_asked(rooms)
    await signs(rooms, ADAM, reset)
    adam = person(rooms, ADAM)
    await rooms.people.take(doer(rooms, BEA), adam.id, Role.ADMIN, None)
    back = await rooms.people.give(doer(rooms, BEA), adam.id, Role.ADMIN, None)
    assert isinstance(back, Request)
    await signs(rooms, CARL, back)
    assert (await signs(rooms, DAN, reset)).state is State.PENDING


async def test_a_reset_asked_for_by_somebody_who_is_no_admin_any_more_is_not_carried_out(
    rooms: House, clock: JumpingClock
) -> None:
    await enrolled(rooms, clock)
    reset = await reset_asked(rooms, ADAM)
    await rooms.people.take(doer(rooms, BEA), person(rooms, ADAM).id, Role.ADMIN, None)
    await signs(rooms, BEA, reset)
    assert (await signs(rooms, CARL, reset)).state is State.FAILED


async def test_a_clock_put_back_does_not_keep_a_request_open(rooms: House, clock: JumpingClock) -> None:
    await enrolled(rooms, clock)
    reset = await reset_asked(rooms)
    await signs(rooms, ADAM, reset)
    await clock.move(3600)
    clock.put(-3600)
    await rooms.timekeeping.watch()
    with pytest.raises(ClockDoubtedError):
        await rooms.approvals.decide(
            person(rooms, BEA),
            reset.id,
            Decision.APPROVE,
            Seen(reset.hash),
            telegram_id=BEA,
            shown=Shown(Proof.NONE, rooms.timekeeping.looking()),
        )


async def test_a_suspended_admin_does_not_settle_the_clock(rooms: House, clock: JumpingClock) -> None:
    bea = person(rooms, BEA)
    clock.put(-3600)
    await rooms.timekeeping.watch()
    doubt = await rooms.timekeeping.doubt()
    assert doubt is not None
    await rooms.people.suspend(doer(rooms, ADAM), bea.id)
    with pytest.raises(NotAllowedError):
        await rooms.timekeeping.acknowledge(bea, doubt.id, telegram_id=BEA)


async def test_a_suspended_person_sets_up_no_second_factor(rooms: House, clock: JumpingClock) -> None:
    olga = person(rooms)
    begun = await rooms.enrolling.begin(olga)
    await rooms.people.suspend(doer(rooms, ADAM), olga.id)
    with pytest.raises(CountersignError):
        await rooms.enrolling.confirm(olga, Device(begun, clock).shows(), telegram_id=OLGA)
    with pytest.raises(NotAllowedError):
        await rooms.enrolling.begin(olga)


async def test_a_suspended_owner_lets_nobody_act(rooms: House) -> None:
    olga, connection, roster = person(rooms), await linked(rooms), rooms.access.roster
    await rooms.people.suspend(doer(rooms, ADAM), olga.id)
    with pytest.raises(NotAllowedError):
        await rooms.sharing.share(olga, connection, Role.VIEWER, Scope.ACT, roster, telegram_id=OLGA)


async def test_a_record_from_before_its_owners_suspension_opens_no_session(
    rooms: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has the record in hand may come to ask after the suspension has ended the sessions there were."""
    before = await linked(rooms)
    built: list[str] = []
    monkeypatch.setattr(rooms.connections, "build", lambda provider, *_: built.append(provider))
    await rooms.people.suspend(doer(rooms, ADAM), person(rooms).id)
    assert before.owner_active
    for ask in (rooms.connections.session(before), rooms.connections.standing(before)):
        with pytest.raises(OwnerSuspendedError):
            async with ask:
                raise AssertionError("it was opened")
    with pytest.raises(OwnerSuspendedError):
        await rooms.connections.look(before)
    assert built == []


async def test_nor_does_one_from_before_it_was_unlinked(rooms: House) -> None:
    before = await linked(rooms)
    await rooms.credentials.unlink(person(rooms), before, rooms.access.roster, telegram_id=OLGA)
    with pytest.raises(RecordUnreadableError):
        async with rooms.connections.session(before):
            raise AssertionError("it was opened")
    assert before.id not in rooms.connections._sessions


async def test_who_is_no_admin_any_more_takes_no_share_away(rooms: House) -> None:
    olga, bea, connection = person(rooms), person(rooms, BEA), await linked(rooms)
    await rooms.sharing.share(olga, connection, Role.VIEWER, Scope.READ, rooms.access.roster, telegram_id=OLGA)
    await rooms.people.take(doer(rooms, ADAM), bea.id, Role.ADMIN, None)
    with pytest.raises(NotAllowedError):
        await rooms.sharing.unshare(bea, connection, Role.VIEWER, rooms.access.roster, telegram_id=BEA)


async def test_a_role_is_signed_with_a_code_by_whoever_has_a_second_factor(rooms: House, clock: JumpingClock) -> None:
    """Or an unlocked phone of one admin would make another, who then resets second factors."""
    phone = await enrolled(rooms, clock, BEA)
    wish = await rooms.people.give(doer(rooms, ADAM), person(rooms, NORA).id, Role.ADMIN, None)
    assert isinstance(wish, Request)
    with pytest.raises(ProofNeededError):
        await signs(rooms, BEA, wish)
    code = rooms.factors.checking(person(rooms, BEA).id, phone.shows(), purpose="sign", telegram_id=BEA)
    assert (await signs(rooms, BEA, wish, Shown(Proof.CODE, code))).state is State.SUCCEEDED


async def test_the_same_invitation_is_not_taken_up_twice(rooms: House) -> None:
    code = (await rooms.people.invite(person(rooms, ADAM), Role.VIEWER, None, None)).reveal()
    await rooms.people.open_invitation(code, 7777, "Nia")
    await rooms.people.come_in(7777, "Nia")
    with pytest.raises((ConflictError, CountersignError)):
        await rooms.people.open_invitation(code, 8888, "Mia")

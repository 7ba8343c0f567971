"""Two Telegram accounts of one person: a second admin signs for the second one, and together they are one vote."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.approvals.carriers import InHouse
from bot.approvals.model import Decision, Kind, Request, Rule, Seat, State
from bot.approvals.service import Seen, Wish
from bot.errors import ConflictError, NotAllowedError, NotFoundError
from bot.operations.people import Doer
from bot.store import Tables
from tests.operations.test_people import ADAM, ANNA, BEA, MEMBERS, OLGA, VERA, Desk
from tests.support.clock import HandClock
from tests.support.desk import opened, write_desk

SECOND = 3001
CARL = 1006


@pytest.fixture
async def desk(tmp_path: Path, clock: HandClock) -> AsyncIterator[Desk]:
    """Three admins, an operator, a viewer and an approver."""
    config = write_desk(tmp_path, admins=[ADAM], members=[*MEMBERS, (CARL, "Carl", ["admin"])])
    async with opened(config, clock) as rooms:
        yield Desk(rooms)


async def linked(desk: Desk, whom: int = OLGA) -> str:
    return (await desk.rooms.accounts.link(desk.doer(), desk.person(whom).id)).reveal()


async def claimed(desk: Desk, whom: int = OLGA, number: int = SECOND) -> Request:
    return await desk.rooms.accounts.claim(await linked(desk, whom), number, "Olgas phone")


async def added(desk: Desk, whom: int = OLGA, number: int = SECOND) -> None:
    await desk.signs(BEA if whom != BEA else CARL, await claimed(desk, whom, number))


async def told(desk: Desk, chat: int) -> str:
    rows = await desk.rows("SELECT body FROM outbox WHERE chat_id = ? ORDER BY id", chat)
    return str(rows)


async def test_an_account_counts_when_its_holder_has_opened_the_link_and_a_second_admin_has_signed(desk: Desk) -> None:
    code = await linked(desk)
    assert desk.rooms.access.is_invited(code)
    request = await desk.rooms.accounts.claim(code, SECOND, "Olgas phone")
    assert desk.rooms.access.roster.person(SECOND) is None
    assert "Let the Telegram account 3001, which calls itself Olgas phone, be Olga (person " in await told(desk, BEA)
    assert "The link was opened with the Telegram account 3001" in await told(desk, OLGA)
    done = await desk.signs(BEA, request)
    assert (done.state, done.outcome) == (State.SUCCEEDED, "the Telegram account 3001 is Olga's now")
    assert desk.person(SECOND) == desk.person(OLGA)
    for chat in (OLGA, SECOND):
        assert "The Telegram account 3001 is yours now" in await told(desk, chat)
    actions = await desk.rows("SELECT action FROM audit WHERE action LIKE 'account.%' ORDER BY seq")
    assert actions == [("account.invited",), ("account.claimed",), ("account.added",)]


async def test_neither_the_one_who_asked_nor_the_person_signs_it(desk: Desk) -> None:
    request = await claimed(desk, BEA)
    for who in (ADAM, BEA):
        with pytest.raises(NotAllowedError):
            await desk.signs(who, request)
    assert (await desk.signs(CARL, request)).state is State.SUCCEEDED


async def test_the_link_is_good_once_and_for_a_day(desk: Desk, clock: HandClock) -> None:
    code = await linked(desk)
    await desk.rooms.accounts.claim(code, SECOND, "")
    with pytest.raises(NotFoundError):
        await desk.rooms.accounts.claim(code, SECOND + 1, "")
    late = await linked(desk, VERA)
    await clock.move(24 * 3600)
    assert not desk.rooms.access.is_invited(late)
    with pytest.raises(NotFoundError):
        await desk.rooms.accounts.claim(late, SECOND + 1, "")


async def test_a_newer_link_takes_the_place_of_one_nobody_used(desk: Desk) -> None:
    first, second = await linked(desk), await linked(desk)
    assert [desk.rooms.access.is_invited(code) for code in (first, second)] == [False, True]


async def test_a_link_of_an_admin_who_is_none_any_more_opens_nothing(desk: Desk) -> None:
    code = await linked(desk)
    await desk.rooms.people.suspend(desk.doer(BEA), desk.person(ADAM).id)
    assert not desk.rooms.access.is_invited(code)


async def test_an_account_belongs_to_one_person(desk: Desk) -> None:
    with pytest.raises(ConflictError, match="is Vera's already"):
        await desk.rooms.accounts.claim(await linked(desk), VERA, "")
    first, second = await claimed(desk), await claimed(desk, VERA)
    await desk.signs(BEA, first)
    assert (await desk.signs(BEA, second)).state is State.FAILED
    assert desk.person(SECOND) == desk.person(OLGA)


async def test_a_desk_with_one_admin_makes_no_link(tmp_path: Path) -> None:
    async with opened(write_desk(tmp_path, members=[(OLGA, "Olga", ["operator"])])) as rooms:
        alone = Desk(rooms)
        with pytest.raises(ConflictError, match="name a second Telegram id under"):
            await linked(alone)


async def test_only_an_admin_makes_or_removes_one(desk: Desk) -> None:
    await added(desk)
    with pytest.raises(NotAllowedError):
        await desk.rooms.accounts.link(desk.doer(VERA), desk.person(OLGA).id)
    with pytest.raises(NotAllowedError):
        await desk.rooms.accounts.remove(desk.doer(VERA), desk.person(OLGA).id, SECOND)


# one person


class Painting(InHouse):
    """Two people must say yes."""

    def lines(self, parameters: object) -> tuple[str, ...]:
        return ("Paint the desk green.",)

    def rule(self, tables: Tables, asked_by: object, parameters: object) -> Rule:
        return Rule((Seat("role/admin", 2),), life=timedelta(hours=1))

    def carry(self, tables: Tables, request: Request) -> str:
        return "painted"


async def asked(desk: Desk, by: int = OLGA) -> Request:
    desk.rooms.approvals.carriers[Kind.ROLE] = Painting()
    wish = Wish(Kind.ROLE, {"colour": "green"})
    return await desk.rooms.approvals.ask(desk.person(by), wish, telegram_id=by)


async def vote(desk: Desk, telegram_id: int, request: Request) -> Request:
    person = desk.person(telegram_id)
    return await desk.rooms.approvals.decide(
        person, request.id, Decision.APPROVE, Seen(request.hash), telegram_id=telegram_id
    )


async def test_two_accounts_are_one_vote_and_one_seat(desk: Desk) -> None:
    await added(desk, BEA)
    request = await asked(desk)
    assert (await vote(desk, BEA, request)).state is State.PENDING
    with pytest.raises(ConflictError, match="recorded already"):
        await vote(desk, SECOND, request)
    assert (await desk.rooms.approvals.find(request.id)).state is State.PENDING
    assert (await vote(desk, ADAM, request)).state is State.SUCCEEDED


async def test_nobody_signs_with_one_account_what_they_asked_for_with_the_other(desk: Desk) -> None:
    await added(desk, BEA)
    request = await asked(desk, BEA)
    with pytest.raises(NotAllowedError):
        await vote(desk, SECOND, request)


async def test_a_suspension_locks_every_account_out(desk: Desk) -> None:
    await added(desk)
    await desk.rooms.people.suspend(desk.doer(), desk.person(OLGA).id)
    assert [desk.rooms.access.roster.person(each) for each in (OLGA, SECOND)] == [None, None]


# one less


async def test_an_account_that_is_removed_is_a_stranger_at_once(desk: Desk) -> None:
    await added(desk, BEA)
    request = await asked(desk)
    await vote(desk, SECOND, request)
    bea = desk.person(BEA).id
    await desk.rooms.accounts.remove(desk.doer(), bea, SECOND)
    assert desk.rooms.access.roster.person(SECOND) is None
    assert await desk.rows("SELECT 1 FROM outbox WHERE state = 'waiting' AND chat_id = ?", SECOND) == []
    assert await desk.rows("SELECT 1 FROM cards WHERE chat_id = ?", SECOND) == []
    assert "removed the Telegram account 3001" in await told(desk, BEA)
    assert "removed the Telegram account 3001 of Bea" in await told(desk, CARL)
    assert (await vote(desk, ADAM, request)).state is State.PENDING, "what the account said counts no more"
    assert await desk.rows("SELECT chat_id FROM outbox WHERE chat_id = ? AND state = 'waiting'", SECOND) == []
    assert (await vote(desk, CARL, request)).state is State.SUCCEEDED


async def test_the_last_account_stays_and_anothers_is_not_theirs(desk: Desk) -> None:
    olga = desk.person(OLGA).id
    with pytest.raises(ConflictError, match="/suspend locks a person out"):
        await desk.rooms.accounts.remove(desk.doer(), olga, OLGA)
    await added(desk)
    with pytest.raises(NotFoundError):
        await desk.rooms.accounts.remove(desk.doer(), olga, ANNA)


async def test_what_was_asked_dies_with_the_admin_who_asked(desk: Desk) -> None:
    request = await claimed(desk)
    await desk.rooms.people.suspend(Doer(desk.person(BEA), BEA), desk.person(ADAM).id)
    assert (await desk.rooms.approvals.find(request.id)).state is State.CANCELLED

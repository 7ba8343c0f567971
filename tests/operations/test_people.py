"""What a change of people means for everything else: requests, drafts, keys, what waits to be told."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from bot.access.differing import people_differing
from bot.access.model import Person, Role
from bot.approvals.carriers import InHouse
from bot.approvals.model import Decision, Kind, Request, Rule, Seat, State
from bot.approvals.service import Seen, Wish
from bot.errors import ConflictError, CountersignError, InputError, NotAllowedError, NotFoundError, StoreError
from bot.messages.notice import Lane, Notice
from bot.operations.people import Doer
from bot.secret import Secret
from bot.store import Tables
from bot.vault.service import Subject
from bot.wiring import DATABASE, House
from tests.support.clock import HandClock
from tests.support.desk import GROUP, loaded, opened, write_desk

ADAM, BEA, OLGA, VERA, ANNA, NEW = 1001, 1002, 1003, 1004, 1005, 2001
MEMBERS = (
    (BEA, "Bea", ["admin"]),
    (OLGA, "Olga", ["operator"]),
    (VERA, "Vera", ["viewer"]),
    (ANNA, "Anna", ["approver"]),
)


@dataclass
class Desk:
    rooms: House

    def person(self, telegram_id: int) -> Person:
        person = self.rooms.access.roster.person(telegram_id)
        assert person is not None
        return person

    def doer(self, telegram_id: int = ADAM, asked_in: str | None = None) -> Doer:
        return Doer(self.person(telegram_id), telegram_id, asked_in)

    async def rows(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        found = await self.rooms.database.read(lambda tables: tables.conn.execute(statement, values).fetchall())
        return list(found)

    async def signs(self, telegram_id: int, request: Request) -> Request:
        return await self.rooms.approvals.decide(
            self.person(telegram_id), request.id, Decision.APPROVE, Seen(request.hash), telegram_id=telegram_id
        )

    async def invited(self, role: Role, group: str | None = None, by: int = ADAM) -> str:
        return (await self.rooms.people.invite(self.person(by), role, group, None)).reveal()

    async def comes_in(self, code: str, number: int = NEW, name: str = "Nora") -> None:
        await self.rooms.people.open_invitation(code, number, name)
        await self.rooms.people.come_in(number, name)


@pytest.fixture
async def desk(tmp_path: Path, clock: HandClock) -> AsyncIterator[Desk]:
    async with opened(write_desk(tmp_path, admins=[ADAM], members=MEMBERS), clock) as rooms:
        yield Desk(rooms)


# coming in


async def test_of_many_who_come_with_one_code_at_once_one_comes_in(desk: Desk) -> None:
    code = await desk.invited(Role.VIEWER)

    async def comes(number: int) -> None:
        await desk.comes_in(code, number, f"Newcomer {number} {chr(65 + number % 26)}")

    results = await asyncio.gather(*(comes(number) for number in range(5000, 5020)), return_exceptions=True)
    assert [type(one).__name__ for one in results].count("NoneType") == 1
    assert len([number for number in desk.rooms.access.roster.by_telegram_id if number >= 5000]) == 1


async def test_nobody_hands_themselves_a_role_by_an_invitation_of_their_own(desk: Desk) -> None:
    code = await desk.invited(Role.OPERATOR)
    with pytest.raises(ConflictError):
        await desk.rooms.people.join(code, ADAM)
    assert desk.person(ADAM).roles == {Role.ADMIN}
    assert (await desk.rooms.people.join(code, VERA)).person.roles == {Role.VIEWER, Role.OPERATOR}


async def test_somebody_suspended_does_not_come_back_by_an_invitation(desk: Desk) -> None:
    await desk.rooms.people.suspend(desk.doer(), desk.person(OLGA).id)
    code = await desk.invited(Role.VIEWER)
    for act in (desk.rooms.people.join(code, OLGA), desk.rooms.people.open_invitation(code, OLGA, "Olga")):
        with pytest.raises(ConflictError):
            await act
    assert desk.rooms.access.is_invited(code)


async def test_whoever_has_no_name_yet_does_not_come_in_by_joining(desk: Desk) -> None:
    code = await desk.invited(Role.VIEWER)
    with pytest.raises(NotFoundError):
        await desk.rooms.people.join(code, NEW)
    with pytest.raises(NotFoundError):
        await desk.rooms.people.come_in(NEW, "Nora")
    assert desk.rooms.access.is_invited(code)


async def test_a_name_that_looks_like_a_suspended_persons_is_taken_too(desk: Desk) -> None:
    await desk.rooms.people.suspend(desk.doer(), desk.person(OLGA).id)
    code = await desk.invited(Role.VIEWER)
    assert (await desk.rooms.people.open_invitation(code, NEW, "0lga")).offered_name == ""
    with pytest.raises(InputError):
        await desk.rooms.people.come_in(NEW, "0lga")


async def test_what_the_audit_log_cannot_take_does_not_happen(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    code = await desk.invited(Role.VIEWER)
    await desk.rooms.people.open_invitation(code, NEW, "Nora")
    olga = desk.person(OLGA)

    def full(*_: object) -> None:
        raise StoreError("the audit log is full")

    monkeypatch.setattr(desk.rooms.audit, "record", full)
    people = desk.rooms.people
    for act in (
        people.come_in(NEW, "Nora"),
        people.give(desk.doer(), olga.id, Role.AUDITOR, None),
        people.take(desk.doer(), olga.id, Role.OPERATOR, None),
        people.suspend(desk.doer(), olga.id),
        people.give(desk.doer(), olga.id, Role.APPROVER, None),
    ):
        with pytest.raises(StoreError):
            await act
    assert desk.person(OLGA) == olga
    assert desk.rooms.access.roster.person(NEW) is None
    assert await desk.rows("SELECT * FROM requests") == []
    assert await desk.rows("SELECT * FROM outbox") == []


# requests


async def test_the_same_message_asks_once(desk: Desk) -> None:
    olga = desk.person(OLGA).id
    assert await desk.rooms.people.give(desk.doer(asked_in="m/1/1"), olga, Role.APPROVER, None) is not None
    with pytest.raises(ConflictError):
        await desk.rooms.people.give(desk.doer(asked_in="m/1/1"), olga, Role.APPROVER, None)


async def test_whom_it_is_about_does_not_sign_even_as_an_admin(desk: Desk) -> None:
    vera = desk.person(VERA).id
    third = await desk.rooms.people.give(desk.doer(), vera, Role.ADMIN, None)
    assert third is not None
    await desk.signs(BEA, third)

    request = await desk.rooms.people.give(desk.doer(), desk.person(BEA).id, Role.APPROVER, "risk")
    assert request is not None
    with pytest.raises(NotAllowedError):
        await desk.signs(BEA, request)
    with pytest.raises(NotAllowedError):
        await desk.signs(ADAM, request)
    assert (await desk.signs(VERA, request)).state is State.SUCCEEDED
    assert (desk.person(BEA).roles, desk.person(BEA).groups) == ({Role.ADMIN, Role.APPROVER}, {"risk"})


@pytest.mark.parametrize(
    ("meanwhile", "outcome"),
    [
        ("the role is there", "Olga is approver already"),
        ("they are suspended", "Olga is suspended"),
        ("the asker is no admin any more", "whoever asked for it is no admin any more"),
    ],
)
async def test_what_has_changed_between_asking_and_signing_counts(desk: Desk, meanwhile: str, outcome: str) -> None:
    people, olga = desk.rooms.people, desk.person(OLGA).id
    third = await people.give(desk.doer(), desk.person(VERA).id, Role.ADMIN, None)
    assert third is not None
    await desk.signs(BEA, third)
    request = await people.give(desk.doer(), olga, Role.APPROVER, None)
    assert request is not None
    if meanwhile == "the role is there":
        same = await people.give(desk.doer(BEA), olga, Role.APPROVER, None)
        assert same is not None
        await desk.signs(VERA, same)
    elif meanwhile == "they are suspended":
        await people.suspend(desk.doer(BEA), olga)
    else:
        await people.take(desk.doer(BEA), desk.person(ADAM).id, Role.ADMIN, None)
    ended = await desk.signs(BEA, request)
    assert (ended.state, ended.outcome) == (State.FAILED, outcome)


async def test_whoever_comes_back_comes_back_as_what_was_signed(desk: Desk) -> None:
    people, anna = desk.rooms.people, desk.person(ANNA).id
    await people.suspend(desk.doer(), anna)
    request = await people.resume(desk.doer(), anna)
    assert request is not None
    await people.give(desk.doer(), desk.person(VERA).id, Role.AUDITOR, None)  # of no consequence
    await people.take(desk.doer(BEA), anna, Role.APPROVER, None)
    ended = await desk.signs(BEA, request)
    assert (ended.state, ended.outcome) == (State.FAILED, "the roles of Anna have changed meanwhile")
    assert desk.rooms.access.roster.person(ANNA) is None


async def test_a_request_that_nobody_is_left_to_sign_ends_with_the_last_signer(desk: Desk) -> None:
    request = await desk.rooms.people.give(desk.doer(), desk.person(OLGA).id, Role.APPROVER, None)
    assert request is not None
    await desk.rooms.people.take(desk.doer(), desk.person(BEA).id, Role.ADMIN, None)
    ended = await desk.rooms.approvals.find(request.id)
    assert (ended.state, ended.outcome) == (State.EXPIRED, "nobody is left who could sign for another admin")


class Harmless(InHouse):
    """A kind of request that two admins must sign."""

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return ("Something harmless.",)

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        return Rule((Seat("role/admin", 2),))

    def carry(self, tables: Tables, request: Request) -> str:
        return "done"


async def test_the_vote_of_somebody_suspended_since_does_not_count(desk: Desk) -> None:
    for telegram_id in (VERA, ANNA):
        more = await desk.rooms.people.give(desk.doer(), desk.person(telegram_id).id, Role.ADMIN, None)
        assert more is not None
        await desk.signs(BEA, more)
    desk.rooms.approvals.carriers[Kind.FACTOR_RESET] = Harmless()
    request = await desk.rooms.approvals.ask(desk.person(ADAM), Wish(Kind.FACTOR_RESET, {}), telegram_id=ADAM)
    await desk.signs(BEA, request)
    await desk.rooms.people.suspend(desk.doer(), desk.person(BEA).id)
    assert (await desk.signs(VERA, request)).state is State.PENDING
    assert (await desk.signs(ANNA, request)).state is State.SUCCEEDED


# suspension


async def test_a_suspension_leaves_nothing_open(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    olga, rooms = desk.person(OLGA), desk.rooms
    forgotten: list[int] = []
    monkeypatch.setattr(rooms.vault, "forget", forgotten.append)
    draft = Subject(f"draft/{olga.id}", olga.id, "draft", "draft", "draft")
    await rooms.linking.begin(olga, ["crm"])
    await rooms.vault.keep(draft, {"api_key": Secret("half of a login")})
    card = await rooms.cards.make("disconnect", olga.id, OLGA, {})
    await rooms.database.write(
        lambda tables: tables.conn.execute(
            "INSERT INTO entry_links (token_hash, person_id, purpose, body, created_at, expires_at)"
            " VALUES ('h', ?, 'connect', '{}', 1, 2)",
            (olga.id,),
        )
    )
    balance = Notice(Lane.EVENTS, OLGA, "Balance", ("12,345.60 USD",))
    await rooms.database.write(lambda tables: rooms.outbox.put(tables, balance))

    await rooms.people.suspend(desk.doer(), olga.id)

    assert rooms.access.roster.person(OLGA) is None
    assert rooms.access.roster.suspended[OLGA].id == olga.id
    assert forgotten == [olga.id]
    assert await rooms.cards.draft(olga.id) is None
    assert await desk.rows("SELECT * FROM sealed WHERE subject = ?", draft.name) == []
    assert await desk.rows("SELECT * FROM entry_links") == []
    assert await desk.rows("SELECT version FROM cards WHERE id = ?", card.id) == [(2,)]
    waiting = await desk.rows("SELECT body FROM outbox WHERE chat_id = ?", OLGA)
    assert len(waiting) == 1
    assert "You are suspended" in str(waiting)
    assert await desk.rows("SELECT action, object, person_id, telegram_id FROM audit ORDER BY seq DESC LIMIT 1") == [
        ("person.suspended", f"person/{olga.id}", desk.person(ADAM).id, ADAM)
    ]


async def test_the_admins_but_for_who_did_it_are_told_and_before_prices(desk: Desk) -> None:
    await desk.rooms.people.suspend(desk.doer(), desk.person(OLGA).id)
    told = await desk.rows("SELECT chat_id, lane FROM outbox ORDER BY chat_id")
    assert told == [(BEA, int(Lane.SECURITY)), (OLGA, int(Lane.SECURITY))]


@pytest.mark.parametrize("verb", ["give", "take", "suspend", "resume"])
async def test_an_admin_of_a_moment_ago_changes_nothing(desk: Desk, verb: str) -> None:
    bea, olga, people = desk.doer(BEA), desk.person(OLGA), desk.rooms.people
    if verb == "resume":
        await people.suspend(desk.doer(), olga.id)
    await people.take(desk.doer(), bea.person.id, Role.ADMIN, None)
    before = await desk.rows("SELECT count(*) FROM audit")
    acts = {
        "give": lambda: people.give(bea, olga.id, Role.VIEWER, None),
        "take": lambda: people.take(bea, olga.id, Role.OPERATOR, None),
        "suspend": lambda: people.suspend(bea, olga.id),
        "resume": lambda: people.resume(bea, olga.id),
    }
    with pytest.raises(NotAllowedError):
        await acts[verb]()
    assert await desk.rows("SELECT count(*) FROM audit") == before


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
async def test_nobody_below_an_admin_changes_people(desk: Desk, role: Role) -> None:
    vera = desk.person(VERA)
    await desk.rooms.database.write(
        lambda tables: tables.conn.execute("UPDATE roles SET role = ? WHERE person_id = ?", (role.value, vera.id))
    )
    await desk.rooms.access.refresh()
    doer, people, olga = desk.doer(VERA), desk.rooms.people, desk.person(OLGA).id
    for act in (
        people.give(doer, olga, Role.VIEWER, None),
        people.take(doer, olga, Role.OPERATOR, None),
        people.suspend(doer, olga),
        people.invite(doer.person, Role.VIEWER, None, GROUP),
    ):
        with pytest.raises(NotAllowedError):
            await act


async def test_two_admins_who_suspend_each_other_at_once_leave_one(desk: Desk) -> None:
    adam, bea = desk.doer(ADAM), desk.doer(BEA)
    results = await asyncio.gather(
        desk.rooms.people.suspend(adam, bea.person.id),
        desk.rooms.people.suspend(bea, adam.person.id),
        return_exceptions=True,
    )
    assert len([one for one in results if isinstance(one, CountersignError)]) == 1
    assert len(desk.rooms.access.roster.admins) == 1


# the configuration


async def test_the_second_admin_comes_by_the_configuration_and_the_first_is_told(tmp_path: Path) -> None:
    async with opened(write_desk(tmp_path)) as rooms:
        assert len(rooms.access.roster.admins) == 1
    path = write_desk(tmp_path, admins=[ADAM, BEA, VERA])
    config = loaded(path)
    coming, other = people_differing(config.data_dir / DATABASE, config.people)
    assert coming == "1002 becomes an admin with the next start, because the desk has only one"
    assert re.match(r"1004 is admin in the configuration and unknown at the desk", other)
    async with opened(path) as rooms:
        desk = Desk(rooms)
        assert set(rooms.access.roster.by_telegram_id) == {ADAM, BEA}
        told = await desk.rows("SELECT chat_id, body FROM outbox ORDER BY chat_id")
        assert [chat for chat, _ in told] == [ADAM, BEA]
        assert "the configuration names them" in str(told[0])
    (other,) = people_differing(config.data_dir / DATABASE, config.people)
    assert other.startswith("1004 is admin")


async def test_an_invitation_expires_between_opening_and_coming_in(desk: Desk, clock: HandClock) -> None:
    code = await desk.invited(Role.VIEWER)
    await desk.rooms.people.open_invitation(code, NEW, "Nora")
    assert desk.rooms.access.is_joining(NEW)
    clock.moment += timedelta(hours=24)
    assert not desk.rooms.access.is_joining(NEW)
    with pytest.raises(NotFoundError):
        await desk.rooms.people.come_in(NEW, "Nora")

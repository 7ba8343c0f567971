"""People come by the configuration once, and by invitations; what counts is one picture of them."""

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from bot.access.model import RIGHTS, Person, Right, Role
from bot.access.service import Access
from bot.config import Member
from bot.errors import InputError, NotAllowedError, NotFoundError, StoreError
from bot.ports import Deed
from bot.store import Database, Tables
from tests.support.clock import HandClock

ANNA, BEN, CLEO, STRANGER = 1001, 2002, 3003, 9009
GROUP = -5


class Diary:
    """Notes what was recorded; refuses when told to."""

    def __init__(self) -> None:
        self.deeds: list[Deed] = []
        self.broken = False

    def record(self, tables: Tables, deed: Deed) -> None:
        assert tables.conn.in_transaction
        if self.broken:
            raise StoreError("the audit log is full")
        self.deeds.append(deed)


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def access(database: Database, diary: Diary, clock: HandClock) -> Access:
    return Access(database, diary, clock, [GROUP])


@pytest.fixture
async def anna(access: Access) -> Person:
    """The admin of a started desk."""
    await access.start([ANNA], [])
    return here(access, ANNA)


def here(access: Access, telegram_id: int) -> Person:
    person = access.roster.person(telegram_id)
    assert person is not None
    return person


def member(telegram_id: int, name: str, *roles: str) -> Member:
    return Member(id=telegram_id, name=name, roles=list(roles))  # type: ignore[arg-type]


async def count(database: Database, table: str) -> int:
    return await database.read(lambda tables: tables[table].count)


async def suspend(database: Database, access: Access, telegram_id: int) -> None:
    def change(tables: Tables) -> None:
        tables.conn.execute(
            "UPDATE persons SET state = 'suspended'"
            " WHERE id = (SELECT person_id FROM telegram_ids WHERE telegram_id = ?)",
            (telegram_id,),
        )

    await database.write(change)
    await access.refresh()


async def test_an_empty_desk_is_seeded_with_admins_and_members(access: Access, diary: Diary) -> None:
    await access.start([ANNA, CLEO], [member(BEN, "Ben", "operator", "viewer"), member(CLEO, "Cleo", "approver")])

    assert (here(access, ANNA).name, here(access, ANNA).roles) == ("Admin 1", {Role.ADMIN})
    assert (here(access, BEN).name, here(access, BEN).roles) == ("Ben", {Role.OPERATOR, Role.VIEWER})
    assert (here(access, CLEO).name, here(access, CLEO).roles) == ("Cleo", {Role.ADMIN, Role.APPROVER})
    assert {person.name for person in access.roster.admins} == {"Admin 1", "Cleo"}
    assert access.roster.groups == {GROUP}
    assert access.roster.person(STRANGER) is None
    assert sorted(deed.action for deed in diary.deeds) == ["person.seeded"] * 3
    assert {deed.details["roles"] for deed in diary.deeds} == {"admin", "operator viewer", "admin approver"}


async def test_a_desk_with_people_is_never_seeded_again(access: Access, diary: Diary) -> None:
    await access.start([ANNA, CLEO], [])
    await access.start([STRANGER, ANNA, CLEO], [member(BEN, "Ben", "admin")])
    assert set(access.roster.by_telegram_id) == {ANNA, CLEO}
    assert len(diary.deeds) == 2


async def test_a_desk_with_one_admin_takes_up_one_more_of_the_configuration(
    access: Access, anna: Person, diary: Diary
) -> None:
    told: list[str] = []
    await access.start([ANNA, CLEO, STRANGER], [], lambda tables, person: told.append(person.name))
    assert (here(access, CLEO).name, here(access, CLEO).roles) == ("Admin 2", {Role.ADMIN})
    assert access.roster.person(STRANGER) is None
    assert told == ["Admin 2"]
    seeded = Deed("person.seeded", "person/2", None, CLEO, {"roles": "admin", "via": "configuration"})
    assert diary.deeds[1:] == [seeded]

    await access.start([ANNA, CLEO, STRANGER], [])
    assert access.roster.person(STRANGER) is None


async def test_the_second_admin_may_be_somebody_who_is_here_but_not_somebody_suspended(
    access: Access, database: Database
) -> None:
    people = [member(BEN, "Ben", "viewer"), member(CLEO, "Cleo", "viewer")]
    await access.start([ANNA], people)
    await suspend(database, access, BEN)
    await access.start([ANNA, BEN, CLEO], [])
    assert here(access, CLEO).roles == {Role.VIEWER, Role.ADMIN}
    assert access.roster.person(BEN) is None
    assert access.roster.suspended[BEN].roles == {Role.VIEWER}


async def test_without_an_audit_row_nobody_is_seeded(access: Access, diary: Diary, database: Database) -> None:
    diary.broken = True
    with pytest.raises(StoreError):
        await access.start([ANNA], [])
    assert await count(database, "persons") == 0


async def test_the_code_itself_is_kept_nowhere(
    access: Access, anna: Person, database: Database, diary: Diary, tmp_path: Path
) -> None:
    code = (await access.invite(anna, Role.VIEWER)).reveal()
    await database.close()
    assert len(code) == 26
    assert code.encode() not in b"".join((tmp_path / name).read_bytes() for name in os.listdir(tmp_path))
    assert code not in repr(access.roster) + repr(diary.deeds)


async def test_an_invitation_is_good_for_24_hours_to_the_millisecond(
    access: Access, anna: Person, clock: HandClock
) -> None:
    code = (await access.invite(anna, Role.VIEWER)).reveal()
    clock.moment += timedelta(hours=24) - timedelta(milliseconds=1)
    assert access.is_invited(code)
    clock.moment += timedelta(milliseconds=1)
    assert not access.is_invited(code)


@pytest.mark.parametrize("code", ["", "x", "a" * 26, "' OR 1=1 --", "\x00", "é" * 26])
async def test_a_guessed_code_is_nothing(access: Access, anna: Person, code: str) -> None:
    await access.invite(anna, Role.VIEWER)
    assert not access.is_invited(code)


async def test_the_invitations_of_somebody_who_is_no_admin_any_more_are_void(
    access: Access, database: Database
) -> None:
    await access.start([ANNA, CLEO], [])
    first, second = [(await access.invite(here(access, one), Role.VIEWER)).reveal() for one in (ANNA, CLEO)]
    await suspend(database, access, CLEO)
    assert access.is_invited(first)
    assert not access.is_invited(second)


@pytest.mark.parametrize("role", ["viewer", "operator", "auditor", "admin"])
async def test_only_an_approver_is_invited_into_a_group(access: Access, anna: Person, role: str) -> None:
    with pytest.raises(InputError):
        await access.invite(anna, Role(role), "finance")
    code = (await access.invite(anna, Role.APPROVER, "finance")).reveal()
    invite = access.invitation(code)
    assert invite is not None
    assert (invite.role, invite.group) == (Role.APPROVER, "finance")


async def test_an_admin_does_not_come_and_go_with_a_chat(access: Access, anna: Person) -> None:
    with pytest.raises(InputError):
        await access.invite(anna, Role.ADMIN, via_chat=GROUP)
    assert access.roster.invites == {}


@pytest.mark.parametrize(
    "roles", [["viewer"], ["operator"], ["approver"], ["auditor"], ["viewer", "operator", "approver"]]
)
async def test_only_an_admin_invites(access: Access, database: Database, roles: Sequence[str]) -> None:
    await access.start([ANNA], [member(BEN, "Ben", *roles)])
    with pytest.raises(NotAllowedError):
        await access.invite(here(access, BEN), Role.VIEWER)
    assert await count(database, "invites") == 0


async def test_an_admin_of_a_moment_ago_invites_nobody(access: Access, database: Database) -> None:
    await access.start([ANNA, CLEO], [])
    cleo = here(access, CLEO)
    await suspend(database, access, CLEO)
    with pytest.raises(NotAllowedError):
        await access.invite(cleo, Role.VIEWER)


async def test_an_invitation_whose_audit_row_fails_does_not_exist(
    access: Access, anna: Person, diary: Diary, database: Database
) -> None:
    diary.broken = True
    with pytest.raises(StoreError):
        await access.invite(anna, Role.VIEWER)
    assert await count(database, "invites") == 0
    assert access.roster.invites == {}


async def test_a_new_picture_is_told_to_whoever_watches(access: Access, anna: Person) -> None:
    seen: list[int] = []
    access.watch(lambda: seen.append(len(access.roster.invites)))
    await access.invite(anna, Role.VIEWER)
    assert seen == [1]


async def test_somebody_who_is_no_approver_sits_in_no_group(access: Access, anna: Person, database: Database) -> None:
    await database.write(
        lambda tables: tables.conn.execute(
            "INSERT INTO approver_groups (person_id, name) VALUES (?, 'finance')", (anna.id,)
        )
    )
    await access.refresh()
    assert here(access, ANNA).groups == frozenset()


async def test_a_person_is_found_by_our_own_id(access: Access, anna: Person) -> None:
    assert await access.get(anna.id) == anna
    with pytest.raises(NotFoundError):
        await access.get(999)


async def test_the_picture_survives_a_restart(
    access: Access, anna: Person, database: Database, diary: Diary, clock: HandClock
) -> None:
    code = (await access.invite(anna, Role.VIEWER)).reveal()
    again = Access(database, diary, clock, [GROUP])
    assert again.roster.person(ANNA) is None
    await again.start([], [])
    assert again.roster == access.roster
    assert again.is_invited(code)


def test_what_each_role_may_do_is_written_down_here_too() -> None:
    assert {role.value: {right.name for right in rights} for role, rights in RIGHTS.items()} == {
        "viewer": {"TALK", "READ"},
        "operator": {"TALK", "READ", "ALERT", "ASK", "LINK", "FREEZE", "SETTLE"},
        "approver": {"TALK", "READ", "DECIDE", "FREEZE", "SETTLE"},
        "auditor": {"TALK", "READ", "READ_AUDIT", "SEE_PEOPLE"},
        "admin": {"TALK", "READ", "LINK", "DECIDE", "FREEZE", "SETTLE", "SEE_PEOPLE", "INVITE", "PEOPLE", "POLICY"},
    }
    nobody = Person(1, "x", frozenset(), frozenset({1}))
    assert [right.name for right in Right if nobody.may(right)] == ["ENTER"]

"""People come by the configuration once, and by invitations that work once."""

import asyncio
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from bot.access.model import RIGHTS, Person, Right, Role
from bot.access.service import Access
from bot.config import Member
from bot.errors import ConflictError, InputError, NotAllowedError, NotFoundError, StoreError
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


async def test_a_desk_with_people_is_never_seeded_again(access: Access, anna: Person, diary: Diary) -> None:
    await access.start([STRANGER], [member(BEN, "Ben", "admin")])
    assert set(access.roster.by_telegram_id) == {ANNA}
    assert len(diary.deeds) == 1


async def test_without_an_audit_row_nobody_is_seeded(access: Access, diary: Diary, database: Database) -> None:
    diary.broken = True
    with pytest.raises(StoreError):
        await access.start([ANNA], [])
    assert await count(database, "persons") == 0


async def test_an_invitation_brings_one_person_with_one_role_once(access: Access, anna: Person, diary: Diary) -> None:
    code = (await access.invite(anna, Role.OPERATOR)).reveal()
    assert access.is_invited(code)

    person, role = await access.join(code, BEN, "Ben")

    assert role is Role.OPERATOR
    assert person == here(access, BEN)
    assert (person.name, person.roles, person.telegram_ids) == ("Ben", {Role.OPERATOR}, {BEN})
    assert not access.is_invited(code)
    with pytest.raises(NotFoundError):
        await access.join(code, CLEO, "Cleo")
    assert access.roster.person(CLEO) is None
    assert [(deed.action, deed.person_id, deed.telegram_id) for deed in diary.deeds[1:]] == [
        ("person.invited", anna.id, None),
        ("person.joined", person.id, BEN),
    ]


async def test_the_code_itself_is_kept_nowhere(
    access: Access, anna: Person, database: Database, diary: Diary, tmp_path: Path
) -> None:
    code = (await access.invite(anna, Role.VIEWER)).reveal()
    await access.join(code, BEN, "Ben")
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
    await access.join(code, BEN, "Ben")
    late = (await access.invite(anna, Role.VIEWER)).reveal()
    clock.moment += timedelta(hours=24)
    assert not access.is_invited(late)
    with pytest.raises(NotFoundError):
        await access.join(late, CLEO, "Cleo")


@pytest.mark.parametrize("code", ["", "x", "a" * 26, "' OR 1=1 --", "\x00", "é" * 26])
async def test_a_guessed_code_is_nothing(access: Access, anna: Person, database: Database, code: str) -> None:
    await access.invite(anna, Role.VIEWER)
    assert not access.is_invited(code)
    with pytest.raises(NotFoundError) as caught:
        await access.join(code, STRANGER, "x")
    assert code == "" or code not in caught.value.name
    assert await count(database, "persons") == 1


async def test_of_two_who_use_a_code_at_once_one_comes_in(access: Access, anna: Person, database: Database) -> None:
    code = (await access.invite(anna, Role.VIEWER)).reveal()
    results = await asyncio.gather(
        *(access.join(code, telegram_id, "x") for telegram_id in range(500, 520)), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["NotFoundError"] * 19 + ["tuple"]
    assert await count(database, "persons") == 2
    assert len(access.roster.by_telegram_id) == 2


async def test_one_person_with_two_codes_at_once_is_one_person(
    access: Access, anna: Person, database: Database
) -> None:
    codes = [(await access.invite(anna, role)).reveal() for role in (Role.VIEWER, Role.APPROVER)]
    await asyncio.gather(*(access.join(code, BEN, "Ben") for code in codes))
    assert here(access, BEN).roles == {Role.VIEWER, Role.APPROVER}
    assert await count(database, "persons") == 2


async def test_somebody_who_is_here_already_gains_the_role_and_keeps_name_and_id(access: Access, anna: Person) -> None:
    ben, _ = await access.join((await access.invite(anna, Role.VIEWER)).reveal(), BEN, "Ben")
    person, _ = await access.join((await access.invite(anna, Role.OPERATOR)).reveal(), BEN, "Another name")
    assert person.id == ben.id
    assert (person.name, person.roles) == ("Ben", {Role.VIEWER, Role.OPERATOR})
    again, _ = await access.join((await access.invite(anna, Role.OPERATOR)).reveal(), BEN, "x")
    assert again == person


async def test_nobody_hands_themselves_a_role_by_an_invitation_of_their_own(access: Access, anna: Person) -> None:
    code = (await access.invite(anna, Role.APPROVER)).reveal()
    with pytest.raises(ConflictError):
        await access.join(code, ANNA, "Anna")
    assert here(access, ANNA).roles == {Role.ADMIN}
    assert (await access.join(code, BEN, "Ben"))[0].roles == {Role.APPROVER}  # it was not used up


async def test_somebody_suspended_is_out_at_once_and_does_not_come_back_by_invitation(
    access: Access, anna: Person, database: Database
) -> None:
    await access.join((await access.invite(anna, Role.VIEWER)).reveal(), BEN, "Ben")
    await suspend(database, access, BEN)
    assert access.roster.person(BEN) is None
    code = (await access.invite(anna, Role.OPERATOR)).reveal()
    with pytest.raises(ConflictError):
        await access.join(code, BEN, "Ben")
    assert access.roster.person(BEN) is None
    assert access.is_invited(code)  # it was not used up
    person, _ = await access.join(code, CLEO, "Cleo")
    assert person.roles == {Role.OPERATOR}


@pytest.mark.parametrize(
    "roles", [["viewer"], ["operator"], ["approver"], ["auditor"], ["viewer", "operator", "approver"]]
)
async def test_only_an_admin_invites(access: Access, database: Database, roles: Sequence[str]) -> None:
    await access.start([ANNA], [member(BEN, "Ben", *roles)])
    with pytest.raises(NotAllowedError):
        await access.invite(here(access, BEN), Role.VIEWER)
    assert await count(database, "invites") == 0


async def test_an_admin_is_named_in_the_configuration_and_never_invited(access: Access, anna: Person) -> None:
    with pytest.raises(InputError):
        await access.invite(anna, Role.ADMIN)
    assert access.roster.invites == {}


async def test_an_invitation_whose_audit_row_fails_does_not_exist(
    access: Access, anna: Person, diary: Diary, database: Database
) -> None:
    code = (await access.invite(anna, Role.VIEWER)).reveal()
    diary.broken = True
    with pytest.raises(StoreError):
        await access.invite(anna, Role.VIEWER)
    assert await count(database, "invites") == 1
    with pytest.raises(StoreError):
        await access.join(code, BEN, "Ben")
    assert await count(database, "persons") == 1
    diary.broken = False
    assert (await access.join(code, BEN, "Ben"))[0].name == "Ben"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("  Ben  ", "Ben"),
        ("", "Unnamed"),
        (" \n ", "Unnamed"),
        ("x" * 100, "x" * 64),
        ("'; DROP TABLE persons;--", "'; DROP TABLE persons;--"),
        ("</b>\u202e", "</b>\u202e"),
    ],
)
async def test_a_name_is_trimmed_and_otherwise_kept_as_it_is(
    access: Access, anna: Person, name: str, kept: str
) -> None:
    person, _ = await access.join((await access.invite(anna, Role.VIEWER)).reveal(), BEN, name)
    assert person.name == kept
    assert here(access, BEN).name == kept


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
        "operator": {"TALK", "READ", "LINK"},
        "approver": {"TALK", "READ"},
        "auditor": {"TALK", "READ"},
        "admin": {"TALK", "READ", "LINK", "INVITE"},
    }
    assert not Person(1, "x", frozenset(), frozenset({1})).may(Right.TALK)

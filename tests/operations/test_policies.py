"""The policy in force is asked by whatever it guards, and never takes less than the house does."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.access.model import Person, Role
from bot.approvals.guards import rule_for
from bot.approvals.model import Kind, Proof, Request, Rule, Seat, both
from bot.approvals.policy.model import Guarded
from bot.errors import ConfigError
from bot.operations.factor_reset import wish_to_reset
from bot.operations.role_requests import GIVE, wish_to_give
from bot.store.columns import at
from bot.wiring import House
from tests.support.clock import HandClock
from tests.support.desk import loaded, opened, write_desk

ADAM, BEA, CARL, OLGA, ANNA = 1001, 1002, 1003, 1004, 1005
MEMBERS = (
    (BEA, "Bea", ["admin"]),
    (CARL, "Carl", ["admin"]),
    (OLGA, "Olga", ["operator"]),
    (ANNA, "Anna", ["approver"]),
)
ONE = '[[rules]]\nname = "all"\ntier = "quorum"\nneeds = ["1 of role/approver"]\n'


def person(rooms: House, number: int) -> Person:
    found = rooms.access.roster.person(number)
    assert found is not None
    return found


@pytest.fixture
async def rooms(tmp_path: Path, clock: HandClock) -> AsyncIterator[House]:
    async with opened(write_desk(tmp_path, admins=[ADAM], members=MEMBERS), clock) as found:
        yield found


def test_what_is_wrong_with_its_document_is_in_the_one_report(tmp_path: Path) -> None:
    config = write_desk(tmp_path, admins=[ADAM], members=MEMBERS, more='[policy]\nfile = "policy.toml"')
    (tmp_path / "policy.toml").write_text(ONE.replace("quorum", "quorom"))
    config.write_text(config.read_text().replace("[people]", '[log]\nlevel = "LOUD"\n[people]'))
    with pytest.raises(ConfigError) as caught:
        loaded(config)
    assert [problem.path for problem in caught.value.problems] == ["log.level", "policy.file: rules[0].tier"]


# what it guards


async def in_force(rooms: House, document: str) -> None:
    now = at(rooms.clock.now())
    await rooms.database.write(
        lambda tables: tables.conn.execute("INSERT INTO policies VALUES (1, ?, ?, NULL, NULL)", (document, now))
    )


async def guard(rooms: House, guarded: Guarded, barred: frozenset[int] = frozenset()) -> Rule:
    return await rooms.database.read(lambda tables: rule_for(tables, rooms.money.policies, guarded, barred))


async def test_a_desk_without_a_policy_is_guarded_all_the_same(rooms: House) -> None:
    rule = await guard(rooms, Guarded.THAW, frozenset({7}))
    assert rule == Rule(
        (Seat("role/approver", 2),), frozenset({7}), Proof.CODE, life=timedelta(minutes=30), name="thaw"
    )


async def test_the_policy_in_force_says_who_signs(rooms: House) -> None:
    await in_force(rooms, 'life = "2h"\n[guards.thaw]\nneeds = ["1 of group/risk"]\nproof = "number"\n')
    rule = await guard(rooms, Guarded.THAW)
    assert (rule.seats, rule.proof, rule.life) == ((Seat("group/risk"),), Proof.NUMBER, timedelta(hours=2))


async def role_asked(rooms: House) -> Request:
    wish = wish_to_give(GIVE, person(rooms, OLGA), Role.APPROVER, None, None, None)
    assert wish.kind is Kind.ROLE
    return await rooms.approvals.ask(person(rooms, ADAM), wish, telegram_id=ADAM)


async def test_a_role_takes_as_many_admins_as_the_policy_says(rooms: House) -> None:
    await in_force(rooms, '[guards.role]\nneeds = ["2 of role/admin"]\nproof = "code"\n')
    request = await role_asked(rooms)
    assert (request.rule.seats, request.rule.proof) == ((Seat("role/admin", 2),), Proof.CODE)
    assert request.rule.barred == {person(rooms, OLGA).id}


async def test_and_never_less_than_another_admin(rooms: House) -> None:
    await in_force(rooms, '[guards.role]\nneeds = ["1 of role/approver"]\n')
    request = await role_asked(rooms)
    assert request.rule.missing([person(rooms, ANNA)]) == ("role/admin",)
    assert request.rule.missing([person(rooms, BEA)]) == ("role/approver",)
    assert request.rule.proof is Proof.CODE_IF_SET_UP


async def enrolled(rooms: House, one: Person) -> None:
    now = at(rooms.clock.now())
    insert = "INSERT INTO factors (person_id, active_since, last_step) VALUES (?, ?, 0)"
    await rooms.database.write(lambda tables: tables.conn.execute(insert, (one.id, now)))


async def test_a_policy_that_asks_for_the_number_takes_nobodys_second_factor_away(rooms: House) -> None:
    """The house asks for a code of whoever has one, the policy for the number: each shows what is the stronger."""
    await in_force(rooms, '[guards.role]\nneeds = ["2 of role/admin"]\nproof = "number"\n')
    await enrolled(rooms, person(rooms, BEA))
    request = await role_asked(rooms)
    assert await rooms.approvals.proof_needed(request, person(rooms, BEA)) is Proof.CODE
    assert await rooms.approvals.proof_needed(request, person(rooms, CARL)) is Proof.NUMBER
    assert request.number is not None


BOTH = {
    ("nothing", Proof.NONE, Proof.NUMBER): Proof.NUMBER,
    ("a code if there is one", Proof.NONE, Proof.CODE_IF_SET_UP): Proof.CODE_IF_SET_UP,
    ("neither is the other", Proof.NUMBER, Proof.CODE_IF_SET_UP): Proof.CODE_OR_NUMBER,
    ("already both", Proof.CODE_OR_NUMBER, Proof.NUMBER): Proof.CODE_OR_NUMBER,
    ("nobody without a factor", Proof.CODE_OR_NUMBER, Proof.CODE): Proof.CODE,
    ("a code is more than either", Proof.CODE, Proof.NUMBER): Proof.CODE,
}


def test_of_two_proofs_that_are_asked_for_both_are_shown() -> None:
    assert {case: both(case[1], case[2]) for case in BOTH} == BOTH
    assert {case: both(case[2], case[1]) for case in BOTH} == BOTH


async def test_the_reset_of_a_factor_takes_two_admins_whatever_the_policy_says(rooms: House) -> None:
    await in_force(rooms, '[guards.factor_reset]\nneeds = ["1 of role/admin"]\n')
    anna = person(rooms, ANNA)
    await enrolled(rooms, anna)
    request = await rooms.approvals.ask(anna, wish_to_reset(anna), telegram_id=ANNA)
    assert request.rule.seats == (Seat("role/admin", 2),)

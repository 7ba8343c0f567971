"""Who must sign: seats are filled by distinct people, and nobody sits on two."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bot.access.model import Person, Role
from bot.approvals.model import Kind, Rule, Seat, hash_of


def person(number: int, *circles: str) -> Person:
    roles = frozenset(Role(name) for kind, _, name in (one.partition("/") for one in circles) if kind == "role")
    groups = frozenset(name for kind, _, name in (one.partition("/") for one in circles) if kind == "group")
    return Person(number, f"Person {number}", roles, frozenset({number}), groups)


FINANCE_AND_RISK = Rule((Seat("group/finance"), Seat("group/risk")))


def test_one_finance_and_one_risk_are_both_needed() -> None:
    finance, risk = person(1, "group/finance"), person(2, "group/risk")
    assert FINANCE_AND_RISK.missing([finance]) == ("group/risk",)
    assert FINANCE_AND_RISK.missing([risk]) == ("group/finance",)
    assert FINANCE_AND_RISK.missing([finance, risk]) == ()


def test_somebody_in_both_groups_fills_one_seat_only() -> None:
    both = person(1, "group/finance", "group/risk")
    assert len(FINANCE_AND_RISK.missing([both])) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_somebody_in_both_groups_makes_room_whoever_signed_first(order: tuple[int, int]) -> None:
    people = [person(1, "group/finance", "group/risk"), person(2, "group/finance")]
    assert FINANCE_AND_RISK.missing([people[number] for number in order]) == ()


def test_two_of_a_circle_are_two_people() -> None:
    rule = Rule((Seat("role/admin", 2),))
    one, other = person(1, "role/admin"), person(2, "role/admin")
    assert rule.missing([one]) == ("role/admin",)
    assert rule.missing([one, other]) == ()


def test_it_concerns_those_who_could_fill_a_seat() -> None:
    assert FINANCE_AND_RISK.concerns(person(1, "group/risk", "role/viewer"))
    assert not FINANCE_AND_RISK.concerns(person(2, "role/approver", "group/sales"))


CIRCLES = ["role/admin", "role/approver", "group/finance", "group/risk"]
RULES = some.lists(some.builds(Seat, some.sampled_from(CIRCLES), some.integers(1, 2)), min_size=1, max_size=3)
PEOPLE = some.lists(some.sets(some.sampled_from(CIRCLES)), max_size=5)


@given(seats=RULES, signed=PEOPLE)
def test_as_many_seats_are_filled_as_any_seating_could(seats: list[Seat], signed: list[set[str]]) -> None:
    chairs = [seat.circle for seat in seats for _ in range(seat.count)]

    def best(free: tuple[str, ...], left: list[set[str]]) -> int:
        """By trying every seating."""
        if not left:
            return 0
        here, rest = left[0], left[1:]
        tries = [best(free, rest)]
        for at, circle in enumerate(free):
            if circle in here:
                tries.append(1 + best(free[:at] + free[at + 1 :], rest))
        return max(tries)

    people = [person(number, *circles) for number, circles in enumerate(signed, 1)]
    assert len(chairs) - len(Rule(tuple(seats)).missing(people)) == best(tuple(chairs), signed)


def test_the_hash_is_over_kind_asker_and_every_parameter() -> None:
    base = hash_of(Kind.ROLE, 1, {"person": "2", "role": "approver"})
    assert base == hash_of(Kind.ROLE, 1, {"role": "approver", "person": "2"})
    others = {
        hash_of(Kind.FACTOR_RESET, 1, {"person": "2", "role": "approver"}),
        hash_of(Kind.ROLE, 2, {"person": "2", "role": "approver"}),
        hash_of(Kind.ROLE, 1, {"person": "2", "role": "admin"}),
        hash_of(Kind.ROLE, 1, {"person": "2"}),
        hash_of(Kind.ROLE, 1, {"person": '2","role":"approver'}),
    }
    assert len(others) == 5
    assert base not in others

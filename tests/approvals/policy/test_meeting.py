"""Whether what a policy asks for can be had by these people, and what is missing where it cannot."""

import random
from itertools import product
from pathlib import Path

import pytest

from bot.access.model import Person, Right
from bot.approvals.model import Rule, Seat, circles_of
from bot.approvals.policy.meeting import Absence, unmeetable, unmeetable_uncounted, who_could
from bot.approvals.policy.model import Guard, Guarded, Policy, PolicyRule, Proof, Scope, Tier
from bot.approvals.policy.reading import read
from bot.demo import cast
from bot.demo.cast import PEOPLE
from bot.providers.registry import PROVIDERS
from tests.support.policies import ruled, somebody

OPERATOR = somebody(1, "role/operator")
FINANCE = somebody(2, "role/approver", "group/finance")
RISK = somebody(3, "role/approver", "group/risk")
BOTH = somebody(4, "role/approver", "role/operator", "group/finance", "group/risk")
ADMIN, OTHER_ADMIN = somebody(5, "role/admin"), somebody(6, "role/admin")
DESK = (OPERATOR, FINANCE, RISK, BOTH, ADMIN, OTHER_ADMIN)
NOBODY = Absence()
FINANCE_AND_RISK = Rule((Seat("group/finance"), Seat("group/risk")))
LARGE = 'name = "large"\ntier = "quorum"\nneeds = ["group/finance", "group/risk"]\nproof = "code"'


def without(*people: Person) -> tuple[Person, ...]:
    return tuple(person for person in DESK if person not in people)


def ids(*people: Person) -> frozenset[int]:
    return frozenset(person.id for person in people)


def told(*rules: str, people: tuple[Person, ...] = DESK, absence: Absence = NOBODY) -> list[str]:
    """What is found about the rules themselves."""
    found = unmeetable(ruled(*rules), people, absence)
    return [finding.sentence for finding in found if finding.about.startswith("Rule")]


def test_whoever_asks_is_away_or_lacks_a_second_factor_is_not_counted() -> None:
    absence = Absence(away=ids(FINANCE), without_factor=ids(RISK))
    chance = who_could(FINANCE_AND_RISK, DESK, OPERATOR.id, absence, Proof.CODE)
    assert chance.able == (BOTH,)
    assert chance.missing == ("group/risk",)
    assert who_could(FINANCE_AND_RISK, DESK, OPERATOR.id, absence, Proof.NUMBER).able == (RISK, BOTH)
    assert who_could(FINANCE_AND_RISK, DESK, BOTH.id, NOBODY, Proof.CODE).able == (FINANCE, RISK)
    assert not who_could(FINANCE_AND_RISK, DESK, BOTH.id, NOBODY, Proof.CODE).missing


def test_somebody_barred_is_not_counted_either() -> None:
    rule = Rule((Seat("role/approver", 2),), barred=ids(FINANCE, RISK))
    assert who_could(rule, DESK, None, NOBODY, Proof.NONE).able == (BOTH,)


def test_a_whole_desk_can_do_everything() -> None:
    assert told(LARGE) == []
    assert unmeetable(None, DESK, NOBODY) == ()


def test_one_more_in_the_group_that_is_short_is_what_it_takes() -> None:
    assert told(LARGE, people=without(RISK, BOTH)) == [
        "Rule “large” cannot be met whoever asks: it takes one more person in the group risk."
    ]


def test_what_only_one_asker_cannot_bring_about_names_that_one() -> None:
    assert told(LARGE, people=without(RISK)) == [
        "Rule “large” cannot be met when Person 4 asks: it takes one more person in the group risk."
    ]
    thaw = [one.sentence for one in unmeetable(None, without(RISK), NOBODY) if one.about == "Thawing the desk"]
    assert thaw == ["Thawing the desk cannot be met when Person 2 or Person 4 asks: it takes one more approver."]


@pytest.mark.parametrize(
    ("absence", "remedy"),
    [
        (Absence(without_factor=ids(RISK)), "a second factor for Person 3"),
        (Absence(away=ids(RISK)), "Person 3 to be back"),
        (Absence(away=ids(FINANCE), without_factor=ids(RISK)), "a second factor for Person 3 and Person 2 to be back"),
        (Absence(away=ids(RISK), without_factor=ids(RISK)), "one more person in the group risk"),
    ],
)
def test_who_is_here_is_asked_before_somebody_new_is_looked_for(absence: Absence, remedy: str) -> None:
    (found,) = told(LARGE, people=without(BOTH), absence=absence)
    assert found == f"Rule “large” cannot be met whoever asks: it takes {remedy}."


def test_a_second_factor_is_only_missed_where_a_code_is_asked_for() -> None:
    policy = ruled('name = "a"\ntier = "quorum"\nneeds = ["1 of role/approver"]\nproof = "number"')
    about = [one.about for one in unmeetable(policy, DESK, Absence(without_factor=ids(FINANCE, RISK, BOTH)))]
    assert "Rule “a”" not in about
    assert "Thawing the desk" in about


def test_whoever_confirms_with_a_code_needs_a_second_factor() -> None:
    found = told('name = "a"\ntier = "confirm"\nproof = "code"', absence=Absence(without_factor=ids(OPERATOR)))
    assert found == ["Rule “a” cannot be met when Person 1 asks: it takes a second factor for Person 1."]


def test_a_rule_for_some_requesters_is_only_looked_at_for_them() -> None:
    people = (OPERATOR, RISK, BOTH)
    assert told(LARGE, people=people) == [
        "Rule “large” cannot be met when Person 4 asks: it takes one more person in the group finance."
    ]
    assert told(f'{LARGE}\nrequesters = ["group/finance"]', people=people) == [
        "Rule “large” cannot be met whoever asks: it takes one more person in the group finance."
    ]
    assert told(f'{LARGE}\nrequesters = ["group/board"]', people=people) == []


def test_what_nobody_can_ask_for_yet_must_do_when_everybody_signs() -> None:
    (found,) = told(LARGE, people=(ADMIN,))
    assert found.endswith("it takes one more person in the group finance and one more person in the group risk.")


def test_a_single_admin_changes_no_policy() -> None:
    found = [one for one in unmeetable(None, without(OTHER_ADMIN), NOBODY) if one.about == "A change of this policy"]
    assert [one.fix for one in found] == [("one more admin",)]


def test_a_catch_all_leaves_nothing_to_the_last_resort() -> None:
    people = (OPERATOR, FINANCE, ADMIN, OTHER_ADMIN)
    rule = 'tier = "quorum"\nneeds = ["1 of role/approver"]'
    assert "What no rule speaks of" not in [one.about for one in unmeetable(ruled(rule), people, NOBODY)]
    some_rule = f'acts = ["order"]\n{rule}'
    assert "What no rule speaks of" in [one.about for one in unmeetable(ruled(some_rule), people, NOBODY)]


def test_the_demos_people_can_do_all_that_the_demos_policy_asks_for() -> None:
    people = [somebody(one.id, *(f"role/{role}" for role in one.roles)) for one in PEOPLE]
    policy = read(Path(cast.__file__).with_name("policy.toml").read_bytes(), providers=PROVIDERS)
    assert unmeetable(policy, people, NOBODY) == ()


# Against brute force

CIRCLES = ("role/approver", "role/admin", "role/operator", "group/finance", "group/risk")


def chart(chance: random.Random) -> list[Person]:
    """Up to eight people with any roles; groups only for approvers."""
    people = []
    for number in range(1, chance.randint(1, 8) + 1):
        circles = {circle for circle in CIRCLES if chance.random() < 0.35}
        people.append(somebody(number, *(one for one in circles if one[:5] == "role/" or "role/approver" in circles)))
    return people


def empty_seats(chairs: list[str], people: list[Person]) -> int:
    """How many stay empty in the best of all ways of sitting down."""
    if not chairs:
        return 0
    first, rest = chairs[0], chairs[1:]
    best = 1 + empty_seats(rest, people)
    for number, person in enumerate(people):
        if best and first in circles_of(person):
            best = min(best, empty_seats(rest, people[:number] + people[number + 1 :]))
    return best


def test_the_verdict_is_that_of_trying_every_seating_in_ten_thousand_cases() -> None:
    chance = random.Random(2611)
    seen = {True: 0, False: 0}
    for _ in range(1400):
        people = chart(chance)
        absence = Absence(
            away=frozenset(one.id for one in people if chance.random() < 0.15),
            without_factor=frozenset(one.id for one in people if chance.random() < 0.25),
        )
        matters: dict[str, tuple[tuple[Seat, ...], Proof, Right]] = {}
        for name, right in (
            ("Rule “r”", Right.ASK),
            ("A new beneficiary", Right.ASK),
            ("A change of this policy", Right.POLICY),
            ("Thawing the desk", Right.FREEZE),
        ):
            circles = chance.sample(CIRCLES, chance.randint(1, 2))
            needs = tuple(Seat(circle, chance.randint(1, 2)) for circle in circles)
            matters[name] = needs, chance.choice(list(Proof)), right
        policy = Policy(
            rules=(PolicyRule("r", Scope(), Tier.QUORUM, *matters["Rule “r”"][:2]),),
            guards={
                **{guarded: Guard((Seat("role/admin", 1),)) for guarded in Guarded},
                Guarded.BENEFICIARY: Guard(*matters["A new beneficiary"][:2]),
                Guarded.POLICY: Guard(*matters["A change of this policy"][:2]),
                Guarded.THAW: Guard(*matters["Thawing the desk"][:2]),
            },
        )
        findings = unmeetable(policy, people, absence)
        for name, person in product(matters, people):
            needs, proof, right = matters[name]
            if not person.may(right):
                continue
            signers = [
                one
                for one in people
                if one is not person
                and one.id not in absence.away
                and not (proof is Proof.CODE and one.id in absence.without_factor)
            ]
            short = empty_seats([seat.circle for seat in needs for _ in range(seat.count)], signers)
            mine = [one for one in findings if one.about == name and (not one.askers or person in one.askers)]
            assert len(mine) == (1 if short else 0), (name, person, needs, people, absence)
            if mine:
                assert sum(map(steps_in, mine[0].fix)) == short
            seen[bool(short)] += 1
    assert sum(seen.values()) >= 10_000
    assert min(seen.values()) >= 2_000


def steps_in(remedy: str) -> int:
    """`two more approvers` are two things to do, `a second factor for Ben` is one."""
    return {"two": 2, "three": 3, "four": 4}.get(remedy.split()[0], 1)


LIMIT = '[[limits]]\nname = "euros"\nacts = ["transfer"]\ncurrency = "EUR"\namount = 5\nper = "desk"\nwindow = "24h"\n'
TWO_RULES = (
    'name = "small"\nacts = ["transfer"]\ncurrencies = ["EUR"]\ntier = "quorum"\nneeds = ["2 of group/finance"]',
    'name = "large"\nacts = ["transfer"]\ntier = "quorum"\nneeds = ["1 of group/risk"]',
)


def found_of_currencies(more: str) -> list[str]:
    """With one person who stands in both groups, and nobody else in risk."""
    return [one.sentence for one in unmeetable_uncounted(ruled(*TWO_RULES, more=more), without(RISK), NOBODY)]


def test_what_a_currency_that_no_limit_counts_takes_may_be_missing_where_each_rule_can_be_met() -> None:
    cannot = "Transfers in a currency that no limit counts cannot be met when Person"
    assert found_of_currencies(LIMIT) == [
        f"{cannot} 1 asks: it takes one more person in the group risk.",
        f"{cannot} 4 asks: it takes one more person in the group finance and one more person in the group risk.",
    ]
    assert found_of_currencies(LIMIT + "every_currency = true\n") == []
    assert found_of_currencies("") == []

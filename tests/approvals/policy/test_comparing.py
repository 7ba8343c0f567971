"""A stricter policy is in force at once; what is less strict in any corner is found, and who guarded it signs."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import combinations_with_replacement, permutations, product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bot.approvals.model import Seat
from bot.approvals.policy.comparing import loosens, signing
from bot.approvals.policy.judging import exceeded, judge, limits_for, spent
from bot.approvals.policy.model import (
    Act,
    Case,
    Guard,
    Hours,
    Limit,
    Per,
    Policy,
    PolicyRule,
    Proof,
    Scope,
    Tier,
    Verdict,
    Window,
)
from bot.approvals.policy.reading import read
from bot.providers.records import Environment
from tests.support.policies import TRANSFER, money, ruled, somebody

TWO = 'tier = "quorum"\nneeds = ["2 of role/approver"]\nproof = "code"'
ONE = 'tier = "quorum"\nneeds = ["1 of role/approver"]\nproof = "code"'


def test_a_policy_is_no_less_strict_than_itself() -> None:
    policy = ruled(f'acts = ["order"]\n{ONE}', TWO)
    assert loosens(policy, policy) == ()
    assert loosens(None, Policy()) == ()


def test_the_same_said_in_other_words_is_no_less_strict() -> None:
    old = ruled(f'currencies = ["USD"]\nbelow = 1000\n{ONE}', f'currencies = ["USD"]\n{TWO}', 'tier = "refuse"')
    new = ruled(
        f'currencies = ["USD"]\nat_least = 2000\n{TWO}',
        f'currencies = ["USD"]\nat_least = 1000\nbelow = 2000\n{TWO}',
        f'currencies = ["USD"]\n{ONE}',
        'tier = "refuse"',
    )
    assert loosens(old, new) == ()
    assert loosens(new, old) == ()


def test_one_cent_more_for_a_single_signature_is_found_and_said() -> None:
    old = ruled(f'name = "small"\ncurrencies = ["USD"]\nbelow = 1000\n{ONE}', f'name = "rest"\n{TWO}')
    new = ruled(f'name = "small"\ncurrencies = ["USD"]\nbelow = "1000.01"\n{ONE}', f'name = "rest"\n{TWO}')
    assert loosens(old, new) == (
        (
            "Where “rest” decided and “small” does now: two approvers sign with a code → one approver signs"
            " with a code. For example “transfer” of 1,000.00 USD on a live account."
        ),
    )
    assert loosens(new, old) == ()


def test_taking_the_last_rule_away_leaves_the_last_resort() -> None:
    refusing = ruled('name = "no"\ntier = "refuse"')
    assert loosens(refusing, Policy()) == (
        (
            "Where “no” decided and no rule does now: refused → two approvers sign with a code."
            " For example “transfer” on a live account."
        ),
    )
    assert loosens(Policy(), refusing) == ()
    assert loosens(None, refusing) == ()


def test_a_rule_in_front_that_lets_one_hour_through_is_found() -> None:
    old = ruled('name = "no"\ntier = "refuse"')
    new = ruled(
        'name = "tea"\nhours = "16:00-17:00"\nweekdays = ["wed"]\ntier = "free"', 'name = "no"\ntier = "refuse"'
    )
    assert loosens(old, new) == (
        (
            "Where “no” decided and “tea” does now: refused → done at once."
            " For example “transfer” on a live account on Wed at 16:00."
        ),
    )


@pytest.mark.parametrize(
    ("old", "new", "is_found"),
    [
        (TWO, TWO + '\nhold = "1h"', False),
        (TWO + '\nhold = "1h"', TWO, True),
        (TWO + '\nlife = "1h"', TWO, False),
        (TWO, TWO + '\nlife = "1h"', True),
        (TWO, TWO.replace("code", "number"), True),
        (TWO.replace("code", "number"), TWO, False),
        ('tier = "free"', 'tier = "confirm"', False),
        ('tier = "confirm"', 'tier = "free"', True),
        ('tier = "confirm"\nproof = "code"', ONE, False),
        ('tier = "confirm"', ONE + '\nlife = "24h"', False),
        ('tier = "confirm"\nproof = "code"', ONE.replace("code", "none"), True),
        (ONE, 'tier = "confirm"\nproof = "code"', True),
        (TWO, TWO.replace("2 of role/approver", "3 of role/approver"), False),
        (TWO, TWO.replace('"2 of role/approver"', '"group/finance", "group/risk"'), False),  # who are approvers both
        (TWO.replace('"2 of role/approver"', '"group/finance", "group/risk"'), TWO, True),
        (TWO, TWO.replace("2 of role/approver", "2 of role/admin"), True),  # an admin need not be an approver
        (TWO, TWO.replace('"2 of role/approver"', '"2 of role/admin", "2 of role/approver"'), False),
        (TWO.replace('"2 of role/approver"', '"group/finance", "role/approver"'), TWO, True),
    ],
)  # fmt: skip
def test_a_verdict_is_stricter_in_everything_or_it_is_not(old: str, new: str, is_found: bool) -> None:
    assert bool(loosens(ruled(old), ruled(new))) is is_found


LIMIT = """
[[limits]]
name = "limit"
acts = ["transfer"]
connections = ["cryptocapital/main"]
currency = "USD"
amount = 1000
per = "person"
window = "24h"
"""


@pytest.mark.parametrize(
    ("was", "becomes", "is_found"),
    [
        ("1000", "1000", False),
        ("1000", "999", False),
        ("1000", "1001", True),
        ("USD", "EUR", True),
        ('acts = ["transfer"]\n', "", False),
        ('acts = ["transfer"]', 'acts = ["transfer", "order"]', False),
        ('acts = ["transfer"]', 'acts = ["order"]', True),
        ('connections = ["cryptocapital/main"]', 'providers = ["cryptocapital"]', False),
        ('connections = ["cryptocapital/main"]', 'providers = ["deriv"]', True),
        ('connections = ["cryptocapital/main"]', 'connections = ["cryptocapital/other"]', True),
        ('acts = ["transfer"]', 'acts = ["transfer"]\nweekdays = ["mon"]', True),
        ('acts = ["transfer"]', 'acts = ["transfer"]\nrequesters = ["role/operator"]', True),
        ('acts = ["transfer"]', 'acts = ["transfer"]\nenvironments = ["live", "demo"]', False),
        ('per = "person"', 'per = "desk"', False),
        ('per = "person"', 'per = "connection"', True),
        ('window = "24h"', 'window = "day"', True),
        ('window = "24h"', 'window = "transaction"', True),
    ],
)
def test_a_limit_must_be_kept_by_whoever_keeps_the_new_one(was: str, becomes: str, is_found: bool) -> None:
    assert was in LIMIT
    assert bool(loosens(read(LIMIT), read(LIMIT.replace(was, becomes)))) is is_found


def test_a_limit_on_each_is_kept_where_the_sum_is_limited() -> None:
    each = LIMIT.replace('"24h"', '"transaction"').replace('"person"', '"desk"')
    assert loosens(read(each), read(LIMIT)) == ()


def test_24_hours_hold_a_calendar_day_only_where_no_day_has_25() -> None:
    day = LIMIT.replace('"24h"', '"day"')
    assert loosens(read(day), read(LIMIT)) == ()
    assert loosens(read('zone = "Europe/Zurich"\n' + day), read('zone = "Europe/Zurich"\n' + LIMIT)) != ()
    assert loosens(read(day), read('zone = "Europe/Zurich"\n' + day)) != ()


def test_weekdays_of_another_zone_are_other_days() -> None:
    mondays = LIMIT.replace('acts = ["transfer"]', 'weekdays = ["mon"]')
    assert loosens(read(mondays), read(mondays)) == ()
    assert loosens(read(mondays), read('zone = "Asia/Tokyo"\n' + mondays)) != ()
    assert loosens(read(mondays), read('zone = "Asia/Tokyo"\n' + LIMIT.replace('acts = ["transfer"]', ""))) == ()


def test_a_limit_that_goes_is_told_as_it_was() -> None:
    assert loosens(read(LIMIT), Policy()) == (
        (
            "Nothing in the new policy is as strict as this. Limit “limit”: transfers through cryptocapital/main: at"
            " most 1,000.00 USD within 24 hours for each person."
        ),
    )


def test_settings_and_guards_are_compared_too() -> None:
    old = read('first_payment_hold = "2h"\n[guards.thaw]\nneeds = ["2 of role/approver"]\nproof = "code"')
    new = read(
        'first_payment_hold = "1h"\nlife = "1h"\nbeneficiary_cooldown = "1h"\nloosening_delay = "0"\n'
        '[guards.thaw]\nneeds = ["1 of role/approver"]\nproof = "number"'
    )
    assert loosens(old, new) == (
        (
            "Where no rule spoke and no rule does now: two approvers sign with a code (open for 30 min) → two approvers"
            " sign with a code (open for 1 h). For example “transfer” on a live account."
        ),
        "Thawing the desk: two approvers sign with a code → one approver signs with the right number.",
        "A request whose rule does not say otherwise is open for 1 h instead of 30 min.",
        "A new beneficiary waits 1 h instead of 24 h.",
        "The first payment to a beneficiary waits 1 h instead of 2 h.",
        "A change that makes anything less strict waits 0 s instead of 24 h.",
    )
    assert loosens(new, old) == ()


def test_moving_the_hours_to_another_zone_counts_unless_one_side_has_none() -> None:
    nights = 'hours = "22:00-06:00"\ntier = "refuse"'
    away = ruled(nights, more='zone = "Asia/Tokyo"')
    assert loosens(ruled(nights), away)[0] == "Hours and days become those of Asia/Tokyo instead of UTC."
    assert loosens(Policy(), away) == ()


def test_conditions_too_entangled_to_be_compared_count_as_less_strict() -> None:
    def entangled(tier: str) -> Policy:
        names = [f'beneficiaries = ["b{number}"]\ntier = "{tier}"' for number in range(60)]
        sources = [f'sources = ["s{number}"]\ntier = "{tier}"' for number in range(60)]
        bands = [
            f'currencies = ["USD"]\nat_least = {number}\nbelow = {number + 1}\ntier = "{tier}"' for number in range(60)
        ]
        return ruled(*names, *sources, *bands)

    assert loosens(entangled("confirm"), entangled("refuse")) == (
        "The rules hold too many different conditions to be compared; this counts as less strict.",
    )


def test_who_guarded_what_is_loosened_signs_for_it() -> None:
    finance = 'tier = "quorum"\nneeds = ["group/finance", "group/risk"]\nproof = "code"'
    old = ruled(f'name = "large"\ncurrencies = ["USD"]\nat_least = 1000\n{finance}', f'name = "rest"\n{ONE}')
    less = ruled(f'name = "large"\ncurrencies = ["USD"]\nat_least = 2000\n{finance}', f'name = "rest"\n{ONE}')
    assert signing(old, old) == Guard((Seat("role/admin"),), Proof.CODE)
    assert signing(old, less) == Guard((Seat("role/admin"), Seat("group/finance"), Seat("group/risk")), Proof.CODE)


def test_what_took_a_code_is_loosened_with_a_code() -> None:
    by_hand = '[guards.policy]\nneeds = ["1 of role/admin"]'
    assert signing(ruled(TWO, more=by_hand), ruled(TWO, more=by_hand)).proof is Proof.NONE
    assert signing(ruled(TWO, more=by_hand), ruled(ONE, more=by_hand)).proof is Proof.CODE


def test_whoever_will_sign_for_what_was_refused_signs_for_its_being_possible() -> None:
    old = ruled('tier = "refuse"')
    new = ruled('tier = "quorum"\nneeds = ["2 of group/risk"]')
    assert signing(old, new).needs == (Seat("role/admin"), Seat("group/risk", 2))


def test_who_signs_for_each_of_those_a_limit_counts_signs_for_a_higher_one() -> None:
    rules = [f'acts = ["transfer"]\n{TWO}', 'acts = ["order"]\ntier = "quorum"\nneeds = ["4 of role/approver"]']
    old, new = ruled(*rules, more=LIMIT), ruled(*rules, more=LIMIT.replace("1000", "2000"))
    assert signing(old, new).needs == (Seat("role/admin"), Seat("role/approver", 2))


# Against brute force

CIRCLES = ("role/approver", "role/admin", "group/finance")
TYPES = (
    ("role/approver",),
    ("role/admin",),
    ("role/approver", "role/admin"),
    ("group/finance", "role/approver"),
    ("group/finance", "role/approver", "role/admin"),
)
SIGNERS = [signers for number in range(4) for signers in combinations_with_replacement(TYPES, number)]
NEEDS = (
    (Seat("role/approver"),),
    (Seat("role/approver", 2),),
    (Seat("role/admin"), Seat("role/approver")),
    (Seat("group/finance"), Seat("role/approver")),
    (Seat("group/finance", 2),),
    (Seat("role/admin"),),
)


@cache
def met_by(needs: tuple[Seat, ...]) -> frozenset[int]:
    """The sets of signers (by number) that fill all seats, by trying every order of sitting down."""
    chairs = [seat.circle for seat in needs for _ in range(seat.count)]
    return frozenset(
        number
        for number, signers in enumerate(SIGNERS)
        if any(all(map(lambda who, chair: chair in who, order, chairs)) for order in permutations(signers, len(chairs)))
    )


def lets_more_through(old: Verdict, new: Verdict) -> bool:
    ranks = {"free": 0, "confirm": 1, "quorum": 2, "refuse": 3, "none": 0, "number": 1, "code": 2}
    if new.tier == "refuse":
        return False
    return (
        ranks[new.tier] < ranks[old.tier]
        or not met_by(new.needs) <= met_by(old.needs)
        or ranks[new.proof] < ranks[old.proof]
        or new.hold < old.hold
        or (old.tier == "quorum" and new.life > old.life)
    )


CONDITIONS: Mapping[str, some.SearchStrategy[Mapping[str, object]]] = {
    "acts": some.sampled_from([{"acts": frozenset({Act.TRANSFER})}, {"acts": frozenset({Act.TRANSFER, Act.ORDER})}]),
    "places": some.sampled_from(
        [
            {"providers": frozenset({"deriv"})},
            {"providers": frozenset({"deriv", "capital"})},
            {"connections": frozenset({"deriv/a"})},
            {"connections": frozenset({"deriv/a", "capital/a"})},
            {"connections": frozenset({"capital/a"}), "providers": frozenset({"capital"})},
        ]
    ),
    "sides": some.sampled_from([{"environments": frozenset({one})} for one in Environment]),
    "amounts": some.builds(
        lambda codes, least, below: {"currencies": codes, "at_least": least, "below": below},
        some.sampled_from([frozenset({"USD"}), frozenset({"EUR"}), frozenset({"USD", "EUR"})]),
        some.sampled_from([None, money("10 USD").amount, money("20 USD").amount]),
        some.sampled_from([None, money("20 USD").amount, money("30 USD").amount]),
    ),
    "times": some.builds(
        lambda hours, days: {"hours": hours, "weekdays": days},
        some.sampled_from([None, Hours(480, 720), Hours(1320, 360), Hours(600, 1440)]),
        some.sampled_from([frozenset[int](), frozenset({0}), frozenset({0, 5})]),
    ),
    "people": some.builds(
        lambda circles: {"requesters": circles}, some.frozensets(some.sampled_from(CIRCLES), min_size=1, max_size=2)
    ),
    "goals": some.sampled_from([{"beneficiaries": frozenset({one}), "sources": frozenset({"1"})} for one in "AB"]),
}
VALUES: Mapping[str, list[dict[str, object]]] = {
    "acts": [{"act": act} for act in (Act.TRANSFER, Act.ORDER, Act.CLOSE)],
    "places": [
        {"provider": place.split("/")[0], "connection": place}
        for place in ("deriv/a", "deriv/z", "capital/a", "capital/z", "crm/z")
    ],
    "sides": [{"environment": one} for one in Environment],
    "amounts": [
        {"amount": None},
        *({"amount": money(f"{n} {code}")} for n in (0, 10, 15, 20, 25, 30, 99) for code in ("USD", "EUR", "JPY")),
    ],
    "times": [
        {"at": datetime(2026, 3, day, hour, minute, tzinfo=UTC)}
        for day in (2, 3, 7)  # a Monday, a Tuesday, a Saturday
        for hour, minute in ((0, 0), (5, 59), (6, 0), (8, 0), (10, 0), (11, 59), (12, 0), (21, 59), (22, 0), (23, 59))
    ],
    "people": [{"requester": somebody(1, *circles)} for circles in ((), *TYPES)],
    "goals": [{"beneficiary": one, "source": source} for one in "ABC" for source in "12"],
}
VERDICTS = some.sampled_from(
    [
        (Tier.FREE, (), Proof.NONE, timedelta()),
        (Tier.CONFIRM, (), Proof.CODE, timedelta()),
        (Tier.REFUSE, (), Proof.NONE, timedelta()),
        *((Tier.QUORUM, needs, Proof.CODE, timedelta()) for needs in NEEDS),
        (Tier.QUORUM, NEEDS[1], Proof.NUMBER, timedelta(hours=1)),
    ]
)


@some.composite
def two_policies(draw: some.DrawFn) -> tuple[list[str], Policy, Policy]:
    """Two policies whose rules look at two or three things only, so that every combination can be tried."""
    looked_at = draw(some.lists(some.sampled_from(sorted(CONDITIONS)), min_size=1, max_size=3, unique=True))

    def rule(number: int) -> PolicyRule:
        conditions: dict[str, object] = {}
        for name in looked_at:
            if draw(some.booleans()):
                conditions |= draw(CONDITIONS[name])
        tier, needs, proof, hold = draw(VERDICTS)
        return PolicyRule(f"{number}", Scope(**conditions), tier, needs, proof, hold)  # type: ignore[arg-type]

    rules = [rule(number) for number in range(draw(some.integers(1, 5)))]
    kept = draw(some.lists(some.sampled_from(rules), unique_by=lambda one: one.name))
    others = [rule(number) for number in range(10, 10 + draw(some.integers(0, 2)))]
    return looked_at, Policy(rules=tuple(rules)), Policy(rules=tuple(draw(some.permutations(kept + others))))


@settings(max_examples=150, deadline=None)
@given(two_policies())
def test_a_loosening_is_found_exactly_when_some_case_gets_through_more_easily(
    drawn: tuple[list[str], Policy, Policy],
) -> None:
    looked_at, old, new = drawn
    cases = (
        replace(TRANSFER, **{key: value for part in parts for key, value in part.items()})  # type: ignore[arg-type]
        for parts in product(*(VALUES[name] for name in looked_at))
    )
    easier = {
        (was.rule, becomes.rule)
        for case in cases
        for was, becomes in [(judge(old, case), judge(new, case))]
        if lets_more_through(was, becomes)
    }
    assert len(loosens(old, new)) == len(easier)


KEPT = some.lists(
    some.builds(
        Limit,
        name=some.just("limit"),
        scope=some.sampled_from([Scope(), Scope(acts=frozenset({Act.TRANSFER})), Scope(weekdays=frozenset({0}))]),
        most=some.sampled_from([money("2 USD"), money("2 EUR")]),
        per=some.just(Per.DESK),
        window=some.just(Window.ROLLING),
        every_currency=some.booleans(),
    ),
    max_size=2,
)


@settings(max_examples=100, deadline=None)
@given(two_policies(), KEPT, KEPT)
def test_a_currency_that_a_limit_begins_or_ceases_to_count_is_compared_by_what_it_takes(
    drawn: tuple[list[str], Policy, Policy], before: list[Limit], after: list[Limit]
) -> None:
    looked_at, old, new = drawn
    names = sorted({*looked_at[:2], "amounts"})
    old, new = replace(old, limits=tuple(before)), replace(new, limits=tuple(after))
    cases = (
        replace(TRANSFER, **{key: value for part in parts for key, value in part.items()})  # type: ignore[arg-type]
        for parts in product(*(VALUES[name] for name in names))
    )
    if any(lets_more_through(judge(old, case), judge(new, case)) for case in cases):
        assert loosens(old, new)


LIMITS = some.builds(
    Limit,
    name=some.just("limit"),
    scope=some.builds(
        Scope,
        acts=some.sampled_from([frozenset[Act](), frozenset({Act.TRANSFER}), frozenset({Act.TRANSFER, Act.ORDER})]),
        connections=some.sampled_from([frozenset[str](), frozenset({"deriv/a"})]),
        providers=some.sampled_from([frozenset[str](), frozenset({"deriv"})]),
        weekdays=some.sampled_from([frozenset[int](), frozenset({0, 1})]),
        requesters=some.sampled_from([frozenset[str](), frozenset({"role/approver"}), frozenset({"group/finance"})]),
    ),
    most=some.sampled_from([money("2 USD"), money("3 USD")]),
    per=some.sampled_from(Per),
    window=some.sampled_from(Window),
)
WISHES = some.lists(
    some.builds(
        lambda act, connection, requester, hours, amount: replace(
            TRANSFER,
            act=act,
            provider=connection.split("/")[0],
            connection=connection,
            requester=requester,
            at=datetime(2026, 10, 24, 12, 0, tzinfo=UTC) + timedelta(hours=hours),  # the clocks go back in the night
            amount=money(f"{amount} USD"),
        ),
        some.sampled_from([Act.TRANSFER, Act.ORDER]),
        some.sampled_from(["deriv/a", "deriv/b"]),
        some.sampled_from([somebody(1, "role/approver", "group/finance"), somebody(2, "role/operator")]),
        some.integers(0, 60),
        some.integers(1, 3),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=300, deadline=None)
@given(old=LIMITS, new=LIMITS, wishes=WISHES, zone=some.sampled_from(["UTC", "Europe/Zurich"]))
def test_whoever_keeps_a_limit_that_stands_for_another_keeps_the_other(
    old: Limit, new: Limit, wishes: list[Case], zone: str
) -> None:
    before = Policy(zone=ZoneInfo(zone), limits=(old,))
    after = Policy(zone=ZoneInfo(zone), limits=(new,))
    kept: list[Case] = []
    for wish in sorted(wishes, key=lambda one: one.at):
        if not any(exceeded(limit, spent(after, limit, wish, kept), wish) for limit in limits_for(after, wish)):
            kept.append(wish)
    is_broken = any(
        exceeded(limit, spent(before, limit, wish, kept[:number]), wish)
        for number, wish in enumerate(kept)
        for limit in limits_for(before, wish)
    )
    assert not is_broken or loosens(before, after)

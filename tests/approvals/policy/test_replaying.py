"""What a draft would have made of the requests there were; told the same, to the byte, each time."""

import csv
import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from bot.approvals.model import Seat, State
from bot.approvals.policy.difference import Change, Difference, Past
from bot.approvals.policy.model import Act, Case, Guarded, Policy
from bot.approvals.policy.reading import read
from bot.approvals.policy.replaying import replay
from bot.approvals.policy.reporting import lines
from bot.providers.records import Environment
from tests.support.policies import TRANSFER, at, costing, money, ruled, somebody

HERE = Path(__file__).parent
OLGA = replace(somebody(1, "role/operator"), name="Olga")
OTTO = replace(somebody(2, "role/operator", "role/approver"), name="Otto")
VERA = replace(somebody(3, "role/approver", "group/finance"), name="Vera")
RITA = replace(somebody(4, "role/approver", "group/risk"), name="Rita")
PEOPLE = (OLGA, OTTO, VERA, RITA)

ONE = 'tier = "quorum"\nneeds = ["1 of role/approver"]'
TWO = 'tier = "quorum"\nneeds = ["2 of role/approver"]'
IN_FORCE = """
[[rules]]
name = "closing"
acts = ["close"]
tier = "confirm"

[[rules]]
name = "small"
currencies = ["USD", "EUR"]
below = 10000
tier = "quorum"
needs = ["1 of role/approver"]

[[limits]]
name = "a day"
acts = ["transfer"]
currency = "USD"
amount = 400000
per = "desk"
window = "24h"
"""
DRAFT = """
zone = "Europe/Zurich"

[[rules]]
name = "nights"
acts = ["transfer"]
environments = ["live"]
hours = "22:00-06:00"
tier = "refuse"

[[rules]]
name = "closing"
acts = ["close"]
tier = "free"

[[rules]]
name = "pounds"
currencies = ["GBP"]
tier = "refuse"

[[rules]]
name = "small"
currencies = ["USD", "EUR"]
below = 1000
tier = "quorum"
needs = ["1 of role/approver"]

[[rules]]
name = "large"
acts = ["transfer"]
currencies = ["USD", "EUR"]
at_least = 50000
tier = "quorum"
needs = ["group/finance", "group/risk"]
proof = "code"
hold = "15m"

[[limits]]
name = "a person's day"
acts = ["transfer"]
currency = "USD"
amount = 150000
per = "person"
window = "day"
"""


def history() -> list[Past]:
    """Two hundred requests of a quarter."""
    requesters = {"Olga": OLGA, "Otto": OTTO}
    with (HERE / "history.csv").open(encoding="utf-8", newline="") as file:
        return [
            Past(
                row["id"],
                Case(
                    act=Act(row["act"]),
                    provider=row["connection"].split("/")[0],
                    environment=Environment(row["environment"]),
                    connection=row["connection"],
                    source="1",
                    beneficiary=row["beneficiary"],
                    amount=money(row["amount"]) if row["amount"] else None,
                    at=datetime.fromisoformat(row["at"]).replace(tzinfo=UTC),
                    requester=requesters[row["requester"]],
                ),
                State(row["came"]) if row["came"] else None,
            )
            for row in csv.DictReader(file)
        ]


def replayed(new: Policy | None, past: Iterable[Past], old: Policy | None = None) -> Difference:
    return replay(old, new, past, days=90, people=PEOPLE)


def past(number: int, case: Case = TRANSFER, came: State | None = State.SUCCEEDED) -> Past:
    return Past(f"R{number}", replace(case, requester=OLGA) if case.requester.id == 1 else case, came)


def ids(outcomes: Iterable[object]) -> list[str]:
    return [outcome.past.id for outcome in outcomes]  # type: ignore[attr-defined]


def test_two_hundred_requests_are_told_as_they_once_were_read_through() -> None:
    told = "\n".join(lines(replayed(read(DRAFT), history(), read(IN_FORCE)))) + "\n"
    assert told == (HERE / "difference.txt").read_text(encoding="utf-8")


def test_two_runs_give_the_same_to_the_byte_in_whatever_order_the_history_comes() -> None:
    shuffled = history()
    random.Random(5).shuffle(shuffled)
    first = replay(read(IN_FORCE), read(DRAFT), history(), days=90, people=PEOPLE)
    second = replay(read(IN_FORCE), read(DRAFT), shuffled, days=90, people=PEOPLE[::-1])
    assert "\n".join(lines(first)).encode() == "\n".join(lines(second)).encode()


def test_of_the_two_hundred_those_at_night_are_refused() -> None:
    """By a second reading of the same file: from January to April, Zurich is an hour ahead, from 29 March two."""
    expected = []
    with (HERE / "history.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            ahead = 2 if row["at"] >= "2026-03-29 01:00" else 1
            hour = (int(row["at"][11:13]) + ahead) % 24
            if row["act"] == "transfer" and row["environment"] == "live" and (hour >= 22 or hour < 6):
                expected.append(row["id"])
    difference = replayed(read(DRAFT), history())
    assert ids(difference.refused) == expected
    assert len(expected) > 10


def test_the_same_policy_makes_no_difference() -> None:
    policy = read(IN_FORCE)
    assert lines(replayed(policy, history(), policy)) == (
        "200 requests of the last 90 days.",
        "Nothing would have been different.",
    )


def test_what_is_refused_freed_and_let_through_is_told_by_name() -> None:
    old = ruled('beneficiaries = ["Beta"]\ntier = "refuse"', 'acts = ["transfer"]\ntier = "confirm"')
    new = ruled('name = "none for Acme"\nbeneficiaries = ["Acme"]\ntier = "refuse"', 'name = "open"\ntier = "free"')
    beta = replace(TRANSFER, beneficiary="Beta")
    order = replace(TRANSFER, act=Act.ORDER, beneficiary="")
    difference = replayed(new, [past(1), past(2, beta, None), past(3, order)], old)
    assert lines(difference) == (
        "3 requests of the last 90 days.",
        "No longer possible by a rule: 1",
        "  R1: transfer of 250.00 USD to Acme, asked for by Olga at 2026-03-02 12:00 UTC (“none for Acme”)",
        "Possible now: 1",
        "  R2: transfer of 250.00 USD to Beta, asked for by Olga at 2026-03-02 12:00 UTC (“open”)",
        "Done at once now: 2",
        "  R2: transfer of 250.00 USD to Beta, asked for by Olga at 2026-03-02 12:00 UTC (“open”)",
        "  R3: order of 250.00 USD, asked for by Olga at 2026-03-02 12:00 UTC (“open”)",
        "From confirm to refuse: 1",
        "From quorum to free: 1",
        "From refuse to free: 1",
        "Signatures in all: -2",
        "  Otto: -0.1 a week",
        "  Rita: -0.1 a week",
        "  Vera: -0.1 a week",
    )


def test_a_rule_that_another_stands_before_has_decided_nothing() -> None:
    new = ruled('name = "all"\ntier = "free"', 'name = "late"\ntier = "refuse"', 'name = "later"\ntier = "refuse"')
    assert lines(replayed(new, [past(1)]))[-1] == "Rules that decided nothing: “late” and “later”"


def test_of_many_the_first_ten_are_shown() -> None:
    told = lines(
        replayed(ruled('tier = "refuse"'), [past(number, at(f"2026-03-02 12:{number}")) for number in range(10, 23)])
    )
    assert told[1] == "No longer possible by a rule: 13"
    assert told[2].startswith("  R10: ")
    assert told[11].startswith("  R19: ")
    assert told[12] == "  and 3 more"


LIMIT = """
[[limits]]
name = "limit"
currency = "USD"
amount = 1000
per = "person"
window = "24h"
"""


def test_a_limit_is_recomputed_over_what_it_would_have_let_through_itself() -> None:
    wishes = [
        past(1, costing("600.00 USD", at("2026-03-02 10:00"))),
        past(2, costing("600.00 USD", at("2026-03-02 11:00"))),  # over: 1,200
        past(3, costing("400.00 USD", at("2026-03-02 12:00"))),  # not over, since the second was stopped
        past(4, costing("0.01 USD", at("2026-03-03 09:59"))),  # over by one cent
        past(5, costing("0.01 USD", at("2026-03-03 10:01"))),  # the first has left the window
        past(6, costing("900.00 EUR", at("2026-03-03 10:02"))),
        past(7, replace(costing("900.00 USD", at("2026-03-03 10:03")), requester=OTTO)),
    ]
    difference = replayed(ruled(more=LIMIT), wishes)
    assert ids(difference.limited) == ["R2", "R4"]
    assert {outcome.limit for outcome in difference.limited} == {"limit"}
    assert "No longer possible by a limit: 2" in lines(difference)


@pytest.mark.parametrize(
    ("came", "counts"),
    [
        (State.PENDING, True),
        (State.APPROVED, True),
        (State.HELD, True),
        (State.SENDING, True),
        (State.ACKED, True),
        (State.UNKNOWN, True),
        (State.SUCCEEDED, True),
        (State.SETTLED_BY_HAND, True),
        (State.DENIED, False),
        (State.EXPIRED, False),
        (State.CANCELLED, False),
        (State.FAILED, False),
        (None, True),
    ],
)
def test_only_what_has_ended_without_effect_leaves_a_limit_free(came: State | None, counts: bool) -> None:
    wishes = [past(1, costing("600.00 USD"), came), past(2, costing("600.00 USD"))]
    assert ids(replayed(ruled(more=LIMIT), wishes).limited) == (["R2"] if counts else [])


def test_a_limit_that_goes_lets_through_what_it_stopped() -> None:
    wishes = [past(1, costing("600.00 USD")), past(2, costing("600.00 USD"), None)]
    assert ids(replayed(None, wishes, ruled(more=LIMIT)).let_through) == ["R2"]


def test_signatures_are_shared_among_those_who_could_give_them_and_never_the_asker() -> None:
    by_olga, by_otto = past(1), past(2, replace(TRANSFER, requester=OTTO))
    difference = replay(ruled(ONE), ruled(TWO), [by_olga, by_otto], days=14, people=PEOPLE)
    assert difference.signatures == 2
    # Over two weeks: a third of one more each for Otto, Vera and Rita, and a half of one for Vera and Rita.
    assert difference.load == {"Otto": Fraction(1, 6), "Rita": Fraction(5, 12), "Vera": Fraction(5, 12)}


def test_amounts_of_any_size_are_added_exactly() -> None:
    limit = LIMIT.replace('"USD"', '"BTC"').replace("1000", '"100000000000.00000001"')
    wishes = [past(1, costing("99999999999.99999999 BTC")), past(2, costing("0.00000002 BTC"))]
    assert replayed(ruled(more=limit), wishes).limited == ()
    wishes = [past(1, costing("99999999999.99999999 BTC")), past(2, costing("0.00000003 BTC"))]
    assert ids(replayed(ruled(more=limit), wishes).limited) == ["R2"]
    assert wishes[1].case.amount is not None
    assert wishes[1].case.amount.amount == Decimal("0.00000003")


def test_a_close_that_no_rate_weighs_went_through_and_holds_up_what_came_after_for_a_day() -> None:
    policy = read(
        '[[limits]]\nname = "a day"\ncurrency = "USD"\namount = 1000\nper = "desk"\nwindow = "24h"\n'
        "every_currency = true\n"
    )
    closing = replace(costing("10.00 EUR"), act=Act.CLOSE)
    history = [
        Past("1", at("2026-03-02 12:00", closing), State.SUCCEEDED),
        Past("2", at("2026-03-02 13:00", closing), State.SUCCEEDED),
        Past("3", at("2026-03-02 14:00"), State.SUCCEEDED),
        Past("4", at("2026-03-03 13:00"), State.SUCCEEDED),
    ]
    pairs = replay(policy, policy, history, days=2).pairs
    assert [before.limit for before, _ in pairs] == ["", "", "a day", ""]


def test_what_was_settled_by_hand_as_not_executed_leaves_a_limit_free() -> None:
    settled = replace(past(1, costing("600.00 USD"), State.SETTLED_BY_HAND), moved_money=False)
    assert replayed(ruled(more=LIMIT), [settled, past(2, costing("600.00 USD"))]).limited == ()


def test_what_was_asked_for_before_counts_in_the_first_days_limits_and_is_not_told() -> None:
    wishes = [
        past(1, costing("600.00 USD", at("2026-03-01 23:00"))),
        past(2, costing("600.00 USD", at("2026-03-02 01:00"))),
    ]
    first_day = datetime(2026, 3, 2, tzinfo=UTC)
    difference = replay(None, ruled(more=LIMIT), wishes, days=1, people=PEOPLE, since=first_day)
    assert ids(difference.limited) == ["R2"]
    assert lines(difference)[0] == "1 request of the last 1 days."


def test_a_first_payment_that_would_wait_is_told_and_no_other() -> None:
    new = ruled('name = "open"\ntier = "free"', more='first_payment_hold = "2h"')
    old = ruled('name = "open"\ntier = "free"')
    wishes = [replace(past(1), is_first=True), past(2)]
    assert lines(replayed(new, wishes, old)) == (
        "2 requests of the last 90 days.",
        "First payments to somebody that would wait longer: 1",
        "  R1: transfer of 250.00 USD to Acme, asked for by Olga at 2026-03-02 12:00 UTC (“open”)",
        "Other signers, proof or times: 1",
    )
    assert ids(replayed(new, wishes, ruled(ONE)).freed) == ["R2"]


def test_a_payment_within_a_longer_cool_down_is_stopped_and_leaves_the_limits_free() -> None:
    entered = TRANSFER.at - timedelta(hours=30)
    wishes = [replace(past(1, costing("600.00 USD")), listed_at=entered), past(2, costing("600.00 USD"))]
    difference = replayed(ruled(more='beneficiary_cooldown = "2d"\n' + LIMIT), wishes, ruled())
    assert lines(difference)[1:3] == (
        "No longer possible, because the beneficiary was too new: 1",
        "  R1: transfer of 600.00 USD to Acme, asked for by Olga at 2026-03-02 12:00 UTC (no rule)",
    )
    assert difference.limited == ()
    assert replayed(ruled(), wishes, ruled()).too_early == ()  # thirty hours are more than a day


def test_changes_of_the_desk_are_held_against_the_guards_and_never_below_what_the_house_asks() -> None:
    old = read('[guards.beneficiary]\nneeds = ["1 of role/approver"]\n[guards.role]\nneeds = ["1 of role/approver"]')
    new = read('[guards.beneficiary]\nneeds = ["2 of role/approver"]\nproof = "code"')
    entered = Change("B1", Guarded.BENEFICIARY, TRANSFER.at, "Olga", frozenset({1}))
    given = Change("G1", Guarded.ROLE, TRANSFER.at, "Olga", frozenset({1}), (Seat("role/admin"),))
    told = lines(replay(old, new, [], days=7, people=PEOPLE, changes=[given, entered]))
    title = "Changes of the desk that others would sign, or otherwise: 2"
    assert told[:3] == ("0 requests of the last 7 days.", "Beside them 2 that change the desk itself.", title)
    for line, changed in zip(
        told[3:],
        (
            "  B1: A new beneficiary, asked for by Olga at 2026-03-02 12:00 UTC:",
            "  G1: A role that one admin cannot give, asked for by Olga at 2026-03-02 12:00 UTC:",
        ),
        strict=True,
    ):
        assert line.startswith(changed)
    assert told[3].endswith(": one approver signs → two approvers sign with a code")
    assert told[4].endswith(": one admin and one approver sign → one admin signs")
    alone = replay(old, new, [], days=7, people=PEOPLE, changes=[entered])
    assert (alone.signatures, alone.load) == (1, dict.fromkeys(("Otto", "Rita", "Vera"), Fraction(1, 3)))

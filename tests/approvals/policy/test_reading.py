"""From a policy's text to what it means, or to one report of all that is wrong with it."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from bot.approvals.model import Seat
from bot.approvals.policy import document, reading
from bot.approvals.policy.model import (
    DEFAULT,
    GUARDS,
    Act,
    Escalation,
    Guard,
    Guarded,
    Hours,
    Per,
    Policy,
    Proof,
    Tier,
    Window,
)
from bot.approvals.policy.reading import read
from bot.errors import ConfigError
from bot.providers.records import Environment
from bot.providers.registry import PROVIDERS
from tests.support.policies import money

EXAMPLE = Path(reading.__file__).with_name("example.toml")

WHOLE = """
zone = "Europe/Zurich"
life = "1h"
beneficiary_cooldown = "2d"
loosening_delay = "36h"
remind_at_percent = [25, 75]

[[escalate]]
after = "20m"
to = "group/board"

[[escalate]]
after = "10m"
to = "role/admin"

[[rules]]
name = "all conditions"
acts = ["transfer", "change wallet"]
providers = ["cryptocapital"]
environments = ["live"]
connections = ["cryptocapital/main"]
sources = ["1000001"]
beneficiaries = ["Acme, Ltd."]
currencies = ["USD", "EUR"]
at_least = "1000"
below = 50_000
hours = "08:30-18:00"
weekdays = ["mon", "fri"]
requesters = ["role/operator", "group/finance"]
tier = "quorum"
needs = ["2 of role/approver", "group/risk"]
proof = "number"
hold = "90s"
life = "24h"
reason = "Because."

[[limits]]
name = "a limit"
acts = ["order"]
weekdays = ["sun"]
currency = "JPY"
amount = "1000000"
per = "connection"
window = "day"

[guards]
thaw = { needs = ["3 of role/approver"], proof = "number" }
"""


def problems(text: bytes | str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, providers=["capital", "deriv"])
    return [str(problem) for problem in caught.value.problems]


def test_every_setting_of_a_document_is_read() -> None:
    policy = read(WHOLE)
    assert policy.zone == ZoneInfo("Europe/Zurich")
    assert policy.life == timedelta(hours=1)
    assert policy.beneficiary_cooldown == timedelta(days=2)
    assert policy.loosening_delay == timedelta(hours=36)
    assert policy.remind_at_percent == (25, 75)
    assert policy.escalations == (
        Escalation(timedelta(minutes=10), "role/admin"),
        Escalation(timedelta(minutes=20), "group/board"),
    )
    (rule,) = policy.rules
    assert rule.name == "all conditions"
    assert rule.scope.acts == {Act.TRANSFER, Act.WALLET_CHANGE}
    assert rule.scope.providers == {"cryptocapital"}
    assert rule.scope.environments == {Environment.LIVE}
    assert rule.scope.connections == {"cryptocapital/main"}
    assert rule.scope.sources == {"1000001"}
    assert rule.scope.beneficiaries == {"Acme, Ltd."}
    assert rule.scope.currencies == {"USD", "EUR"}
    assert (rule.scope.at_least, rule.scope.below) == (Decimal(1000), Decimal(50000))
    assert rule.scope.hours == Hours(510, 1080)
    assert rule.scope.weekdays == {0, 4}
    assert rule.scope.requesters == {"role/operator", "group/finance"}
    assert rule.tier is Tier.QUORUM
    assert rule.needs == (Seat("role/approver", 2), Seat("group/risk", 1))
    assert rule.proof is Proof.NUMBER
    assert rule.hold == timedelta(seconds=90)
    assert rule.life == timedelta(days=1)
    assert rule.reason == "Because."
    (limit,) = policy.limits
    assert limit.name == "a limit"
    assert (limit.scope.acts, limit.scope.weekdays) == ({Act.ORDER}, {6})
    assert limit.most == money("1000000 JPY")
    assert (limit.per, limit.window) == (Per.CONNECTION, Window.DAY)
    assert policy.guards[Guarded.THAW] == Guard((Seat("role/approver", 3),), Proof.NUMBER)
    assert policy.guards[Guarded.BENEFICIARY] == GUARDS[Guarded.BENEFICIARY]


def test_an_empty_document_is_the_policy_of_a_desk_that_has_none() -> None:
    assert read("") == Policy() == DEFAULT


def test_the_example_is_read_without_a_problem_and_names_every_act() -> None:
    policy = read(EXAMPLE.read_bytes(), providers=PROVIDERS)
    assert {act for rule in policy.rules for act in rule.scope.acts} == set(Act)
    assert set(policy.guards) == set(Guarded)
    assert {limit.window for limit in policy.limits} == set(Window)


def test_the_example_shows_every_key_there_is() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for kind in (document.Document, document.RuleTable, document.LimitTable, document.GuardsTable, document.GuardTable):
        for key in kind.__struct_fields__:
            assert key in text, key


def test_the_document_knows_every_act_and_every_guard() -> None:
    assert list(get_args(document.ActWord)) == [act.value for act in Act]
    assert list(get_args(document.ProofWord)) == [proof.value for proof in Proof]
    assert list(document.GuardsTable.__struct_fields__) == [guarded.value for guarded in Guarded]


def test_all_that_is_wrong_is_in_one_report_and_says_where() -> None:
    text = """
zone = "Mars/Base"
rulez = 1
life = "4m"
beneficiary_cooldown = "8d"
[[rules]]
name = "one"
providers = ["cryptocaptial"]
connections = ["main"]
hours = "8-18"
tier = "quorum"
[[rules]]
name = "one"
acts = ["pay"]
tier = "free"
needs = ["many"]
"""
    assert problems(text) == [
        "rulez: found an unknown key, expected `rules`?",
        f"rules[1].acts[0]: found 'pay', expected one of {', '.join(Act)}",
        "zone: found 'Mars/Base', expected an IANA name such as Europe/Zurich",
        "life: found '4m', expected 5m to 1d, written as 30m, 24h or 2d",
        'rules[0].needs: found nothing, expected who must sign, such as ["2 of role/approver"]',
        "rules[0].providers: found 'cryptocaptial', expected one of capital, deriv",
        "rules[0].connections: found 'main', expected provider/label, such as cryptocapital/main",
        "rules[0].hours: found '8-18', expected such as 08:00-18:00, or 22:00-06:00 over midnight",
        "rules[1].needs[0]: found 'many', expected such as 2 of role/approver or 1 of group/finance",
        'rules[1].needs: found one beside tier free, expected none, or tier "quorum"',
        "rules: found 'one' more than once, expected a name of its own for each",
        "beneficiary_cooldown: found '8d', expected 0 to 7d, written as 30m, 24h or 2d",
    ]


@pytest.mark.parametrize(
    "amount", ['"1e5"', '"1,000"', '"１００"', '"NaN"', '"-1"', '"+1"', '" 1"', '"1.005"', '"01"', '"1_0"', "-1", '""']
)
def test_an_amount_is_written_as_the_currency_is(amount: str) -> None:
    found = problems(f'[[rules]]\nname = "a"\ncurrencies = ["USD"]\nbelow = {amount}\ntier = "free"')
    assert len(found) == 1
    assert found[0].startswith("rules[0].below: found ")
    assert "250.00 USD" in found[0]


@pytest.mark.parametrize("amount", ["1.5", "true", "nan", "[1]", "2026-03-02"])
def test_an_amount_is_never_a_float_nor_anything_else(amount: str) -> None:
    (found,) = problems(f'[[rules]]\nname = "a"\ncurrencies = ["USD"]\nbelow = {amount}\ntier = "free"')
    assert found.endswith("expected a text or a whole number")


@pytest.mark.parametrize(
    ("rule", "where", "found"),
    [
        ('below = "5"', "below", "'5'"),
        ('currencies = ["USD"]\nat_least = "5"\nbelow = "5"', "", "at_least 5 and below 5"),
        ('currencies = ["USD", "JPY"]\nbelow = "5.5"', "below", "'5.5'"),
        ('currencies = ["usd"]', "currencies", "'usd'"),
        ('currencies = ["XXX"]', "currencies", "'XXX'"),
        ("acts = []", "acts", "an empty list"),
        ("weekdays = []", "weekdays", "an empty list"),
        ('hours = "08:00-08:00"', "hours", "'08:00-08:00'"),
        ('hours = "24:00-08:00"', "hours", "'24:00-08:00'"),
        ('hours = "08:00-25:00"', "hours", "'08:00-25:00'"),
        ('hours = "٠8:00-09:00"', "hours", "'٠8:00-09:00'"),
        ('requesters = ["operator"]', "requesters", "'operator'"),
        ('requesters = ["role/boss"]', "requesters", "'role/boss'"),
        ('requesters = ["group/admin"]', "requesters", "'group/admin'"),
        ('providers = ["deriv"]\nconnections = ["capital/main"]', "connections", "none of the providers named"),
        ('beneficiaries = ["a\\u202eb"]', "beneficiaries", "'a\\u202eb'"),
        ('proof = "code"', "proof", "one beside tier free"),
        ('hold = "5m"', "hold", "one beside tier free"),
        ('life = "5m"', "life", "one beside tier free"),
    ],
)  # fmt: skip
def test_what_could_be_misread_is_refused(rule: str, where: str, found: str) -> None:
    (problem,) = problems(f'[[rules]]\nname = "a"\n{rule}\ntier = "free"')
    assert problem.startswith(f"rules[0]{'.' if where else ''}{where}: found {found}")


@pytest.mark.parametrize("text", ["", "30", "30 m", "1.5h", "-5m", "5M", "05m", "٥m", "9999999m", "1w", "P1D"])
def test_a_duration_is_a_number_and_its_unit(text: str) -> None:
    (problem,) = problems(f'life = "{text}"')
    assert problem.startswith("life: found ")


@pytest.mark.parametrize(
    "seat", ["0 of role/admin", "100 of role/admin", "2 role/admin", "two of role/admin", "role/", "group/A", "admin"]
)
def test_a_seat_is_a_number_of_people_out_of_a_circle(seat: str) -> None:
    (problem,) = problems(f'[guards.thaw]\nneeds = ["{seat}"]')
    assert problem.startswith("guards.thaw.needs[0]: found ")


def test_a_guard_needs_somebody_and_never_a_crowd() -> None:
    assert problems("[guards.thaw]\nneeds = []") == [
        'guards.thaw.needs: found nobody, expected who must sign, such as ["1 of role/admin"]'
    ]
    assert problems('[guards.thaw]\nneeds = ["15 of role/approver", "6 of role/admin"]') == [
        "guards.thaw.needs: found 21 people, expected at most 20"
    ]


@pytest.mark.parametrize("percents", ["[0]", "[100]", "[80, 50]", "[50, 50]"])
def test_reminders_come_within_a_requests_life_one_after_another(percents: str) -> None:
    assert problems(f"remind_at_percent = {percents}") == [
        f"remind_at_percent: found {percents}, expected up to ten rising numbers between 1 and 99"
    ]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"\xff", "found something else, expected a text in UTF-8"),
        ("a = ", "found not TOML: "),
        ("zone = 'UTC'\nzone = 'UTC'", "found not TOML: "),
        ("# €\n" * 11000, "found 66,000 bytes, expected at most 65,536"),
        ("a" + ".a" * 1000 + " = 1", "found a line of 2,005 bytes, expected at most 2,000"),
        ("a = " + "[" * 1900, "found not TOML: "),
    ],
)
def test_what_is_no_document_is_refused_at_once(document: bytes | str, problem: str) -> None:
    (only,) = problems(document)
    assert only.startswith(f"document: {problem}")


def test_a_document_of_nothing_but_mistakes_gives_a_short_report() -> None:
    assert len(problems("\n".join(f"k{number} = 1" for number in range(500)))) == 50


def test_no_more_rules_than_can_be_looked_through() -> None:
    text = "\n".join(f'[[rules]]\nname = "{number}"\ntier = "free"' for number in range(201))
    assert problems(text) == ["rules: found 201 of them, expected at most 200"]

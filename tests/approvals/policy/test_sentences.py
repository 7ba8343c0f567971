"""A policy as a person reads it."""

from datetime import timedelta

import pytest

from bot.approvals.policy.model import Policy
from bot.approvals.policy.reading import read
from bot.approvals.policy.sentences import sentences, span
from bot.money import Money
from tests.support.policies import ruled

GUARDS = (
    "A new beneficiary: two approvers sign with a code.",
    "A role that one admin cannot give: one admin signs.",
    "The reset of a second factor: one admin signs.",
    "A change of this policy: one admin signs with a code.",
    "Thawing the desk: two approvers sign with a code.",
    "Settling an unknown outcome by hand: two approvers sign with a code.",
    "Repeating what has an unknown outcome: two approvers sign with a code.",
)


def test_a_desk_without_a_policy_reads_what_holds_there() -> None:
    assert sentences(None) == (
        "Anything at all: two approvers sign with a code.",
        "Nobody signs what they asked for themselves.",
        *GUARDS,
        "A new beneficiary can be used after 24 h.",
        "A change that makes anything less strict waits 24 h; a stricter one does not.",
        "A request is open for 30 min unless its rule says otherwise.",
        "Those who could sign are reminded after 50 % and 80 % of that time.",
        "Hours and days are those of UTC.",
    )
    assert sentences(Policy()) == sentences(None)


RULES = """
tier = "free"
# anything: done at once.

acts = ["transfer"]
tier = "confirm"
# transfers: the asker confirms.

acts = ["close", "order"]
tier = "confirm"
proof = "code"
# orders or closed positions: the asker confirms with a code.

tier = "refuse"
reason = "Not today."
# anything: refused. Not today.

currencies = ["USD"]
at_least = 1000
below = "50000.50"
tier = "quorum"
needs = ["3 of role/approver"]
# anything of at least 1,000.00 USD and below 50,000.50 USD: three approvers sign.

currencies = ["USD", "JPY", "BTC"]
tier = "free"
# anything in BTC, JPY or USD: done at once.

currencies = ["JPY", "KWD"]
below = 1000000
tier = "free"
# anything below 1,000,000 JPY or 1,000,000.000 KWD: done at once.

environments = ["demo"]
providers = ["deriv", "capital"]
hours = "22:00-06:00"
weekdays = ["sun", "sat"]
tier = "free"
# anything on demo accounts at capital or deriv between 22:00 and 06:00 on Sat or Sun: done at once.

connections = ["deriv/main"]
sources = ["CR1"]
beneficiaries = ["Acme"]
tier = "free"
# anything through deriv/main from account CR1 to Acme: done at once.

requesters = ["role/admin", "group/risk"]
tier = "free"
# anything asked for by somebody in the group risk or an admin: done at once.

tier = "quorum"
needs = ["2 of group/risk", "role/admin"]
proof = "number"
hold = "90s"
life = "2h"
# anything: two people in the group risk and one admin sign with the right number, then it waits 90 s (open for 2 h).
"""


@pytest.mark.parametrize("block", RULES.strip().split("\n\n"))
def test_a_rule_is_a_sentence_with_its_number_and_name(block: str) -> None:
    rule, _, sentence = block.partition("\n# ")
    assert sentences(ruled(f'name = "a"\n{rule}'))[0] == f"1. “a”: {sentence}"


def test_what_is_left_over_is_told_after_the_rules() -> None:
    assert sentences(ruled('tier = "free"'))[1] == "Anything else: two approvers sign with a code."


@pytest.mark.parametrize(
    ("per", "window", "sentence"),
    [
        ("person", "24h", "Limit “l”: transfers: at most 1,000,000.00 EUR within 24 hours for each person."),
        ("connection", "day", "Limit “l”: transfers: at most 1,000,000.00 EUR a day for each connection."),
        ("desk", "24h", "Limit “l”: transfers: at most 1,000,000.00 EUR within 24 hours for the whole desk."),
        ("desk", "transaction", "Limit “l”: transfers: at most 1,000,000.00 EUR at a time."),
    ],
)
def test_a_limit_is_a_sentence_too(per: str, window: str, sentence: str) -> None:
    text = f'currency = "EUR"\namount = 1000000\nper = "{per}"\nwindow = "{window}"\nacts = ["transfer"]'
    assert sentence in sentences(read(f'[[limits]]\nname = "l"\n{text}'))


def test_guards_and_settings_are_told_as_they_are_set() -> None:
    told = sentences(
        read(
            'zone = "Asia/Tokyo"\nlife = "2h"\nbeneficiary_cooldown = "0"\nloosening_delay = "3d"\n'
            'first_payment_hold = "2h"\n'
            "remind_at_percent = []\n"
            '[[escalate]]\nafter = "10m"\nto = "group/board"\n[[escalate]]\nafter = "1h"\nto = "role/admin"\n'
            '[guards.thaw]\nneeds = ["1 of role/admin", "1 of role/approver"]\nproof = "number"'
        )
    )
    assert told[6] == "Thawing the desk: one admin and one approver sign with the right number."
    assert told[9:] == (
        "A new beneficiary can be used at once.",
        "The first payment to a beneficiary waits 2 h after the last signature, and can be called off.",
        "A change that makes anything less strict waits 3 days; a stricter one does not.",
        "A request is open for 2 h unless its rule says otherwise.",
        "A request that has waited 10 min is told to every person in the group board.",
        "A request that has waited 1 h is told to every admin.",
        "Hours and days are those of Asia/Tokyo.",
    )


def test_amounts_are_written_as_the_desk_writes_them() -> None:
    def swiss(money: Money) -> str:
        return f"{money.currency} {money.amount:,.2f}".replace(",", "’")

    policy = ruled('name = "a"\ncurrencies = ["CHF"]\nbelow = 10000\ntier = "free"')
    assert sentences(policy, swiss)[0] == "1. “a”: anything below CHF 10’000.00: done at once."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (90, "90 s"),
        (1800, "30 min"),
        (5400, "90 min"),
        (86400, "24 h"),
        (129600, "36 h"),
        (172800, "2 days"),
    ],
)
def test_a_time_is_told_in_the_largest_unit_that_fits(seconds: int, words: str) -> None:
    assert span(timedelta(seconds=seconds)) == words

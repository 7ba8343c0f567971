"""What an amount of one currency uses of a limit in another, and what goes where no limit counts it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.approvals.model import Seat
from bot.approvals.policy.comparing import loosens, signing
from bot.approvals.policy.judging import exceeded, judge, limits_for, spent
from bot.approvals.policy.model import Act, Case, Policy, Proof, Tier
from bot.approvals.policy.rates import Rate, Rates
from bot.approvals.policy.sentences import limit_in_words, sentences
from bot.errors import NoRateError
from bot.money import Currency
from tests.support.policies import MONDAY_NOON, TRANSFER, costing, money, ruled

USD = Currency("USD")
BAND = (
    'name = "small"\nacts = ["transfer"]\ncurrencies = ["USD", "EUR"]\nbelow = 1000\ntier = "quorum"\n'
    'needs = ["1 of role/approver"]\nproof = "number"'
)
REST = (
    'name = "large"\nacts = ["transfer"]\ntier = "quorum"\nneeds = ["1 of group/finance", "1 of group/risk"]\n'
    'proof = "code"\nhold = "15m"\nlife = "4h"'
)
CLOSING = 'name = "closing"\nacts = ["close"]\ntier = "confirm"'


def limited(currency: str = "USD", name: str = "a day", more: str = "") -> str:
    return (
        f'[[limits]]\nname = "{name}"\ncurrency = "{currency}"\namount = 1000\nper = "desk"\nwindow = "24h"\n{more}\n'
    )


EVERY = limited(more="every_currency = true")


def rate(pair: str, number: str, hours: float = 0) -> Rate:
    """Entered so many hours before Monday noon."""
    base, _, quote = pair.partition("/")
    return Rate(base, quote, Decimal(number), MONDAY_NOON - timedelta(hours=hours))


@pytest.mark.parametrize(
    ("amount", "rates", "worth"),
    [
        ("250.00 USD", [], "250.00 USD"),
        ("100.00 EUR", [rate("EUR/USD", "1.1")], "115.50 USD"),  # 110 and 5 % of it
        ("100.00 EUR", [rate("USD/EUR", "0.8")], "131.25 USD"),  # the other way round: 125 and 5 %
        ("0.01 EUR", [rate("EUR/USD", "1.1")], "0.02 USD"),  # rounded up, never down
        ("100.00 EUR", [rate("EUR/USD", "2", 3), rate("EUR/USD", "1", 2)], "105.00 USD"),  # the newest
        ("100.00 EUR", [rate("EUR/USD", "1", 24)], "105.00 USD"),
    ],
)
def test_an_amount_is_worth_its_rate_and_five_in_a_hundred_more(amount: str, rates: list[Rate], worth: str) -> None:
    assert Rates(rates).worth(money(amount), USD, MONDAY_NOON) == money(worth)


@pytest.mark.parametrize("rates", [[], [rate("GBP/USD", "1.3")], [rate("EUR/USD", "1.1", 24.001)]])
def test_without_a_rate_of_the_last_day_nobody_can_say(rates: list[Rate]) -> None:
    with pytest.raises(NoRateError, match="no rate of EUR/USD is younger than 24 hours"):
        Rates(rates).worth(money("1.00 EUR"), USD, MONDAY_NOON)


def test_a_rate_of_tomorrow_is_none_today() -> None:
    with pytest.raises(NoRateError):
        Rates([rate("EUR/USD", "1", -1)]).worth(money("1.00 EUR"), USD, MONDAY_NOON)


def test_a_limit_that_counts_every_currency_adds_up_what_each_was_worth_then() -> None:
    policy = ruled(more=EVERY)
    (limit,) = policy.limits
    earlier = replace(costing("100.00 EUR"), at=MONDAY_NOON - timedelta(hours=20))
    rates = Rates([rate("EUR/USD", "2", 30), rate("EUR/USD", "1", 1)])  # the first is too old now, and was not then
    gone = spent(policy, limit, costing("1.00 EUR"), [earlier, costing("300.00 USD")], rates)
    assert gone == Decimal("510.00")  # 210 and 300
    assert not exceeded(limit, gone, costing("466.66 EUR"), rates)  # 490.00 more
    assert exceeded(limit, gone, costing("466.67 EUR"), rates)


def test_what_was_asked_for_before_there_was_a_rate_counts_by_that_of_now() -> None:
    (limit,) = ruled(more=EVERY).limits
    earlier = replace(costing("100.00 EUR"), at=MONDAY_NOON - timedelta(hours=20))
    assert spent(None, limit, TRANSFER, [earlier], Rates([rate("EUR/USD", "2", 1)])) == Decimal("210.00")


def test_it_is_said_in_the_limits_own_sentence() -> None:
    policy = ruled(more=EVERY)
    assert limit_in_words(policy.limits[0]) == (
        "Limit “a day”: anything: at most 1,000.00 USD within 24 hours for the whole desk, "
        "other currencies counted at their rate and 5 % more."
    )
    needs = "A rate counts for 24 hours; where a limit needs one that is missing, nothing is asked for: /rate."
    strictest = "Where limits are kept, and none counts a currency, an amount in it takes what the strictest would."
    assert needs in sentences(policy)
    assert strictest not in sentences(policy)
    assert strictest in sentences(ruled(more=limited()))
    assert strictest not in sentences(ruled())


# no limit counts it


def asks_for(policy: Policy, case: Case) -> tuple[object, ...]:
    found = judge(policy, case)
    return found.rule, found.needs, found.proof, found.hold, found.life


SMALL = ("small", (Seat("role/approver"),), Proof.NUMBER, timedelta(), timedelta(minutes=30))
STRICTEST = (
    "small",
    (Seat("group/finance"), Seat("group/risk")),
    Proof.CODE,
    timedelta(minutes=15),
    timedelta(minutes=30),
)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ("", SMALL),  # nothing is bounded, in no currency
        (limited("EUR"), SMALL),
        (limited("USD") + limited("EUR", "euros"), SMALL),
        (EVERY, SMALL),
        (limited("USD", more='acts = ["order"]'), SMALL),
        (limited("USD"), STRICTEST),
        (limited("USD") + limited("EUR", "euros", 'acts = ["order"]'), STRICTEST),
    ],
    ids=["no limit", "its own", "its own too", "every", "another act", "another currency", "its own of another act"],
)
def test_in_a_currency_that_no_limit_counts_it_takes_what_the_strictest_amount_would(
    limits: str, expected: tuple[object, ...]
) -> None:
    policy = ruled(BAND, REST, CLOSING, more=limits)
    assert asks_for(policy, costing("10.00 EUR")) == expected
    assert judge(policy, costing("10.00 EUR")).is_uncounted is (expected is STRICTEST)


def test_what_nobody_else_would_sign_takes_two_approvers_then() -> None:
    policy = ruled('acts = ["transfer"]\ntier = "free"', more=limited("USD"))
    assert judge(policy, costing("10.00 USD")).tier is Tier.FREE
    found = judge(policy, costing("10.00 EUR"))
    assert (found.tier, found.needs, found.proof) == (Tier.QUORUM, (Seat("role/approver", 2),), Proof.CODE)


def test_where_a_band_leaves_the_rest_to_no_rule_that_is_the_strictest() -> None:
    policy = ruled(BAND, more=limited("USD"))
    found = judge(policy, costing("10.00 EUR"))
    assert (found.needs, found.proof) == ((Seat("role/approver", 2),), Proof.CODE)


@pytest.mark.parametrize("act", [Act.CLOSE, Act.REJECT_WITHDRAWAL])
def test_what_takes_risk_away_never_waits_for_a_limit(act: Act) -> None:
    policy = ruled('tier = "confirm"', more=limited("USD"))
    assert judge(policy, replace(costing("10.00 EUR"), act=act)).tier is Tier.CONFIRM
    assert judge(policy, replace(costing("10.00 EUR"), act=Act.ORDER)).tier is Tier.QUORUM


def test_what_is_refused_stays_refused() -> None:
    policy = ruled('currencies = ["EUR"]\ntier = "refuse"', REST, more=limited("USD"))
    assert judge(policy, costing("10.00 EUR")).tier is Tier.REFUSE


# changing that


@pytest.mark.parametrize(
    ("before", "after", "is_looser"),
    [
        (limited("USD"), limited("USD") + limited("EUR", "euros"), True),  # euros take one approver from then on
        (limited("USD"), limited("USD") + limited("GBP", "pounds"), False),  # pounds take the strictest anyway
        (limited("USD") + limited("EUR", "euros"), limited("USD"), True),  # the limit itself is gone
        (EVERY, limited("USD"), True),
        ("", EVERY, False),
        ("", limited("USD"), False),
        (EVERY, EVERY.replace("1000", "900"), False),
    ],
    ids=["euros", "pounds", "no euros", "one only", "the first, of all", "the first", "less of all"],
)
def test_whoever_lets_a_limit_count_a_currency_makes_that_currency_easier(
    before: str, after: str, is_looser: bool
) -> None:
    old, new = (ruled(BAND, REST, CLOSING, more=limits) for limits in (before, after))
    assert bool(loosens(old, new)) is is_looser


def test_and_those_sign_who_sign_for_the_strictest_amount() -> None:
    old = ruled(BAND, REST, more=limited("USD"))
    new = ruled(BAND, REST, more=limited("USD") + limited("EUR", "euros"))
    (sentence,) = loosens(old, new)
    assert sentence == (
        "Where “small” decided and “small” does now: one person in the group finance and one person in the group risk "
        "sign with a code, then it waits 15 min → one approver signs with the right number. "
        "For example “transfer” of 500.00 EUR on a live account."
    )
    assert {Seat("group/finance"), Seat("group/risk")} <= set(signing(old, new).needs)


def test_a_shadowed_rule_that_made_the_strictest_so_is_missed_when_it_goes() -> None:
    """Rule by rule nothing is easier: what goes decided nothing but what the strictest amount takes."""
    wide = 'name = "wide"\nacts = ["transfer"]\ncurrencies = ["USD"]\ntier = "refuse"'
    strict = 'name = "five"\nacts = ["transfer"]\ncurrencies = ["USD"]\ntier = "quorum"\nneeds = ["5 of role/approver"]'
    last = 'name = "one"\nacts = ["transfer"]\ntier = "quorum"\nneeds = ["1 of role/approver"]'
    old, new = ruled(wide, strict, last, more=limited("USD")), ruled(wide, last, more=limited("USD"))
    assert judge(old, costing("10.00 EUR")).needs == (Seat("role/approver", 5),)
    assert judge(new, costing("10.00 EUR")).needs == (Seat("role/approver"),)
    assert loosens(old, new)


def test_a_limit_that_counts_every_currency_counts_its_own_too() -> None:
    policy = ruled(more=limited("EUR", "euros") + EVERY)
    assert [limit.name for limit in limits_for(policy, costing("1.00 USD"))] == ["a day"]
    assert [limit.name for limit in limits_for(policy, costing("1.00 GBP"))] == ["a day"]
    assert [limit.name for limit in limits_for(policy, costing("1.00 EUR"))] == ["euros", "a day"]

"""What one case needs, and how much may go."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bot.approvals.model import Seat
from bot.approvals.policy.judging import exceeded, judge, limits_for, spent, window_start
from bot.approvals.policy.model import Act, Case, Limit, Per, Proof, Scope, Tier, Window
from bot.providers.records import Environment
from tests.support.policies import TRANSFER, at, costing, money, ruled, somebody


def limit(
    most: str = "1000.00 USD", per: Per = Per.DESK, window: Window = Window.ROLLING, scope: Scope | None = None
) -> Limit:
    return Limit("limit", scope or Scope(), money(most), per, window)


def test_without_a_policy_two_approvers_sign_with_a_code() -> None:
    verdict = judge(None, TRANSFER)
    assert verdict.tier is Tier.QUORUM
    assert verdict.needs == (Seat("role/approver", 2),)
    assert verdict.proof is Proof.CODE
    assert verdict.life == timedelta(minutes=30)
    assert verdict.hold == timedelta()


def test_what_no_rule_speaks_of_needs_two_approvers_and_a_code_for_as_long_as_the_policy_says() -> None:
    verdict = judge(ruled('acts = ["order"]\ntier = "free"', more='life = "2h"'), TRANSFER)
    assert (verdict.tier, verdict.needs, verdict.proof) == (Tier.QUORUM, (Seat("role/approver", 2),), Proof.CODE)
    assert verdict.life == timedelta(hours=2)
    assert verdict.rule == ""


def test_the_first_rule_that_applies_decides() -> None:
    policy = ruled('acts = ["order"]\ntier = "free"', 'acts = ["transfer"]\ntier = "confirm"', 'tier = "refuse"')
    verdict = judge(policy, TRANSFER)
    assert (verdict.rule, verdict.tier) == ("rule 2", Tier.CONFIRM)


def test_a_verdict_says_all_that_its_rule_says() -> None:
    policy = ruled(
        'name = "large"\ntier = "quorum"\nneeds = ["1 of group/finance", "group/risk"]\nproof = "code"\nhold = "15m"\n'
        'life = "4h"\nreason = "Much money."'
    )
    verdict = judge(policy, TRANSFER)
    assert verdict.rule == "large"
    assert verdict.needs == (Seat("group/finance", 1), Seat("group/risk", 1))
    assert (verdict.proof, verdict.hold, verdict.life) == (Proof.CODE, timedelta(minutes=15), timedelta(hours=4))
    assert verdict.reason == "Much money."


@pytest.mark.parametrize(
    ("condition", "other"),
    [
        ('acts = ["transfer", "order"]', {"act": Act.CLOSE}),
        ('providers = ["cryptocapital"]', {"provider": "deriv", "connection": "deriv/main"}),
        ('environments = ["live"]', {"environment": Environment.DEMO}),
        ('connections = ["cryptocapital/main"]', {"connection": "cryptocapital/other"}),
        ('sources = ["1000001"]', {"source": "1000002"}),
        ('beneficiaries = ["Acme", "Beta"]', {"beneficiary": "acme"}),
        ('currencies = ["USD"]', {"amount": money("250.00 EUR")}),
        ('currencies = ["USD"]', {"amount": None}),
        ('currencies = ["USD"]\nat_least = "250"', {"amount": money("249.99 USD")}),
        ('currencies = ["USD"]\nbelow = "250.01"', {"amount": money("250.01 USD")}),
        ('currencies = ["USD", "EUR"]\nbelow = 1000', {"amount": money("1000.00 EUR")}),
        ('hours = "12:00-13:00"', {"at": datetime(2026, 3, 2, 13, 0, tzinfo=UTC)}),
        ('hours = "12:00-13:00"', {"at": datetime(2026, 3, 2, 11, 59, 59, tzinfo=UTC)}),
        ('hours = "22:00-12:01"', {"at": datetime(2026, 3, 2, 12, 1, tzinfo=UTC)}),
        ('hours = "11:00-24:00"', {"at": datetime(2026, 3, 3, 0, 0, tzinfo=UTC)}),
        ('weekdays = ["mon"]', {"at": datetime(2026, 3, 3, 12, 0, tzinfo=UTC)}),
        ('requesters = ["role/operator", "group/finance"]', {"requester": somebody(2, "role/approver", "group/risk")}),
    ],
)  # fmt: skip
def test_a_rule_applies_only_where_its_condition_holds(condition: str, other: dict[str, object]) -> None:
    policy = ruled(f'{condition}\ntier = "free"', 'tier = "refuse"')
    assert judge(policy, TRANSFER).tier is Tier.FREE
    assert judge(policy, replace(TRANSFER, **other)).tier is Tier.REFUSE  # type: ignore[arg-type]


def test_every_condition_of_a_rule_must_hold() -> None:
    policy = ruled('acts = ["transfer"]\nbeneficiaries = ["Beta"]\ntier = "free"', 'tier = "refuse"')
    assert judge(policy, TRANSFER).tier is Tier.REFUSE


@pytest.mark.parametrize(
    ("moment", "tier"),
    [
        ("2026-03-02 20:59", Tier.CONFIRM),  # 21:59 in Zurich
        ("2026-03-02 21:00", Tier.REFUSE),  # 22:00
        ("2026-03-03 04:59", Tier.REFUSE),  # 05:59
        ("2026-03-03 05:00", Tier.CONFIRM),  # 06:00
        ("2026-07-06 19:59", Tier.CONFIRM),  # in summer two hours ahead: 21:59
        ("2026-07-06 20:00", Tier.REFUSE),
        ("2026-10-25 04:59", Tier.REFUSE),  # the clocks went back in between: 05:59
        ("2026-10-25 05:00", Tier.CONFIRM),
    ],
)
def test_hours_over_midnight_are_those_of_the_wall_clock_in_the_policys_zone(moment: str, tier: Tier) -> None:
    policy = ruled('hours = "22:00-06:00"\ntier = "refuse"', 'tier = "confirm"', more='zone = "Europe/Zurich"')
    assert judge(policy, at(moment)).tier is tier


def test_weekdays_are_those_of_the_policys_zone() -> None:
    policy = ruled('weekdays = ["sat", "sun"]\ntier = "refuse"', 'tier = "free"', more='zone = "Asia/Tokyo"')
    assert judge(policy, at("2026-03-06 14:59")).tier is Tier.FREE  # Friday 23:59 in Tokyo
    assert judge(policy, at("2026-03-06 15:00")).tier is Tier.REFUSE  # Saturday 00:00
    assert judge(policy, at("2026-03-08 15:00")).tier is Tier.FREE  # Monday 00:00


def test_a_limit_holds_to_its_last_cent() -> None:
    case = costing("400.00 USD")
    assert not exceeded(limit(), Decimal("600.00"), case)
    assert exceeded(limit(), Decimal("600.01"), case)


def test_a_limit_on_each_transaction_ignores_what_went_before() -> None:
    case = costing("1000.00 USD")
    each = limit(window=Window.TRANSACTION)
    assert not exceeded(each, spent(None, each, case, [costing("900.00 USD")] * 5), case)
    assert exceeded(each, Decimal(0), costing("1000.01 USD"))


def test_only_limits_in_the_cases_currency_and_scope_concern_it() -> None:
    text = """
[[limits]]
name = "dollars"
currency = "USD"
amount = 10
per = "desk"
window = "24h"
[[limits]]
name = "euros"
currency = "EUR"
amount = 10
per = "desk"
window = "24h"
[[limits]]
name = "orders"
acts = ["order"]
currency = "USD"
amount = 10
per = "desk"
window = "24h"
"""
    policy = ruled(more=text)
    assert [one.name for one in limits_for(policy, TRANSFER)] == ["dollars"]
    assert limits_for(policy, replace(TRANSFER, amount=None)) == ()
    assert limits_for(None, TRANSFER) == ()


OTHERS = {
    "same": TRANSFER,
    "another person": replace(TRANSFER, requester=somebody(9, "role/operator")),
    "another connection": replace(TRANSFER, connection="cryptocapital/other"),
    "euros": costing("250.00 EUR"),
    "an order": replace(TRANSFER, act=Act.ORDER),
    "no amount": replace(TRANSFER, amount=None),
    "a day ago": at("2026-03-01 12:00"),
    "yesterday": at("2026-03-01 12:01"),
}


@pytest.mark.parametrize(
    ("per", "window", "counted"),
    [
        (Per.DESK, Window.ROLLING, ["same", "another person", "another connection", "yesterday"]),
        (Per.DESK, Window.DAY, ["same", "another person", "another connection"]),
        (Per.PERSON, Window.ROLLING, ["same", "another connection", "yesterday"]),
        (Per.CONNECTION, Window.DAY, ["same", "another person"]),
    ],
)
def test_what_was_spent_is_what_its_owner_asked_for_in_its_window(per: Per, window: Window, counted: list[str]) -> None:
    some = limit(per=per, window=window, scope=Scope(acts=frozenset({Act.TRANSFER})))
    found = [name for name, other in OTHERS.items() if spent(None, some, TRANSFER, [other]) == Decimal("250.00")]
    assert found == counted
    assert spent(None, some, TRANSFER, OTHERS.values()) == 250 * len(counted)


@pytest.mark.parametrize(
    ("zone", "now", "start"),
    [
        ("UTC", "2026-03-02 12:00", "2026-03-02 00:00"),
        ("Europe/Zurich", "2026-03-29 12:00", "2026-03-28 23:00"),  # 23 hours long
        ("Europe/Zurich", "2026-03-30 12:00", "2026-03-29 22:00"),
        ("Europe/Zurich", "2026-10-25 22:59", "2026-10-24 22:00"),  # 25 hours long
        ("Asia/Tokyo", "2026-03-02 14:59", "2026-03-01 15:00"),
        ("Asia/Tokyo", "2026-03-02 15:00", "2026-03-02 15:00"),
        ("Africa/Cairo", "2026-04-24 12:00", "2026-04-23 22:00"),  # midnight itself is left out: 24:00 became 01:00
        ("America/Havana", "2026-11-01 12:00", "2026-11-01 04:00"),  # midnight comes twice: from the first one
    ],
)
def test_a_calendar_day_begins_at_midnight_of_its_zone(zone: str, now: str, start: str) -> None:
    moment = at(now).at
    assert window_start(limit(window=Window.DAY), moment, ZoneInfo(zone)) == at(start).at


def test_a_case_has_an_aware_time_a_connection_of_its_provider_and_no_negative_amount() -> None:
    with pytest.raises(ValueError, match="aware"):
        replace(TRANSFER, at=datetime(2026, 3, 2, 12, 0))  # noqa: DTZ001  # what must not be
    with pytest.raises(ValueError, match="of its provider"):
        replace(TRANSFER, provider="deriv")
    with pytest.raises(ValueError, match="negative"):
        costing("-1.00 USD")


def test_an_act_is_read_in_any_zone_alike() -> None:
    abroad: Case = replace(TRANSFER, at=TRANSFER.at.astimezone(ZoneInfo("Asia/Tokyo")))
    policy = ruled('hours = "12:00-12:01"\ntier = "free"')
    assert judge(policy, abroad) == judge(policy, TRANSFER)

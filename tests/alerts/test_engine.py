"""What touches a rule, and what must not."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.alerts.happening import Happening
from bot.alerts.model import Measure, Occasion, Repeat, Rule, Source, Test
from bot.money import Currency, Money
from bot.providers.records import Balance, Entry, Environment, Position, Quote, Way
from bot.providers.streams import Subject, Topic
from tests.alerts.making import GOLD, MINUTE, NINE, SECOND, Ticker, candle, engine_with, quote, rule, said, waits_for

PRICES = st.integers(1, 60)
KINDS = (Test.ABOVE, Test.BELOW, Test.CROSSES, Test.CHANGES)


class Scan:
    """The same by looking at every rule each time, in floats and flags: an oracle, written differently on purpose."""

    def __init__(self, rules: list[Rule]) -> None:
        self.rules = rules
        self.last: dict[str, float | None] = {one.id: None for one in rules}
        self.is_on = dict.fromkeys(self.last, False)
        self.is_done = dict.fromkeys(self.last, False)
        self.came = dict.fromkeys(self.last, 0)

    def tell(self, price: int) -> set[str]:
        return {one.id for one in self.rules if self._comes(one, price)}

    def _comes(self, one: Rule, price: int) -> bool:
        name, level, slack = one.id, float(one.threshold), float(one.hysteresis)
        if self.is_done[name]:
            return False
        if one.test in (Test.ABOVE, Test.BELOW):
            sign = 1 if one.test is Test.ABOVE else -1
            if self.is_on[name]:
                if sign * price <= sign * level - slack:
                    self.is_on[name] = False
                    self.is_done[name] = one.repeat is Repeat.ONCE
                return False
            self.is_on[name] = sign * price > sign * level
            return self.is_on[name]
        before = self.last[name]
        if before is None:
            self.last[name] = price if one.test is Test.CHANGES or price != level else None
            return False
        if one.test is Test.CHANGES:
            comes = abs(price - before) > level
        else:
            apart = slack if self.came[name] else 0
            comes = price > level + apart if before < level else price < level - apart
        if comes:
            self.last[name] = price
            self.came[name] += 1
            self.is_done[name] = one.repeat is Repeat.ONCE
        return comes


@st.composite
def rules(draw: st.DrawFn) -> list[Rule]:
    each = st.tuples(st.sampled_from(KINDS), PRICES, st.integers(0, 5), st.sampled_from([Repeat.ONCE, Repeat.EACH]))
    drawn = draw(st.lists(each, max_size=25))
    return [
        rule(test, level, name=f"r{number}", repeat=repeat, hysteresis=Decimal(slack))
        for number, (test, level, slack, repeat) in enumerate(drawn)
    ]


@settings(max_examples=200, deadline=None)
@given(rules(), st.lists(PRICES, max_size=40))
def test_by_threshold_it_finds_what_looking_at_every_rule_finds(made: list[Rule], prices: list[int]) -> None:
    ticker, scan = Ticker(*made), Scan(made)
    for price in prices:
        came = {line.split()[0] for line in ticker.tells(price) if not line.endswith("over")}
        assert came == scan.tell(price), price


@settings(max_examples=100, deadline=None)
@given(rules(), st.lists(PRICES, max_size=30), st.randoms(use_true_random=False))
def test_rules_that_come_and_go_meanwhile_leave_the_others_as_they_are(
    made: list[Rule], prices: list[int], chance: random.Random
) -> None:
    ticker, alone = Ticker(*made), {one.id: Ticker(one) for one in made}
    passing = [rule(Test.CROSSES, chance.randint(1, 60), name=f"p{number}") for number in range(5)]
    for price in prices:
        one = chance.choice(passing)
        entry = next(iter(engine_with(one).book(GOLD).entries.values()))  # type: ignore[union-attr]
        ticker.engine.put(entry)
        if chance.random() < 0.5:
            ticker.engine.remove(one.id)
        came = {line for line in ticker.tells(price) if line.startswith("r")}
        assert came == {line for each in alone.values() for line in each.tells(price)}


def test_ten_thousand_rules_come_each_at_its_own_threshold() -> None:
    ticker = Ticker(*(rule(Test.ABOVE, level, name=f"r{level}") for level in range(1, 10_001)))
    came: list[str] = []
    for price in ("500.5", "400", "9000.5", "20000"):
        came += [line for line in ticker.tells(price) if not line.endswith("over")]
    assert len(came) == 10_000
    assert {line.split()[0] for line in came} == {f"r{level}" for level in range(1, 10_001)}
    assert came.count("r500 up 500.5") == 1
    assert came.count("r501 up 9000.5") == 1


STRANGE = ("0", "-1", "-2450", "NaN", "sNaN", "Infinity", "-Infinity", "1e308", "1e15")


@pytest.mark.parametrize("price", STRANGE)
def test_f46_what_is_no_price_gives_no_alert_and_is_not_remembered(price: str) -> None:
    ticker = Ticker(rule(Test.ABOVE, 2400), rule(Test.BELOW, 2300, name="r2"), rule(Test.CROSSES, 2350, name="r3"))
    ticker.tells(2340)
    assert ticker.tells(Decimal(price)) == []
    assert ticker.tells(2341) == []
    book = ticker.engine.book(GOLD)
    assert book is not None
    assert book.value == 2341


def test_f46_half_a_quote_is_none() -> None:
    engine = engine_with(rule(Test.BELOW, 2300))
    assert engine.hear(1, Quote("GOLD", Decimal(0), Decimal(4400), NINE + SECOND), None, NINE + SECOND) == []
    assert engine.hear(1, Quote("GOLD", Decimal(4400), Decimal(-2), NINE + SECOND), None, NINE + SECOND) == []


def test_f46_told_twice_it_comes_once_and_reversed_it_is_as_it_was() -> None:
    ticker = Ticker(rule(Test.CROSSES, 2400, repeat=Repeat.EACH))
    ticker.tells(2390)
    up, old = quote(2410, NINE + 5 * SECOND), quote(2395, NINE + 4 * SECOND)
    now = NINE + 5 * SECOND
    assert said(ticker.engine.hear(1, up, None, now)) == ["r1 up 2410"]
    for again in (up, old, old, up):
        assert ticker.engine.hear(1, again, None, now) == []
    assert said(ticker.engine.hear(1, quote(2390, NINE + 6 * SECOND), None, now)) == ["r1 down 2390"]


def test_f46_what_is_an_hour_old_gives_no_alert_and_hides_none() -> None:
    engine, now = engine_with(rule(Test.CROSSES, 2400)), NINE + timedelta(hours=3)
    assert said(engine.hear(1, quote(2390, NINE + SECOND), None, NINE + SECOND)) == []
    assert engine.hear(1, quote(2410, now - timedelta(hours=1)), None, now) == []
    assert said(engine.hear(1, quote(2411, now), None, now)) == ["r1 up 2411"]


def test_f46_what_comes_from_the_future_gives_no_alert_and_hides_none() -> None:
    engine = engine_with(rule(Test.ABOVE, 2400))
    assert engine.hear(1, quote(2410, NINE + timedelta(hours=1)), None, NINE) == []
    assert said(engine.hear(1, quote(2405, NINE + SECOND), None, NINE + SECOND)) == ["r1 up 2405"]
    assert engine.hear(1, quote(2404, NINE + timedelta(hours=1)), None, NINE + 2 * SECOND) == []
    assert said(engine.hear(1, quote(2400, NINE + 3 * SECOND), None, NINE + 3 * SECOND)) == ["r1 over"]
    assert engine.ignored == {"ahead": 2}


def test_f46_a_crossing_inside_a_gap_gives_one_late_alert_though_it_is_back() -> None:
    ticker = Ticker(rule(Test.ABOVE, 2400), rule(Test.ABOVE, 2500, name="r2"), rule(Test.CROSSES, 2400, name="r3"))
    ticker.tells(2390)
    since, until = ticker.now, NINE + 10 * MINUTE
    ticker.now = until
    gap = [
        candle(2385, 2395, NINE + MINUTE),
        candle(2390, 2412, NINE + 3 * MINUTE),
        candle(2380, 2405, NINE + 4 * MINUTE),
    ]
    late = [line for each in gap for line in ticker.fills(each, since, until) if not line.endswith("over")]
    assert sorted(late) == ["r1 2412 late", "r3 2412 late"]
    assert [line for each in gap for line in ticker.fills(each, since, until)] == []
    assert ticker.tells(2391) == []


def test_f46_a_gap_that_is_filled_after_newer_quotes_came_gives_the_same_one_late_alert() -> None:
    ticker = Ticker(rule(Test.ABOVE, 2400, repeat=Repeat.EACH), rule(Test.BELOW, 2300, name="r2"))
    ticker.tells(2390)
    since, until = ticker.now, NINE + 10 * MINUTE
    ticker.now = until
    assert ticker.tells(2391) == []
    assert ticker.fills(candle(2390, 2412, NINE + 3 * MINUTE), since, until) == ["r1 2412 late"]
    assert ticker.fills(candle(2390, 2412, NINE + 3 * MINUTE), since, until) == []
    book = ticker.engine.book(GOLD)
    assert book is not None
    assert book.value == 2391


def test_a_gap_from_before_the_rule_gives_none() -> None:
    ticker = Ticker(rule(Test.ABOVE, 2400))
    since, until = NINE - 10 * MINUTE, NINE + 2 * SECOND
    ticker.now = until
    assert ticker.fills(candle(2385, 2412, NINE - 5 * MINUTE), since, until) == []
    assert ticker.fills(candle(2385, 2412, NINE - 30 * SECOND, close=2390), since, until) == []


def test_a_gap_that_begins_within_a_minute_is_looked_through_from_there() -> None:
    ticker = Ticker(rule(Test.ABOVE, 2400, repeat=Repeat.EACH))
    ticker.now = NINE + MINUTE + 10 * SECOND
    ticker.tells(2390)
    ticker.now += 5 * MINUTE
    gap = (NINE + MINUTE + 11 * SECOND, ticker.now)
    came = ticker.fills(candle(2385, 2410, NINE + MINUTE), *gap)
    assert came == ["r1 2410 late", "r1 over"]


def test_a_candle_that_is_still_drawn_comes_once_by_its_high() -> None:
    ticker = Ticker(rule(Test.ABOVE, 2400, repeat=Repeat.EACH))
    ticker.tells(2390)
    at, now = NINE + MINUTE, NINE + MINUTE + 30 * SECOND
    assert said(ticker.engine.hear(1, candle(2390, 2410, at), None, now)) == ["r1 up 2410", "r1 over"]
    assert ticker.engine.hear(1, candle(2389, 2410, at), None, now + SECOND) == []


def test_a_paused_rule_is_touched_by_nothing() -> None:
    assert Ticker(rule(Test.ABOVE, 2400, is_paused=True)).tells(2390, 2410) == []


def _balance(amount: str, available: str, at: int) -> Balance:
    usd = Currency("USD")
    return Balance(
        "123", "Main", Money(Decimal(amount), usd), NINE + at * SECOND, Environment.LIVE, Money(Decimal(available), usd)
    )


def test_an_account_has_a_balance_a_free_margin_and_a_level_of_margin() -> None:
    made = [
        rule(Test.BELOW, threshold, name=measure.value, source=Source(1, measure, "123 USD"))
        for measure, threshold in ((Measure.BALANCE, 900), (Measure.FREE_MARGIN, 500), (Measure.MARGIN_LEVEL, 150))
    ]
    engine = engine_with(*made)
    assert said(engine.hear(1, _balance("1000", "600", 1), None, NINE + SECOND)) == []
    # 1000 of which 601 are in use: 166 %; then 500 are free no more, and 850 are 141 % of 601
    assert said(engine.hear(1, _balance("1000", "399", 2), None, NINE + 2 * SECOND)) == ["free margin down 399"]
    moved = engine.hear(1, _balance("850", "249", 3), None, NINE + 3 * SECOND)
    came = {one.rule.id: one.firing.value for one in moved if one.firing is not None and one.firing.value is not None}
    assert {name: round(value, 2) for name, value in came.items()} == {
        "balance": Decimal(850),
        "margin level": Decimal("141.43"),
    }


def test_what_happens_comes_to_those_who_wait_for_it_there() -> None:
    engine = engine_with(
        waits_for(Occasion.MONEY_IN, name="any"),
        waits_for(Occasion.MONEY_IN, name="much", threshold="5.01"),
        waits_for(Occasion.MONEY_IN, name="elsewhere", connection=2),
        waits_for(Occasion.MONEY_OUT, name="out"),
    )
    arrived = Happening(Occasion.MONEY_IN, "line/1", "came", NINE + SECOND, 1, amount=Decimal(5))
    assert sorted(said(engine.happened(arrived, NINE + SECOND))) == ["any 5"]


@pytest.mark.parametrize(
    ("told_at", "said_at"),
    [(None, NINE + MINUTE), (NINE + SECOND, NINE + SECOND), (NINE - SECOND, None)],
    ids=["a day only", "a moment after the rule", "a moment before the rule"],
)
def test_money_that_came_is_not_dated_into_the_future(told_at: datetime | None, said_at: datetime | None) -> None:
    engine = engine_with(waits_for(Occasion.MONEY_IN))
    entry = Entry("CR1", "1", NINE.date(), Way.IN, Money(Decimal(5), Currency("USD")), "", "", at=told_at)
    moved = engine.hear(1, entry, None, NINE + MINUTE)
    assert [one.firing.at for one in moved if one.firing is not None] == ([] if said_at is None else [said_at])


def test_what_lasts_comes_when_it_has_lasted_long_enough() -> None:
    engine = engine_with(waits_for(Occasion.WITHDRAWAL_WAITING, window=timedelta(hours=2)))
    waits = Happening(Occasion.WITHDRAWAL_WAITING, "withdrawal/9", "9 waits", NINE, 1)
    assert engine.happened(waits, NINE + timedelta(minutes=119)) == []
    assert len(engine.happened(waits, NINE + timedelta(minutes=120))) == 1


def test_what_is_about_to_end_comes_when_so_little_is_left() -> None:
    engine = engine_with(waits_for(Occasion.REQUEST_EXPIRING, connection=0, window=timedelta(minutes=15)))
    ends = Happening(Occasion.REQUEST_EXPIRING, "request/a", "a", NINE, until=NINE + timedelta(hours=1))
    assert engine.happened(ends, NINE + timedelta(minutes=44)) == []
    assert len(engine.happened(ends, NINE + timedelta(minutes=45))) == 1


def test_only_what_a_rule_needs_is_wanted() -> None:
    engine = engine_with(
        rule(Test.ABOVE, 1, name="a"),
        rule(Test.BELOW, 1, name="b"),
        rule(Test.BELOW, 1, name="c", source=Source(2, Measure.FREE_MARGIN, "123 USD")),
        rule(Test.BELOW, 1, name="p", source=Source(2, Measure.PRICE, "OIL"), is_paused=True),
        waits_for(Occasion.CLOSED, name="d", connection=3),
        waits_for(Occasion.DISK_LOW, name="e", connection=0),
        waits_for(Occasion.PROVIDER_DOWN, name="f", connection=4),
    )
    assert MappingProxyType(engine.wanted) == {
        1: {Subject(Topic.QUOTE, "GOLD")},
        2: {Subject(Topic.BALANCE, "123")},
        3: {Subject(Topic.CONTRACT)},
        4: frozenset(),
    }
    for name in "ab":
        engine.remove(name)
    assert 1 not in engine.wanted


def test_liquidation_is_as_far_as_the_price_is_from_where_the_provider_closes() -> None:
    source = Source(1, Measure.LIQUIDATION_DISTANCE, "77")
    engine = engine_with(rule(Test.BELOW, 5, source=source))
    held = Position("9", "77", "R_100", "R_100", NINE, now=Decimal(200), stop_out=Decimal(180))
    assert said(engine.survey(1, [held], NINE + SECOND, NINE + SECOND)) == []
    nearer = replace(held, now=Decimal(187))
    (moved,) = said(engine.survey(1, [nearer], NINE + MINUTE, NINE + MINUTE))
    assert moved.startswith("r1 down 3.7433")


def test_an_account_whose_provider_tells_no_such_price_is_as_far_as_its_margin_reaches() -> None:
    source = Source(1, Measure.MARGIN_DISTANCE, "9 USD")
    engine = engine_with(rule(Test.BELOW, 25, source=source))
    usd = Currency("USD")
    for available, expected in (("300", []), ("200", ["r1 down 20"])):
        when = NINE + (2 * MINUTE if expected else MINUTE)
        told = Balance("9", "", Money(Decimal(1000), usd), when, Environment.LIVE, Money(Decimal(available), usd))
        assert said(engine.hear(1, told, None, when)) == expected


def test_profits_in_two_currencies_are_not_added_up() -> None:
    dollars, euros = Source(1, Measure.PROFIT, "all USD"), Source(1, Measure.PROFIT, "all EUR")
    rules = (
        rule(Test.ABOVE, 100, name="usd", source=dollars, currency="USD"),
        rule(Test.ABOVE, 100, name="eur", source=euros, currency="EUR"),
        rule(Test.ABOVE, 65, name="gold", source=Source(1, Measure.PROFIT, "GOLD USD"), currency="USD"),
    )
    held = [
        Position("9", number, symbol, symbol, NINE, profit=Money(Decimal(amount), Currency(code)))
        for number, symbol, amount, code in (("1", "GOLD", 70, "USD"), ("2", "DAX", 60, "EUR"), ("3", "DAX", 20, "USD"))
    ]
    assert said(engine_with(*rules).survey(1, held, NINE + SECOND, NINE + SECOND)) == ["gold up 70"]

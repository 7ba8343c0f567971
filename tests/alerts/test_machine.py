"""When a rule comes, when it is over, and when it comes again."""

from datetime import timedelta
from decimal import Decimal

from bot.alerts.model import Repeat, Test
from tests.alerts.making import MINUTE, SECOND, Ticker, rule

EACH = Repeat.EACH


def test_above_comes_once_beyond_the_threshold_and_is_over_when_it_is_back() -> None:
    ticker = Ticker(rule(Test.ABOVE, 2400))
    assert ticker.tells(2399, 2400) == []
    assert ticker.tells("2400.5", 2410) == ["r1 up 2400.5"]
    assert ticker.tells(2400, 2500, 2300) == ["r1 over"]


def test_below_is_the_mirror_of_it() -> None:
    ticker = Ticker(rule(Test.BELOW, 2400))
    assert ticker.tells(2401, 2400) == []
    assert ticker.tells("2399.5", 2390) == ["r1 down 2399.5"]
    assert ticker.tells(2400, 2300) == ["r1 over"]


def test_what_is_so_already_comes_with_the_next_value() -> None:
    assert Ticker(rule(Test.ABOVE, 2400)).tells(2450) == ["r1 up 2450"]


def test_each_time_it_is_armed_again_once_it_is_back() -> None:
    ticker = Ticker(rule(Test.ABOVE, 2400, repeat=EACH))
    assert ticker.tells(2401, 2400, 2402) == ["r1 up 2401", "r1 over", "r1 up 2402"]


def test_hysteresis_wants_it_further_back_before_it_is_armed_again() -> None:
    ticker = Ticker(rule(Test.ABOVE, 2400, repeat=EACH, hysteresis=Decimal(10)))
    assert ticker.tells(2401, 2399, 2402, "2390.01", 2403) == ["r1 up 2401"]
    assert ticker.tells(2390, 2404) == ["r1 over", "r1 up 2404"]


def test_crossing_wants_to_see_both_sides_and_counts_both_ways() -> None:
    ticker = Ticker(rule(Test.CROSSES, 2400, repeat=EACH))
    assert ticker.tells(2450, 2460) == []
    assert ticker.tells(2400, 2399, 2398, 2401) == ["r1 down 2399", "r1 up 2401"]


def test_a_crossing_that_has_come_needs_the_hysteresis_the_next_time() -> None:
    ticker = Ticker(rule(Test.CROSSES, 2400, repeat=EACH, hysteresis=Decimal(5)))
    assert ticker.tells(2390, 2401, 2396, 2401) == ["r1 up 2401"]
    assert ticker.tells(2394) == ["r1 down 2394"]


def test_once_is_once() -> None:
    assert Ticker(rule(Test.CROSSES, 2400)).tells(2390, 2410, 2390, 2410) == ["r1 up 2410"]


def test_a_change_is_measured_from_what_was_told_last() -> None:
    ticker = Ticker(rule(Test.CHANGES, 100, repeat=EACH))
    assert ticker.tells(1000, 1100, 1050) == []
    assert ticker.tells(1101, 1001, 1000) == ["r1 up 1101", "r1 down 1000"]


def test_a_move_is_measured_from_the_extremes_of_its_window() -> None:
    ticker = Ticker(rule(Test.MOVES, 3, repeat=EACH, window=MINUTE))
    assert ticker.tells(100, 102, 99) == []
    assert ticker.tells("101.97") == ["r1 up 3.00"]
    ticker.now += 2 * MINUTE
    assert ticker.tells(102, 101) == ["r1 over"]
    assert ticker.tells("98.94") == ["r1 down 3.00"]


def test_a_slow_move_is_none() -> None:
    ticker = Ticker(rule(Test.MOVES, 3, window=MINUTE))
    for price in (100, 102, 104, 106):
        assert ticker.tells(price) == []
        ticker.now += MINUTE


def test_every_so_often_it_comes_again_while_it_is_so() -> None:
    ticker = Ticker(rule(Test.ABOVE, 2400, repeat=Repeat.EVERY, every=timedelta(minutes=10)))
    assert ticker.tells(2410) == ["r1 up 2410"]
    began = ticker.now
    assert ticker.engine.again(began + 9 * MINUTE) == []
    (again,) = ticker.engine.again(began + 10 * MINUTE)
    assert again.firing is not None
    assert ticker.engine.again(began + 19 * MINUTE) == []
    ticker.now += 12 * MINUTE
    assert ticker.tells(2390) == ["r1 over"]
    assert ticker.engine.again(began + 40 * MINUTE) == []


def test_what_a_rule_did_not_live_through_does_not_count() -> None:
    ticker = Ticker(rule(Test.ABOVE, 2400, repeat=EACH))
    ticker.now -= 10 * SECOND
    assert ticker.tells(2410) == []

"""How long to wait, reckoned without waiting."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.network.pacing import Breaker, Bucket, backoff, retry_after

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("attempt", "ceiling"), [(0, 0.5), (1, 1.0), (2, 2.0), (6, 32.0), (7, 60.0), (30, 60.0), (5000, 60.0)]
)
def test_the_ceiling_of_the_wait_doubles_up_to_a_cap(attempt: int, ceiling: float) -> None:
    assert backoff(attempt, jitter=1.0) == ceiling
    assert backoff(attempt, jitter=0.0) == 0.0
    assert backoff(attempt, jitter=0.25) == ceiling / 4


def test_the_wait_below_the_ceiling_is_random_each_time() -> None:
    waits = {backoff(3) for _ in range(20)}
    assert len(waits) > 10
    assert all(0 <= wait <= 4.0 for wait in waits)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0.5", 0.5),
        ("900", 900.0),
        ("901", 900.0),
        ("1e9", 900.0),
        ("inf", 900.0),
        ("-1", None),
        ("-inf", None),
        ("nan", None),
        ("", None),
        ("soon", None),
        ("Mon, 02 Mar 2026 09:00:30 GMT", 30.0),
        ("Mon, 02 Mar 2026 10:00:30 +0100", 30.0),
        ("Mon, 02 Mar 2026 09:00:30", 30.0),
        ("Mon, 02 Mar 2026 08:59:59 GMT", None),
        ("Mon, 02 Mar 2099 09:00:30 GMT", 900.0),
        ("Mon, 02 Mar 99999999999 09:00:30 GMT", None),
        ("Mon, 02 Mar 2026 09:00:30 +9999", None),
        ("Mon, 32 Mar 2026 09:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_within_bounds(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@given(
    st.text(max_size=40)
    | st.from_regex(r"[A-Z][a-z]{2}, \d{1,9} [A-Z][a-z]{2} \d{1,14} \d{1,4}:\d{1,4}:\d{1,9} [+-]\d{1,9}")
)
@settings(max_examples=400, deadline=None)
def test_whatever_the_header_says_the_wait_is_bounded(header: str) -> None:
    seconds = retry_after(header, NOW)
    assert seconds is None or 0 <= seconds <= 900


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    bucket = Bucket(rate=2, burst=3)
    for _ in range(3):
        assert bucket.wait(100.0) == 0
        bucket.take(100.0)
    assert bucket.wait(100.0) == 0.5
    assert bucket.wait(100.25) == 0.25
    assert bucket.wait(100.5) == 0


def test_a_token_taken_in_advance_makes_the_next_wait_longer() -> None:
    bucket = Bucket(rate=1, burst=1)
    for _ in range(3):
        bucket.take(0.0)
    assert bucket.wait(0.0) == 3.0
    assert bucket.wait(2.0) == 1.0


def test_a_bucket_left_alone_fills_to_its_burst_and_no_further() -> None:
    bucket = Bucket(rate=10, burst=2)
    bucket.take(0.0)
    bucket.take(0.0)
    assert bucket.wait(3600.0) == 0
    bucket.take(3600.0)
    bucket.take(3600.0)
    assert bucket.wait(3600.0) == pytest.approx(0.1)


def test_no_more_than_burst_and_rate_ever_pass() -> None:
    bucket, now, passed = Bucket(rate=5, burst=4), 0.0, []
    while now < 10:
        now += bucket.wait(now)
        bucket.take(now)
        passed.append(now)
    for start in passed:
        assert sum(start <= moment < start + 1 for moment in passed) <= 4 + 5


def test_a_breaker_opens_after_five_failures_within_half_a_minute_and_lets_one_probe_through() -> None:
    breaker = Breaker()
    for second in range(4):
        breaker.failed(second)
        assert not breaker.refuses(second)
    breaker.failed(4)
    assert breaker.refuses(4)
    assert breaker.refuses(18.9)
    assert not breaker.refuses(19)  # the probe
    assert breaker.refuses(19)  # the others wait for it


def test_a_probe_that_succeeds_closes_the_breaker_and_one_that_fails_keeps_it_open() -> None:
    breaker = Breaker()
    for _ in range(5):
        breaker.failed(0)
    assert not breaker.refuses(15)
    breaker.failed(15)
    assert breaker.refuses(29.9)
    assert not breaker.refuses(30)
    breaker.succeeded()
    assert not breaker.refuses(30)
    breaker.failed(31)
    assert not breaker.refuses(31)


def test_a_probe_that_never_reports_does_not_close_it_for_ever() -> None:
    breaker = Breaker()
    for _ in range(5):
        breaker.failed(0)
    assert not breaker.refuses(15)
    assert breaker.refuses(29)
    assert not breaker.refuses(30)


def test_failures_far_apart_do_not_open_it() -> None:
    breaker = Breaker()
    for number in range(20):
        breaker.failed(number * 7.6)
        assert not breaker.refuses(number * 7.6)
    breaker.succeeded()
    for _ in range(4):
        breaker.failed(200)
    assert not breaker.refuses(200)

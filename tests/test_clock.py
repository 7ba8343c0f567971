"""Time in rows: whole milliseconds, there and back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.clock import SystemClock, from_millis, to_millis
from bot.ids import incident_number, one_time_code, short_id


@pytest.mark.parametrize(
    ("moment", "millis"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(2026, 3, 2, 9, 0, tzinfo=UTC), 1772442000000),
        (datetime(2026, 3, 2, 9, 0, 0, 1000, tzinfo=UTC), 1772442000001),
        (datetime(2026, 3, 2, 9, 0, 0, 999, tzinfo=UTC), 1772442000000),
        (datetime(2026, 3, 2, 10, 0, tzinfo=timezone(timedelta(hours=1))), 1772442000000),
        (datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC), -1),
    ],
)
def test_a_moment_is_whole_milliseconds_since_1970(moment: datetime, millis: int) -> None:
    assert to_millis(moment) == millis


@given(st.integers(0, 253402300799999))
@settings(max_examples=500, deadline=None)
def test_no_millisecond_is_lost_there_and_back(millis: int) -> None:
    moment = from_millis(millis)
    assert moment.tzinfo is UTC
    assert to_millis(moment) == millis


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        to_millis(datetime(2026, 3, 2, 9, 0))  # noqa: DTZ001  # that is the point


def test_the_machines_clock_is_aware_and_its_other_hand_never_goes_back() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


def test_ids_are_random_readable_and_long_enough() -> None:
    assert len({short_id() for _ in range(1000)}) == 1000
    assert len(one_time_code()) == 26
    assert len(incident_number()) == 6
    everything = "".join(one_time_code() for _ in range(300))
    assert set(everything) == set("abcdefghijkmnpqrstuvwxyz23456789")

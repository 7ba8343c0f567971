"""Which instants a schedule means, summer time or not."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.errors import InputError
from bot.operations.schedules import slots


def there(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("words", "cron", "spoken"),
    [
        ("daily 07:30", "30 7 * * *", "daily 07:30"),
        ("Weekdays 18:00", "0 18 * * 1-5", "weekdays 18:00"),
        ("weekly Monday 8:05", "5 8 * * 1", "weekly mon 08:05"),
        ("weekly sun 08:00", "0 8 * * 0", "weekly sun 08:00"),
        ("monthly 31 09:00", "0 9 31 * *", "monthly 31 09:00"),
        ("cron 0 */6 * * *", "0 */6 * * *", "cron 0 */6 * * *"),
        ("cron 15 9 * 1,7 *", "15 9 * 1,7 *", "cron 15 9 * 1,7 *"),
    ],
)
def test_what_people_say_is_five_fields_of_cron(words: str, cron: str, spoken: str) -> None:
    assert slots.cron_of(words.split()) == cron
    assert slots.spoken(cron) == spoken


@pytest.mark.parametrize(
    "words",
    [
        "",
        "daily",
        "daily 25:00",
        "daily 7.30",
        "weekly someday 08:00",
        "cron * * * * *",
        "cron */30 * * * *",
        "cron 0 0 30 2 *",
        "cron 0 9 1 * 1",
        "cron 61 9 * * *",
        "cron x 9 * * *",
        "cron 0 9 * * 8",
        "hourly",
    ],
)
def test_what_cannot_be_or_is_too_often_is_answered_with_examples(words: str) -> None:
    with pytest.raises(InputError) as refused:
        slots.cron_of(words.split())
    assert "daily 07:30" in refused.value.example


@pytest.mark.parametrize(
    ("weekday", "days"),
    [("0", "Sun"), ("7", "Sun"), ("1-5", "Mon Tue Wed Thu Fri"), ("6-1", "Sun Mon Sat"), ("sat,sun", "Sun Sat")],
)
def test_days_of_the_week_are_crons(weekday: str, days: str) -> None:
    """The first of March 2026 is a Sunday."""
    slot, found = there("2026-02-28T23:59"), []
    while (slot := slots.following(f"0 12 * * {weekday}", slot)) < there("2026-03-08T00:00"):
        found.append(f"{slot:%a}")
    assert " ".join(found) == days


@pytest.mark.parametrize(
    ("zone", "slot", "instant"),
    [
        ("Europe/Zurich", "2026-03-28T02:30", "2026-03-28T01:30"),
        ("Europe/Zurich", "2026-03-29T02:30", "2026-03-29T01:00"),  # there is none: the next time there is, 03:00
        ("Europe/Zurich", "2026-03-29T03:00", "2026-03-29T01:00"),
        ("Europe/Zurich", "2026-10-25T02:30", "2026-10-25T00:30"),  # the first of two
        ("Europe/Zurich", "2026-10-25T03:00", "2026-10-25T02:00"),
        ("America/New_York", "2026-03-08T02:00", "2026-03-08T07:00"),
        ("America/New_York", "2026-11-01T01:59", "2026-11-01T05:59"),
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30"),  # half an hour is left out
        ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"),
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00"),  # a day that was not
        ("Asia/Kathmandu", "2026-03-29T02:30", "2026-03-28T20:45"),
    ],
)
def test_a_time_that_is_not_is_the_next_that_is_and_one_that_comes_twice_the_first(
    zone: str, slot: str, instant: str
) -> None:
    assert slots.instant(there(slot), zone) == there(instant).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "zone", ["Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"]
)
def test_instants_follow_one_another_as_the_slots_do_all_year(zone: str) -> None:
    slot, before, count = there("2025-12-31T23:59"), datetime(2025, 1, 1, tzinfo=UTC), 0
    while (slot := slots.following("30 * * * *", slot)) < there("2027-01-01T00:00"):
        instant = slots.instant(slot, zone)
        assert instant >= before
        assert instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) - slot in (
            timedelta(),
            timedelta(minutes=15),  # half an hour was left out, and this is in the middle of it
            timedelta(minutes=30),  # likewise, an hour
        )
        before, count = instant, count + 1
    assert count == 365 * 24

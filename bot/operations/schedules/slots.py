"""When a schedule falls due: local times of day, and the instants they stand for. Opens nothing.

A slot is what the clock on the wall shows, so each has one name in its zone, summer time or not. APScheduler's cron
trigger finds them; it is asked in a zone without summer time, because of its own it would run 02:30 twice in autumn and
at 03:30 in spring. Which instant a slot is, is settled here (SAFETY R31): a time that does not exist is the next one
that does, a time that comes twice is the first of the two.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from bot.errors import InputError

EXAMPLES = "daily 07:30, weekdays 18:00, weekly mon 08:00, monthly 1 09:00, cron 30 7 * * 1-5"
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELD = re.compile(
    r"(\*|[0-9]{1,2}(-[0-9]{1,2})?)(/[0-9]{1,2})?(,(\*|[0-9]{1,2}(-[0-9]{1,2})?)(/[0-9]{1,2})?)*", re.ASCII
)
_MINUTE = timedelta(minutes=1)
_CLOSEST = timedelta(hours=1)
_FAR = 366 * 5
"""Days in which there must be a slot."""


def cron_of(words: list[str]) -> str:
    """`daily 07:30` and the like → five fields of cron. `InputError` for anything else, and for more than hourly."""
    match [word.lower() for word in words]:
        case ["daily", time]:
            cron = f"{_time(time)} * * *"
        case ["weekdays", time]:
            cron = f"{_time(time)} * * 1-5"
        case ["weekly", day, time] if day[:3] in _DAYS:
            cron = f"{_time(time)} * * {_DAYS.index(day[:3])}"
        case ["monthly", day, time] if re.fullmatch(r"[0-9]{1,2}", day, re.ASCII):
            cron = f"{_time(time)} {int(day)} * *"
        case ["cron", *fields] if len(fields) == 5:
            cron = " ".join(fields)
        case _:
            raise InputError("say how often, and at what time", EXAMPLES)
    _check(cron)
    return cron


def _time(text: str) -> str:
    """`07:30` → `30 7`."""
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", text, re.ASCII)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise InputError("that is no time of day", EXAMPLES)
    return f"{int(found[2])} {int(found[1])}"


def _check(cron: str) -> None:
    minute, hour, day, month, weekday = cron.split()
    if day != "*" and weekday != "*":
        raise InputError("days of the month and days of the week do not go together", EXAMPLES)
    for field in (minute, hour, day, month):
        if not _FIELD.fullmatch(field):
            raise InputError(f"{field} is no field of cron", EXAMPLES)
    try:
        _trigger(cron)
        start = datetime(2026, 1, 1)  # noqa: DTZ001  # what a clock on the wall shows has no zone
        first = following(cron, start)
        second = following(cron, first)
    except ValueError:
        raise InputError("that can never be", EXAMPLES) from None
    if second - first < _CLOSEST:
        raise InputError("once an hour is the most", EXAMPLES)


@lru_cache(maxsize=256)
def _trigger(cron: str) -> CronTrigger:
    """`ValueError` for what cannot be read. Days of the week are named, because APScheduler counts them from Monday."""
    minute, hour, day, month, weekday = cron.split()
    return CronTrigger(minute=minute, hour=hour, day=day, month=month, day_of_week=_named(weekday), timezone=UTC)


def _named(field: str) -> str:
    """`1-5` → `mon,tue,wed,thu,fri`; cron's Sunday is both 0 and 7."""
    if field == "*":
        return field
    days: list[str] = []
    for part in field.lower().split(","):
        first, _, last = part.partition("-")
        start, end = _day(first), _day(last or first)
        span = (end - start) % 7 if (end - start) % 7 or not last or first == last else 6
        days += [_DAYS[(start + step) % 7] for step in range(span + 1)]
    return ",".join(dict.fromkeys(days))


def _day(text: str) -> int:
    if text in _DAYS:
        return _DAYS.index(text)
    if not re.fullmatch(r"[0-7]", text, re.ASCII):
        raise ValueError(text)
    return int(text) % 7


def spoken(cron: str) -> str:
    """As it was said, where that is shorter: `daily 07:30`."""
    minute, hour, day, month, weekday = cron.split()
    if not (minute.isdecimal() and hour.isdecimal() and month == "*"):
        return f"cron {cron}"
    time = f"{int(hour):02d}:{int(minute):02d}"
    match day, weekday:
        case "*", "*":
            return f"daily {time}"
        case "*", "1-5":
            return f"weekdays {time}"
        case "*", _ if weekday in "0123456":
            return f"weekly {_DAYS[int(weekday)]} {time}"
        case _, "*" if day.isdecimal():
            return f"monthly {day} {time}"
        case _:
            return f"cron {cron}"


def following(cron: str, local: datetime) -> datetime:
    """The first slot after that local time. `ValueError` when there is none for years."""
    start = (local + _MINUTE).replace(second=0, microsecond=0, tzinfo=UTC)
    found = _trigger(cron).get_next_fire_time(None, start)
    if found is None or found - start > timedelta(days=_FAR):
        raise ValueError("no such time")
    return datetime.combine(found.date(), found.time())


def upcoming(cron: str, zone: str, now: datetime) -> datetime:
    """The next instant that has not come; a slot of the second pass through an hour has."""
    slot = following(cron, local(now, zone) - timedelta(hours=3))
    while instant(slot, zone) <= now:
        slot = following(cron, slot)
    return instant(slot, zone)


def passed(cron: str, zone: str, after: datetime, now: datetime) -> Iterator[datetime]:
    """The slots after a local time whose instant has come."""
    slot = following(cron, after)
    while instant(slot, zone) <= now:
        yield slot
        slot = following(cron, slot)


def local(moment: datetime, zone: str) -> datetime:
    """What the clock on the wall shows then."""
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def instant(slot: datetime, zone: str) -> datetime:
    """The instant of a slot, in UTC."""
    there = slot.replace(tzinfo=ZoneInfo(zone), fold=0)
    found = there.astimezone(UTC)
    return found if local(found, zone) == slot else _end_of_gap(there)


def _end_of_gap(there: datetime) -> datetime:
    """The first instant after the jump over a local time: its two readings lie on either side of it."""
    zone = there.tzinfo
    before, after = there.replace(fold=1).astimezone(UTC), there.astimezone(UTC)
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after

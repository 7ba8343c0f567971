"""How much of a history is asked for: the newest so many, or a period of days. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.errors import InputError
from handlers.doors import Words

USUAL, MOST = 10, 200


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for: a number or a period, never both."""

    word: str | None
    """The connection's name, where one was said."""
    limit: int | None
    since: datetime | None = None
    until: datetime | None = None
    """The first moment that does not belong to it; None: up to now."""
    said: str = ""
    """The period as it was said, `since 2026-03-01 until 2026-03-31`; empty for the newest."""


def read(words: Words, now: datetime, zone: ZoneInfo, *, command: str, too_many: str) -> Asked:
    """`[connection] [how many | since DAY [until DAY]]`; a day begins and ends in the desk's zone.

    Args:
        command: Whose words they are, for examples.
        too_many: What may be asked for at most, in a sentence.
    """
    left, example = list(words), f"{command} since 2026-03-01 until 2026-03-31"
    limit: int | None = USUAL
    since = until = None
    said = ""
    if len(left) >= 2 and left[-2].lower() in ("until", "till"):
        if len(left) < 4 or left[-4].lower() != "since":
            raise InputError("a period has a first day, too", example)
        until, said = _day(left[-1], now, zone, example, ends=True), f" until {left[-1]}"
        del left[-2:]
    if len(left) >= 2 and left[-2].lower() == "since":
        limit, since, said = None, _day(left[-1], now, zone, example), f"since {left[-1]}{said}"
        del left[-2:]
        if until is not None and until <= since:
            raise InputError("a period ends on the day it begins, or later", example)
    elif left and re.fullmatch(r"[0-9]{1,4}", left[-1], re.ASCII):
        limit = int(left.pop())
        if not 1 <= limit <= MOST:
            raise InputError(too_many, f"{command} 20")
    if len(left) > 1 or (left and left[0].lower() in ("since", "until")):
        raise InputError("one name at most, then how many or since when", f"{command} 20, {example}")
    return Asked(left[0] if left else None, limit, since, until, said)


def _day(text: str, now: datetime, zone: ZoneInfo, example: str, *, ends: bool = False) -> datetime:
    """The moment a day begins, or is over."""
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
            raise ValueError
        midnight = datetime.fromisoformat(text)
        begins = midnight.replace(tzinfo=zone).astimezone(UTC)
        is_over = (midnight + timedelta(days=1)).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError("that is no day", example) from None
    if not datetime(1971, 1, 1, tzinfo=UTC) <= begins <= now:
        raise InputError("a history begins and ends on a day that has come", example)
    return is_over if ends else begins

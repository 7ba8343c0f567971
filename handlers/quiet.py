"""/quiet: in which hours, and how often, a person's phone may make a sound."""

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.errors import InputError
from bot.messages.quiet import QuietHours
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.pages import Reply

EXAMPLE = "/quiet 22:00-07:00"
_ALL = f"{EXAMPLE}, /quiet 22:00-07:00 5, /quiet 5, /quiet off"
_MOST_HOURLY = 1000
_PASSING = "Decisions, money's outcomes and security always sound; the rest comes too, without a sound."


async def quiet(context: DeskContext, words: Words) -> Reply:
    """`[22:00-07:00] [most an hour] [zone]`, `off`, or nothing: what holds now."""
    room, person = context.services.quiet, context.person.id
    if not words:
        return Reply([told(await room.of(person))])
    wanted = (
        None if [word.lower() for word in words] == ["off"] else read(words, context.services.config.desk.time_zone)
    )
    await room.want(person, wanted, telegram_id=context.where.telegram_id)
    return Reply([told(wanted)])


def read(words: Words, zone: str) -> QuietHours:
    """What was wanted; a zone that is not named is the desk's."""
    hours: tuple[int, int] | None = None
    hourly: int | None = None
    for word in re.sub(r"(?<=[0-9]) *[-–] *(?=[0-9])", "-", " ".join(words)).split():  # phones write it
        if re.fullmatch(r"[0-9]{1,2}(:[0-9]{2})?-[0-9]{1,2}(:[0-9]{2})?", word, re.ASCII) and hours is None:
            begins, _, ends = word.partition("-")
            hours = _minute(begins), _minute(ends)
        elif re.fullmatch(r"[0-9]{1,4}", word, re.ASCII) and hourly is None:
            hourly = int(word)
        elif "/" in word or word == "UTC":
            zone = zone_named(word)
        else:
            raise InputError("hours, how many sounds an hour, or both", _ALL)
    if hours is None and hourly is None:
        raise InputError("hours, how many sounds an hour, or both", _ALL)
    if hours is not None and hours[0] == hours[1]:
        raise InputError("the hours must begin and end at different times", _ALL)
    if hourly is not None and hourly > _MOST_HOURLY:
        raise InputError(f"at most {_MOST_HOURLY} sounds an hour can be counted", _ALL)
    start, end = hours or (None, None)
    return QuietHours(zone, start, end, hourly)


def zone_named(word: str) -> str:
    """An IANA name, as the machine knows it."""
    try:
        return ZoneInfo(word).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError("that is no time zone", "Europe/Zurich") from None


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    if int(hour) > 23 or int(minute or 0) > 59:
        raise InputError("that is no time of day", EXAMPLE)
    return int(hour) * 60 + int(minute or 0)


def told(wanted: QuietHours | None) -> str:
    """As a person reads it."""
    if wanted is None:
        return f"Whatever I tell you makes a sound. {EXAMPLE} changes that."
    parts = []
    if wanted.from_minute is not None and wanted.until_minute is not None:
        parts.append(f"It is quiet from {_clock(wanted.from_minute)} to {_clock(wanted.until_minute)} ({wanted.zone}).")
    if wanted.hourly is not None:
        parts.append(f"At most {wanted.hourly} {'message' if wanted.hourly == 1 else 'messages'} an hour may sound.")
    return " ".join([*parts, _PASSING, "/quiet off ends it."])


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"

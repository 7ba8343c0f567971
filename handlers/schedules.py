"""/digest and /schedule: what a person is told by the clock."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.errors import InputError
from bot.operations.schedules import slots
from bot.operations.schedules.model import Kind, Schedule
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.pages import Reply
from handlers.render import bold, literal

EXAMPLE, _MANAGED = "/digest balances daily 07:30", "/schedule 3 pause"
_TIMES = {"daily": 2, "weekdays": 2, "weekly": 3, "monthly": 3, "cron": 6}
"""Words that say when, by the first of them."""


async def digest(context: DeskContext, words: Words) -> Reply:
    """`kind when… [connection] [zone]`."""
    kind, cron, connection, zone = read(words, context.services.config.desk.time_zone)
    if connection is not None:
        await context.services.connections.named(context.person, connection)
    schedules = context.services.schedules
    made = await schedules.make(context.person, kind, connection, cron, zone, telegram_id=context.where.telegram_id)
    (next_at,) = [at for one, at in await schedules.of(context.person) if one.id == made.id]
    return Reply([_described(made, next_at), "/schedule shows all of yours, and how to stop one."])


def read(words: Words, zone: str) -> tuple[Kind, str, str | None, str]:
    """What, when as five fields of cron, of which connection, in which zone; the desk's where none is named."""
    kind = next((one for one in Kind if words and words[0].lower() in (one, one.removesuffix("s"))), None)
    if kind is None:
        raise InputError(f"say what: {', '.join(Kind)}; then when", EXAMPLE)
    count = _TIMES.get(words[1].lower() if len(words) > 1 else "", 0)
    when, rest = words[1 : 1 + count], words[1 + count :]
    cron = slots.cron_of(when)
    connection = None
    for word in rest:
        if _is_zone(word):
            zone = word
        elif connection is None:
            connection = word
        else:
            raise InputError("one connection and one time zone at most", f"{EXAMPLE} capital Europe/Zurich")
    return kind, cron, connection, zone


def _is_zone(word: str) -> bool:
    try:
        ZoneInfo(word)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


async def schedule(context: DeskContext, words: Words) -> Reply:
    """Nothing: the list; a number and `pause`, `resume` or `remove`; `here`, said in a group, has that told, too."""
    schedules, where = context.services.schedules, context.where
    telegram_id = where.telegram_id
    match [word.lower() for word in words]:
        case []:
            return _listed(await schedules.of(context.person))
        case [number, "pause" | "resume" as what] if _is_number(number):
            await schedules.pause(context.person, int(number), paused=what == "pause", telegram_id=telegram_id)
        case [number, "here"] if _is_number(number):
            group, thread = (None, None) if where.is_private else (where.chat_id, where.thread_id)
            await schedules.tell(context.person, int(number), group, thread, telegram_id=telegram_id)
        case [number, "remove"] if _is_number(number):
            await schedules.remove(context.person, int(number), telegram_id=telegram_id)
        case _:
            raise InputError("a schedule's number, and pause, resume, here or remove", _MANAGED)
    return _listed(await schedules.of(context.person))


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 10


def _listed(mine: list[tuple[Schedule, datetime]]) -> Reply:
    if not mine:
        return Reply([f"You get nothing by the clock. {EXAMPLE} changes that."], again="/schedule")
    first = mine[0][0].id
    step = f"/schedule {first} pause, /schedule {first} resume and /schedule {first} remove change one."
    there = f"Said in a group, /schedule {first} here has that told, too, without what is private."
    return Reply([bold("By the clock"), *(_described(*one) for one in mine), f"{step}\n{there}"], again="/schedule")


def _described(one: Schedule, next_at: datetime) -> str:
    """In its own zone and in UTC (R31)."""
    of = f" of {literal(one.connection)}" if one.connection else ""
    first = f"<code>{one.id}</code> · <b>{one.kind}</b>{of}, {slots.spoken(one.cron)} ({one.zone})"
    if one.group is not None:
        topic = f"topic {one.thread} of the group" if one.thread is not None else "the group"
        first += f"\n    {topic} …{str(one.group)[-4:]} hears that it came"
    if one.is_paused:
        return f"{first}\n    paused"
    there = next_at.astimezone(ZoneInfo(one.zone))
    in_utc = f", {next_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if there.tzname() != "UTC" else ""
    return f"{first}\n    next {there:%a %Y-%m-%d %H:%M %Z}{in_utc}"

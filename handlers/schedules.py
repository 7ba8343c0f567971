"""/digest and /schedule: what a person is told by the clock."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.access.model import Right
from bot.alerts.model import Target
from bot.errors import InputError
from bot.operations.schedules import slots
from bot.operations.schedules.chores import Chore, chores
from bot.operations.schedules.model import Kind, Schedule
from handlers import completing, groups
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.pages import Reply
from handlers.render import bold, literal
from handlers.render.alerts import place

EXAMPLE, _MANAGED = "/digest balances daily 07:30", "/schedule 3 pause"
_TIMES = {"daily": 2, "weekdays": 2, "weekly": 3, "monthly": 3, "cron": 6}
"""Words that say when, by the first of them."""
_USUAL: Final = (
    ("Daily 07:30", "daily 07:30"),
    ("Weekdays 18:00", "weekdays 18:00"),
    ("Mondays 08:00", "weekly mon 08:00"),
    ("Monthly, the 1st", "monthly 1 09:00"),
)
_WHEN: Final = (
    "When? For example: daily 07:30 Europe/Zurich, weekly fri 17:00 capital, monthly 1 09:00, cron 30 7 * * 1-5"
)
_WITH_BUTTONS: Final = 4


async def digest(context: DeskContext, words: Words) -> Reply | None:
    """`kind when… [connection] [zone]`; what of these is missing is asked for."""
    if completing.is_begun(words):
        words = words[:-1]
        if len(words) > 1:
            await completing.ask(context, _WHEN, "digest", words[0])
            return None
    if not words:
        return Reply(["What is to come by the clock?"], offers=[_begun(kind.capitalize(), kind) for kind in Kind])
    if len(words) == 1 and (kind := _kind(words)) is not None:
        lines = [(label, f"/digest {kind} {when}") for label, when in _USUAL]
        return Reply([f"{kind.capitalize()}: when?"], offers=[*lines, _begun("Another time", kind, "at")])
    kind, cron, connection, zone = read(words, context.services.config.desk.time_zone)
    if connection is not None:
        await context.services.connections.named(context.person, connection)
    schedules = context.services.schedules
    made = await schedules.make(context.person, kind, connection, cron, zone, telegram_id=context.where.telegram_id)
    (next_at,) = [at for one, at in await schedules.of(context.person) if one.id == made.id]
    return Reply(
        [_described(made, next_at, {}), "/schedule shows all of yours, and how to stop one."],
        offers=[("All of mine", "/schedule")],
    )


def _begun(label: str, *said: str) -> tuple[str, str]:
    return completing.offer(f"{label}…", "/digest", *said)


def _kind(words: Words) -> Kind | None:
    return next((one for one in Kind if words and words[0].lower() in (one, one.removesuffix("s"))), None)


def read(words: Words, zone: str) -> tuple[Kind, str, str | None, str]:
    """What, when as five fields of cron, of which connection, in which zone; the desk's where none is named."""
    kind = _kind(words)
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
            return await _listed(context)
        case [number, "pause" | "resume" as what] if _is_number(number):
            await schedules.pause(context.person, int(number), paused=what == "pause", telegram_id=telegram_id)
        case [number, "here"] if _is_number(number):
            group, thread = (None, None) if where.is_private else (where.chat_id, where.thread_id)
            await schedules.tell(context.person, int(number), group, thread, telegram_id=telegram_id)
        case [number, "remove"] if _is_number(number):
            await schedules.remove(context.person, int(number), telegram_id=telegram_id)
        case _:
            raise InputError("a schedule's number, and pause, resume, here or remove", _MANAGED)
    return await _listed(context)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 10


async def _listed(context: DeskContext) -> Reply:
    mine, desks = await context.services.schedules.of(context.person), _of_desk(context)
    add = _begun("Another")
    if not mine:
        none = f"You get nothing by the clock. {EXAMPLE} changes that."
        return Reply([none, *desks], again="/schedule", offers=[add])
    titles = await groups.titles(context.desk, [one.group for one, _ in mine if one.group is not None])
    first = mine[0][0].id
    step = f"/schedule {first} pause, /schedule {first} resume and /schedule {first} remove change one."
    there = f"Said in a group, /schedule {first} here has that told, too, without what is private."
    blocks = [bold("By the clock"), *(_described(one, at, titles) for one, at in mine), f"{step}\n{there}", *desks]
    offers = [offer for one, _ in mine[:_WITH_BUTTONS] for offer in _changing(one)]
    return Reply(blocks, again="/schedule", offers=[*offers, add])


def _changing(one: Schedule) -> list[tuple[str, str]]:
    turn = "resume" if one.is_paused else "pause"
    return [(f"{word.capitalize()} {one.id}", f"/schedule {one.id} {word}") for word in (turn, "remove")]


def _of_desk(context: DeskContext) -> list[str]:
    """What this program does by the clock, for those who look after it."""
    if not (context.person.may(Right.POLICY) or context.person.may(Right.READ_AUDIT)):
        return []
    config, now = context.services.config, context.services.clock.now()
    lines = [_chore(one) for one in chores(config.backup, config.desk.time_zone, now)]
    return ["\n".join([bold("The desk's own"), *lines])]


def _chore(one: Chore) -> str:
    if one.next_at is None:
        return f"{one.name}: {one.often}"
    return f"{one.name}: {slots.spoken(one.cron)} ({one.zone})\n    {_next(one.next_at, one.zone)}"


def _described(one: Schedule, next_at: datetime, titles: Mapping[int, str]) -> str:
    """In its own zone and in UTC (R31)."""
    of = f" of {literal(one.connection)}" if one.connection else ""
    first = f"<code>{one.id}</code> · <b>{one.kind}</b>{of}, {slots.spoken(one.cron)} ({one.zone})"
    if one.group is not None:
        hearer = place(Target(chat=one.group, thread=one.thread), titles)
        first += f"\n    {literal(hearer)} hears that it came"
    if one.is_paused:
        return f"{first}\n    paused"
    return f"{first}\n    {_next(next_at, one.zone)}"


def _next(at: datetime, zone: str) -> str:
    there = at.astimezone(ZoneInfo(zone))
    in_utc = f", {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if there.tzname() != "UTC" else ""
    return f"next {there:%a %Y-%m-%d %H:%M %Z}{in_utc}"

"""/statement: what came and went."""

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from telegram import InputFile

from bot.errors import InputError
from bot.operations.sheets import Sheet
from bot.providers.base import Ability
from bot.providers.records import Entry, Happening
from handlers import periods
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Reply, privately
from handlers.render.digests import Told, csv_of, until_day
from handlers.render.statement import activity as happenings
from handlers.render.statement import csv_of_activity
from handlers.render.statement import statement as rendered
from handlers.render.text import Taste

ACTIVITY = "/statement capital activity since 2026-03-01"
FURTHEST_ACTIVITY = timedelta(days=31)
"""The provider tells a day at a time."""
_BACK = {"A week": 7, "A month": 30}
_MOST_NAMED = 4
ONE = "/statement cryptocapital no 4795"


async def statement(context: DeskContext, words: Words) -> Reply | None:
    zone = ZoneInfo(context.services.config.desk.time_zone)
    if any(word.lower() == "activity" for word in words):
        return await _activity(context, words, zone)
    if words and words[-1].lower() == "csv":
        return await _file(context, words[:-1], zone)
    if len(words) >= 2 and words[-2].lower().rstrip(".") == "no":
        return await _entry(context, words)
    now, taste = context.services.clock.now(), taste_of(context)
    asked = _read(words, now, zone)
    sheet = await context.services.statements.statement(
        context.person, asked.word, limit=asked.limit, since=asked.since
    )
    what = asked.said or f"newest {asked.limit} of each account"
    sheet = _within(sheet, asked, taste)
    offers = _offers(sheet, asked.word, words, now.astimezone(zone).date())
    return Reply(rendered(sheet, what, taste), " ".join(["/statement", *words]), offers)


async def _file(context: DeskContext, words: Words, zone: ZoneInfo) -> Reply | None:
    """The same as a file, all of it; who did not answer is named below it."""
    services = context.services
    asked, taste = _read(words, services.clock.now(), zone), taste_of(context)
    sheet = await services.statements.statement(context.person, asked.word, limit=asked.limit, since=asked.since)
    sheet = _within(sheet, asked, taste)
    if not _has_any(sheet):
        return Reply(rendered(sheet, "as a file", taste))
    await _hand_over(context, csv_of(sheet), _named("statement", sheet, zone), _without(sheet))
    return None


def _named(what: str, sheet: Sheet[Entry] | Sheet[Happening], zone: ZoneInfo) -> str:
    return f"{what}-{sheet.asked_at.astimezone(zone):%Y-%m-%d}.csv"


def _without(sheet: Sheet[Entry] | Sheet[Happening]) -> str | None:
    silent = [answer.connection.name for answer in sheet.answers if answer.reading is None]
    return f"Without {', '.join(silent)}: no answer from there." if silent else None


async def _hand_over(context: DeskContext, text: str, name: str, caption: str | None) -> None:
    file = InputFile(text.encode(), name)

    async def say(chat_id: int) -> None:
        await context.bot.send_document(chat_id, file, caption=caption, protect_content=True)

    await privately(context, say)


async def _activity(context: DeskContext, words: Words, zone: ZoneInfo) -> Reply | None:
    """`[connection] activity [since DAY [until DAY]] [csv]`: what happened, whether money was booked for it or not."""
    services, taste = context.services, taste_of(context)
    now, as_file = services.clock.now(), words[-1].lower() == "csv"
    left = [word for word in words if word.lower() not in ("activity", "csv")]
    if left and left[-1].isdecimal():
        raise InputError("activity is told since a day", ACTIVITY)
    asked = _read(left, now, zone)
    since = asked.since or now - timedelta(days=1)
    if now - since > FURTHEST_ACTIVITY:
        raise InputError(f"activity is told of the last {FURTHEST_ACTIVITY.days} days", ACTIVITY)
    sheet = await services.statements.activity(context.person, asked.word, since)
    sheet = _within(sheet, asked, taste)
    if as_file and _has_any(sheet):
        await _hand_over(context, csv_of_activity(sheet), _named("activity", sheet, zone), _without(sheet))
        return None
    what = f"activity {asked.said}" if asked.said else "activity of a day"
    offers = _offers(sheet, asked.word, words, now.astimezone(zone).date())
    return Reply(happenings(sheet, what, taste), " ".join(["/statement", *words]), offers)


def _offers(
    sheet: Sheet[Entry] | Sheet[Happening], word: str | None, words: Words, today: date
) -> list[tuple[str, str]]:
    """The other kind of news, other spans, the same as a file, and one login of several."""
    line = " ".join(["/statement", *([word] if word else [])])
    is_activity = any(one.lower() == "activity" for one in words)
    kind = " activity" if is_activity else ""
    offers = [(label, f"{line}{kind} since {today - timedelta(days=days)}") for label, days in _BACK.items()]
    if is_activity:
        offers.append(("Bookings", line))
    elif any(Ability.ORDERS in answer.connection.spec.abilities for answer in sheet.answers):
        offers.append(("Activity", f"{line} activity"))
    if _has_any(sheet):
        asked = [one for one in words if one.lower() != "csv"]
        offers.append(("As a file", " ".join(["/statement", *asked, "csv"])))
    if 1 < len(sheet.answers) <= _MOST_NAMED:
        offers += [(answer.connection.name, f"/statement {answer.connection.name}{kind}") for answer in sheet.answers]
    return offers


async def _entry(context: DeskContext, words: Words) -> Reply:
    """`[connection] no 4795`: one entry, by the number that a statement shows behind it."""
    *left, _, number = words
    if len(left) > 1 or not re.fullmatch(r"[0-9]{1,30}", number, re.ASCII):
        raise InputError("one name at most, then the number of one entry", ONE)
    sheet = await context.services.statements.entry(context.person, left[0] if left else None, number)
    nothing = f"No account here has an entry no. {number}. /statement shows the newest ones."
    blocks = rendered(sheet, f"no. {number}", taste_of(context), nothing=nothing)
    return Reply(blocks, again=" ".join(["/statement", *words]))


def _read(words: Words, now: datetime, zone: ZoneInfo) -> periods.Asked:
    shows = f"a statement shows 1 to {periods.MOST} entries of each account; {ONE} shows a single one by its number"
    return periods.read(words, now, zone, command="/statement", too_many=shows)


def _within(sheet: Sheet[Told], asked: periods.Asked, taste: Taste) -> Sheet[Told]:
    if asked.until is None:
        return sheet
    last = (asked.until - timedelta(microseconds=1)).astimezone(taste.zone).date()
    return until_day(sheet, last, taste)


def _has_any(sheet: Sheet[Entry] | Sheet[Happening]) -> bool:
    return any(answer.reading is not None and answer.reading.items for answer in sheet.answers)

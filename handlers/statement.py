"""/statement: what came and went."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from telegram import InputFile

from bot.errors import InputError
from bot.operations.sheets import Sheet
from bot.providers.records import Entry, Happening
from handlers import periods
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Reply, privately
from handlers.render.digests import csv_of
from handlers.render.statement import activity as happenings
from handlers.render.statement import csv_of_activity
from handlers.render.statement import statement as rendered

ACTIVITY = "/statement capital activity since 2026-03-01"
FURTHEST_ACTIVITY = timedelta(days=31)
"""The provider tells a day at a time."""
ONE = "/statement cryptocapital no 4795"


async def statement(context: DeskContext, words: Words) -> Reply | None:
    zone = ZoneInfo(context.services.config.desk.time_zone)
    if any(word.lower() == "activity" for word in words):
        return await _activity(context, words, zone)
    if words and words[-1].lower() == "csv":
        return await _file(context, words[:-1], zone)
    if len(words) >= 2 and words[-2].lower().rstrip(".") == "no":
        return await _entry(context, words)
    asked = _read(words, context.services.clock.now(), zone)
    sheet = await context.services.statements.statement(
        context.person, asked.word, limit=asked.limit, since=asked.since, until=asked.until
    )
    what = asked.said or f"newest {asked.limit} of each account"
    again = " ".join(["/statement", *words])
    offers = [("As a file", f"{again} csv")] if _has_entries(sheet) else []
    return Reply(rendered(sheet, what, taste_of(context)), again, offers)


async def _file(context: DeskContext, words: Words, zone: ZoneInfo) -> Reply | None:
    """The same as a file, all of it; who did not answer is named below it."""
    services = context.services
    asked = _read(words, services.clock.now(), zone)
    sheet = await services.statements.statement(
        context.person, asked.word, limit=asked.limit, since=asked.since, until=asked.until
    )
    if not _has_entries(sheet):
        return Reply(rendered(sheet, "as a file", taste_of(context)))
    await _hand_over(context, csv_of(sheet), _named("statement", sheet, zone), _without(sheet))
    return None


def _has_entries(sheet: Sheet[Entry]) -> bool:
    return any(answer.reading is not None and answer.reading.items for answer in sheet.answers)


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
    """`[connection] activity [since DAY] [csv]`: what happened, whether money was booked for it or not."""
    services = context.services
    now, as_file = services.clock.now(), words[-1].lower() == "csv"
    left = [word for word in words if word.lower() not in ("activity", "csv")]
    if left and left[-1].isdecimal():
        raise InputError("activity is told since a day", ACTIVITY)
    asked = _read(left, now, zone)
    if asked.until is not None:
        raise InputError("activity is told since a day, up to now", ACTIVITY)
    since = asked.since or now - timedelta(days=1)
    if now - since > FURTHEST_ACTIVITY:
        raise InputError(f"activity is told of the last {FURTHEST_ACTIVITY.days} days", ACTIVITY)
    sheet = await services.statements.activity(context.person, asked.word, since)
    if as_file and any(answer.reading is not None and answer.reading.items for answer in sheet.answers):
        await _hand_over(context, csv_of_activity(sheet), _named("activity", sheet, zone), _without(sheet))
        return None
    what = f"activity since {left[-1]}" if asked.since is not None else "activity of a day"
    return Reply(happenings(sheet, what, taste_of(context)), again=" ".join(["/statement", *words]))


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

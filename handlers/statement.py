"""/statement: what came and went."""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from telegram import InputFile

from bot.errors import InputError
from bot.operations.sheets import Sheet
from bot.providers.base import Ability
from bot.providers.records import Entry, Happening
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Reply, privately
from handlers.render.digests import csv_of, until_day
from handlers.render.statement import activity as happenings
from handlers.render.statement import csv_of_activity
from handlers.render.statement import statement as rendered

USUAL, MOST = 10, 200
ACTIVITY = "/statement capital activity since 2026-03-01"
FURTHEST_ACTIVITY = timedelta(days=31)
"""The provider tells a day at a time."""
SPAN = "/statement since 2026-03-01 until 2026-03-15"
_BACK = {"A week": 7, "A month": 30}
_MOST_NAMED = 4
EXAMPLE, ONE = "/statement cryptocapital 20", "/statement cryptocapital no 4795"


async def statement(context: DeskContext, words: Words) -> Reply | None:
    zone = ZoneInfo(context.services.config.desk.time_zone)
    if any(word.lower() == "activity" for word in words):
        return await _activity(context, words, zone)
    if words and words[-1].lower() == "csv":
        return await _file(context, words[:-1], zone)
    if len(words) >= 2 and words[-2].lower().rstrip(".") == "no":
        return await _entry(context, words)
    now, taste = context.services.clock.now(), taste_of(context)
    begun, last = _until(words, now, zone)
    word, limit, since = read(begun, now, zone)
    sheet = await context.services.statements.statement(context.person, word, limit=limit, since=since)
    if last is not None:
        sheet = until_day(sheet, last, taste)
    what = f"newest {limit} of each account" if since is None else _span(begun, last)
    offers = _offers(sheet, word, words, now.astimezone(zone).date())
    return Reply(rendered(sheet, what, taste), " ".join(["/statement", *words]), offers)


async def _file(context: DeskContext, words: Words, zone: ZoneInfo) -> Reply | None:
    """The same as a file, all of it; who did not answer is named below it."""
    services = context.services
    begun, last = _until(words, services.clock.now(), zone)
    word, limit, since = read(begun, services.clock.now(), zone)
    sheet = await services.statements.statement(context.person, word, limit=limit, since=since)
    if last is not None:
        sheet = until_day(sheet, last, taste_of(context))
    if not any(answer.reading is not None and answer.reading.items for answer in sheet.answers):
        return Reply(rendered(sheet, "as a file", taste_of(context)))
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
    asked = [word for word in words if word.lower() not in ("activity", "csv")]
    left, last = _until(asked, now, zone)
    if left and left[-1].isdecimal():
        raise InputError("activity is told since a day", ACTIVITY)
    word, _, day = read(left, now, zone)
    since = day or now - timedelta(days=1)
    if now - since > FURTHEST_ACTIVITY:
        raise InputError(f"activity is told of the last {FURTHEST_ACTIVITY.days} days", ACTIVITY)
    sheet = await services.statements.activity(context.person, word, since)
    if last is not None:
        sheet = until_day(sheet, last, taste)
    if as_file and any(answer.reading is not None and answer.reading.items for answer in sheet.answers):
        await _hand_over(context, csv_of_activity(sheet), _named("activity", sheet, zone), _without(sheet))
        return None
    what = f"activity {_span(left, last)}" if day is not None else "activity of a day"
    offers = _offers(sheet, word, words, now.astimezone(zone).date())
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
    if any(answer.reading is not None and answer.reading.items for answer in sheet.answers):
        asked = [one for one in words if one.lower() != "csv"]
        offers.append(("As a file", " ".join(["/statement", *asked, "csv"])))
    if 1 < len(sheet.answers) <= _MOST_NAMED:
        offers += [(answer.connection.name, f"/statement {answer.connection.name}{kind}") for answer in sheet.answers]
    return offers


def _span(words: Words, last: date | None) -> str:
    return f"since {words[-1]}" if last is None else f"{words[-1]} to {last}"


async def _entry(context: DeskContext, words: Words) -> Reply:
    """`[connection] no 4795`: one entry, by the number that a statement shows behind it."""
    *left, _, number = words
    if len(left) > 1 or not re.fullmatch(r"[0-9]{1,30}", number, re.ASCII):
        raise InputError("one name at most, then the number of one entry", ONE)
    sheet = await context.services.statements.entry(context.person, left[0] if left else None, number)
    nothing = f"No account here has an entry no. {number}. /statement shows the newest ones."
    blocks = rendered(sheet, f"no. {number}", taste_of(context), nothing=nothing)
    return Reply(blocks, again=" ".join(["/statement", *words]))


def _until(words: Words, now: datetime, zone: ZoneInfo) -> tuple[Words, date | None]:
    """`… since DAY until DAY` → what is before it, and the last day that is meant."""
    if len(words) < 2 or words[-2].lower() not in ("until", "till"):
        return words, None
    last = _day(words[-1], now, zone)
    begun = words[:-2]
    if len(begun) < 2 or begun[-2].lower() != "since":
        raise InputError("a span has a first day, too", SPAN)
    if last < _day(begun[-1], now, zone):
        raise InputError("its last day comes before its first", SPAN)
    return begun, last.astimezone(zone).date()


def read(words: Words, now: datetime, zone: ZoneInfo) -> tuple[str | None, int | None, datetime | None]:
    """`[connection] [how many | since DAY]` → the connection, how many, since when; a day begins in the desk's zone."""
    left = list(words)
    limit: int | None = USUAL
    since = None
    if len(left) >= 2 and left[-2].lower() == "since":
        limit, since = None, _day(left[-1], now, zone)
        del left[-2:]
    elif left and re.fullmatch(r"[0-9]{1,4}", left[-1], re.ASCII):
        limit = int(left.pop())
        if not 1 <= limit <= MOST:
            one = f"; {ONE} shows a single one by its number"
            raise InputError(f"a statement shows 1 to {MOST} entries of each account{one}", EXAMPLE)
    if len(left) > 1 or (left and left[0].lower() == "since"):
        raise InputError("one name at most, then how many or since when", f"{EXAMPLE}, /statement since 2026-03-01")
    return (left[0] if left else None), limit, since


def _day(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
            raise ValueError
        since = datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError("that is no day", "/statement since 2026-03-01") from None
    if not datetime(1971, 1, 1, tzinfo=UTC) <= since <= now:
        raise InputError("a statement begins on a day that has come", "/statement since 2026-03-01")
    return since

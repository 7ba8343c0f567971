"""What comes by the clock: its title, how late it is, and its numbers as a picture or a file."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo

from bot.csvtext import inert
from bot.operations.balances import Holding, holding_of
from bot.operations.schedules import slots
from bot.operations.schedules.model import Kind, Run
from bot.operations.sheets import Answer, Sheet
from bot.providers.records import Balance, Entry, Happening, Position, Way
from handlers.failures import sentence
from handlers.render.text import Taste, span, visible

Told = TypeVar("Told", Entry, Happening)
MOST_BARS = 12
_NAME = 24
_HEAD = ("connection", "account", "day", "way", "amount", "currency", "other account", "narrative", "number")
Rank = tuple[str, Decimal]
"""A bar: whose it is, and how long."""


FAILED = "It could not be had this time."
ASK: Mapping[Kind, str] = {
    Kind.BALANCES: "/balance tells yours, privately.",
    Kind.POSITIONS: "/positions tells yours, privately.",
    Kind.STATEMENT: "/statement tells yours, privately.",
}
"""What whoever reads in a group that it came, and may see it, can ask for."""


def title(run: Run, *, is_public: bool = False) -> str:
    """`Balances, daily 07:30`; of which connection is for those who may see it."""
    of = f" of {run.schedule.connection}" if run.schedule.connection and not is_public else ""
    return f"{run.schedule.kind.value.capitalize()}{of}, {slots.spoken(run.schedule.cron)}"


def arrived(person: str) -> str:
    """What a group hears of it."""
    return f"{person} has it privately."


def lateness(run: Run, now: datetime) -> str:
    """That it is late, and what it stands for; empty when it is not."""
    if not run.is_late:
        return ""
    there = run.due_at.astimezone(ZoneInfo(run.schedule.zone))
    late = span((now - run.due_at).total_seconds())
    before = f" It stands for {run.missed} before it, too." if run.missed else ""
    return f"Late: this was due at {there:%Y-%m-%d %H:%M %Z}, {late} ago.{before}"


def ranks_of(sheet: Sheet[Balance] | Sheet[Position]) -> list[tuple[str, list[Rank]]]:
    """The largest by currency: what is held, or what is won and lost. Clients' money and demo money stand apart."""
    panels: dict[str, list[Rank]] = {}
    for answer in sheet.answers:
        for item in answer.reading.items if answer.reading is not None else ():
            if isinstance(item, Balance):
                holding = holding_of(item)
                apart = "" if holding is Holding.OWN_LIVE else f" ({holding})"
                name = item.name or item.account
                panels.setdefault(f"{item.amount.currency}{apart}", []).append((_short(name), item.amount.amount))
            elif item.profit is not None:
                panels.setdefault(str(item.profit.currency), []).append(
                    (_short(item.name or item.symbol), item.profit.amount)
                )
    return [
        (name, sorted(ranks, key=lambda rank: abs(rank[1]), reverse=True)[:MOST_BARS])
        for name, ranks in sorted(panels.items())
    ]


def _short(name: str) -> str:
    return visible(name, _NAME)


def until_day(sheet: Sheet[Told], last: date, taste: Taste) -> Sheet[Told]:
    """Without what came after that day: a statement that is late is of its own day all the same."""

    def kept(answer: Answer[Told]) -> Answer[Told]:
        if answer.reading is None:
            return answer
        items = tuple(one for one in answer.reading.items if _day_of(one, taste) <= last)
        return replace(answer, reading=replace(answer.reading, items=items))

    return replace(sheet, answers=tuple(map(kept, sheet.answers)))


def _day_of(one: Entry | Happening, taste: Taste) -> date:
    if isinstance(one, Happening):
        return one.at.astimezone(taste.zone).date()
    return one.on if one.at is None else one.at.astimezone(taste.zone).date()


def csv_of(sheet: Sheet[Entry]) -> str:
    """One line each, oldest first; no cell is a formula."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(_HEAD)
    for answer in sheet.answers:
        for one in answer.reading.items if answer.reading is not None else ():
            sign = "" if one.way is Way.IN else "-"
            cells: Sequence[object] = (
                answer.connection.name,
                one.account,
                one.on.isoformat(),
                one.way,
                f"{sign}{one.amount.text()}",
                one.amount.currency,
                one.other,
                one.narrative,
                one.id,
            )
            lines.writerow([inert(cell) for cell in cells])
    return text.getvalue()


def counted(sheet: Sheet[Entry], first: date, last: date) -> tuple[str, ...]:
    """How many there are of those days, and who did not say."""
    if not sheet.answers:
        return ("No connection you can see keeps statements.",)
    count = sum(len(answer.reading.items) for answer in sheet.answers if answer.reading is not None)
    what = "1 entry" if count == 1 else f"{count} entries"
    silent = [answer for answer in sheet.answers if answer.reading is None and answer.trouble is not None]
    without = [f"Without {one.connection.name}: {sentence(one.trouble)}" for one in silent if one.trouble is not None]
    days = f"{first}" if first == last else f"{first} to {last}"
    return f"{what} of {days}", *without

"""/statement: what came and went, two lines each, account by account; a narrative is shown literally."""

import csv
import io
from collections.abc import Sequence
from html import escape
from itertools import groupby

from bot.csvtext import inert
from bot.operations.sheets import Sheet
from bot.providers.records import Direction, Entry, Happening, Way
from handlers.render.answers import head, notes, parts, title, trouble
from handlers.render.text import Taste, literal

_PER_BLOCK = 10
_DEALS = {Direction.LONG: "buy", Direction.SHORT: "sell"}
_MAX_NARRATIVE = 200
_MAX_KIND = 60


def statement(sheet: Sheet[Entry], what: str, taste: Taste, *, nothing: str = "Nothing came or went.") -> list[str]:
    """One block for each account, or more when it has much. `what` as in "newest 10 of each account"."""
    if not sheet.answers:
        return ["No connection you can see keeps statements."]
    blocks = [f"{title('Statement', sheet, taste)} · {escape(what)}"]
    for answer in sheet.answers:
        above = head(answer, taste)
        if answer.reading is None:
            blocks.append(f"{above}\n{trouble(answer)}")
        elif not answer.reading.items:
            blocks.append(f"{above}\n{escape(nothing)}{notes(answer)}")
        else:
            accounts = groupby(answer.reading.items, key=lambda entry: entry.account)
            found = [block for number, entries in accounts for block in _account(number, list(entries), taste)]
            found[0] = f"{above}\n{found[0]}"
            found[-1] += notes(answer)
            blocks += found
    return blocks


def activity(sheet: Sheet[Happening], what: str, taste: Taste) -> list[str]:
    """The same for what happened, newest first."""
    if not sheet.answers:
        return ["No connection you can see keeps activity; Capital.com does."]
    blocks = [f"{title('Statement', sheet, taste)} · {escape(what)}"]
    for answer in sheet.answers:
        if answer.reading is None:
            blocks.append(f"{head(answer, taste)}\n{trouble(answer)}")
            continue
        lines = [_happening(one, taste) for one in reversed(answer.reading.items)] or ["Nothing happened."]
        found = ["\n".join(part) for part in parts(lines, _PER_BLOCK)]
        found[0] = f"{head(answer, taste)}\n{found[0]}"
        found[-1] += notes(answer)
        blocks += found
    return blocks


def _happening(one: Happening, taste: Taste) -> str:
    deal = [_DEALS[one.direction]] if one.direction is not None else []
    deal += [taste.number(one.size)] if one.size is not None else []
    deal += [f"at {taste.number(one.level)}"] if one.level else []
    first = f"{taste.date_time(one.at)}  <b>{literal(one.name or one.symbol, 40)}</b> {' '.join(deal)}".rstrip()
    number = f" · <code>{escape(one.id)}</code>" if one.id else ""
    return f"{first}\n    {literal(one.what, _MAX_KIND)}{number}"


def csv_of_activity(sheet: Sheet[Happening]) -> str:
    """One line each; a text cannot become a formula."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(("connection", "account", "at", "market", "deal", "size", "price", "what", "number"))
    for answer in sheet.answers:
        for one in answer.reading.items if answer.reading is not None else ():
            deal = _DEALS[one.direction] if one.direction is not None else ""
            numbers = ["" if number is None else f"{number:f}" for number in (one.size, one.level)]
            texts = [inert(text) for text in (one.symbol, deal, *numbers, one.what, one.id)]
            writer.writerow((answer.connection.name, inert(one.account), one.at.isoformat(), *texts))
    return file.getvalue()


def _account(number: str, entries: Sequence[Entry], taste: Taste) -> list[str]:
    """Newest first, as one reads it in a chat."""
    return [
        "\n".join([f"<code>{escape(number)}</code>", *(_entry(one, taste) for one in part)])
        for part in parts(list(reversed(entries)), _PER_BLOCK)
    ]


def _entry(one: Entry, taste: Taste) -> str:
    came = one.way is Way.IN
    amount = taste.signed(one.amount) if came else f"−{taste.money(one.amount)}"
    there = f" ({taste.money(one.other_amount)} there)" if one.other_amount is not None else ""
    side = f" {'from' if came else 'to'} <code>{escape(one.other)}</code>" if one.other else ""
    kind = f" {literal(one.kind, _MAX_KIND)}" if one.kind and not one.other else ""
    first = f"{one.on.isoformat()}  <b>{amount}</b>{there}{side}{kind}"
    said = f"«{literal(one.narrative, _MAX_NARRATIVE)}» · " if one.narrative.strip() else ""
    return f"{first}\n    {said}no. {literal(one.id)}"

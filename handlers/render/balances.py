"""/balance: the totals first, then each connection."""

from collections.abc import Sequence
from html import escape

from bot.operations.balances import Holding, counted_once, totals
from bot.operations.sheets import Answer, Sheet
from bot.providers.records import Balance
from handlers.render.answers import SUMMED_FROM, no_connections, of_connection, parts, silent, title
from handlers.render.text import Taste, bold, table, visible

_HOLDINGS = {
    Holding.OWN_LIVE: "Real money",
    Holding.CLIENTS_LIVE: "Clients' money",
    Holding.OWN_DEMO: "Demo money",
    Holding.CLIENTS_DEMO: "Clients' money, demo",
}
_SHORT_NUMBER = 12
_NAME = 24


def balances(sheet: Sheet[Balance], taste: Taste) -> list[str]:
    """One block for each connection, below the totals when they say more than a single line would."""
    if not sheet.answers:
        return [no_connections()]
    blocks = [title("Balances", sheet, taste)]
    shown = [item for answer in sheet.answers if answer.reading is not None for item in answer.reading.items]
    if len(sheet.answers) > 1 and shown:
        blocks.append(_totals(sheet, taste))
    summed = len(sheet.answers) > 1
    return blocks + [block for answer in sheet.answers for block in _of_one(answer, taste, summed=summed)]


def _totals(sheet: Sheet[Balance], taste: Taste) -> str:
    lines = [bold("Total") + silent(sheet)]
    for holding, moneys in totals(sheet.answers).items():
        lines.append(_HOLDINGS[holding])
        lines.append(table([[money.currency.code, taste.amount(money)] for money in moneys], right=(1,)))
    doubled = [
        f"<i><code>{escape(other)}</code> shows accounts of <code>{escape(first)}</code>; they count once.</i>"
        for other, first in counted_once(sheet.answers)
    ]
    return "\n".join([*lines, *doubled])


def _of_one(answer: Answer[Balance], taste: Taste, *, summed: bool) -> list[str]:
    return of_connection(
        answer,
        taste,
        nothing="No accounts.",
        sums=(lambda items: _summed(answer, items, taste)) if summed else None,
        lines=lambda items: [_table(part, taste) for part in parts(items, SUMMED_FROM)],
    )


def _summed(answer: Answer[Balance], items: Sequence[Balance], taste: Taste) -> str:
    owners = len({item.owner for item in items if item.owner})
    whose = f" of {owners} clients" if owners else ""
    rows = [[money.currency.code, taste.amount(money)] for moneys in totals([answer]).values() for money in moneys]
    name = escape(answer.connection.name)
    return f"{len(items)} accounts{whose}:\n{table(rows, right=(1,))}\nEach of them: <code>/balance {name}</code>"


def _table(items: Sequence[Balance], taste: Taste) -> str:
    rows = []
    for item in items:
        free = ""
        if item.available is not None and item.available != item.amount:
            free = f"free {taste.amount(item.available)}"
        rows.append([_named(item), taste.amount(item.amount), item.amount.currency.code, free])
    if not any(row[3] for row in rows):
        rows = [row[:3] for row in rows]
    return table(rows, right=(1,))


def _named(item: Balance) -> str:
    """The account's name; its number before it where that is short and says more, at least its last four digits."""
    name = item.name or item.account
    if item.owner or item.account in name or len(item.account) > _SHORT_NUMBER:
        return visible(name, _NAME)
    whole = f"{item.account} {name}"
    return visible(whole if len(whole) <= _NAME else f"…{item.account[-4:]} {name}", _NAME)

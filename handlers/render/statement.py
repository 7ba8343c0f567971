"""/statement: what came and went, two lines each, account by account; a narrative is shown literally."""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from bot.operations.balances import Sheet
from bot.providers.records import Entry, Way
from handlers.render.answers import head, notes, parts, title, trouble
from handlers.render.text import Taste, literal

_PER_BLOCK = 10
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

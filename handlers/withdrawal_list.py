"""The list of clients' withdrawals: turning, sorting and narrowing it by buttons.

Every button stands for the view it leads to, kept in the card; so a list outlives a restart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
from telegram import InlineKeyboardMarkup

from bot.messages.cards import Card
from bot.operations.requested import ALL, PENDING, Known, Order, Selection, Source
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import taste_of
from handlers.pages import privately
from handlers.render import visible
from handlers.render import withdrawals as render

KIND = "withdrawals"
ON_A_PAGE = 5
_MOST_VALUES = 12
_MENU = "menu"
_AGES = (timedelta(hours=1), timedelta(hours=4), timedelta(days=1), timedelta(days=3))
_BANDS = ((None, 100), (100, 1_000), (1_000, 10_000), (10_000, None))


@dataclass(frozen=True, slots=True)
class View:
    """What a list shows, and what its buttons offer: the usual, the filters there are, or one filter's values."""

    selection: Selection = Selection()  # noqa: RUF009  # frozen
    at: int = 0
    menu: str = ""


Target = View | str
"""Where a button leads: another view, or one request by its id."""
Rows = Sequence[Sequence[tuple[str, Target]]]


async def show(context: DeskContext, selection: Selection) -> None:
    """Send the list, privately."""

    async def say(chat_id: int) -> None:
        text, rows = await _drawn(context, View(selection))
        card = await context.services.cards.make(KIND, context.person.id, chat_id, _body(View(selection), rows))
        await context.say(text, chat_id=chat_id, keyboard=_keys(context, card, rows, card.version), protected=True)

    await privately(context, say)


def target_of(card: Card, choice: int) -> Target | None:
    """Where a button of this list leads."""
    targets = card.body["targets"]
    if choice >= len(targets):
        return None
    target: Target = msgspec.convert(targets[choice], View | str)
    return target


async def redraw(context: DeskContext, card: Card, view: View, message_id: int) -> None:
    """Show another view in place."""
    text, rows = await _drawn(context, view)
    if not await context.services.cards.advance(card, _body(view, rows)):
        return  # a second tap: the first one was taken
    await context.redraw(message_id, text, _keys(context, card, rows, card.version + 1))


async def _drawn(context: DeskContext, view: View) -> tuple[str, Rows]:
    services = context.services
    everything, now = await services.withdrawals.everything(context.person), services.clock.now()
    fitting = view.selection.of(everything, now)
    last = max(0, (len(fitting) - 1) // ON_A_PAGE)
    view = replace(view, at=min(view.at, last))
    first = view.at * ON_A_PAGE
    shown = fitting[first : first + ON_A_PAGE]
    text = render.listed(shown, view.selection, len(fitting), len(everything), first + 1, now, taste_of(context))
    return text, _rows(view, everything, shown, first, last)


def _rows(view: View, everything: Sequence[Known], shown: Sequence[Known], first: int, last: int) -> Rows:
    if view.menu == _MENU:
        return _menu(view, everything)
    if view.menu:
        return _values(view, everything)
    chosen = view.selection
    rows: list[list[tuple[str, Target]]] = [
        [(str(number), one.request_id) for number, one in enumerate(shown, first + 1)]
    ]
    turning: list[tuple[str, Target]] = [(f"‹ {view.at}", replace(view, at=view.at - 1))] if view.at else []
    turning.append(("Refresh", view) if not last else (f"Refresh · {view.at + 1}/{last + 1}", view))
    turning += [(f"{view.at + 2} ›", replace(view, at=view.at + 1))] if view.at < last else []
    other = Order.AMOUNT if chosen.order is Order.AGE else Order.AGE
    narrowing: list[tuple[str, Target]] = []
    if len(shown) > 1:
        narrowing.append((f"Sort by {other}", View(replace(chosen, order=other))))
    if everything:
        narrowing.append(("Filter", replace(view, menu=_MENU)))
    if chosen.narrows:
        narrowing.append(("No filter", View(Selection(state=chosen.state, order=chosen.order))))
    return [row for row in (*rows, turning, narrowing) if row]


def _menu(view: View, everything: Sequence[Known]) -> Rows:
    """The filters that could tell requests of this list apart."""
    names = [
        name for name, values in _choices(everything).items() if len(values) > 1 or name in ("Waiting longer", "Amount")
    ]
    pairs = [(name, replace(view, menu=name)) for name in names]
    return [*(pairs[start : start + 2] for start in range(0, len(pairs), 2)), [("Back", replace(view, menu=""))]]


def _values(view: View, everything: Sequence[Known]) -> Rows:
    values = _choices(everything).get(view.menu, {})
    rows: list[list[tuple[str, Target]]] = [
        [(label, View(replace(view.selection, **change)))] for label, change in list(values.items())[:_MOST_VALUES]
    ]
    return [*rows, [("Back", replace(view, menu=_MENU))]]


def _choices(everything: Sequence[Known]) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Filter → label of a value → what it changes in the selection."""
    clients = sorted({one.client for one in everything if one.client})
    methods = sorted({one.method for one in everything if one.method})
    currencies = sorted({one.amount.currency.code for one in everything if one.amount is not None})
    nodes = sorted({one.node for one in everything if one.node})
    sources = [one for one in Source if any(known.source is one for known in everything)]
    return {
        "Client": {visible(one, 40): {"client": one} for one in clients},
        "Method": {visible(one, 40): {"method": one} for one in methods},
        "Amount": {_band(least, most): _bounds(least, most) for least, most in _BANDS},
        "Currency": {one: {"currency": one} for one in currencies},
        "Waiting longer": {_hours(age): {"older_than": age} for age in _AGES},
        "Node": {f"Node {one}": {"node": one} for one in nodes},
        "Source": {one.value: {"source": one} for one in sources},
        "State": {PENDING: {"state": PENDING}, ALL: {"state": ALL}},
    }


def _band(least: int | None, most: int | None) -> str:
    if least is None:
        return f"up to {most:,}"
    return f"{least:,} and more" if most is None else f"{least:,} to {most:,}"


def _bounds(least: int | None, most: int | None) -> Mapping[str, Any]:
    return {
        "least": None if least is None else Decimal(least),
        "most": None if most is None else Decimal(most),
    }


def _hours(age: timedelta) -> str:
    return f"more than {age.days} d" if age.days else f"more than {age // timedelta(hours=1)} h"


def _body(view: View, rows: Rows) -> dict[str, Any]:
    targets = [target for row in rows for _, target in row]
    return {"view": msgspec.to_builtins(view), "targets": msgspec.to_builtins(targets)}


def _keys(context: DeskContext, card: Card, rows: Rows, version: int) -> InlineKeyboardMarkup:
    numbered, number = [], 0
    for row in rows:
        numbered.append([(label, number + place) for place, (label, _) in enumerate(row)])
        number += len(row)
    return keyboard(card, numbered, context.services.signer, version)

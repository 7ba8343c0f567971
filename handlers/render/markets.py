"""/quote, /market and /orders: what a market costs, what is known of it, and what waits there."""

from html import escape

from bot.operations.sheets import Answer, Sheet
from bot.providers.records import Direction, Market, Order, Quote
from handlers.render.answers import head, notes, parts, title, trouble
from handlers.render.text import Taste, ago, decimals, literal

_PER_BLOCK = 12
_SIDES = {Direction.LONG: "buy", Direction.SHORT: "sell"}
_STATES = {True: "", False: " · closed", None: ""}


def nobody(what: str) -> str:
    return f"You can see no provider login with {what}. /connect links one; Capital.com and Deriv have them."


def quotes(sheet: Sheet[Market], taste: Taste, asked: str) -> list[str]:
    """What each connection calls so, and its price."""
    if not sheet.answers:
        return [nobody("prices")]
    return [title("Prices", sheet, taste), *_each(sheet, taste, asked, whole=False)]


def markets(sheet: Sheet[Market], taste: Taste, asked: str) -> list[str]:
    """The same with its hours and facts, where it is one."""
    if not sheet.answers:
        return [nobody("markets")]
    return [title("Markets", sheet, taste), *_each(sheet, taste, asked, whole=True)]


def _each(sheet: Sheet[Market], taste: Taste, asked: str, *, whole: bool) -> list[str]:
    """A connection that has nothing of the name is named only when none has."""
    found = [one for one in sheet.answers if one.reading is None or one.reading.items]
    if not found:
        names = ", ".join(dict.fromkeys(answer.connection.spec.title for answer in sheet.answers))
        return [f"Nothing at {escape(names)} is called {literal(asked, 40)}. A part of the name is enough."]
    return [block for answer in found for block in _of_one(answer, taste, whole=whole)]


def _of_one(answer: Answer[Market], taste: Taste, *, whole: bool) -> list[str]:
    if answer.reading is None:
        return [f"{head(answer, taste)}\n{trouble(answer)}"]
    items = answer.reading.items
    more = whole and len(items) == 1
    lines = [_market(item, taste) + (_known(item) if more else "") for item in items]
    blocks = ["\n".join(part) for part in parts(lines, _PER_BLOCK)]
    if whole and len(items) > 1:
        blocks[-1] += f"\nMore of one: <code>/market {escape(items[0].symbol)}</code>"
    blocks[0] = f"{head(answer, taste)}\n{blocks[0]}"
    blocks[-1] += notes(answer)
    return blocks


def _market(item: Market, taste: Taste) -> str:
    name = f" {literal(item.name, 40)}" if item.name and item.name != item.symbol else ""
    price = f"\n    {price_of(item.quote, taste)}" if item.quote is not None else ""
    return f"<b>{literal(item.symbol, 40)}</b>{name}{_STATES[item.is_open]}{price}"


def price_of(quote: Quote, taste: Taste) -> str:
    """`4,012.35 / 4,012.85 · 14:02:07`: what one gets selling, and pays buying."""
    digits = max(decimals(quote.bid), decimals(quote.ask))
    at = taste.time(quote.at)
    if quote.bid == quote.ask:
        return f"{taste.number(quote.bid, digits)} · {at}"
    return f"{taste.number(quote.bid, digits)} / {taste.number(quote.ask, digits)} · {at}"


def _known(item: Market) -> str:
    kind = [literal(item.kind, 60)] if item.kind else []
    return "".join(f"\n{line}" for line in (*kind, *(literal(one, 200) for one in (*item.hours, *item.facts))))


def orders(sheet: Sheet[Order], taste: Taste) -> list[str]:
    """What waits for its price."""
    if not sheet.answers:
        return [nobody("orders")]
    return [title("Waiting orders", sheet, taste), *(_orders_of(answer, taste) for answer in sheet.answers)]


def _orders_of(answer: Answer[Order], taste: Taste) -> str:
    if answer.reading is None:
        return f"{head(answer, taste)}\n{trouble(answer)}"
    lines = [_order(item, taste) for item in answer.reading.items] or ["Nothing waits."]
    return "\n".join([head(answer, taste), *lines]) + notes(answer)


def _order(item: Order, taste: Taste) -> str:
    digits = max(decimals(price) for price in (item.level, item.stop, item.limit) if price is not None)
    side = _SIDES[item.direction]
    first = f"• <b>{literal(item.name or item.symbol, 40)}</b> · {side} {taste.number(item.size)}"
    facts = [f"{item.kind or 'order'} at {taste.number(item.level, digits)}"]
    facts += [f"stop {taste.number(item.stop, digits)}"] if item.stop is not None else []
    facts += [f"limit {taste.number(item.limit, digits)}"] if item.limit is not None else []
    facts += [f"till {taste.date_time(item.good_till)}"] if item.good_till is not None else []
    facts += [f"placed {ago(item.as_of, item.created_at)}"] if item.created_at is not None else []
    return f"{first}\n    {' · '.join(facts)}\n    <code>{escape(item.id)}</code>"

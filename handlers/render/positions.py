"""/positions: what is open, two lines each; a client's name above what is theirs."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from html import escape

from bot.money import Currency, Money
from bot.operations.sheets import Answer, Sheet
from bot.providers.records import Direction, Position
from handlers.render.answers import no_connections, of_connection, parts, title
from handlers.render.text import Taste, decimals, literal, span

_PER_BLOCK = 10
_WAYS = {Direction.LONG: "▲", Direction.SHORT: "▼", None: "•"}


def positions(sheet: Sheet[Position], taste: Taste) -> list[str]:
    """One block for each connection, or more when it has many."""
    if not sheet.answers:
        return [no_connections()]
    summed = len(sheet.answers) > 1
    return [
        title("Open positions", sheet, taste),
        *(block for answer in sheet.answers for block in _of_one(answer, taste, summed=summed)),
    ]


def _of_one(answer: Answer[Position], taste: Taste, *, summed: bool) -> list[str]:
    return of_connection(
        answer,
        taste,
        nothing="Nothing open.",
        sums=(lambda items: _summed(answer, items, taste)) if summed else None,
        lines=lambda items: ["\n".join(_position(item, taste) for item in part) for part in parts(items, _PER_BLOCK)],
    )


def _summed(answer: Answer[Position], items: Sequence[Position], taste: Taste) -> str:
    owners = len({item.owner for item in items if item.owner})
    whose = f" of {owners} clients" if owners else ""
    profits: dict[Currency, Money] = {}
    for item in items:
        if item.profit is not None:
            currency = item.profit.currency
            profits[currency] = profits[currency] + item.profit if currency in profits else item.profit
    together = " · ".join(f"<b>{taste.signed(profits[one])}</b>" for one in sorted(profits, key=lambda one: one.code))
    name = escape(answer.connection.name)
    return f"{len(items)} open positions{whose}: {together}\nEach of them: <code>/positions {name}</code>"


def _position(item: Position, taste: Taste) -> str:
    profit = f" · <b>{taste.signed(item.profit)}</b>" if item.profit is not None else ""
    first = f"{_WAYS[item.direction]} <b>{literal(item.name or item.symbol, 40)}</b>{profit}"
    facts = " · ".join(_facts(item, taste))
    return f"{first}\n    {facts}" if facts else first


def _stop(item: Position, taste: Taste, price: Callable[[Decimal], str]) -> str:
    """`stop 4,010.00`, `guaranteed stop 4,010.00`, `trailing stop 4,010.00, 2.5 away`; a price is not always told."""
    where = f" {price(item.stop)}" if item.stop is not None else ""
    away = f", {taste.number(abs(item.stop_distance))} away" if item.stop_distance is not None else ""
    return f"{item.stop_kind} stop".lstrip() + where + away


def _facts(item: Position, taste: Taste) -> list[str]:
    """What stands in the second line; prices of one position with the same decimals."""
    prices = [price for price in (item.entry, item.now, item.stop, item.limit) if price is not None]
    digits = max(map(decimals, prices), default=0)

    def price(number: Decimal) -> str:
        return taste.number(number, digits)

    facts = []
    if item.size is not None:
        way = f"{item.direction} " if item.direction is not None else ""
        unit = f" {literal(item.size_unit, 12)}" if item.size_unit else ""
        facts.append(f"{way}{taste.number(item.size)}{unit}")
    elif item.direction is not None:
        facts.append(item.direction.value)
    if item.entry is not None:
        facts.append(
            f"{price(item.entry)} → {price(item.now)}" if item.now is not None else f"from {price(item.entry)}"
        )
    if item.price_paid is not None:
        facts.append(f"paid {taste.money(item.price_paid)}")
    if item.payout is not None:
        facts.append(f"pays {taste.money(item.payout)}")
    if item.margin is not None:
        facts.append(f"margin {taste.money(item.margin)}")
    if item.stop is not None or item.stop_kind:
        facts.append(_stop(item, taste, price))
    if item.limit is not None:
        facts.append(f"limit {price(item.limit)}")
    if item.overnight is not None:
        when = f" at {taste.time(item.overnight_at)}" if item.overnight_at is not None else ""
        facts.append(f"over night {taste.signed(item.overnight)}{when}")
    if item.worth is not None and item.is_open:
        back = " if sold now" if item.can_be_closed is not False else ", not to be sold now"
        facts.append(f"gives {taste.money(item.worth)}{back}")
    if item.expires_at is not None:
        left = (item.expires_at - item.as_of).total_seconds()
        when = taste.date_time(item.expires_at)
        facts.append(f"until {when}, {span(left)} left" if left > 0 else f"ran out {when}")
    return facts

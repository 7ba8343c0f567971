"""What a deal says, digit for digit, what a broker would refuse of it, and what the policy weighs. Opens nothing."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from zoneinfo import ZoneInfo

from bot.errors import InputError
from bot.money import Currency, Money
from bot.operations.deal_line import Line
from bot.providers.records import Market, Order, Position

_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,10})?", re.ASCII)
_DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", re.ASCII)
NONE = "none"
BUY, SELL = "/buy 2 GOLD stop 4000 limit 4200", "/sell 2 GOLD at 4300"


def number_of(text: str, what: str, example: str) -> Decimal:
    """Plain digits with at most one point, above nought (M60); never rounded."""
    if not _NUMBER.fullmatch(text) or not Decimal(text):
        raise InputError(f"{what} is plain digits with at most one point, above nought", example)
    return Decimal(text)


def terms_of(line: Line, zone: ZoneInfo, now: datetime, *, may_be_none: bool = False) -> dict[str, str]:
    """Level, stop, limit and time, digit for digit."""
    terms = {}
    for name, text in (("level", line.level), ("stop", line.stop), ("limit", line.limit)):
        if may_be_none and name != "level" and text.lower() == NONE:
            terms[name] = NONE
        elif text:
            number_of(text, f"a {'price' if name == 'level' else name}", "stop 4000.50")
            terms[name] = text
    if may_be_none and line.till.lower() == NONE:
        terms["good_till"] = NONE
    elif line.till:
        terms["good_till"] = _till(line.till, zone, now)
    return terms


def _till(text: str, zone: ZoneInfo, now: datetime) -> str:
    """The end of that day where the desk is, as the provider reads it: UTC."""
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        day = datetime.fromisoformat(text).replace(hour=23, minute=59, second=59, tzinfo=zone)
    except ValueError:
        raise InputError("an order is good till a day", "till 2026-12-01") from None
    if day <= now:
        raise InputError("that day is over", "till 2026-12-01")
    return day.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def type_of(side: str, line: Line, price: Decimal, market: Market) -> str:
    """Whether it waits, and for a better price or a worse one."""
    if not line.level:
        if line.till:
            raise InputError("only an order with a price waits; say at which", f"{BUY} at 4050 till 2026-12-01")
        if market.is_open is False:
            raise InputError(f"{market.name} is closed now; an order with a price waits for it", f"{BUY} at 4050")
        return "market"
    level = number_of(line.level, "a price", "at 4050")
    return "limit" if (level < price) == (side == "buy") else "stop"


def check_size(size: Decimal, market: Market) -> None:
    if market.least is not None and size < market.least:
        raise InputError(f"one deal in {market.name} is of {market.least:f} units at least", f"{market.least:f}")
    if market.most is not None and size > market.most:
        raise InputError(f"one deal in {market.name} is of {market.most:f} units at most", f"{market.most:f}")
    if market.step and size % market.step:
        raise InputError(f"sizes in {market.name} go in steps of {market.step:f}", f"{size - size % market.step:f}")


def check_bracket(side: str, price: Decimal, terms: Mapping[str, str], whose: str = "") -> None:
    """A stop lies where it loses, and a limit where it gains.

    Args:
        whose: What has them, where it is there already.
    """
    up = side == "buy"
    for name, gains in (("stop", False), ("limit", True)):
        if terms.get(name, NONE) != NONE and (Decimal(terms[name]) > price) != (up == gains):
            there = "above" if up == gains else "below"
            said = f"{whose or f'to {side}'}, a {name} lies {there} the price, which is {price:f}"
            raise InputError(said, f"{name} …")


def worth_at(size: Decimal, price: Decimal, currency: Currency | None) -> dict[str, str]:
    """What the policy weighs: size times price, rounded up. What is bought at once is weighed by what it may cost."""
    if currency is None or not currency.known:
        return {}
    worth = (size * price).quantize(Decimal(1).scaleb(-currency.digits), ROUND_UP)
    return {"amount": Money.reading(worth, currency).text(), "currency": currency.code}


def worth_of(item: Position | Order, level: str | None = None) -> dict[str, str]:
    """`level`: the price that an order is to wait for instead; it is weighed by that one."""
    if isinstance(item, Order):
        return worth_at(item.size, item.level if level is None else Decimal(level), item.currency)
    if item.worth is not None:
        return {"amount": item.worth.text(), "currency": item.worth.currency.code} if item.worth.amount > 0 else {}
    price = item.now or item.entry
    if item.size is None or price is None:
        return {}
    return worth_at(item.size, price, item.profit.currency if item.profit is not None else None)


def bound_of(side: str, price: Decimal, tolerance: int) -> dict[str, str]:
    """The price it may be done at, in as many decimals as the price has; rounded towards it."""
    step = Decimal(1).scaleb(min(int(price.as_tuple().exponent), 0))
    slip = price * tolerance / 10_000
    if side == "buy":
        return {"price": f"{(price + slip).quantize(step, ROUND_DOWN):f}"}
    return {"least": f"{(price - slip).quantize(step, ROUND_UP):f}"}

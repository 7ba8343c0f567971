"""The questions of a deal, and what can be tapped under them."""

from html import escape

from bot.operations.deal_steps import Asking, Step
from bot.providers.records import Market
from handlers.render.markets import price_of
from handlers.render.text import Taste, literal, visible
from handlers.render.transfers import connection

_LABEL = 60
_STOPS = "(/cancel stops at any time.)"
_WITHOUT = {
    Asking.PRICE: "At once",
    Asking.STOP: "No stop",
    Asking.LIMIT: "No limit",
    Asking.TILL: "Until it is taken back",
}


def question(step: Step, taste: Taste) -> str:
    """As HTML."""
    buys = step.sketch.side == "buy"
    does, under, over = ("Buy", "below", "above") if buys else ("Sell", "above", "below")
    match step.asking:
        case Asking.CONNECTION:
            return f"{does} through which login? {_STOPS}"
        case Asking.MARKET:
            tap = "Tap it, or send" if step.markets else "Send"
            return f"{does} what? {tap} its symbol, or a part of its name. {_STOPS}"
        case Asking.SIZE:
            return f"{_price(step, taste)}\n{does} how many units? {_bounds(step.market, taste)}"
        case Asking.PRICE if step.may_be_without:
            return f"{_price(step, taste)}\nAt once? Or send a price, and the order waits for it."
        case Asking.PRICE:
            return f"{_price(step, taste)}\nIt is closed now. At which price? The order waits for it."
        case Asking.STOP:
            return f"{_price(step, taste)}\nWhere does it stop when it loses? Send a price {under} that, or tap."
        case Asking.LIMIT:
            return f"{_price(step, taste)}\nWhere does it take its gain? Send a price {over} that, or tap."
        case Asking.TILL:
            return "Till which day does the order wait? For example <code>2026-12-01</code>; or tap."


def labels(step: Step, taste: Taste) -> list[str]:
    """One for each of the step's values."""
    return [
        *(connection(one) for one in step.connections),
        *(_market(one) for one in step.markets),
        *(taste.number(size) for size in step.sizes),
        *([_WITHOUT[step.asking]] if step.may_be_without else ()),
    ]


def _price(step: Step, taste: Taste) -> str:
    """What it is about: the market with its price, or the price that the order waits for."""
    if step.market is None:
        return ""
    now = price_of(step.market.quote, taste) if step.market.quote is not None else "no price"
    waits = f", to wait for {escape(step.sketch.level)}" if step.sketch.level else ""
    return f"<b>{literal(_market(step.market))}</b> {now}{waits}"


def _market(one: Market) -> str:
    name = one.symbol if one.name in ("", one.symbol) else f"{one.name} ({one.symbol})"
    return visible(name, _LABEL)


def _bounds(market: Market | None, taste: Taste) -> str:
    if market is None:
        return ""
    told = [
        f"at least {taste.number(market.least)}" if market.least else "",
        f"at most {taste.number(market.most)}" if market.most else "",
        f"in steps of {taste.number(market.step)}" if market.step else "",
    ]
    said = ", ".join(filter(None, told))
    return f"{said[0].upper()}{said[1:]}." if said else ""

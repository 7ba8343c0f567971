"""How a login at a broker stands, and its lists."""

from collections.abc import Sequence
from html import escape

from bot.operations.brokerage import List, Standing
from bot.operations.linked import Connection
from handlers.render.markets import price_of
from handlers.render.text import Taste, bold, literal

_NAME = 40


def standing(one: Standing, taste: Taste) -> list[str]:
    head = f"{bold(one.connection.spec.title)} <code>{escape(one.connection.name)}</code>"
    lines = [
        f"{'●' if held.account == one.active else '○'} <code>{literal(held.account)}</code> "
        f"{literal(held.name, _NAME)} · {taste.money(held.amount)}"
        for held in one.accounts
    ]
    hedging = "on: opposite positions stand side by side" if one.hedging else "off: opposite deals close one another"
    leverages = [
        f"{literal(group, _NAME)} {now} (of {', '.join(map(str, could))})"
        for group, (now, could) in one.leverages.items()
    ]
    changing = (
        "<code>/account switch …</code>, <code>/account leverage SHARES 5</code> and "
        f"<code>/account hedging {'off' if one.hedging else 'on'}</code> change it."
    )
    return ["\n".join([head, *lines]), "\n".join([f"Hedging {hedging}", "Leverage:", *leverages]), changing]


def choosing(what: str, one: Standing) -> str:
    """Asked for what is to be changed, without a word of what to."""
    if what == "hedging":
        return f"Hedging is {'on' if one.hedging else 'off'} at {escape(one.connection.name)}."
    others = "" if len(one.accounts) > 1 else " It is the only one."
    return f"{escape(one.connection.name)} reads and deals on account <code>{literal(one.active)}</code>.{others}"


def lists(connection: Connection, found: Sequence[List]) -> list[str]:
    head = f"{bold('Watchlists')} <code>{escape(connection.name)}</code>"
    lines = [f"• {literal(one.name, _NAME)}{'' if one.is_own else ' · kept by the provider'}" for one in found]
    told = "What is on one: <code>/watchlist NAME</code>. A new one: <code>/watchlist NAME make GOLD SILVER</code>"
    return ["\n".join([head, *(lines or ["There is none."])]), told]


def watched(connection: Connection, one: List, taste: Taste) -> list[str]:
    head = f"{bold(one.name)} <code>{escape(connection.name)}</code>"
    lines = []
    for market in one.markets or ():
        price = price_of(market.quote, taste) if market.quote is not None else "no price"
        lines.append(f"<b>{literal(market.symbol, _NAME)}</b> {literal(market.name, _NAME)}\n    {price}")
    return ["\n".join([head, *(lines or ["Nothing is on it."])])]

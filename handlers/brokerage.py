"""/account, /watchlist and /topup: how a login at a broker deals, what it watches, and play money."""

import re
from html import escape

from bot.access.model import Right
from bot.errors import InputError
from bot.operations.brokerage import ACCOUNT, TOPUP, WATCHLIST, Standing
from bot.providers.registry import PROVIDERS
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Reply
from handlers.render import brokerage as render
from handlers.render import literal
from handlers.render.text import visible

_DOINGS = ("add", "remove", "delete", "make")
_SWITCH = {"on": True, "off": False}
_MOST_BUTTONS, _LABEL = 24, 24


async def account(context: DeskContext, words: Words) -> Reply:
    """Nothing: how it stands. `switch 3104…`, `leverage SHARES 5`, `hedging on`: changed. A connection may be first."""
    desk, telegram_id = context.services.brokerage, context.where.telegram_id
    word, rest = _connection_in(words, ("switch", "leverage", "hedging"))
    match [rest[0].lower(), *rest[1:]] if rest else []:
        case []:
            standing = await desk.standing(context.person, word)
            again = " ".join(["/account", *words])
            return Reply(render.standing(standing, taste_of(context)), again, _changes(context, standing))
        case ["switch", number]:
            connection = await desk.switch(context.person, word, number, telegram_id=telegram_id)
            return Reply([f"{escape(connection.name)} reads and deals on account <code>{literal(number)}</code> now."])
        case ["leverage", *group] if not group or not group[-1].isdecimal():
            return _leverages(await desk.standing(context.person, word), " ".join(group).upper())
        case ["leverage", *group, times] if group and times.isascii() and times.isdecimal():
            named, factor = " ".join(group).upper(), int(times[:6])
            connection = await desk.prefer(context.person, word, leverages={named: factor}, telegram_id=telegram_id)
            return Reply([f"{literal(named)}: a leverage of {factor} at {escape(connection.name)}."])
        case ["hedging", setting] if setting.lower() in _SWITCH:
            on = _SWITCH[setting.lower()]
            connection = await desk.prefer(context.person, word, hedging=on, telegram_id=telegram_id)
            return Reply([f"Hedging is {'on' if on else 'off'} at {escape(connection.name)}."])
        case _:
            raise InputError(
                "switch and a number, leverage with a group and a number, or hedging on or off",
                f"{ACCOUNT} hedging off",
            )


async def watchlist(context: DeskContext, words: Words) -> Reply:
    """Nothing: all lists. A name: what is on it. `NAME add GOLD`, `remove GOLD`, `make`, `delete`: changed."""
    desk, telegram_id = context.services.brokerage, context.where.telegram_id
    taste, again = taste_of(context), " ".join(["/watchlist", *words])
    word, rest = (words[0], list(words[1:])) if words and _is_connection(words[0]) else (None, list(words))
    at = next((place for place, one in enumerate(rest) if one.lower() in _DOINGS and place), None)
    if not rest:
        connection, lists = await desk.lists(context.person, word)
        offers = [(visible(one.name, _LABEL), f"/watchlist {connection.name} {one.name}") for one in lists]
        return Reply(render.lists(connection, lists), again, offers[:_MOST_BUTTONS])
    if at is None:
        connection, found = await desk.watched(context.person, word, " ".join(rest))
        markets = (found.markets or ())[:_MOST_BUTTONS]
        offers = [(visible(one.symbol, _LABEL), f"/quote {connection.name} {one.symbol}") for one in markets]
        return Reply(render.watched(connection, found, taste), again, offers)
    name, doing, what = " ".join(rest[:at]), rest[at].lower(), " ".join(rest[at + 1 :])
    if doing in ("add", "remove") and not what:
        raise InputError("say which market, by its symbol", WATCHLIST)
    said = await desk.watch(context.person, word, name, doing, what, telegram_id=telegram_id)
    return Reply([literal(said, 200)])


async def topup(context: DeskContext, words: Words) -> Reply:
    """`[connection] [amount] [account]`"""
    left = list(words)
    word = left.pop(0) if left and _is_connection(left[0]) else None
    amount = left.pop(0) if left and re.fullmatch(r"[0-9][0-9.]{0,20}", left[0], re.ASCII) else ""
    if len(left) > 1:
        raise InputError("a connection, an amount and an account at most", TOPUP)
    connection, held = await context.services.brokerage.top_up(
        context.person, word, amount, left[0] if left else "", telegram_id=context.where.telegram_id
    )
    holds = f"{literal(held.account)} holds {taste_of(context).money(held.amount)} of play money now."
    return Reply([f"{escape(connection.name)}: {holds}"])


def _changes(context: DeskContext, standing: Standing) -> list[tuple[str, str]]:
    """Another account, and the other way of hedging: for who may act through the connection."""
    if not (context.person.may(Right.ASK) and standing.connection.may_act(context.person)):
        return []
    named, other = f"/account {standing.connection.name}", "off" if standing.hedging else "on"
    others = [one for one in standing.accounts if one.account != standing.active][: _MOST_BUTTONS - 1]
    named_so = [f"To {visible(one.name, _LABEL)} …{one.account[-4:]}".replace("  ", " ") for one in others]
    return [
        ("Leverage…", f"{named} leverage"),
        *((label, f"{named} switch {one.account}") for label, one in zip(named_so, others, strict=True)),
        (f"Hedging {other}", f"{named} hedging {other}"),
    ]


def _leverages(standing: Standing, group: str) -> Reply:
    """A button for each group; of one group, for each leverage it could have."""
    line = f"/account {standing.connection.name} leverage"
    if group not in standing.leverages:
        groups = [(visible(f"{one} {now}", _LABEL), f"{line} {one}") for one, (now, _) in standing.leverages.items()]
        return Reply(["Of which group of markets?"], None, groups[:_MOST_BUTTONS])
    now, could = standing.leverages[group]
    told = f"{literal(group)} is dealt in with a leverage of {now}. Which one from now on?"
    return Reply([told], None, [(str(one), f"{line} {group} {one}") for one in could[:_MOST_BUTTONS]])


def _connection_in(words: Words, verbs: tuple[str, ...]) -> tuple[str | None, list[str]]:
    """A first word that is no verb names a connection."""
    if words and words[0].lower() not in verbs:
        return words[0], list(words[1:])
    return None, list(words)


def _is_connection(word: str) -> bool:
    """A provider's name, or a connection's in full: a label alone could be the name of a list."""
    return word.lower().split("/")[0] in PROVIDERS

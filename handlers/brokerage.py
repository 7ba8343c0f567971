"""/account, /watchlist and /topup: how a login at a broker deals, what it watches, and play money."""

import re
from collections.abc import Sequence
from html import escape

from bot.access.model import Right
from bot.errors import InputError
from bot.operations.brokerage import ACCOUNT, TOPUP, WATCHLIST, List, Standing
from bot.operations.linked import Connection
from bot.providers.registry import PROVIDERS
from handlers import completing
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Reply
from handlers.render import brokerage as render
from handlers.render import literal
from handlers.render.text import visible

_DOINGS = ("add", "remove", "delete", "make")
_SWITCH = {"on": True, "off": False}
_MOST_BUTTONS, _LABEL = 24, 24
_AMOUNT = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,18})?", re.ASCII)
"""Longer ones are numbers of accounts."""
_NEW = "What is the new list to be called? At most 20 characters, for example: <code>Metals</code>"
_ADDED = "Which market? Its symbol, or a part of its name."


async def account(context: DeskContext, words: Words) -> Reply:
    """Nothing: how it stands. `switch 3104…`, `leverage SHARES 5`, `hedging on`: changed. A connection may be first."""
    desk, telegram_id = context.services.brokerage, context.where.telegram_id
    word, rest = _connection_in(words, ("switch", "leverage", "hedging"))
    if len(able := await desk.brokers(context.person, word)) > 1:
        return _which("/account", able, rest)
    match [rest[0].lower(), *rest[1:]] if rest else []:
        case []:
            standing = await desk.standing(context.person, word)
            again = " ".join(["/account", *words])
            return Reply(render.standing(standing, taste_of(context)), again, _changes(context, standing))
        case ["switch", number]:
            connection = await desk.switch(context.person, word, number, telegram_id=telegram_id)
            return Reply([f"{escape(connection.name)} reads and deals on account <code>{literal(number)}</code> now."])
        case ["switch"] | ["hedging"]:
            standing = await desk.standing(context.person, word)
            changes = [one for one in _changes(context, standing) if f" {rest[0].lower()} " in one[1]]
            return Reply([render.choosing(rest[0].lower(), standing)], None, changes)
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


async def watchlist(context: DeskContext, words: Words) -> Reply | None:
    """Nothing: all lists. A name: what is on it. `NAME add GOLD`, `remove GOLD`, `make GOLD`, `delete`: changed."""
    desk, telegram_id = context.services.brokerage, context.where.telegram_id
    taste, again = taste_of(context), " ".join(["/watchlist", *words])
    word, rest = (words[0], list(words[1:])) if words and _is_connection(words[0]) else (None, list(words))
    if len(able := await desk.brokers(context.person, word)) > 1:
        return _which("/watchlist", able, rest)
    if completing.is_begun(rest):
        return await _more(context, able[0], rest[:-1])
    if not rest:
        connection, lists = await desk.lists(context.person, word)
        offers = [(visible(one.name, _LABEL), f"/watchlist {connection.name} {one.id}") for one in lists]
        new = [completing.offer("New…", "/watchlist", connection.name)] if _may_change(context, connection) else []
        return Reply(render.lists(connection, lists), again, [*offers[:_MOST_BUTTONS], *new])
    at = next((place for place, one in enumerate(rest) if one.lower() in _DOINGS and place), None)
    if len(rest) > 1 and rest[0].lower() == "make":  # a new list, called all that follows
        at, rest = len(rest) - 1, [*rest[1:], "make"]
    if at is None:
        connection, found = await desk.watched(context.person, word, " ".join(rest))
        markets = (found.markets or ())[:_MOST_BUTTONS]
        offers = [(visible(one.symbol, _LABEL), f"/quote {connection.name} {one.symbol}") for one in markets]
        return Reply(
            render.watched(connection, found, taste), again, [*offers, *_to_a_list(context, connection, found)]
        )
    name, doing, what = " ".join(rest[:at]), rest[at].lower(), " ".join(rest[at + 1 :])
    if doing in ("add", "remove") and not what:
        raise InputError("say which market, by its symbol", WATCHLIST)
    said = await desk.watch(context.person, word, name, doing, what, telegram_id=telegram_id)
    return Reply([literal(said, 200)], None, [("All lists", f"/watchlist {able[0].name}")])


async def _more(context: DeskContext, connection: Connection, begun: list[str]) -> Reply | None:
    """What a button began: the name of a new list, a market to be put on one, or what is to go."""
    if len(begun) < 2:
        await completing.ask(context, _NEW, "watchlist", connection.name, "make")
        return None
    name, doing = " ".join(begun[:-1]), begun[-1].lower()
    line = f"/watchlist {connection.name} {name} {doing}"
    if doing == "add":
        await completing.ask(context, _ADDED, *line.lstrip("/").split())
        return None
    _, found = await context.services.brokerage.watched(context.person, connection.name, name)
    if doing == "delete":
        return Reply([f"Shall {literal(found.name)} go?"], None, [(visible(f"Delete {found.name}", _LABEL), line)])
    offers = [(visible(one.symbol, _LABEL), f"{line} {one.symbol}") for one in found.markets or ()]
    return Reply([f"Which market is to go off {literal(found.name)}?"], None, offers[:_MOST_BUTTONS])


def _to_a_list(context: DeskContext, connection: Connection, one: List) -> list[tuple[str, str]]:
    """What may be done to a list: to one's own, by who may act through the connection."""
    if not (one.is_own and _may_change(context, connection)):
        return []
    line = ("/watchlist", connection.name, one.id)
    fewer = [completing.offer("Take off…", *line, "remove")] if one.markets else []
    return [completing.offer("Add…", *line, "add"), *fewer, completing.offer("Delete…", *line, "delete")]


async def topup(context: DeskContext, words: Words) -> Reply:
    """`[connection] [amount] [account]`"""
    desk, left = context.services.brokerage, list(words)
    word = left.pop(0) if left and _is_connection(left[0]) else None
    if len(able := await desk.playing(context.person, word)) > 1:
        return _which("/topup", able, left)
    amount = left.pop(0) if left and _AMOUNT.fullmatch(left[0]) else ""
    if len(left) > 1:
        raise InputError("a connection, an amount and an account at most", TOPUP)
    connection, accounts = await desk.fillable(context.person, able[0].name, left[0] if left else "")
    if len(accounts) > 1:
        line = " ".join(filter(None, ("/topup", connection.name, amount)))
        offers = [(_short(one.name, one.account), f"{line} {one.account}") for one in accounts[:_MOST_BUTTONS]]
        return Reply(["Which account is to get it?"], None, offers)
    held = await desk.top_up(context.person, connection, accounts[0], amount, telegram_id=context.where.telegram_id)
    holds = f"{literal(held.account)} holds {taste_of(context).money(held.amount)} of play money now."
    return Reply([f"{escape(connection.name)}: {holds}"])


def _which(command: str, able: Sequence[Connection], rest: Words) -> Reply:
    """One of several logins, with whatever else was said."""
    offers = [(one.name, " ".join([command, one.name, *rest])) for one in able[:_MOST_BUTTONS]]
    return Reply(["Of which login?"], None, offers)


def _may_change(context: DeskContext, connection: Connection) -> bool:
    return context.person.may(Right.ASK) and connection.may_act(context.person)


def _short(name: str, account: str) -> str:
    return f"{visible(name, _LABEL)} …{account[-4:]}".strip()


def _changes(context: DeskContext, standing: Standing) -> list[tuple[str, str]]:
    """Another account, and the other way of hedging: for who may act through the connection."""
    if not _may_change(context, standing.connection):
        return []
    named, other = f"/account {standing.connection.name}", "off" if standing.hedging else "on"
    others = [one for one in standing.accounts if one.account != standing.active][: _MOST_BUTTONS - 1]
    named_so = [f"To {_short(one.name, one.account)}" for one in others]
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

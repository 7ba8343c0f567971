"""/profit, /sellexpired, /agents, /cashier and /site: what Deriv tells and does beside accounts and markets."""

import csv
import io
import re
from collections.abc import Callable
from html import escape
from zoneinfo import ZoneInfo

from telegram import InputFile

from bot.access.model import Person, Right
from bot.csvtext import inert
from bot.errors import InputError
from bot.money import DIGITS
from bot.operations.linked import Connection
from bot.providers import deriv
from bot.providers.deriv.wire.books import Closed
from bot.providers.records import Environment, Reading
from handlers import periods
from handlers.context import DeskContext
from handlers.doors import Words, at_most_one, taste_of
from handlers.pages import Reply, privately
from handlers.render import derivs as render

PROFIT, AGENTS, CASHIER = "/profit 20", "/agents id USD", "/cashier deriv/main"
_TICKS = "/ticks R_100"
_MOST_BUTTONS = 12
_HEAD = (
    "account",
    "contract",
    "type",
    "symbol",
    "bought",
    "sold",
    "paid",
    "received",
    "profit",
    "currency",
    "said",
)
_DERIV = deriv.SPEC.name
_CURRENCY = re.compile(r"[A-Z]{3}|[a-z][A-Z]{3,5}", re.ASCII)
"""Coins of Deriv's own naming, such as eUSDT, beside those that we know; countries may be in capitals, too."""


async def which(
    context: DeskContext,
    word: str | None,
    line: Callable[[str], str],
    fits: Callable[[Connection], bool] = lambda _: True,
) -> Connection | Reply:
    """The login that is meant; where several could be, a button for each.

    Args:
        line: The command line that names it.
    """
    found = await context.services.derivs.could_be(context.person, word, fits)
    if len(found) == 1:
        return found[0]
    offers = [(render.button(one), line(one.name)) for one in found[:_MOST_BUTTONS]]
    return Reply(["Through which login?"], offers=offers)


async def profit(context: DeskContext, words: Words) -> Reply | None:
    """`[connection] [how many | since DAY [until DAY]] [csv]`"""
    left, as_file = (words[:-1], True) if words and words[-1].lower() == "csv" else (words, False)
    now, zone = context.services.clock.now(), ZoneInfo(context.services.config.desk.time_zone)
    asked = periods.read(left, now, zone, command="/profit", too_many=f"/profit tells of 1 to {periods.MOST} contracts")
    rest = words if asked.word is None else words[1:]
    meant = await which(context, asked.word, lambda name: " ".join(["/profit", name, *rest]))
    if isinstance(meant, Reply):
        return meant
    connection, reading = await context.services.derivs.profits(
        context.person, meant.name, most=asked.limit, since=asked.since, until=asked.until
    )
    if not as_file or not reading.items:
        what = f"bought {asked.said}" if asked.said else f"newest {asked.limit}"
        blocks = render.profits(connection, reading, what, taste_of(context))
        return Reply(
            blocks,
            " ".join(["/profit", *words]),
            () if as_file or not reading.items else [("As a file", f"/profit {' '.join([*left, 'csv'])}")],
        )
    file = InputFile(_csv_of(reading).encode(), f"profit-{reading.as_of:%Y-%m-%d}.csv")

    async def say(chat_id: int) -> None:
        await context.bot.send_document(chat_id, file, protect_content=True)

    await privately(context, say)
    return None


async def ticks(context: DeskContext, words: Words) -> Reply:
    """The newest prices of one market, asked for anew by the button below."""
    if not words:
        raise InputError("which market? Its symbol, or a part of its name", _TICKS)
    connection, reading = await context.services.derivs.ticks(context.person, words)
    return Reply(render.ticks(connection, reading, taste_of(context)), again=" ".join(["/ticks", *words]))


async def sell_expired(context: DeskContext, words: Words) -> Reply:
    word, person = at_most_one(words, "/sellexpired deriv/main"), context.person
    meant = await which(context, word, "/sellexpired {}".format, lambda one: one.may_act(person))
    if isinstance(meant, Reply):
        return meant
    connection, count = await context.services.derivs.sell_expired(
        person, meant.name, telegram_id=context.where.telegram_id
    )
    some = f"{count} contract{'s' if count > 1 else ''} settled" if count else "Nothing had run out unsettled"
    return Reply([f"{some} at <code>{escape(connection.name)}</code>."])


async def agents(context: DeskContext, words: Words) -> Reply:
    """`[connection] [country] [currency]`"""
    services = context.services
    names = [word for word in words if "/" in word]
    currencies = [word for word in words if word.upper() in DIGITS or _CURRENCY.fullmatch(word)]
    country = " ".join(word for word in words if word not in (*names, *currencies))
    if len(names) > 1 or len(currencies) > 1:
        raise InputError("a country and a currency, one of each", AGENTS)
    around = await services.derivs.agents(
        context.person, names[0] if names else None, country, currencies[0] if currencies else ""
    )
    book = None
    if context.person.may(Right.ASK):
        book = frozenset(one.account for one in await services.money.beneficiaries.listed() if one.provider == _DERIV)
    return Reply(render.agents(around, book, taste_of(context)))


async def cashier(context: DeskContext, words: Words) -> Reply:
    word, person = at_most_one(words, CASHIER), context.person
    meant = await which(context, word, "/cashier {}".format, lambda one: _has_cashier(one, person))
    if isinstance(meant, Reply):
        return meant
    connection, address = await context.services.derivs.cashier(
        person, meant.name, telegram_id=context.where.telegram_id
    )
    return Reply(render.cashier(connection, address))


async def site(context: DeskContext, words: Words) -> Reply:
    at_most_one(words, "/site")
    status, reckoned = await context.services.derivs.site(context.person)
    return Reply(render.site(status, reckoned, taste_of(context)), again="/site")


def _has_cashier(one: Connection, person: Person) -> bool:
    """Play money is paid in nowhere, and what is somebody else's not by others."""
    return one.owner == person.id and one.environment is Environment.LIVE


def _csv_of(reading: Reading[Closed]) -> str:
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(_HEAD)
    for one in reading.items:
        cells = (
            one.account,
            one.contract_id,
            one.contract_type,
            one.symbol,
            one.bought_at.isoformat() if one.bought_at else "",
            one.sold_at.isoformat() if one.sold_at else "",
            one.paid.text(),
            one.received.text(),
            one.profit.text(),
            one.paid.currency,
            one.description,
        )
        lines.writerow([inert(cell) for cell in cells])
    return text.getvalue()

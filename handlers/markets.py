"""/quote, /market, /chart, /orders: what things cost, and what waits for its price."""

import asyncio
import re

from telegram import InputFile

from bot.errors import InputError
from bot.operations.markets import SPANS, Path, Span
from bot.operations.sheets import Sheet
from bot.providers import deriv
from bot.providers.base import Ability
from bot.providers.records import Market
from bot.providers.registry import PROVIDERS
from handlers import alert_steps, completing, pages
from handlers.context import DeskContext
from handlers.doors import Words, at_most_one, taste_of
from handlers.pages import Reply, privately
from handlers.render import candles, charts
from handlers.render import markets as render
from handlers.render.candles import Style
from handlers.render.text import literal, visible

_QUOTE, _MARKET, _CHART, _ORDERS = "/quote GOLD", "/market US500", "/chart GOLD 1d", "/orders capital"
_USUAL = "1d"
_MOST_BUTTONS, _LABEL = 12, 24
_SPANS = {span.name: span for span in SPANS}
_LIKE_A_SPAN = re.compile(r"[0-9]{1,4}(?:min|mo|[hdwmy])", re.ASCII | re.IGNORECASE)
_CALLED = {"1h": "an hour", "6h": "6 hours", "1d": "a day", "1w": "a week", "1mo": "a month", "1y": "a year"}


async def quote(context: DeskContext, words: Words) -> Reply | None:
    if not words or completing.is_begun(words) or _is_login(words):
        return await _which(context, _QUOTE, words)
    sheet = await context.services.markets.quoted(context.person, words)
    again = " ".join(["/quote", *words])
    return Reply(render.quotes(sheet, taste_of(context), _asked(sheet, words)), again, _offers(sheet))


async def market(context: DeskContext, words: Words) -> Reply | None:
    if not words or completing.is_begun(words) or _is_login(words):
        return await _which(context, _MARKET, words)
    sheet = await context.services.markets.described(context.person, words)
    again = " ".join(["/market", *words])
    return Reply(render.markets(sheet, taste_of(context), _asked(sheet, words)), again, _offers(sheet, is_whole=True))


def _asked(sheet: Sheet[Market], words: Words) -> str:
    """The market's words; a connection's name before them is not one of them."""
    names = {name for one in sheet.answers for name in (one.connection.name, *one.connection.name.split("/"))}
    return " ".join(words[1:] if len(words) > 1 and words[0].lower() in names else words)


def _offers(sheet: Sheet[Market], *, is_whole: bool = False) -> list[tuple[str, str]]:
    """What one may want of a market, when it is one; else each of those there are."""
    found = [(one.connection, item) for one in sheet.answers if one.reading is not None for item in one.reading.items]
    if len(found) != 1:
        command = "/market" if is_whole else "/quote"
        return [
            (visible(market.name or market.symbol, _LABEL), f"{command} {connection.name} {market.symbol}")
            for connection, market in found[:_MOST_BUTTONS]
        ]
    ((connection, market),) = found
    if not completing.is_a_word(market.symbol):
        return []
    named = f"{connection.name} {market.symbol}"
    offers = [
        ("Chart", f"/chart {named}"),
        *([] if is_whole else [("Everything", f"/market {named}")]),
        alert_steps.offer(connection.name, market.symbol),
    ]
    if connection.provider == deriv.SPEC.name and market.is_open is not False:
        begun = f"{market.symbol} on {connection.name}"
        kinds = (("Rise…", "rise"), ("Fall…", "fall"))
        offers += [completing.offer(label, "/price", kind, begun) for label, kind in kinds]
    if Ability.ORDERS in connection.spec.abilities:
        deal = f"{market.symbol} on {connection.name}"
        offers += [("Buy…", f"/buy {deal}"), ("Sell…", f"/sell {deal}")]
    return offers


async def orders(context: DeskContext, words: Words) -> Reply:
    word = at_most_one(words, _ORDERS)
    sheet = await context.services.markets.orders(context.person, word)
    waits = any(answer.reading is not None and answer.reading.items for answer in sheet.answers)
    offers = [("Change…", "/change"), ("Take one back…", "/cancelorder")] if waits else []
    return Reply(render.orders(sheet, taste_of(context)), " ".join(["/orders", *words]), offers)


async def chart(context: DeskContext, words: Words) -> Reply | None:
    """A picture, to the asker's private chat."""
    if not words or completing.is_begun(words) or _is_login(words):
        return await _which(context, _CHART, words)
    names, span, style = read(words)
    path = await context.services.markets.path(context.person, names, span)
    if not path.candles:
        name = literal(path.market.name, 40)
        return Reply([f"No prices of {name} in {_CALLED[span.name]}. A longer time may have some: /chart … 1w"])
    if not charts.can_draw():
        return Reply(["No picture: this installation lacks the extra “charts”; an admin can add it."])
    taste = taste_of(context)
    under = f"{_CALLED[span.name]} · {path.connection.name} · {taste.date_time(path.as_of)}"
    picture = await asyncio.to_thread(
        candles.path, _title(path), under, path.candles, path.positions, taste.zone, style
    )
    offers = _other_pictures(path, style)

    async def say(chat_id: int) -> None:
        await context.bot.send_photo(
            chat_id,
            InputFile(picture, "chart.png"),
            caption=_caption(path),
            protect_content=True,
            reply_markup=await pages.offering(context, chat_id, offers),
        )

    await privately(context, say)
    return None


def _other_pictures(path: Path, style: Style | None) -> list[tuple[str, str]]:
    """The same market over another time, and drawn the other way."""
    if not completing.is_a_word(path.market.symbol):
        return []
    line = f"/chart {path.connection.name} {path.market.symbol}"
    drawn = style or candles.usual(path.candles)
    other = Style.CANDLES if drawn is Style.LINE else Style.LINE
    kept = "" if style is None else f" {style}"
    spans = [(name, f"{line} {name}{kept}") for name in _SPANS if name != path.span.name]
    return [*spans, (other.capitalize(), f"{line} {path.span.name} {other}")]


def read(words: Words) -> tuple[Words, Span, Style | None]:
    """`GOLD 1w line` → the market's words, the span, and how it is to be drawn, where that is said."""
    left = list(words)
    style: Style | None = None
    span = _SPANS[_USUAL]
    while left and (left[-1].lower() in _SPANS or left[-1].lower() in set(Style)):
        last = left.pop().lower()
        if last in _SPANS:
            span = _SPANS[last]
        else:
            style = Style(last)
    _some(left, _CHART)
    if len(left) > 1 and _LIKE_A_SPAN.fullmatch(left[-1]):
        raise InputError(f"how long? One of {', '.join(_SPANS)}", _CHART)
    return left, span, style


async def _which(context: DeskContext, example: str, words: Words) -> Reply | None:
    """A button for each market in which something is open, and one for any other; where there is none, it is asked."""
    command = example.split()[0]
    desk = context.services.markets
    if not await desk.has_any(context.person):
        return Reply([render.nobody("prices")])
    found = [] if words else await desk.held(context.person)
    if not found:
        question = f"Which market? Its symbol, or a part of its name, for example: <code>{example.split()[1]}</code>"
        begun = words[:-1] if completing.is_begun(words) else words
        await completing.ask(context, question, command.lstrip("/"), *begun)
        return None
    offers = [
        (visible(market.name or market.symbol, _LABEL), f"{command} {connection.name} {market.symbol}")
        for connection, market in found[:_MOST_BUTTONS]
    ]
    told = f"Which market? Tap one of yours, or name any, by a part of its name: <code>{example}</code>"
    return Reply([told], None, [*offers, completing.offer("Another…", command)])


def _is_login(words: Words) -> bool:
    """Whether there is a provider's or a login's name, and nothing else."""
    return len(words) == 1 and words[0].lower().split("/")[0] in PROVIDERS


def _some(words: Words, example: str) -> None:
    if not words:
        raise InputError("which market? Its symbol, or a part of its name", example)


def _title(path: Path) -> str:
    name, symbol = visible(path.market.name, 40), visible(path.market.symbol, 24)
    return symbol if name == symbol else f"{name} ({symbol})"


def _caption(path: Path) -> str:
    first, last = path.candles[0].open, path.candles[-1].close
    low, high = min(one.low for one in path.candles), max(one.high for one in path.candles)
    change = (last - first) / first * 100 if first else last - first
    went = f"{change:+.2f} % in {_CALLED[path.span.name]}"
    return f"{_title(path)}: {last:,f}, {went}, between {low:,f} and {high:,f}"

"""/price: what a contract costs, kept up to date while it is watched, with a button that asks to buy exactly that.

The price is watched for two minutes: its message is edited when it moved, every few seconds at most. What the button
asks for is the price it shows.
"""

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import Any, Final

import msgspec
from telegram.error import TelegramError

from bot.access.model import Right
from bot.errors import CountersignError, InputError, ProviderError
from bot.messages.cards import Card
from bot.operations import contract_line
from bot.operations.contract_line import EXAMPLE
from bot.operations.contracts import Priced
from bot.operations.deals import Where
from handlers import asking, completing, pages
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.derivs import which
from handlers.doors import Words, taste_of
from handlers.freshness import check_fresh
from handlers.pages import Reply
from handlers.render import contracts as render

KIND: Final = "price"
BUY, REFRESH = 1, 2
WATCHED_SECONDS = 120.0
EVERY_SECONDS = 10.0
"""Deriv answers 25 such questions a minute, those about positions and statements among them."""
_HOW_MUCH = "For how much, and for how long? For example: <code>10 USD 15m</code>"
_log = logging.getLogger(__name__)
_watching: set[asyncio.Task[None]] = set()


async def price(context: DeskContext, words: Words) -> Reply | None:
    check_fresh(context)
    person, line = context.person, contract_line.read(words)
    meant = await which(
        context,
        line.on or None,
        lambda name: " ".join(["/price", *contract_line.placed(words, name)]),
        lambda one: one.may_act(person),
    )
    if isinstance(meant, Reply):
        return meant
    priced = await context.services.contracts.price(person, replace(line, on=meant.name))

    async def say(chat_id: int) -> None:
        body = {"line": msgspec.to_builtins(priced.line), "price": priced.proposal.price.text()}
        card = await context.services.cards.make(KIND, context.person.id, chat_id, body)
        text = render.price(priced, taste_of(context), watched=True)
        message = await context.say(text, chat_id=chat_id, keyboard=_keys(context, card), protected=True)
        if message is not None:
            _watch(context, card, message.message_id, priced)

    await pages.privately(context, say)
    return None


def _watch(context: DeskContext, card: Card, message_id: int, priced: Priced) -> None:
    task = asyncio.create_task(_keep_up(context, card, message_id, priced))
    _watching.add(task)
    task.add_done_callback(_watching.discard)


async def _keep_up(context: DeskContext, card: Card, message_id: int, shown: Priced) -> None:
    """Edit the message as the price moves, until nobody needs it any more. What goes wrong ends it, and no more."""
    clock, line = context.services.clock, shown.line
    until = clock.monotonic() + WATCHED_SECONDS
    with contextlib.suppress(CountersignError, TelegramError):
        with contextlib.suppress(ProviderError):  # then what it shows is of when it was heard last
            while clock.monotonic() < until:
                await clock.sleep(EVERY_SECONDS)
                current = await context.services.cards.find(card.id)
                if current is None or current.version != card.version:
                    return  # it was bought, or refreshed by hand
                priced = await context.services.contracts.price(context.person, line)
                if _offer(priced) != _offer(shown):
                    card = await _show(context, card, message_id, priced, watched=True)
                elif priced.proposal.spot != shown.proposal.spot:
                    await _draw(context, current, message_id, priced, watched=True)
                shown = priced
        await _show(context, card, message_id, shown, watched=False)


def _offer(priced: Priced) -> tuple[object, object]:
    """What one would agree to."""
    return priced.proposal.price, priced.proposal.payout


async def _show(context: DeskContext, card: Card, message_id: int, priced: Priced, *, watched: bool) -> Card:
    """The message says this price, and its button asks for it."""
    body = {**card.body, "price": priced.proposal.price.text()}
    if not await context.services.cards.advance(card, body):
        return card
    drawn = await context.services.cards.find(card.id) or card
    await _draw(context, drawn, message_id, priced, watched=watched)
    return drawn


async def _draw(context: DeskContext, card: Card, message_id: int, priced: Priced, *, watched: bool) -> None:
    with contextlib.suppress(TelegramError):
        await context.redraw(message_id, render.price(priced, taste_of(context), watched=watched), _keys(context, card))


def _keys(context: DeskContext, card: Card) -> Any:
    row = [(f"Buy for {card.body['price']}", BUY)] if context.person.may(Right.ASK) else []
    return keyboard(card, [[*row, ("Refresh", REFRESH)]], context.services.signer)


async def tapped(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    line = msgspec.convert(card.body["line"], contract_line.Line)
    priced = await context.services.contracts.price(context.person, line)
    if choice != BUY:
        drawn = await _show(context, card, message_id, priced, watched=True)
        _watch(context, drawn, message_id, priced)
        return None
    said = str(card.body["price"])
    if priced.proposal.price.text() != said:
        await _show(context, card, message_id, priced, watched=False)
        return f"The price is {priced.proposal.price} now, no longer {said}. Press again to buy for that."
    if not await context.services.cards.advance(card, dict(card.body)):
        return None
    where = Where(context.occasion, None if context.where.is_private else context.where.chat_id)
    await asking.offer(context, await context.services.contracts.buying(context.person, priced, where))
    return None


async def typed(context: DeskContext, words: Words) -> Reply | None:
    """What the door is: nothing said is an example."""
    if not words:
        kinds = ", ".join(contract_line.TYPES)
        raise InputError(f"say which contract ({kinds}), on which market, for how much and for how long", EXAMPLE)
    if completing.is_begun(words):
        await completing.ask(context, _HOW_MUCH, "price", *words[:-1])
        return None
    return await price(context, words)

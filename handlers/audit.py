"""/audit: who did what, newest first; and the same as a file.

The list is the reader's own and Telegram's clients do not pass it on. A file is made to be kept, so it may be.
"""

import contextlib
from typing import Any

import msgspec
from telegram import InlineKeyboardMarkup, InputFile
from telegram.error import BadRequest

from bot.audit.export import Format
from bot.audit.model import Selection
from bot.messages.cards import Card
from bot.operations.auditing import Page
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Reply, privately
from handlers.render import audit as render

KIND = "audit"
NEWER, OLDER, AS_CSV, AS_JSONL = 0, 1, 2, 3
_FORMATS = {AS_CSV: Format.CSV, AS_JSONL: Format.JSONL}


async def audit(context: DeskContext, words: Words) -> Reply | None:
    services = context.services
    found = await services.auditing.page(await services.auditing.select(words))
    text = render.page(found, taste_of(context))

    async def say(chat_id: int) -> None:
        card = await services.cards.make(KIND, context.person.id, chat_id, _body(found))
        await context.say(text, chat_id=chat_id, keyboard=_keys(context, card, card.version), protected=True)

    await privately(context, say)
    return None


async def tapped(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """Turn the page in place, or send what the card selects as a file."""
    selection = msgspec.convert(card.body["selection"], Selection)
    if choice in _FORMATS:
        return await _send_file(context, card, selection, _FORMATS[choice], message_id)
    auditing = context.services.auditing
    if choice == OLDER:
        found = await auditing.page(selection, below=card.body["bottom"])
    else:
        found = await auditing.page(selection, above=card.body["top"])
    if not found.rows:
        return "That was the last page."
    body = _body(found)
    if not await context.services.cards.advance(card, body):
        return None  # a second tap: the first one was taken
    await context.redraw(
        message_id, render.page(found, taste_of(context)), _keys(context, card, card.version + 1, body)
    )
    return None


async def _send_file(
    context: DeskContext, card: Card, selection: Selection, format_: Format, message_id: int
) -> str | None:
    """One file for one tap: the buttons are drawn anew, and those before are used up."""
    if not await context.services.cards.advance(card):
        return None
    with contextlib.suppress(BadRequest):
        keys = _keys(context, card, card.version + 1)
        await context.bot.edit_message_reply_markup(card.chat_id, message_id, reply_markup=keys)
    document = await context.services.auditing.export(
        context.person, selection, format_, telegram_id=context.where.telegram_id
    )
    await context.bot.send_document(
        card.chat_id,
        InputFile(document.content, document.name),
        caption=f"{document.rows:,} row{'' if document.rows == 1 else 's'} of the audit log",
    )
    return None


def _body(found: Page) -> dict[str, Any]:
    """What a card remembers: which rows were asked for, and which of them it shows."""
    top, bottom = (found.rows[0].seq, found.rows[-1].seq) if found.rows else (0, 0)
    shown = {"top": top, "bottom": bottom, "newer": found.newer, "older": found.older}
    return {"selection": msgspec.to_builtins(found.selection), **shown}


def _keys(
    context: DeskContext, card: Card, version: int, body: dict[str, Any] | None = None
) -> InlineKeyboardMarkup | None:
    shown = card.body if body is None else body
    if not shown["top"]:
        return None  # nothing to turn, nothing to take away
    turning = [("‹ Newer", NEWER)] if shown["newer"] else []
    turning += [("Older ›", OLDER)] if shown["older"] else []
    taking = [("CSV file", AS_CSV), ("JSON Lines file", AS_JSONL)]
    return keyboard(card, [row for row in (turning, taking) if row], context.services.signer, version)

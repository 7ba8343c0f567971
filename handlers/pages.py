"""Long answers: split between blocks, paged with buttons, never cut.

A paged answer is a card that holds its pages as they were asked for; turning a page shows the same moment, Refresh asks
again.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from telegram import InlineKeyboardMarkup
from telegram.error import Forbidden

from bot.errors import StoreError
from bot.messages.cards import Card
from handlers.buttons import keyboard
from handlers.context import DeskContext

KIND = "pages"
PREVIOUS, NEXT, REFRESH = 0, 1, 2
_OFFERS = 10
"""What an answer offers is numbered from here."""
_IN_A_ROW = 3
_PAGE_UNITS = 3500
"""UTF-16 units, as Telegram counts (it takes 4096): an emoji is two."""
_PAGE_LINES = 45
_ASK_PRIVATELY = "I cannot write to you privately yet. Open a private chat with me, press Start, and ask again."


class Audience(StrEnum):
    """Whose business an answer is. Where it is said, and what may be done with it, follow from this alone."""

    PUBLIC = "public"
    """Everybody's who is there: said where it was asked."""
    DESK = "desk"
    """The desk's: to the asker's private chat; it may be passed on."""
    PRIVATE = "private"
    """The asker's own, such as what money there is: to their private chat, and Telegram lets nobody pass it on."""

    @property
    def is_protected(self) -> bool:
        return self is Audience.PRIVATE


@dataclass(frozen=True, slots=True)
class Reply:
    """What a door answers: HTML blocks, each kept whole."""

    blocks: Sequence[str]
    again: str | None = None
    """The command line that asks for it anew."""
    offers: Sequence[tuple[str, str]] = ()
    """What one may want next: a button's label, and the command line it stands for."""


def paged(blocks: Sequence[str]) -> list[str]:
    """Blocks → pages that Telegram takes; a block too long for one page is split on lines."""
    pages: list[str] = []
    for block in blocks:
        for piece in _pieces(block):
            joined = f"{pages[-1]}\n\n{piece}" if pages else piece
            if pages and _units(joined) <= _PAGE_UNITS and joined.count("\n") < _PAGE_LINES:
                pages[-1] = joined
            else:
                pages.append(piece)
    return pages or ["Nothing to show."]


def _pieces(block: str) -> list[str]:
    """A block as it is, or on several pages when it is longer than one; `<pre>` is closed and opened anew."""
    if _units(block) <= _PAGE_UNITS:
        return [block]
    pieces, current, inside = [], "", False
    for line in block.split("\n"):
        if current and _units(current) + _units(line) > _PAGE_UNITS:
            pieces.append(current + ("</pre>" if inside else ""))
            current = ("<pre>" if inside else "") + line
        else:
            current = f"{current}\n{line}" if current else line
        inside = inside ^ (line.count("<pre>") != line.count("</pre>"))
    return [*pieces, current]


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


async def show(context: DeskContext, reply: Reply, audience: Audience) -> None:
    """Send an answer to where its audience is, whatever chat it was asked in."""
    if audience is Audience.PUBLIC or context.where.is_private:
        await _show(context, reply, audience, context.where.chat_id)
        return
    await privately(context, lambda chat_id: _show(context, reply, audience, chat_id))


async def privately(context: DeskContext, say: Callable[[int], Awaitable[None]]) -> None:
    """Let something be said in the asker's private chat; in the group it was asked in, say that it is there."""
    try:
        await say(context.where.telegram_id)
    except Forbidden:
        await context.say(_ASK_PRIVATELY)
        return
    if not context.where.is_private:
        await context.say("Sent to you privately.")


async def _show(context: DeskContext, reply: Reply, audience: Audience, chat_id: int) -> None:
    """Send it to one chat; with buttons when it has pages or can be refreshed."""
    pages, protected = paged(reply.blocks), audience.is_protected
    if len(pages) == 1 and reply.again is None and not reply.offers:
        await context.say(pages[0], chat_id=chat_id, protected=protected)
        return
    services = context.services
    body = {"pages": pages, "at": 0, "again": reply.again, "offers": [list(offer) for offer in reply.offers]}
    try:
        card = await services.cards.make(KIND, context.person.id, chat_id, body)
    except StoreError:  # no buttons then, but the answer is there
        for page in pages:
            await context.say(page, chat_id=chat_id, protected=protected)
        return
    keys = _keyboard(context, card, body, card.version)
    await context.say(pages[0], chat_id=chat_id, keyboard=keys, protected=protected)


async def offering(
    context: DeskContext, chat_id: int, offers: Sequence[tuple[str, str]]
) -> InlineKeyboardMarkup | None:
    """The buttons alone, for what is no text; None when there is nothing to offer, or the database is not there."""
    body = {"pages": [], "at": 0, "again": None, "offers": [list(offer) for offer in offers]}
    try:
        card = await context.services.cards.make(KIND, context.person.id, chat_id, body) if offers else None
    except StoreError:
        return None
    return None if card is None else _keyboard(context, card, body, card.version)


def offered(card: Card, choice: int) -> str | None:
    """The command line that a button stands for."""
    offers = card.body.get("offers", ())
    return str(offers[choice - _OFFERS][1]) if 0 <= choice - _OFFERS < len(offers) else None


async def turn(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """Show the page before or after, in place; answers a toast when there is nothing to turn."""
    at = int(card.body["at"]) + (1 if choice == NEXT else -1)
    if not 0 <= at < len(card.body["pages"]):
        return "That was the last page."
    return await _redraw(context, card, {**card.body, "at": at}, message_id)


async def refreshed(context: DeskContext, card: Card, reply: Reply, message_id: int) -> str | None:
    """Show a new answer in place of the old one."""
    offers = [list(offer) for offer in reply.offers]
    return await _redraw(
        context, card, {**card.body, "pages": paged(reply.blocks), "at": 0, "offers": offers}, message_id
    )


async def _redraw(context: DeskContext, card: Card, body: dict[str, Any], message_id: int) -> str | None:
    if not await context.services.cards.advance(card, body):
        return None  # a second tap: the first one was taken
    await context.redraw(message_id, body["pages"][body["at"]], _keyboard(context, card, body, card.version + 1))
    return None


def _keyboard(context: DeskContext, card: Card, body: dict[str, Any], version: int) -> InlineKeyboardMarkup:
    at, count = body["at"], len(body["pages"])
    row = []
    if at > 0:
        row.append((f"‹ {at}", PREVIOUS))
    if body["again"]:
        row.append(("Refresh" if count == 1 else f"Refresh · {at + 1}/{count}", REFRESH))
    if at + 1 < count:
        row.append((f"{at + 2} ›", NEXT))
    offers = [(label, _OFFERS + number) for number, (label, _) in enumerate(body.get("offers", ()))]
    more = [offers[start : start + _IN_A_ROW] for start in range(0, len(offers), _IN_A_ROW)]
    return keyboard(card, [one for one in (row, *more) if one], context.services.signer, version)

"""What becomes of an update that came through the gate: a command, a tap, plain text, and whatever is left."""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import replace
from html import escape

from telegram import Update
from telegram.error import TelegramError

from bot.access import matrix
from bot.access.model import Right
from bot.errors import CountersignError, InputError, NotFoundError
from bot.messages.cards import Card, Draft
from handlers import conversation, failures, pages, rooms
from handlers.buttons import Late, read
from handlers.context import DeskContext
from handlers.corridor import behind
from handlers.doors import Door, permit

_MOST_WORDS = 301
"""More than any command reads, so that none is cut short unseen: the longest is a note of 500 characters."""
_called_by = behind("start:called_by")
_log = logging.getLogger(__name__)


async def command(update: Update, context: DeskContext) -> None:
    """A command, to its door, unless it is meant for another bot or is none of ours."""
    message = update.message
    if message is None or message.text is None:
        return
    context.message_id, context.said, context.under = message.message_id, message.text, message.reply_to_message
    context.occasion = f"m/{message.chat.id}/{message.message_id}"
    word, _, addressed = message.text[1 : message.entities[0].length].partition("@")
    door = rooms.BY_COMMAND.get(word.lower())
    if door is None or addressed.lower() not in ("", context.bot.username.lower()):
        await unknown_command(update, context)
        return
    rest = message.text[message.entities[0].length :]
    if rest and not rest[0].isspace() and await conversation.typed_secret(update, context):
        return  # a password may begin like a command
    await enter(context, door, rest.lstrip(",;:").split()[: _MOST_WORDS - 1])


async def enter(context: DeskContext, door: Door, words: list[str]) -> bool:
    """Let a person through one door and show what it answers; errors become sentences, as private as the answer.

    Answers whether the words were understood.
    """
    here = matrix.at_a_door(context.person, door.right, context.where.place, only_in_private=door.only_in_private)
    if here is matrix.Answer.NOT_HERE:
        if door.may_hold_secret and words:
            await context.delete_secret(context.message_id)
        await context.say(f"/{door.command} works in our private chat only.")
        return True
    understood = True
    try:
        await conversation.begin_anew(context, door.command)
        reply = await _ask(context, door, words)
    except CountersignError as error:
        understood = not isinstance(error, InputError | NotFoundError)
        reply = pages.Reply([failures.told(error)])
    if reply is not None:
        await pages.show(context, reply, door.audience)
    return understood


async def completed(context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
    """The rest of a line that was only begun: the whole goes through its door."""
    command, *words = draft.body["line"]
    await context.services.cards.drop(context.person.id)
    context.occasion, context.message_id = f"m/{context.where.chat_id}/{message_id}", message_id
    if not await enter(context, rooms.BY_COMMAND[command], [*words, *text.split()]):
        await context.services.cards.save(draft)  # the question stands, and the next try answers it


async def _ask(context: DeskContext, door: Door, words: list[str]) -> pages.Reply | None:
    permit(context, door.right)
    async with context.typing(context.where.chat_id):
        reply = await door.open(context, words)
    return replace(reply, offers=_theirs(context, reply)) if reply is not None and reply.offers else reply


def _theirs(context: DeskContext, reply: pages.Reply) -> list[tuple[str, str]]:
    """What this person may do next, of what an answer offers."""
    return [(label, line) for label, line in reply.offers if context.person.may(_door_of(line).right)]


def _door_of(line: str) -> Door:
    return rooms.BY_COMMAND[line.lstrip("/").split()[0]]


async def tap(update: Update, context: DeskContext) -> None:
    """A button; what goes wrong with it is told in a sentence."""
    try:
        said = await _tapped(update, context)
    except CountersignError as error:
        said = failures.sentence(error)
    if said is not None:
        await context.say(escape(said, quote=False))


async def _tapped(update: Update, context: DeskContext) -> str | None:
    """Check that the button is ours, this person's and current; answer the tap first, then do it."""
    query = update.callback_query
    if query is None:
        return None
    services = context.services
    found = read(query.data or "", context.person.id, services.signer, services.clock.now())
    if isinstance(found, Late):
        await _answer(query.answer("This button has expired. Please ask again."))
        return None
    card = await services.cards.find(found.card_id) if found is not None else None
    if found is None or card is None or card.person_id != context.person.id or query.message is None:
        await _answer(query.answer("This button is too old or not yours. Please ask again."))
        return None
    if card.version & 0xFF != found.card_version or card.chat_id != query.message.chat.id:
        await _answer(query.answer("Already done."))
        return None
    context.occasion = f"c/{query.id}"
    answering = asyncio.create_task(_answer(query.answer()))
    try:
        return await _act(context, card, found.choice, query.message.message_id)
    finally:
        await answering


async def _answer(answering: Awaitable[bool]) -> None:
    try:
        await answering
    except TelegramError as error:  # "query is too old" and the like: the tap is carried out all the same
        _log.info("tap not answered", extra={"error": type(error).__name__})


async def _act(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    if card.kind == pages.KIND:
        return await _paged(context, card, choice, message_id)
    door = rooms.TAP_BY_KIND.get(card.kind)
    if door is None:
        return "This button belongs to something that no longer exists."
    permit(context, door.right)
    return await door.act(context, card, choice, message_id)


async def _paged(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A page's button needs what the command needs that the pages answer."""
    again = str(card.body["again"] or "").lstrip("/").split()
    right = rooms.BY_COMMAND[again[0]].right if again else Right.TALK
    permit(context, right)
    if choice == pages.REFRESH:
        return await _refresh(context, card, message_id)
    offered = pages.offered(card, choice)
    if offered is not None:
        await enter(context, _door_of(offered), offered.split()[1:])
        return None
    return await pages.turn(context, card, choice, message_id)


async def _refresh(context: DeskContext, card: Card, message_id: int) -> str | None:
    command, *words = str(card.body["again"]).lstrip("/").split()
    reply = await _ask(context, rooms.BY_COMMAND[command], words)
    return None if reply is None else await pages.refreshed(context, card, reply, message_id)


async def unknown_command(update: Update, context: DeskContext) -> None:
    """One line with a right example; in a group only when it is surely meant for us.

    While a secret is asked for, it is the answer: a password may begin with a slash, and must not be echoed.
    """
    if context.where.is_private and await conversation.typed_secret(update, context):
        return
    text = (update.message.text or "") if update.message else ""
    command, _, addressed = text.split()[0].lstrip("/").partition("@")
    if not context.where.is_private and addressed.lower() != (context.bot.username or "").lower():
        return
    await context.say(failures.unknown_command(command, rooms.BY_COMMAND))


async def plain_text(update: Update, context: DeskContext) -> None:
    """An answer to a question of ours, or a hint. A newcomer's only answer is what they are called."""
    try:
        if not context.person.id:
            await pages.show(
                context,
                await _called_by(context, (update.message.text or "") if update.message else ""),
                pages.Audience.PUBLIC,
            )
            return
        answered = await conversation.typed(update, context)
    except CountersignError as error:
        await context.say(failures.told(error))
        return
    if not answered:
        await context.say(conversation.HINT)

"""The doors of the desk, in one ordered list, and how they are hung."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from html import escape
from typing import Any, Final

from telegram import Update
from telegram.error import ChatMigrated, Forbidden, TelegramError
from telegram.ext import (
    ApplicationBuilder,
    ApplicationHandlerStop,
    CallbackQueryHandler,
    ChatMemberHandler,
    CommandHandler,
    ContextTypes,
    MessageHandler,
    TypeHandler,
    filters,
)

from bot.access import matrix
from bot.access.model import Right
from bot.errors import CountersignError
from bot.ids import incident_number
from bot.messages.cards import Card
from bot.wiring import House
from handlers import (
    accounts,
    audit,
    balances,
    clients,
    clock,
    connections,
    conversation,
    factor,
    failures,
    groups,
    keys,
    linking,
    locking,
    pages,
    people,
    positions,
    reports,
    requests,
    sharing,
    start,
    statement,
    status,
    wallets,
    withdrawals,
)
from handlers.buttons import read
from handlers.context import Desk, DeskContext, Mouth
from handlers.doors import Door, TapDoor, permit
from handlers.gate import answerable_chat, gate
from handlers.pacing import Pacer
from handlers.transport import Transport

_log = logging.getLogger(__name__)

DOORS_IN_ORDER: Final[tuple[Door, ...]] = (
    *balances.DOORS,
    *positions.DOORS,
    *statement.DOORS,
    *withdrawals.DOORS,
    *clients.DOORS,
    *wallets.DOORS,
    *reports.DOORS,
    *linking.DOORS,
    *connections.DOORS,
    *keys.DOORS,
    *sharing.DOORS,
    *locking.DOORS,
    *factor.DOORS,
    *requests.DOORS,
    *audit.DOORS,
    *status.DOORS,
    *people.DOORS,
    *accounts.DOORS,
    *start.DOORS,
)
BY_COMMAND: Final = {door.command: door for door in DOORS_IN_ORDER}
TAPS: Final[tuple[TapDoor, ...]] = (
    *linking.TAPS,
    *connections.TAPS,
    *requests.TAPS,
    *factor.TAPS,
    *clock.TAPS,
    *audit.TAPS,
    *people.TAPS,
)
"""The buttons of cards, beside those that turn pages."""
_TAP_BY_KIND: Final = {door.kind: door for door in TAPS}


def build(house: House, transport: Transport) -> Desk:
    """The library's application with our doors in it; nothing is running yet, nothing was sent."""
    telegram = house.config.telegram
    bot = Mouth(
        house.config.token.reveal(),
        base_url=telegram.base_url,
        base_file_url=telegram.base_url.removesuffix("/bot") + "/file/bot",
        request=transport,
        get_updates_request=transport,
        rate_limiter=Pacer(telegram.pacing),
    )
    desk: object = (
        ApplicationBuilder()
        .application_class(Desk, {"services": house})
        .bot(bot)
        .context_types(ContextTypes(context=DeskContext))
        .updater(None)
        .job_queue(None)
        .build()
    )
    if not isinstance(desk, Desk):
        raise TypeError("not our application")
    hang(desk)
    return desk


def hang(desk: Desk) -> None:
    """Hang the doors: what happens to groups, the gate, then commands, taps, plain text, and whatever is left."""
    new = filters.UpdateType.MESSAGE
    private = filters.ChatType.PRIVATE & new
    desk.add_handler(MessageHandler(filters.StatusUpdate.MIGRATE, groups.moved), group=-2)
    desk.add_handler(ChatMemberHandler(groups.membership, ChatMemberHandler.ANY_CHAT_MEMBER), group=-2)
    desk.add_handler(TypeHandler(Update, gate), group=-1)
    for door in DOORS_IN_ORDER:
        desk.add_handler(CommandHandler(door.command, _opener(door), new))
    desk.add_handler(CallbackQueryHandler(tap))
    desk.add_handler(MessageHandler(filters.COMMAND & new, unknown_command))
    desk.add_handler(MessageHandler(filters.TEXT & private, plain_text))
    desk.add_handler(MessageHandler(filters.ATTACHMENT & private, conversation.not_text))
    desk.add_handler(MessageHandler(filters.TEXT & filters.ChatType.GROUPS & new, linking.overheard))
    desk.add_error_handler(unforeseen)


def _opener(door: Door) -> Callable[[Update, DeskContext], Coroutine[Any, Any, None]]:
    async def opened(update: Update, context: DeskContext) -> None:
        context.message_id = update.message.message_id if update.message else 0
        await enter(context, door, (context.args or [])[:20])

    return opened


async def enter(context: DeskContext, door: Door, words: list[str]) -> None:
    """Let a person through one door and show what it answers; errors become sentences, as private as the answer."""
    here = matrix.at_a_door(context.person, door.right, context.where.place, only_in_private=door.only_in_private)
    if here is matrix.Answer.NOT_HERE:
        if door.may_hold_secret and words:
            await context.delete_secret(context.message_id)
        await context.say(f"/{door.command} works in our private chat only.")
        return
    try:
        reply = await _ask(context, door, words)
    except CountersignError as error:
        reply = pages.Reply([failures.told(error)])
    if reply is not None:
        await pages.show(context, reply, door.audience)


async def _ask(context: DeskContext, door: Door, words: list[str]) -> pages.Reply | None:
    permit(context, door.right)
    async with context.typing(context.where.chat_id):
        return await door.open(context, words)


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
    card = await services.cards.find(found.card_id) if found is not None else None
    if found is None or card is None or card.person_id != context.person.id or query.message is None:
        await _answer(query.answer("This button is too old or not yours. Please ask again."))
        return None
    if card.version & 0xFF != found.card_version or card.chat_id != query.message.chat.id:
        await _answer(query.answer("Already done."))
        return None
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
    door = _TAP_BY_KIND.get(card.kind)
    if door is None:
        return "This button belongs to something that no longer exists."
    permit(context, door.right)
    return await door.act(context, card, choice, message_id)


async def _paged(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A page's button needs what the command needs that the pages answer."""
    again = str(card.body["again"] or "").lstrip("/").split()
    right = BY_COMMAND[again[0]].right if again else Right.TALK
    permit(context, right)
    if choice == pages.REFRESH:
        return await _refresh(context, card, message_id)
    return await pages.turn(context, card, choice, message_id)


async def _refresh(context: DeskContext, card: Card, message_id: int) -> str | None:
    command, *words = str(card.body["again"]).lstrip("/").split()
    reply = await _ask(context, BY_COMMAND[command], words)
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
    await context.say(failures.unknown_command(command, BY_COMMAND))


async def plain_text(update: Update, context: DeskContext) -> None:
    """An answer to a question of ours, or a hint. A newcomer's only answer is what they are called."""
    try:
        if not context.person.id:
            await pages.show(
                context,
                await start.called_by(context, (update.message.text or "") if update.message else ""),
                pages.Audience.PUBLIC,
            )
            return
        answered = await conversation.typed(update, context)
    except CountersignError as error:
        await context.say(failures.told(error))
        return
    if not answered:
        await context.say("I understand commands, for example /balance. /help shows all of them.")


async def unforeseen(update: object, context: DeskContext) -> None:
    """The last net: log first, then one neutral sentence with an incident number. No later door sees the update.

    The library makes a new context for this, without person or place.
    """
    if isinstance(context.error, Forbidden):
        _log.info("the chat does not take messages from us")
        raise ApplicationHandlerStop
    if isinstance(context.error, ChatMigrated) and isinstance(update, Update) and update.effective_chat is not None:
        await groups.follow(context.services, update.effective_chat.id, context.error.new_chat_id)
        raise ApplicationHandlerStop
    number = incident_number()
    context.services.pulse.incidents += 1
    _log.error("incident", extra={"incident": number}, exc_info=context.error)
    chat_id = answerable_chat(update, context.services.access.roster) if isinstance(update, Update) else None
    if chat_id is not None:
        try:
            await context.bot.send_message(chat_id, failures.incident(number))
        except TelegramError as error:
            _log.warning("incident not told", extra={"incident": number, "error": type(error).__name__})
    raise ApplicationHandlerStop

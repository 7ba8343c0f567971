"""Telegram's side of the desk: the library's application, and what hangs in it."""

import logging

from telegram import Update
from telegram.error import ChatMigrated, Forbidden, RetryAfter, TelegramError
from telegram.ext import (
    ApplicationBuilder,
    ApplicationHandlerStop,
    CallbackQueryHandler,
    ChatMemberHandler,
    ContextTypes,
    MessageHandler,
    TypeHandler,
    filters,
)

from bot.ids import incident_number
from bot.wiring import House
from handlers import failures, groups
from handlers.context import Desk, DeskContext, Mouth
from handlers.corridor import behind
from handlers.gate import answerable_chat, gate
from handlers.pacing import Pacer
from handlers.transport import Transport

_log = logging.getLogger(__name__)


def build(house: House, transport: Transport) -> Desk:
    """The library's application with our doors in it; nothing is running yet, nothing was sent."""
    telegram = house.config.telegram
    bot = Mouth(
        house.config.token.reveal(),
        base_url=telegram.base_url,
        base_file_url=telegram.base_url.removesuffix("/bot") + "/file/bot",
        request=transport,
        get_updates_request=transport,
        rate_limiter=Pacer(telegram.pacing, house.outbox),
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
    """Hang what hears of updates: what happens to groups, the gate, then commands, taps, plain text, whatever is left.

    All commands have one handler: the library asks each of them about each update.
    """
    new = filters.UpdateType.MESSAGE
    private = filters.ChatType.PRIVATE & new
    desk.add_handler(MessageHandler(filters.StatusUpdate.MIGRATE, groups.moved), group=-2)
    desk.add_handler(ChatMemberHandler(groups.membership, ChatMemberHandler.ANY_CHAT_MEMBER), group=-2)
    desk.add_handler(TypeHandler(Update, gate), group=-1)
    desk.add_handler(MessageHandler(filters.COMMAND & new, behind("reception:command")))
    desk.add_handler(CallbackQueryHandler(behind("reception:tap")))
    desk.add_handler(MessageHandler(filters.TEXT & private, behind("reception:plain_text")))
    desk.add_handler(MessageHandler(filters.ATTACHMENT & private, behind("conversation:not_text")))
    desk.add_handler(MessageHandler(filters.TEXT & filters.ChatType.GROUPS & new, behind("linking:overheard")))
    desk.add_error_handler(unforeseen)


async def unforeseen(update: object, context: DeskContext) -> None:
    """The last net: log first, then one neutral sentence with an incident number. No later door sees the update.

    The library makes a new context for this, without person or place.
    """
    if isinstance(context.error, Forbidden):
        _log.info("the chat does not take messages from us")
        raise ApplicationHandlerStop
    if isinstance(context.error, RetryAfter):
        _log.warning("reply given up: the chat is to be left alone for longer than it would wait")
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

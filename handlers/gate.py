"""The gate: group −1, before any door.

It answers one question, "is this a known person, writing here and now, in a place that counts?", and lets nothing else
through: not an edit, a forward, a message sent through another bot or in a channel's name, nor a stranger. Strangers
get silence and a counter; a known person gets one hint where it helps.
"""

import logging

from telegram import Message, Update, User
from telegram.constants import ChatType
from telegram.error import TelegramError
from telegram.ext import ApplicationHandlerStop

from bot.access.model import Person, Roster
from handlers.context import DeskContext, Where
from handlers.joining import code_in

_log = logging.getLogger(__name__)
_HINTS = {
    "edited": "Edits are not read. Please send it as a new message.",
    "forwarded": "Forwarded messages are not read. Please type it yourself.",
    "via a bot": "Messages sent through another bot are not read. Please type it yourself.",
}


async def gate(update: Update, context: DeskContext) -> None:
    """Set `context.person` and `context.where`, or stop the update here."""
    user = update.effective_user
    chat = update.effective_chat
    if user is None or chat is None:
        raise _stop(context, "no sender")
    message = update.effective_message
    thread = message.message_thread_id if isinstance(message, Message) and message.is_topic_message else None
    context.where = Where(chat.id, chat.type, user.id, thread)
    person = context.services.access.roster.person(user.id)
    if person is None and not _may_join(update, context):
        raise _stop(context, "stranger")
    reason = _objection(update, context, user)
    if reason is not None:
        if reason in _HINTS and context.where.is_private and person is not None:
            await _hint(context, _HINTS[reason])
        raise _stop(context, reason)
    if person is not None:
        context.person = person
    else:
        context.person = Person(0, user.full_name, frozenset(), frozenset({user.id}))


async def _hint(context: DeskContext, sentence: str) -> None:
    try:
        await context.say(sentence)
    except TelegramError as error:  # the update is stopped all the same
        _log.info("hint not told", extra={"error": type(error).__name__})


def _objection(update: Update, context: DeskContext, user: User) -> str | None:
    """Why this update must not reach a door; None when it may."""
    if user.is_bot:
        return "a bot"
    if update.edited_message is not None:
        return "edited"
    if update.message is None and update.callback_query is None:
        return "not a message"
    where = context.where
    if where.is_private:
        if where.chat_id != user.id:
            return "wrong chat"
    elif where.chat_type == ChatType.CHANNEL or where.chat_id not in context.services.access.roster.groups:
        return "wrong chat"
    return _origin(update.message) if update.message is not None else None


def _origin(message: Message) -> str | None:
    if message.sender_chat is not None:
        return "in a chat's name"
    if message.forward_origin is not None or message.is_automatic_forward:
        return "forwarded"
    if message.via_bot is not None:
        return "via a bot"
    return None


def answerable_chat(update: Update, roster: Roster) -> int | None:
    """Where this update's sender may be answered: a known person, in private or in the desk's own group."""
    user, chat = update.effective_user, update.effective_chat
    if user is None or chat is None or roster.person(user.id) is None:
        return None
    return chat.id if chat.id == user.id or chat.id in roster.groups else None


def _may_join(update: Update, context: DeskContext) -> bool:
    """A stranger with an outstanding invitation may come as far as the joining door."""
    message = update.message
    code = code_in(message.text or "") if message is not None and context.where.is_private else None
    return code is not None and context.services.access.is_invited(code)


def _stop(context: DeskContext, reason: str) -> ApplicationHandlerStop:
    counters = context.services.pulse.refused
    counters[reason] = counters.get(reason, 0) + 1
    return ApplicationHandlerStop()

"""The gate: group −1, before any door.

It answers one question by the permission matrix: is this a known person, writing here and now, in a place that counts?
Nothing else passes: not an edit, a forward, a message sent through another bot or in a channel's name, nor a stranger.
Strangers get silence and a counter; a known person gets one hint where it helps, and what may be their secret is
deleted.
"""

import logging

from telegram import Chat, Message, Update, User
from telegram.constants import ChatType
from telegram.error import TelegramError
from telegram.ext import ApplicationHandlerStop

from bot.access import matrix
from bot.access.matrix import Answer, Form, Place
from bot.access.model import Person, Roster
from bot.config import is_person_id
from handlers.context import DeskContext, Where
from handlers.joining import code_in, is_a_word

_log = logging.getLogger(__name__)
_HINTS = {
    Form.EDIT: "Edits are not read. Please send it as a new message.",
    Form.FORWARD: "Forwarded messages are not read. Please type it yourself.",
    Form.VIA_BOT: "Messages sent through another bot are not read. Please type it yourself.",
}


async def gate(update: Update, context: DeskContext) -> None:
    """Set `context.person` and `context.where`, or stop the update here."""
    user = update.effective_user
    chat = update.effective_chat
    if user is None or chat is None:
        raise _stop(context, "no sender")
    message = update.effective_message
    thread = message.message_thread_id if isinstance(message, Message) and message.is_topic_message else None
    roster = context.services.access.roster
    place = _place(chat, user, roster)
    context.where = Where(chat.id, chat.type, user.id, thread, place)
    context.said_at = update.message.date if update.message is not None else None
    person = roster.person(user.id)
    newcomer = person is None and _may_join(update, context)
    if person is None and not newcomer:
        raise _stop(context, "stranger")
    form = _form(update)
    is_nobody = user.is_bot or not is_person_id(user.id)
    if is_nobody or form is None:
        raise _stop(context, "a bot" if is_nobody else "not a message")
    answer = matrix.at_the_gate(known=True, place=place, form=form)
    if answer is Answer.HINT and person is not None and message is not None:
        context.person = person
        await _hint(context, _HINTS[form], message.message_id)
    if answer is not Answer.ALLOWED:
        raise _stop(context, place.value if place is Place.ELSEWHERE else form.value)
    context.person = person or Person(0, user.full_name, frozenset(), frozenset({user.id}))


def _place(chat: Chat, user: User, roster: Roster) -> Place:
    if chat.type == ChatType.PRIVATE:
        return Place.PRIVATE if chat.id == user.id else Place.ELSEWHERE
    return Place.GROUP if chat.type != ChatType.CHANNEL and chat.id in roster.groups else Place.ELSEWHERE


def _form(update: Update) -> Form | None:
    """None for what is neither said nor tapped."""
    if update.edited_message is not None:
        return Form.EDIT
    if update.callback_query is not None:
        return Form.TAP
    message = update.message
    if message is None:
        return None
    if message.sender_chat is not None:
        return Form.IN_A_NAME
    if message.forward_origin is not None or message.is_automatic_forward:
        return Form.FORWARD
    return Form.VIA_BOT if message.via_bot is not None else Form.MESSAGE


async def _hint(context: DeskContext, sentence: str, message_id: int) -> None:
    """Say why it is not read. What may be a secret does not stay in the chat all the same."""
    from handlers import conversation  # with the rooms behind it

    try:
        deleted = await conversation.delete_secret(context, message_id)
        await context.say(f"I deleted that, in case it was a secret. {sentence}" if deleted else sentence)
    except TelegramError as error:  # the update is stopped all the same
        _log.info("hint not told", extra={"error": type(error).__name__})


def answerable_chat(update: Update, roster: Roster) -> int | None:
    """Where this update's sender may be answered: a known person, in private or in the desk's own group."""
    user, chat = update.effective_user, update.effective_chat
    if user is None or chat is None or roster.person(user.id) is None:
        return None
    return chat.id if chat.id == user.id or chat.id in roster.groups else None


def _may_join(update: Update, context: DeskContext) -> bool:
    """A stranger with an outstanding invitation may come as far as the joining door, and say what they are called."""
    message, access = update.message, context.services.access
    if message is None or context.where.place is not Place.PRIVATE:
        return False
    code = code_in(message.text or "")
    if code is not None:
        return access.is_invited(code)
    return is_a_word(message.text or "") and access.is_joining(context.where.telegram_id)


def _stop(context: DeskContext, reason: str) -> ApplicationHandlerStop:
    counters = context.services.pulse.refused
    counters[reason] = counters.get(reason, 0) + 1
    return ApplicationHandlerStop()

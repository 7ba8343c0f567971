"""The desk's groups: one that becomes a supergroup gets a new id, and who leaves one loses what it gave.

Telegram says so in service messages and in membership updates, which no person can write. They never reach a door.
"""

import asyncio
import logging
from collections.abc import Iterable

from telegram import ChatMember, ChatMemberRestricted, ChatMemberUpdated, Update
from telegram.error import TelegramError
from telegram.ext import ApplicationHandlerStop

from bot.wiring import House
from handlers.context import Desk, DeskContext
from handlers.render import visible

_log = logging.getLogger(__name__)
_TITLE_SECONDS, _LONGEST_TITLE = 3.0, 40
_UNSEEN = "is not an admin of the group {group}: Telegram does not tell it who leaves, so what the group gave stays"


async def moved(update: Update, context: DeskContext) -> None:
    """Telegram's own message about it; people cannot write one. It goes no further."""
    message = update.effective_message
    if message is not None and message.migrate_to_chat_id is not None:
        await follow(context.services, message.chat.id, message.migrate_to_chat_id)
    if message is not None and message.migrate_from_chat_id is not None:
        await follow(context.services, message.migrate_from_chat_id, message.chat.id)
    raise ApplicationHandlerStop


async def follow(services: House, old_id: int, new_id: int) -> None:
    """From now on the desk's group is the new one; what waits for the old one goes there."""
    await services.access.follow_group(old_id, new_id, services.outbox.redirecting(old_id, new_id))


async def membership(update: Update, context: DeskContext) -> None:
    """Somebody's place in a chat has changed, or the bot's own. It goes no further."""
    people, groups = context.services.people, context.services.access.roster.groups
    other, own = update.chat_member, update.my_chat_member
    if other is not None and _is_out(other.new_chat_member):
        number = other.new_chat_member.user.id
        if not await _is_there_otherwise(context, other.chat.id, number):
            await people.left(other.chat.id, number)
    if own is not None and own.chat.id in groups:
        told = _own_change(own)
        if told is not None:
            await people.tell_admins(told)
    raise ApplicationHandlerStop


async def _is_there_otherwise(context: DeskContext, chat_id: int, telegram_id: int) -> bool:
    """Whether that person is still in the chat with another account of theirs: then they have not left it."""
    roster = context.services.access.roster
    person = roster.person(telegram_id) or roster.suspended.get(telegram_id)
    others = person.telegram_ids - {telegram_id} if person is not None else frozenset[int]()
    for number in others:
        member = await _member(context.desk, chat_id, number)
        if member is not None and not _is_out(member):
            return True
    return False


def _own_change(change: ChatMemberUpdated) -> str | None:
    """What an admin must know of the bot's own place in a group of the desk."""
    if _is_out(change.new_chat_member):
        return f"This bot was removed from the group {change.chat.id}; it does not see who leaves there any more."
    if _is_admin(change.old_chat_member) and not _is_admin(change.new_chat_member):
        return f"This bot {_UNSEEN.format(group=change.chat.id)}."
    return None


def _is_out(member: ChatMember) -> bool:
    if isinstance(member, ChatMemberRestricted):
        return not member.is_member
    return member.status in (ChatMember.LEFT, ChatMember.BANNED)


def _is_admin(member: ChatMember) -> bool:
    return member.status in (ChatMember.ADMINISTRATOR, ChatMember.OWNER)


async def look_around(desk: Desk) -> None:
    """At the start: who has left meanwhile loses what the group gave; say where the bot could not see it."""
    services = desk.services
    everybody = await services.access.everybody()
    giving = {chat_id for profile in everybody for chat_id in profile.via.values()}
    for group in await blind_spots(desk):
        level = logging.WARNING if group in giving else logging.INFO
        _log.log(level, "this bot %s", _UNSEEN.format(group=group))
    for profile in everybody:
        for chat_id in set(profile.via.values()):
            numbers = sorted(profile.person.telegram_ids)
            if all([await is_out(desk, chat_id, number) for number in numbers]):
                await services.people.left(chat_id, numbers[0])


async def blind_spots(desk: Desk) -> list[int]:
    """The desk's groups in which the bot is no admin, as far as Telegram tells."""
    groups = sorted(desk.services.access.roster.groups)
    seen = await asyncio.gather(*(_member(desk, group, desk.bot.id) for group in groups))
    return [group for group, member in zip(groups, seen, strict=True) if member is not None and not _is_admin(member)]


async def is_out(desk: Desk, chat_id: int, telegram_id: int) -> bool:
    """Whether Telegram says that they are not in that chat; not when it says nothing."""
    member = await _member(desk, chat_id, telegram_id)
    return member is not None and _is_out(member)


async def titles(desk: Desk, groups: Iterable[int]) -> dict[int, str]:
    """What they are called, as far as Telegram tells in time; anybody there may have named them."""
    wanted = sorted(set(groups))
    found = await asyncio.gather(*(_title(desk, group) for group in wanted))
    return {group: title for group, title in zip(wanted, found, strict=True) if title}


async def _title(desk: Desk, group: int) -> str:
    try:
        return visible((await desk.bot.get_chat(group, read_timeout=_TITLE_SECONDS)).title or "", _LONGEST_TITLE)
    except TelegramError as error:
        _log.info("title not told", extra={"chat_id": group, "error": type(error).__name__})
        return ""


async def _member(desk: Desk, chat_id: int, telegram_id: int) -> ChatMember | None:
    try:
        return await desk.bot.get_chat_member(chat_id, telegram_id)
    except TelegramError as error:
        _log.info("membership not told", extra={"chat_id": chat_id, "error": type(error).__name__})
        return None

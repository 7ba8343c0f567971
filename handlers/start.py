"""/start, /help, /cancel, /whoami, and the way in for whoever holds an invitation."""

import functools
from html import escape

from bot.access.model import Right
from bot.errors import InputError
from bot.operations.people import Joined
from bot.operations.role_requests import called, spelled
from handlers import conversation, groups
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.pages import Reply
from handlers.render import bold, literal

_YES = frozenset({"yes", "y", "ok", "yes."})


async def start(context: DeskContext, words: Words) -> Reply:
    """A payload is an invitation, in private, or nothing: a link never makes this bot do anything else."""
    if context.where.is_private and context.person.id:
        context.desk.when_opened(context.where.telegram_id)
    invited = bool(words) and context.where.is_private and context.services.access.is_invited(words[0])
    if invited or context.person.id == 0:
        return await join(context, words)
    name = literal(context.services.config.desk.name)
    hello = f"Hello <b>{literal(context.person.name)}</b>. This is <b>{name}</b>'s operations desk."
    what = "I read the accounts you link and tell you what they hold. Try /balance, or /help for everything."
    return Reply([hello, what])


async def join(context: DeskContext, words: Words) -> Reply:
    """A newcomer is asked what they are called before anything else; who is here already has a name."""
    if len(words) != 1:
        raise InputError("it takes the code you were given", "/join the-code")
    if context.services.access.account_link(words[0]) is not None:
        return await _claim(context, words[0])
    invitation = context.services.access.invitation(words[0])
    if invitation is not None and invitation.via_chat is not None:
        await _check_there(context, invitation.via_chat)
    if context.person.id:
        return _welcome(await context.services.people.join(words[0], context.where.telegram_id))
    invite = await context.services.people.open_invitation(words[0], context.where.telegram_id, context.person.name)
    role = literal(called(invite.role, invite.group))
    hello = f"You are invited to <b>{literal(context.services.config.desk.name)}</b>, as {role}."
    if not invite.offered_name:
        return Reply([hello, "What are you called? Send the name by which the others know you."])
    name = f"You would be known here as <b>{literal(invite.offered_name)}</b>."
    return Reply([hello, f"{name} Send <code>yes</code> to come in under that name, or send another one."])


async def _claim(context: DeskContext, code: str) -> Reply:
    """The holder of a new account has opened the link that makes it theirs."""
    request = await context.services.accounts.claim(code, context.where.telegram_id, context.person.name)
    name = literal(request.parameters["name"])
    desk = literal(context.services.config.desk.name)
    signed = f"as soon as another admin has signed that (request {request.id})"
    hello = f"This account will be <b>{name}</b>'s at <b>{desk}</b> {signed}. You will be told here."
    return Reply([hello, f"If you are not {name}, tell an admin."])


async def _check_there(context: DeskContext, chat_id: int) -> None:
    """What a group gives is for those who are in it."""
    if await groups.is_out(context.desk, chat_id, context.where.telegram_id):
        raise InputError("that invitation is for members of the group; join the group first, then use it again", "")


async def called_by(context: DeskContext, text: str) -> Reply:
    """A newcomer says yes to the name they were offered, or another one."""
    invite = context.services.access.roster.joining(context.where.telegram_id)
    if invite is not None and invite.via_chat is not None:
        await _check_there(context, invite.via_chat)
    offered = invite.offered_name if invite is not None else ""
    name = offered if offered and text.strip().lower() in _YES else text
    return _welcome(await context.services.people.come_in(context.where.telegram_id, name))


def _welcome(joined: Joined) -> Reply:
    role = called(joined.role, joined.group)
    hello = f"Welcome, <b>{literal(joined.person.name)}</b>."
    if joined.request is not None:
        waiting = (
            f"You are {literal(role)} here as soon as another admin has signed that (request {joined.request.id})."
        )
        return Reply([f"{hello} {waiting} You will be told."])
    a_role = f"an {role}" if role[0] in "aeiou" else f"a {role}"
    return Reply([f"{hello} You are now {literal(a_role)} here. /help shows what you can do."])


async def whoami(context: DeskContext, words: Words) -> Reply:
    if words:
        raise InputError("it takes no words", "/whoami")
    person = await context.services.access.get(context.person.id)
    rights = ", ".join(right for right in _asked_for() if person.may(right))
    may = f"You may {rights}." if rights else "You may do nothing here yet; an admin can give you a role."
    first = f"You are <b>{literal(person.name)}</b>: {literal(spelled(person)) or 'no role yet'}. {may}"
    return Reply([f"{first}\nTelegram id <code>{context.where.telegram_id}</code>"])


@functools.cache
def _asked_for() -> tuple[Right, ...]:
    """The rights that some door asks for, and not everybody has."""
    from handlers.rooms import DOORS_IN_ORDER, TAPS

    asked_for = {door.right for door in DOORS_IN_ORDER} | {door.right for door in TAPS}
    return tuple(right for right in Right if right in asked_for - {Right.ENTER, Right.TALK})


async def help_(context: DeskContext, words: Words) -> Reply:
    from handlers.rooms import SECTIONS

    if words:
        raise InputError("it takes no words", "/help")
    blocks = [bold("What you can ask")]
    for title, doors in SECTIONS:
        usable = [door for door in doors if not door.hidden and context.person.may(door.right)]
        if usable:
            lines = [f"/{door.command} – {escape(door.summary)}" for door in usable]
            blocks.append("\n".join([bold(title), *lines]))
    more = "A name after a command narrows it: <code>/balance capital</code>, <code>/positions capital</code>."
    return Reply([*blocks, more])


async def cancel(context: DeskContext, words: Words) -> Reply:
    asked = await conversation.stop(context)
    stopped = await context.services.linking.cancel(context.person) or asked
    return Reply(["Stopped; nothing was kept." if stopped else "There was nothing to stop."])

"""/whoami, /invite, and the way in for whoever holds an invitation."""

from html import escape

from bot.access.model import Right, Role
from bot.errors import InputError, NotAllowedError
from handlers.context import DeskContext
from handlers.doors import Door, Words
from handlers.pages import Reply
from handlers.render import bold, literal


async def whoami(context: DeskContext, words: Words) -> Reply:
    if words:
        raise InputError("it takes no words", "/whoami")
    person = await context.services.access.get(context.person.id)
    roles = ", ".join(sorted(person.roles)) or "no role yet"
    return Reply(
        [f"You are {bold(literal(person.name))}: {roles}.\nTelegram id <code>{context.where.telegram_id}</code>"]
    )


async def invite(context: DeskContext, words: Words) -> Reply:
    roles = [role.value for role in Role]
    if len(words) != 1 or words[0].lower() not in roles:
        raise InputError(f"name one role: {', '.join(roles)}", "/invite viewer")
    role = Role(words[0].lower())
    code = await context.services.access.invite(context.person, role)
    link = f"https://t.me/{context.bot.username}?start={code.reveal()}"
    first = f"An invitation for one {role.value}, good for 24 hours and one use. Send it to the person only:"
    other = f"or let them write to me: <code>/join {escape(code.reveal())}</code>"
    return Reply([f"{first}\n<code>{escape(link)}</code>\n{other}"])


async def join(context: DeskContext, words: Words) -> Reply:
    if len(words) != 1:
        raise InputError("it takes the code you were given", "/join the-code")
    if not context.where.is_private:
        raise NotAllowedError("join from a group; write to me privately")
    person, role = await context.services.access.join(words[0], context.where.telegram_id, context.person.name)
    return Reply(
        [f"Welcome, {bold(literal(person.name))}. You are now {role.value} of this desk. /help shows what you can do."]
    )


DOORS = (
    Door("whoami", "Who you are here and what you may do", "/whoami", Right.TALK, whoami),
    Door("invite", "Invite a person with one role", "/invite viewer", Right.INVITE, invite, only_in_private=True),
    Door("join", "Use an invitation", "/join code", Right.TALK, join, only_in_private=True, hidden=True),
)

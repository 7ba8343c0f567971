"""/whoami, /invite, and the way in for whoever holds an invitation."""

from html import escape

from bot.access.model import Right, Role
from bot.errors import InputError
from handlers.context import DeskContext
from handlers.doors import Door, Words
from handlers.pages import Reply
from handlers.render import literal


async def whoami(context: DeskContext, words: Words) -> Reply:
    if words:
        raise InputError("it takes no words", "/whoami")
    person = await context.services.access.get(context.person.id)
    roles = ", ".join(sorted(person.roles)) or "no role yet"
    rights = ", ".join(right for right in Right if right is not Right.TALK and person.may(right))
    may = f"You may {rights}." if rights else "You may do nothing here yet; an admin can give you a role."
    first = f"You are <b>{literal(person.name)}</b>: {roles}. {may}"
    return Reply([f"{first}\nTelegram id <code>{context.where.telegram_id}</code>"])


async def invite(context: DeskContext, words: Words) -> Reply:
    roles = [role.value for role in Role if role is not Role.ADMIN]  # the configuration names the admins
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
    person, role = await context.services.access.join(words[0], context.where.telegram_id, context.person.name)
    a_role = f"an {role.value}" if role.value[0] in "aeiou" else f"a {role.value}"
    return Reply([f"Welcome, <b>{literal(person.name)}</b>. You are now {a_role} here. /help shows what you can do."])


DOORS = (
    Door("whoami", "Who you are here and what you may do", "/whoami", Right.TALK, whoami),
    Door("invite", "Invite a person with one role", "/invite viewer", Right.INVITE, invite, only_in_private=True),
    Door("join", "Use an invitation", "/join code", Right.TALK, join, only_in_private=True, hidden=True),
)

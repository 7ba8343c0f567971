"""/start, /help, /cancel."""

from html import escape

from bot.access.model import Right
from bot.errors import InputError
from handlers.context import DeskContext
from handlers.doors import Door, Words
from handlers.pages import Reply
from handlers.people import join
from handlers.render import bold, literal


async def start(context: DeskContext, words: Words) -> Reply:
    """A payload is an invitation, in private, or nothing: a link never makes this bot do anything else."""
    invited = bool(words) and context.where.is_private and context.services.access.is_invited(words[0])
    if invited or context.person.id == 0:
        return await join(context, words)
    name = literal(context.services.config.desk.name)
    hello = f"Hello <b>{literal(context.person.name)}</b>. This is <b>{name}</b>'s operations desk."
    what = "I read the accounts you link and tell you what they hold. Try /balance, or /help for everything."
    return Reply([hello, what])


async def help_(context: DeskContext, words: Words) -> Reply:
    from handlers import DOORS_IN_ORDER

    if words:
        raise InputError("it takes no words", "/help")
    usable = [door for door in DOORS_IN_ORDER if not door.hidden and context.person.may(door.right)]
    lines = [f"/{door.command} – {escape(door.summary)}" for door in usable]
    more = "A name after a command narrows it: <code>/balance capital</code>, <code>/positions capital</code>."
    return Reply([bold("What you can ask"), "\n".join(lines), more])


async def cancel(context: DeskContext, words: Words) -> Reply:
    stopped = await context.services.linking.cancel(context.person)
    return Reply(["Stopped; nothing was kept." if stopped else "There was nothing to stop."])


DOORS = (
    Door("start", "Say hello", "/start", Right.TALK, start, hidden=True),
    Door("help", "Everything you can ask", "/help", Right.TALK, help_),
    Door("cancel", "Stop what you have begun", "/cancel", Right.TALK, cancel),
)

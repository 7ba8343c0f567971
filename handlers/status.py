"""/status: how every part is doing."""

from bot.errors import InputError
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.pages import Reply
from handlers.render import status as render


async def status(context: DeskContext, words: Words) -> Reply:
    if words:
        raise InputError("it takes no words", "/status")
    state = await context.services.status.look(context.person)
    return Reply(render.status(state), again="/status")

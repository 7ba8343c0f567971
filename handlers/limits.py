"""/limits: how much may still go."""

from bot.access.model import Right
from bot.errors import InputError
from handlers.context import DeskContext
from handlers.doors import Door, Words, taste_of
from handlers.pages import Audience, Reply
from handlers.render import policy as render


async def limits(context: DeskContext, words: Words) -> Reply:
    if words:
        raise InputError("it takes no words", "/limits")
    services = context.services
    found = await services.allowances.look(context.person)
    return Reply(render.allowances(found, services.clock.now(), taste_of(context)), again="/limits")


DOORS = (Door("limits", "How much may still go, and when more may", "/limits", Right.TALK, limits, Audience.PRIVATE),)

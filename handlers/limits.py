"""/limits: how much may still go."""

from bot.errors import InputError
from bot.providers import deriv
from handlers.context import DeskContext
from handlers.derivs import which
from handlers.doors import Words, taste_of
from handlers.pages import Reply
from handlers.render import derivs
from handlers.render import policy as render


async def limits(context: DeskContext, words: Words) -> Reply:
    services = context.services
    if len(words) > 1:
        raise InputError("nothing, or a connection at Deriv", "/limits deriv")
    if words:
        meant = await which(context, words[0], "/limits {}".format)
        if isinstance(meant, Reply):
            return meant
        connection, told = await services.derivs.limits(context.person, meant.name)
        return Reply(derivs.limits(connection, told, taste_of(context)), again=f"/limits {meant.name}")
    found = await services.allowances.look(context.person)
    offers = [("Those at Deriv", f"/limits {deriv.SPEC.name}")] if await _is_at_deriv(context) else []
    return Reply(render.allowances(found, services.clock.now(), taste_of(context)), "/limits", offers)


async def _is_at_deriv(context: DeskContext) -> bool:
    visible = await context.services.connections.visible_to(context.person)
    return any(one.provider == deriv.SPEC.name for one in visible)

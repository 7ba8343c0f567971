"""/page: whether people are reached without Telegram."""

from bot.errors import InputError
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.pages import Reply
from handlers.render import literal


async def page(context: DeskContext, words: Words) -> Reply:
    """Say by every way of the second channel that this is a trial; what came of each."""
    if words:
        raise InputError("it takes no words", "/page")
    tried = await context.services.paging.trial(context.person)
    lines = [f"✕ {literal(way)}: {literal(why)}" if why else f"● {literal(way)}: taken" for way, why in tried.items()]
    return Reply(["The second channel was tried; now see whether it has arrived.", *lines])

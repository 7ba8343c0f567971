"""/settle and /repeat: what people say of a request whose outcome nobody knows."""

from bot.errors import InputError
from bot.operations.moving.settling import EXAMPLE
from handlers.asked import asked_for
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.pages import Reply

_REPEAT = "/repeat abcdefghij"


async def settle(context: DeskContext, words: Words) -> Reply:
    """`ID executed|not-executed [why]`."""
    if len(words) < 2:
        raise InputError("name the request, and whether it was executed or not-executed", EXAMPLE)
    request = await context.services.money.settling.ask(
        context.person,
        words[0],
        words[1],
        " ".join(words[2:]),
        telegram_id=context.where.telegram_id,
        asked_in=f"m/{context.where.chat_id}/{context.message_id}",
    )
    return await asked_for(context, request)


async def repeat(context: DeskContext, words: Words) -> Reply:
    """`ID`."""
    if len(words) != 1:
        raise InputError("name one request", _REPEAT)
    request = await context.services.money.repeating.ask(
        context.person,
        words[0],
        telegram_id=context.where.telegram_id,
        asked_in=f"m/{context.where.chat_id}/{context.message_id}",
    )
    return await asked_for(context, request)

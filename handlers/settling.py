"""/settle and /repeat: what people say of a request whose outcome nobody knows."""

from bot.errors import InputError
from bot.operations.moving.settling import EXAMPLE, EXECUTED, NOT_EXECUTED
from handlers import choosing, completing
from handlers.asked import asked_for
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.pages import Reply

_REPEAT = "/repeat abcdefghij"
_NONE = "There is no request whose outcome is unknown."
_SETTLE_WHICH = "What became of it nobody knows. Of which one can you say?"
_REPEAT_WHICH = "What became of it nobody knows. The same as which one is to go again? Others must sign that."
_WHY = "How do you know? A few words, which those who sign will see."


async def settle(context: DeskContext, words: Words) -> Reply | None:
    """`ID executed|not-executed [why]`; what is left out is asked for."""
    if completing.is_begun(words):
        await completing.ask(context, _WHY, "settle", *words[:-1])
        return None
    settling = context.services.money.settling
    if not words:
        open_ones = await settling.open_to(context.person)
        if len(open_ones) != 1:
            return choosing.which(context, open_ones, _SETTLE_WHICH, "/settle") if open_ones else Reply([_NONE])
        words = [open_ones[0].id]
    if len(words) == 1:
        return await _became(context, words[0])
    request = await settling.ask(
        context.person,
        words[0],
        words[1],
        " ".join(words[2:]),
        telegram_id=context.where.telegram_id,
        asked_in=context.occasion,
    )
    return await asked_for(context, request)


async def _became(context: DeskContext, request_id: str) -> Reply:
    """Both answers, for one of those that are open."""
    open_ones = await context.services.money.settling.open_to(context.person)
    found = [one for one in open_ones if one.id == request_id.lower()]
    if not found:
        raise InputError("name the request, and whether it was executed or not-executed", EXAMPLE)
    line = f"/settle {found[0].id}"
    asked = choosing.which(context, found, "What became of it? Others must sign what you say.", "/settle")
    both = [
        completing.offer("It was executed…", line, EXECUTED),
        completing.offer("It was not…", line, NOT_EXECUTED),
    ]
    return Reply(asked.blocks, offers=both)


async def repeat(context: DeskContext, words: Words) -> Reply:
    """`ID`; without it those are offered that it could be."""
    repeating = context.services.money.repeating
    if not words:
        open_ones = await repeating.open_to(context.person)
        return choosing.which(context, open_ones, _REPEAT_WHICH, "/repeat") if open_ones else Reply([_NONE])
    if len(words) != 1:
        raise InputError("name one request", _REPEAT)
    request = await repeating.ask(
        context.person,
        words[0],
        telegram_id=context.where.telegram_id,
        asked_in=context.occasion,
    )
    return await asked_for(context, request)

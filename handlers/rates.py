"""/rate: what one currency is worth in another, for limits that count every currency."""

from bot.access.model import Right
from bot.errors import InputError
from bot.operations.rates import EXAMPLE, Entered
from handlers.asked import asked_for
from handlers.context import DeskContext
from handlers.doors import Words, permit, taste_of
from handlers.pages import Reply
from handlers.render import bold, literal


async def rate(context: DeskContext, words: Words) -> Reply:
    if not words:
        return await _shown(context)
    permit(context, Right.POLICY)
    if len(words) != 2:
        raise InputError("name the two currencies and the number: what one of the first is worth", EXAMPLE)
    request = await context.services.money.rates.ask(
        context.person,
        words[0],
        words[1],
        telegram_id=context.where.telegram_id,
        asked_in=f"m/{context.where.chat_id}/{context.message_id}",
    )
    return await asked_for(context, request)


async def _shown(context: DeskContext) -> Reply:
    found = await context.services.money.rates.good()
    if not found:
        said = "No rate counts just now. Limits that count every currency need one that is younger than 24 hours."
        return Reply([f"{said}\nAn admin enters it: <code>{EXAMPLE}</code>"], again="/rate")
    return Reply(["\n".join([bold("Rates"), *(_line(context, one) for one in found)])], again="/rate")


def _line(context: DeskContext, one: Entered) -> str:
    until = taste_of(context).date_time(one.good_until)
    return f"1 {one.rate.base} is {one.rate.rate} {one.rate.quote} · {literal(one.by)}, good until {until}"

"""/rate: what one currency is worth in another, for limits that count every currency."""

from bot.access.model import Right
from bot.errors import InputError
from bot.operations.rates import EXAMPLE, Entered
from handlers import completing
from handlers.asked import asked_for
from handlers.context import DeskContext
from handlers.doors import Words, permit, taste_of
from handlers.pages import Reply
from handlers.render import bold, literal

_WHICH = "Which currencies, and what is one of the first worth? For example: <code>EUR/USD 1.08</code>"


async def rate(context: DeskContext, words: Words) -> Reply | None:
    if not words:
        return await _shown(context)
    permit(context, Right.POLICY)
    if completing.is_begun(words):
        await completing.ask(context, _WHICH, "rate")
        return None
    if len(words) != 2:
        raise InputError("name the two currencies and the number: what one of the first is worth", EXAMPLE)
    request = await context.services.money.rates.ask(
        context.person,
        words[0],
        words[1],
        telegram_id=context.where.telegram_id,
        asked_in=context.occasion,
    )
    return await asked_for(context, request)


async def _shown(context: DeskContext) -> Reply:
    found = await context.services.money.rates.good()
    offers = [completing.offer("Enter one…", "/rate")] if context.person.may(Right.POLICY) else []
    if not found:
        said = "No rate counts just now. Limits that count every currency need one that is younger than 24 hours."
        return Reply([f"{said}\nAn admin enters it: <code>{EXAMPLE}</code>"], again="/rate", offers=offers)
    lines = [bold("Rates"), *(_line(context, one) for one in found)]
    return Reply(["\n".join(lines)], again="/rate", offers=offers)


def _line(context: DeskContext, one: Entered) -> str:
    until = taste_of(context).date_time(one.good_until)
    return f"1 {one.rate.base} is {one.rate.rate} {one.rate.quote} · {literal(one.by)}, good until {until}"

"""/balance: what the accounts hold."""

from handlers import alert_steps
from handlers.context import DeskContext
from handlers.doors import Words, at_most_one, taste_of
from handlers.pages import Reply
from handlers.render import balances as render


async def balance(context: DeskContext, words: Words) -> Reply:
    word = at_most_one(words, "/balance capital")
    sheet = await context.services.balances.balances(context.person, word)
    return Reply(
        render.balances(sheet, taste_of(context)),
        again=" ".join(["/balance", *words]),
        offers=[alert_steps.offer("balance", *words)] if sheet.answers else (),
    )

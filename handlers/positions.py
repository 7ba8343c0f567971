"""/positions: what is open."""

from bot.operations.sheets import Sheet
from bot.providers.acts import ActKind
from bot.providers.records import Position
from handlers import alert_steps
from handlers.context import DeskContext
from handlers.doors import Words, at_most_one, taste_of
from handlers.pages import Reply
from handlers.render import positions as render

_DEALS = ((ActKind.CLOSE, "Close…", "/close"), (ActKind.CHANGE, "Change…", "/change"))


async def positions(context: DeskContext, words: Words) -> Reply:
    word = at_most_one(words, "/positions capital")
    sheet = await context.services.balances.positions(context.person, word)
    return Reply(render.positions(sheet, taste_of(context)), " ".join(["/positions", *words]), _offers(sheet, words))


def _offers(sheet: Sheet[Position], words: Words) -> list[tuple[str, str]]:
    """To close or change, where something is open that this could be done to; and to be told of what is."""
    if not sheet.answers:
        return []
    acts = {
        act
        for answer in sheet.answers
        if answer.reading is not None and answer.reading.items
        for act in answer.connection.spec.acts
    }
    dealt = [(label, line) for act, label, line in _DEALS if act in acts]
    return [*dealt, alert_steps.offer(alert_steps.POSITION, *words)]

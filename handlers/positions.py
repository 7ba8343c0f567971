"""/positions: what is open."""

from bot.operations.sheets import Sheet
from bot.providers.acts import ActKind
from bot.providers.base import Ability
from bot.providers.records import Position
from handlers import alert_steps
from handlers.context import DeskContext
from handlers.doors import Words, at_most_one, taste_of
from handlers.pages import Reply
from handlers.render import positions as render


async def positions(context: DeskContext, words: Words) -> Reply:
    word = at_most_one(words, "/positions capital")
    sheet = await context.services.balances.positions(context.person, word)
    return Reply(render.positions(sheet, taste_of(context)), " ".join(["/positions", *words]), _offers(sheet, words))


def _offers(sheet: Sheet[Position], words: Words) -> list[tuple[str, str]]:
    """To close or change, where something is open that this could be done to; and to be told of what is."""
    if not sheet.answers:
        return []
    specs = [one.connection.spec for one in sheet.answers if one.reading is not None and one.reading.items]
    acts = {act for spec in specs for act in spec.acts}
    has_orders = any(Ability.ORDERS in spec.abilities for spec in specs)
    close = "Close…" if has_orders else "Sell…"  # without orders it was bought, and is sold back
    on = " ".join(["", "on", *words]) if words else ""
    deals = ((ActKind.CLOSE, close, "/close"), (ActKind.CHANGE, "Change…", "/change"))
    return [
        *((label, line + on) for act, label, line in deals if act in acts),
        alert_steps.offer(alert_steps.POSITION, *words),
    ]

"""/positions: what is open."""

from bot.access.model import Right
from bot.operations.balances import Sheet
from bot.providers.base import ActKind
from bot.providers.records import Position
from handlers import alert_steps
from handlers.context import DeskContext
from handlers.doors import Door, Words, at_most_one, taste_of
from handlers.pages import Audience, Reply
from handlers.render import positions as render


async def positions(context: DeskContext, words: Words) -> Reply:
    word = at_most_one(words, "/positions capital")
    sheet = await context.services.balances.positions(context.person, word)
    return Reply(render.positions(sheet, taste_of(context)), " ".join(["/positions", *words]), _offers(sheet, words))


def _offers(sheet: Sheet[Position], words: Words) -> list[tuple[str, str]]:
    """To close, where something is open that could be closed here; and to be told of what is."""
    if not sheet.answers:
        return []
    dealt = [
        answer.connection.name
        for answer in sheet.answers
        if answer.reading is not None and answer.reading.items and ActKind.CLOSE in answer.connection.spec.acts
    ]
    return [*([("Close…", "/close")] if dealt else []), alert_steps.offer(alert_steps.POSITION, *words)]


DOORS = (
    Door(
        "positions",
        "Open positions of all connections, or of one",
        "/positions capital",
        Right.READ,
        positions,
        Audience.PRIVATE,
    ),
)

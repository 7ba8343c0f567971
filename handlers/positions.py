"""/positions: what is open."""

from bot.access.model import Right
from handlers.alert_steps import POSITION
from handlers.context import DeskContext
from handlers.doors import Door, Words, at_most_one, taste_of
from handlers.pages import Audience, Reply
from handlers.render import positions as render


async def positions(context: DeskContext, words: Words) -> Reply:
    word = at_most_one(words, "/positions capital")
    sheet = await context.services.balances.positions(context.person, word)
    return Reply(
        render.positions(sheet, taste_of(context)),
        again=" ".join(["/positions", *words]),
        alert=" ".join([POSITION, *words]),
    )


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

"""/transfer: on one line, or step by step with buttons. Both end with the same last look."""

from collections.abc import Callable
from typing import Final

from bot.access.model import Right
from bot.operations.moving.room import MoneyRoom
from bot.operations.transfer_steps import Sketch, Step, TransferSteps
from handlers.doors import AnswerDoor, Door, TapDoor
from handlers.pages import Audience
from handlers.render import transfers as render
from handlers.walking import Walk

EXAMPLE = "/transfer 250.00 USD from main 9120000001 to Harbour for Invoice 4711"


def walk(kind: str, steps: Callable[[MoneyRoom], TransferSteps]) -> Walk[Sketch, Step]:
    """One command that ends in a transfer, by one of its ways."""
    return Walk(kind, lambda services: steps(services.money), Sketch, render.question, render.labels)


WALK: Final = walk("transfer", lambda money: money.transfer_steps)
DOORS = (
    Door(
        "transfer",
        "Ask for a transfer, step by step or on one line",
        EXAMPLE,
        Right.ASK,
        WALK.begin,
        Audience.PRIVATE,
    ),
)
TAPS = (TapDoor(WALK.kind, Right.ASK, WALK.tapped),)
ANSWERS = (AnswerDoor(WALK.kind, Right.ASK, WALK.typed),)

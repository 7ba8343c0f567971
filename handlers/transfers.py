"""/transfer: on one line, or step by step with buttons. Both end with the same last look."""

from collections.abc import Callable
from typing import Final

from bot.operations.moving.room import MoneyRoom
from bot.operations.transfer_steps import Sketch, Step, TransferSteps
from handlers.render import transfers as render
from handlers.walking import Walk


def walk(kind: str, steps: Callable[[MoneyRoom], TransferSteps]) -> Walk[Sketch, Step]:
    """One command that ends in a transfer, by one of its ways."""
    return Walk(kind, lambda services: steps(services.money), Sketch, render.question, render.labels)


WALK: Final = walk("transfer", lambda money: money.transfer_steps)

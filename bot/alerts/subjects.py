"""What rules look at, as the provider tells of it: by which stream, and under which names an open position counts."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from bot.alerts.model import Measure, Occasion, Source
from bot.alerts.screening import of_position
from bot.providers.records import Position
from bot.providers.streams import Subject, Topic

ALL: Final = "all"
"""Before a currency: the profits of all that is open, in that currency."""


def told_of(source: Source) -> Subject | None:
    """What has to be told for it; None for what this desk sees by itself."""
    match source.what:
        case Measure.PRICE:
            return Subject(Topic.QUOTE, source.subject)
        case Measure.BALANCE | Measure.FREE_MARGIN | Measure.MARGIN_LEVEL | Measure.MARGIN_DISTANCE:
            return Subject(Topic.BALANCE, source.subject.partition(" ")[0])
        case Measure.PROFIT | Measure.STOP_DISTANCE | Measure.LIQUIDATION_DISTANCE:
            return Subject(Topic.CONTRACT)
        case Occasion.FILLED | Occasion.OPENED | Occasion.CLOSED | Occasion.STOPPED:
            return Subject(Topic.CONTRACT)
        case Occasion.MONEY_IN | Occasion.MONEY_OUT:
            return Subject(Topic.ENTRY)
        case _:
            return None


def together(positions: Iterable[Position]) -> dict[tuple[str, Measure], Decimal]:
    """Each position's numbers, and those of each market and of all: profits added up, the least of the others."""
    found: dict[tuple[str, Measure], Decimal] = {}
    for position in positions:
        for measure, number in of_position(position).items():
            for subject in _subjects(position, measure):
                key = (subject, measure)
                if key not in found:
                    found[key] = number
                elif measure is Measure.PROFIT:
                    found[key] += number
                else:
                    found[key] = min(found[key], number)
    return found


def _subjects(position: Position, measure: Measure) -> tuple[str, ...]:
    """By itself, with those of its market, and with all: profits, which are added up, by their currency."""
    if measure is not Measure.PROFIT or position.profit is None:
        return position.id, position.symbol, ""
    currency = position.profit.currency.code
    return position.id, f"{position.symbol} {currency}", f"{ALL} {currency}"

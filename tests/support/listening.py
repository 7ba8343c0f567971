"""Somebody who listens to a followed connection, and remembers what they were told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from bot.errors import CountersignError, ProviderError
from bot.providers.gaps import Hole, Outage
from bot.providers.news import Mark
from bot.providers.records import Candle, Quote
from bot.providers.streams import Subject, Told


@dataclass
class Heard:
    """What came, in its order."""

    events: list[tuple[Subject, Told, Outage | None]] = field(default_factory=list)
    marks: dict[Subject, Mark] = field(default_factory=dict)
    holes: list[Hole] = field(default_factory=list)
    refusals: dict[Subject, ProviderError] = field(default_factory=dict)
    ups: int = 0
    downs: list[str] = field(default_factory=list)
    is_up: bool = False

    def told(self, subject: Subject, told: Told, outage: Outage | None) -> None:
        self.events.append((subject, told, outage))

    async def keep(self, marks: Mapping[Subject, Mark]) -> None:
        self.marks.update(marks)

    def hole(self, hole: Hole) -> None:
        self.holes.append(hole)

    def refused(self, subject: Subject, error: ProviderError) -> None:
        self.refusals[subject] = error

    def up(self) -> None:
        self.ups += 1
        self.is_up = True

    def down(self, since: object, why: CountersignError | None) -> None:
        self.downs.append(type(why).__name__)
        self.is_up = False

    def resting(self) -> None:
        self.downs.append("resting")

    def of(self, subject: Subject) -> list[Told]:
        return [told for one, told, _ in self.events if one == subject]

    def quotes(self, subject: Subject) -> list[Quote]:
        return [told for told in self.of(subject) if isinstance(told, Quote)]

    def prices(self, subject: Subject) -> list[Decimal]:
        """The way the price went, as far as it was told: of a candle its extremes and its end."""
        way: list[Decimal] = []
        for told in self.of(subject):
            if isinstance(told, Quote):
                way.append(told.mid)
            elif isinstance(told, Candle):
                way += [told.low, told.high, told.close]
        return way

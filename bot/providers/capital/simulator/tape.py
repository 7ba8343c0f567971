"""What prices did, as it is kept."""

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(slots=True)
class Side:
    """How one side of the quote went in one stretch of time."""

    opened: Decimal
    high: Decimal
    low: Decimal
    closed: Decimal

    @classmethod
    def of(cls, price: Decimal) -> "Side":
        return cls(price, price, price, price)

    def add(self, later: "Side") -> None:
        self.high, self.low, self.closed = max(self.high, later.high), min(self.low, later.low), later.closed


@dataclass(slots=True)
class Bar:
    bid: Side
    ask: Side
    ticks: int

    def add(self, later: "Bar") -> None:
        self.bid.add(later.bid)
        self.ask.add(later.ask)
        self.ticks += later.ticks


@dataclass(slots=True)
class Recorded:
    """The bars of one epic since the world began, by the epoch minute or hour in which they open."""

    minutes: dict[int, Bar] = field(default_factory=dict)
    hours: dict[int, Bar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the invented past of one epic ends and its recorded bars begin."""

    at_ms: int
    bid: Decimal
    spread: Decimal

"""Rules, quotes and candles as tests write them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from bot.alerts.book import Entry
from bot.alerts.engine import Engine
from bot.alerts.model import Measure, Moved, Occasion, Outage, Rule, Source, State, Test
from bot.providers.records import Candle, Quote

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
GOLD = Source(1, Measure.PRICE, "GOLD")


def rule(test: Test, threshold: str | int = 0, *, name: str = "r1", source: Source = GOLD, **more: Any) -> Rule:
    return Rule(name, 7, source, test, NINE, Decimal(threshold), **more)


def waits_for(occasion: Occasion, *, connection: int = 1, threshold: str | int = 0, **more: Any) -> Rule:
    return rule(Test.HAPPENS, threshold, source=Source(connection, occasion), **more)


def quote(price: str | int | Decimal, at: datetime, symbol: str = "GOLD") -> Quote:
    return Quote(symbol, Decimal(price), Decimal(price), at)


def candle(low: str | int, high: str | int, at: datetime, close: str | int | None = None) -> Candle:
    last = Decimal(low if close is None else close)
    return Candle("GOLD", at, MINUTE, last, Decimal(high), Decimal(low), last)


def engine_with(*rules: Rule) -> Engine:
    engine = Engine()
    engine.load([Entry(one, State()) for one in rules], {})
    return engine


class Ticker:
    """Tells an engine one price after the other, a second apart."""

    def __init__(self, *rules: Rule) -> None:
        self.engine = engine_with(*rules)
        self.now = NINE

    def tells(self, *prices: str | int | Decimal) -> list[str]:
        """What came of these: `r1 up 2412.5`, `r1 over`."""
        found: list[str] = []
        for price in prices:
            self.now += SECOND
            found += said(self.engine.hear(1, quote(price, self.now), None, self.now))
        return found

    def fills(self, told: Quote | Candle, since: datetime, until: datetime) -> list[str]:
        """The same, from the provider's history after an outage."""
        return said(self.engine.hear(1, told, Outage(since, until), self.now))


def said(moved: list[Moved]) -> list[str]:
    found = []
    for one in moved:
        if one.firing is not None:
            late = " late" if one.firing.outage else ""
            value = one.firing.value
            found.append(f"{one.rule.id} {one.firing.direction.value} {value}{late}".replace("  ", " "))
        if one.is_released:
            found.append(f"{one.rule.id} over")
    return found

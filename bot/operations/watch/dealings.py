"""What became of orders and positions, from a provider's history, which misses nothing that came and went unseen.

Told before what is open is compared, which only guesses at why; under the same keys, so that it is told once.
"""

from datetime import datetime, timedelta
from typing import Final

from bot.alerts.happening import Happening
from bot.alerts.model import Occasion
from bot.clock import Clock
from bot.operations.linked import Connection
from bot.operations.watch.reporting import WaitsForOutages
from bot.providers.markets import KeepsDealings
from bot.providers.records import Dealing, Direction, Fate

AT_FIRST: Final = timedelta(hours=23)
"""So far back it is looked at the start."""
OVERLAP: Final = timedelta(minutes=5)
_OCCASIONS: Final = {
    Fate.FILLED: Occasion.FILLED,
    Fate.OPENED: Occasion.OPENED,
    Fate.CLOSED: Occasion.CLOSED,
    Fate.STOPPED: Occasion.STOPPED,
}
_BEGUN: Final = {Fate.FILLED: "Order filled", Fate.OPENED: "Opened", Fate.CLOSED: "Closed"}
_SAID: Final = {Direction.LONG: "bought", Direction.SHORT: "sold"}


class Dealings:
    """Those of one connection, each told once."""

    def __init__(self, rules: WaitsForOutages, clock: Clock) -> None:
        self._rules = rules
        self._clock = clock
        self._told: frozenset[str] = frozenset()
        self._until: datetime | None = None

    async def look(self, connection: Connection, provider: KeepsDealings) -> list[Dealing]:
        """What is new since the last look, which the next one overlaps: rows come a minute late."""
        now = self._clock.now()
        since = now - AT_FIRST if self._until is None else self._until - OVERLAP
        found = {_key(one): one for one in (await provider.dealings(since)).items}
        new = {key: one for key, one in found.items() if key not in self._told}
        for key, one in new.items():
            number = one.id if one.fate is not Fate.FILLED else one.order
            self._rules.happened(
                Happening(_OCCASIONS[one.fate], key, _said(one, connection), one.at, connection.id, one.symbol, number)
            )
        self._told, self._until = frozenset(found), now
        return list(new.values())


def _key(one: Dealing) -> str:
    """The same that is made of what is open, where that shows it."""
    return f"{one.fate.value}/{one.order if one.fate is Fate.FILLED else one.id}"


def _said(one: Dealing, connection: Connection) -> str:
    at = "" if one.level is None else f" at {one.level:f}"
    number = f", number {one.id}" if one.id else ""
    if one.fate is Fate.STOPPED:
        closed = f"{connection.name} closed it for want of margin" if one.by_provider else "Its stop closed it"
        return f"{closed}: {one.symbol}{at}{number}"
    size = "" if one.size is None else f"{one.size:f}"
    direction = "" if one.direction is None else _SAID[one.direction]
    what = " ".join(part for part in (direction, size, one.name or one.symbol) if part)
    profit = "" if one.profit is None else f", profit {one.profit}"
    return f"{_BEGUN[one.fate]}: {what}{at}{profit}{number}"

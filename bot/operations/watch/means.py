"""What every watch works with, and whom it tells."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bot.clock import Clock
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.operations.watch.money_in import MoneyIn
from bot.operations.watch.reporting import WaitsForOutages
from bot.providers.following import Gate
from bot.providers.records import Candle, Position
from bot.providers.standing import Figures
from bot.providers.streams import Subject, Told
from bot.store import Database, Tables


class Rules(WaitsForOutages, Protocol):
    """Whoever is told, and knows what they need: the rules of alerts."""

    def observe(self, connection_id: int, told: Told, *, outage: tuple[datetime, datetime] | None) -> None:
        """One event. Neither waits nor raises."""

    async def surveyed(self, connection_id: int, positions: Iterable[Position], as_of: datetime) -> None:
        """All that is open there, at one moment."""

    async def settled(self, also: Callable[[Tables], None] | None = None) -> None:
        """What was observed is written down, and `also` in the same commit."""

    def doubted(self, connection_id: int, outage: tuple[datetime, datetime], step: timedelta) -> None:
        """A line broke, and stands again. The history of prices is one of steps: what it cannot tell is in doubt."""

    def windows_unknown(self, connection_id: int) -> Mapping[str, timedelta]:
        """Of which symbols it is not known how they went within a time that is looked at."""

    def begins_earlier(self, connection_id: int, symbol: str, candles: Iterable[Candle], since: datetime) -> None:
        """How they went since then, oldest first."""

    def wanted(self) -> Mapping[int, frozenset[Subject]]:
        """What they need, by connection; nothing where they only wait for its trouble."""

    @property
    def changed(self) -> asyncio.Event:
        """Set when that has changed; the next one is another."""


class ReadsRequests(Protocol):
    """Whoever keeps the list of clients' requests."""

    @property
    def misses_what_it_does_not_hear(self) -> bool:
        """Whether a webhook tells of some that no question brings to light."""

    async def read(self, through: Connection) -> None:
        """Read anew what waits. `CountersignError`: it could not all be read."""


@dataclass(frozen=True, slots=True)
class Means:
    """The same for all."""

    database: Database
    connections: Connections
    rules: Rules
    money_in: MoneyIn
    requests: Callable[[], ReadsRequests] | None
    """Asked for when there is a connection that has some."""
    clock: Clock
    figures: Figures
    poll_seconds: float
    patience: timedelta
    """So long nothing must have been heard before anybody is told."""
    gate: Callable[[str], Gate]
    """For a provider: how many of its lines may log in at once."""

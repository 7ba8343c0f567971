"""What things cost at the moment, and how that changes."""

from collections.abc import Callable
from decimal import Decimal
from hashlib import blake2b

from bot.clock import from_millis
from bot.providers.capital.simulator.market import INSTRUMENTS
from bot.providers.capital.simulator.state import Quote
from bot.providers.capital.simulator.world import World

MOST_STEPS = 900
"""Of the walk at a time; a longer stretch is walked in longer steps."""
_REACH = 12
"""Largest step in hundred-thousandths of the price."""

Heard = Callable[[str, Quote], None]


class Quotes:
    """The only writer of quotes. What is heard of a dealt price: first the bars, then the deals, then the sockets."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.listeners: list[Heard] = []

    def set(self, epic: str, bid: Decimal, offer: Decimal, at_ms: int | None = None) -> Quote:
        """A new price; nobody hears of it while the market is not open."""
        quote = self.world.state.quotes[epic]
        at_ms = self.world.now_ms() if at_ms is None else at_ms
        quote.bid, quote.offer, quote.updated = bid, offer, from_millis(at_ms)
        quote.high, quote.low = max(quote.high, bid), min(quote.low, bid)
        self._tell(epic, quote, at_ms)
        return quote

    def set_status(self, epic: str, status: str) -> None:
        """What was passed while the market was closed happens when it opens, at the price of then."""
        quote = self.world.state.quotes[epic]
        quote.status = status
        quote.updated = self.world.now()
        self._tell(epic, quote, self.world.now_ms())

    def _tell(self, epic: str, quote: Quote, at_ms: int) -> None:
        if quote.status != "TRADEABLE":
            return
        self.world.bars.record(epic, quote, at_ms)
        for hear in self.listeners:
            hear(epic, quote)

    def start(self, on: bool, step_ms: int) -> None:
        walk = self.world.state.walk
        walk.on, walk.step_ms, walk.walked_ms = on, step_ms, self.world.now_ms()

    def catch_up(self) -> None:
        """All steps that are due by now, each at its own moment."""
        walk = self.world.state.walk
        due_ms = self.world.now_ms() - walk.walked_ms
        if not walk.on or due_ms < walk.step_ms:
            return
        stride = max(walk.step_ms, due_ms // MOST_STEPS)
        for _ in range(due_ms // stride):
            walk.walked_ms += stride
            self.step(walk.walked_ms)

    def step(self, at_ms: int) -> None:
        """About two of three open markets move."""
        walk = self.world.state.walk
        walk.taken += 1
        for epic, quote in self.world.state.quotes.items():
            if quote.status == "TRADEABLE":
                move = self._move(epic, walk.taken, quote)
                if move:
                    self.set(epic, quote.bid + move, quote.offer + move, at_ms)

    def _move(self, epic: str, number: int, quote: Quote) -> Decimal:
        """Whole ticks; the further from the day's first price, the more readily back to it."""
        drawn = blake2b(f"{self.world.state.seed}/{epic}/{number}".encode(), digest_size=3).digest()
        if drawn[2] < 85:
            return Decimal(0)
        tick = INSTRUMENTS[epic].tick
        reach = max(int(quote.opened * _REACH / 100_000 / tick), 1)
        ticks = int.from_bytes(drawn[:2]) % (2 * reach + 1) - reach
        strayed = int((quote.bid / quote.opened - 1) * 50)
        return tick * (ticks - strayed * reach) if quote.bid > quote.opened / 2 else tick * reach

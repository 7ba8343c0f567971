"""A price somebody was given, and how long one may buy at it."""

from collections.abc import Container
from dataclasses import dataclass

from bot.providers.deriv.simulator import contracts
from bot.providers.deriv.simulator.rules import Arguments, RefusalError
from bot.providers.deriv.simulator.state import CURRENCIES
from bot.providers.deriv.simulator.symbols import known
from bot.providers.deriv.simulator.world import World

_GOOD_SECONDS = 60


@dataclass(slots=True)
class Proposal:
    """What was asked for under an id; its price is that of the moment it is bought."""

    id: str
    asked: Arguments
    offered_at: int

    def good(self, now: int, streams: Container[str]) -> bool:
        """While its stream runs, else for a minute."""
        return self.id in streams or now < self.offered_at + _GOOD_SECONDS


def priced(world: World, wanted: Arguments, own_currency: str | None) -> contracts.Terms:
    """The contract as it is offered now, in the account's currency; without an account in any.

    Raises:
        RefusalError: It is not offered.
    """
    symbol, currency, now = known(wanted.text("symbol")), wanted.text("currency"), world.now()
    if own_currency not in (None, currency):
        raise RefusalError("NotDefaultCurrency", "The provided currency is not the account's currency.")
    if currency not in CURRENCIES:
        raise RefusalError("InvalidCurrency", "The provided currency is invalid.")
    if not world.is_open(symbol):
        raise RefusalError("MarketIsClosed", "This market is presently closed.")
    return contracts.offer(wanted, world.feed(symbol), CURRENCIES[currency].digits, now)

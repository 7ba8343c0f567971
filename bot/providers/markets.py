"""What a provider with markets can be asked: `Ability.MARKETS`, `ORDERS`, `TOP_UP`. All of it reads, but `top_up`."""

from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from bot.money import Money
from bot.providers.records import Balance, Candle, Dealing, Market, Order, Position, Quote, Reading


@runtime_checkable
class TellsPrices(Protocol):
    """A provider with `Ability.MARKETS`."""

    async def find_markets(self, text: str, *, most: int = 20) -> Reading[Market]:
        """Markets whose name or symbol fits `text`, the likeliest first; an exact symbol comes first of all."""

    async def market(self, symbol: str) -> Market:
        """One, with everything the provider tells of it: hours, facts, its quote.

        Raises:
            NotFoundError: There is no such symbol here.
        """

    async def quote(self, symbol: str) -> Quote:
        """What it is bought and sold at now.

        Raises:
            NotFoundError: There is no such symbol here.
        """

    async def candles(self, symbol: str, step: timedelta, since: datetime, until: datetime) -> Reading[Candle]:
        """Oldest first, those that begin within `[since, until)`; asked for in as many calls as the provider needs.

        Raises:
            InputError: The provider has no such step; the sentence names those it has.
            NotFoundError: There is no such symbol here.
        """


@runtime_checkable
class KeepsOrders(Protocol):
    """A provider with `Ability.ORDERS`: orders wait there for their price."""

    async def orders(self) -> Reading[Order]:
        """Those that wait."""

    async def dealing_account(self) -> str:
        """The account that a new deal would be on: the one whose positions and orders are listed."""

    @property
    def price_tolerance(self) -> int:
        """By how many basis points the price of an order that does not wait may be worse when it is sent. The act says
        the price itself (`price` of what is bought, `least` of what is sold), and the adapter holds it against the
        quote before anything leaves."""


@runtime_checkable
class ReckonsNights(Protocol):
    """A provider that takes money for holding a position over night, and says so beforehand."""

    async def with_nights(self, positions: Reading[Position]) -> Reading[Position]:
        """The same, each with what the next night brings or costs, where that is known; never fails for want of it."""


@runtime_checkable
class KeepsDealings(Protocol):
    """A provider whose history tells what became of orders and positions, also of those that came and went unseen."""

    async def dealings(self, since: datetime) -> Reading[Dealing]:
        """What was since then, oldest first, the same whenever it is asked; it may be written a minute late.

        What cannot be told apart from the rows since then, such as the closing of what was opened long before from an
        opening, is left out: whoever looks at what is open sees it.
        """


@runtime_checkable
class TopsUp(Protocol):
    """A provider with `Ability.TOP_UP`: an account without real money can be given more."""

    async def top_up(self, account: str, amount: Money | None) -> Balance:
        """What it holds then. `amount` None: as much as the provider gives of itself.

        Raises:
            InputError: The account holds real money, or the provider gives no such amount.
        """

"""What one connection tells by itself, and who listens. Nothing here waits.

A stream's frames carry the `req_id` of the question that began it, and all of them end with the connection: numbers are
never used again, so a late frame of an old one finds nobody.
"""

import asyncio
from collections.abc import Callable

from bot.errors import ReplyError
from bot.providers.deriv.wire.grammar import Body, Reply
from bot.providers.deriv.wire.markets import Price

Listener = Callable[[Body], None]
PriceListener = Callable[[Price], bool]
"""Whether it is one it can take so."""


class Feeds:
    """By the number that asked."""

    def __init__(self) -> None:
        self._listeners: dict[int, Listener] = {}
        self._prices: dict[int, PriceListener] = {}
        self._begun: set[int] = set()
        self._lives: list[Callable[[], None]] = []
        self._over = asyncio.Event()

    def listen(self, number: int, listener: Listener, prices: PriceListener | None = None) -> None:
        """From now on it hears every frame that carries this number, the first reply too.

        Args:
            prices: Hears those that hold a price and nothing unusual instead, once the stream has begun.
        """
        self._listeners[number] = listener
        if prices is not None:
            self._prices[number] = prices

    def leave(self, number: int) -> None:
        """Whatever still comes is dropped."""
        self._listeners.pop(number, None)
        self._prices.pop(number, None)
        self._begun.discard(number)

    def hear(self, reply: Reply) -> bool:
        """Whether nobody else waits for it: the first frame is also the answer to the question."""
        listener = self._listeners.get(reply.req_id)
        if listener is None or isinstance(reply.said, ReplyError):
            return False
        listener(reply.said)
        if reply.req_id in self._begun:
            return True
        self._begun.add(reply.req_id)
        return False

    @property
    def has_prices(self) -> bool:
        """Whether it is worth looking whether a frame holds one."""
        return bool(self._prices)

    def hear_price(self, price: Price) -> bool:
        """Whether somebody took it; else it is to be heard like any other frame."""
        listener = self._prices.get(price.req_id)
        return listener is not None and price.req_id in self._begun and listener(price)

    def on_life(self, tell: Callable[[], None]) -> Callable[[], None]:
        """`tell` is called at each sign of life from now on, until what this returns is called."""
        self._lives.append(tell)
        return lambda: self._lives.remove(tell)

    def alive(self) -> None:
        for tell in tuple(self._lives):
            tell()

    def end(self) -> None:
        """There is another connection now."""
        self._listeners.clear()
        self._prices.clear()
        self._over.set()

    async def until_over(self) -> None:
        await self._over.wait()

"""What one login may ask for, kept by all clients of this process that use it.

Ten requests a second for each user, one login a second for each key, an order every tenth of a second, and on demo a
thousand orders an hour. Two connections of the same user share them all, as the provider counts them together: with
two keys logins are slower than they need be, and nothing else is.
"""

import asyncio
import hashlib
import weakref

from bot.clock import Clock
from bot.errors import BusyError
from bot.network.pacing import Bucket
from bot.providers.base import Login
from bot.providers.capital import wire
from bot.providers.capital.settings import Settings
from bot.providers.records import Environment

_ORDERS_PER_SECOND = 10.0
_ORDERS_PER_HOUR = 1000.0
_PATIENCE_SECONDS = 5.0
_FIRST_REST_SECONDS, _LONGEST_REST_SECONDS = 1.0, 30.0


class Limits:
    """The buckets of one login."""

    def __init__(self, requests_per_second: float, logins_per_second: float, orders_per_hour: float | None) -> None:
        self._requests = _bucket(requests_per_second)
        self._logins = Bucket(logins_per_second, 1)
        self._orders = Bucket(_ORDERS_PER_SECOND, 1)
        # what bursts is taken off the rate, so that no hour ever sees more
        self._hourly = None if orders_per_hour is None else Bucket(orders_per_hour / 7200, orders_per_hour / 2)
        self.login = asyncio.Lock()
        """Held for the length of a login: one at a time."""
        self._refusals = 0
        self._rests_until = 0.0

    async def request(self, clock: Clock) -> None:
        """Take a place in the queue, then wait for it.

        Raises:
            BusyError: The other side said that it is too much, and nobody waits for so long.
        """
        while (seconds := self._rests_until - clock.monotonic()) > 0:
            if seconds > _PATIENCE_SECONDS:
                raise BusyError(wire.NAME, "asked too often", seconds)
            await clock.sleep(seconds)
        await _queue(self._requests, clock)

    def refused(self, clock: Clock, wish: float | None) -> None:
        """It was too much: nobody asks for a second, then for two, four, at most thirty; or for as long as it says.

        What was asked side by side is refused side by side, and counts once.
        """
        now = clock.monotonic()
        if now < self._rests_until:
            return
        rest = min(_FIRST_REST_SECONDS * 2**self._refusals, _LONGEST_REST_SECONDS)
        self._refusals = min(self._refusals + 1, 10)
        self._rests_until = now + max(rest, wish or 0.0)

    def taken(self) -> None:
        """It was not too much."""
        self._refusals = 0

    async def before_login(self, clock: Clock) -> None:
        """Until a login may begin. Held: `login`."""
        await clock.sleep(self._logins.wait(clock.monotonic()))

    def logged_in(self, clock: Clock) -> None:
        """Counted from the end of a login: the first one's connecting is slow."""
        self._logins.take(clock.monotonic())

    def check_orders(self, clock: Clock) -> None:
        """`BusyError` when so many orders went lately that another would have to wait for minutes."""
        seconds = 0.0 if self._hourly is None else self._hourly.wait(clock.monotonic())
        if seconds > _PATIENCE_SECONDS:
            raise BusyError(wire.NAME, "orders an hour", seconds)

    async def order(self, clock: Clock) -> None:
        """Until another order may go."""
        await _queue(self._orders, clock)
        if self._hourly is not None:
            await _queue(self._hourly, clock)


_shared: "weakref.WeakValueDictionary[tuple[object, ...], Limits]" = weakref.WeakValueDictionary()


def limits_of(origin: str, login: Login, settings: Settings, environment: Environment) -> Limits:
    """The limits of a user: the same object for as long as anybody uses it, with whichever of their keys."""
    who = hashlib.sha256(login["identifier"].reveal().casefold().encode()).digest()
    hourly = _ORDERS_PER_HOUR if environment is Environment.DEMO else None
    rates = (settings.requests_per_second, settings.logins_per_second, hourly)
    key = (origin, who, *rates)
    found = _shared.get(key)
    if found is None:
        found = _shared[key] = Limits(*rates)
    return found


async def _queue(bucket: Bucket, clock: Clock) -> None:
    now = clock.monotonic()
    seconds = bucket.wait(now)
    bucket.take(now)
    if seconds > 0:
        await clock.sleep(seconds)


def _bucket(per_second: float) -> Bucket:
    """A bucket that never lets more than `per_second` through in any one second: what bursts is taken off the rate."""
    burst = max(1.0, per_second / 5)
    return Bucket(per_second - burst if per_second > 2 else per_second / 2, burst)

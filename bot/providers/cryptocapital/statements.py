"""One account's statement, gathered: a series of ordinary transfer messages without an end mark.

A question about the account itself is put right behind the statement. When that is answered, and nothing has come for
a while, the series is taken to be over. It may still have gone on: what is not in it is not proven absent (SAFETY M25).
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from bot.clock import Clock
from bot.errors import SilentError
from bot.providers.cryptocapital import wire
from bot.providers.cryptocapital.hearing import Heard
from bot.providers.cryptocapital.keyline import KeyLine
from bot.providers.cryptocapital.wire import Op, Transfer


@dataclass(frozen=True, slots=True)
class Statement:
    """What came, oldest first."""

    transfers: tuple[Transfer, ...]
    account: Heard | None
    """The account itself, asked behind the statement and believed; None when that was not answered."""
    read_at: datetime


class _Series:
    """The transfers of one account that are heard meanwhile, and since when nothing was heard."""

    def __init__(self, number: str, clock: Clock, only: str | None) -> None:
        self.found: dict[str, Transfer] = {}
        self._number = number
        self._only = only
        self._clock = clock
        self.heard_at = clock.monotonic()

    def hear(self, transfer: Transfer) -> None:
        self.heard_at = self._clock.monotonic()
        if self._number in (transfer.source, transfer.target) and self._only in (None, transfer.id):
            self.found[transfer.id] = transfer

    async def quiet(self, seconds: float, deadline: float) -> None:
        """Until nothing has come for `seconds`, or the time is up."""
        while (now := self._clock.monotonic()) < min(self.heard_at + seconds, deadline):
            await self._clock.sleep(min(self.heard_at + seconds, deadline) - now)


async def gather(
    key: KeyLine,
    number: str,
    clock: Clock,
    *,
    quiet_seconds: float,
    limit: int | None = None,
    since: datetime | None = None,
    transaction: str | None = None,
    patience_seconds: float = 15.0,
) -> Statement:
    """Ask for one account's statement; filters as `wire.statement_params`. The line is open.

    Raises:
        RefusedError: The account is not this key's.
        ProviderError: It was not taken, or the line broke.
    """
    params = wire.statement_params(number, limit=limit, since=since, transaction=transaction)
    series = _Series(number, clock, transaction)
    deadline = clock.monotonic() + patience_seconds
    with _listening(key, series):
        (asked,) = await key.put(Op.STATEMENT, [params])
        (marker,) = await key.put(Op.ACCOUNT, [wire.account_params(number)])
        try:
            await asked
        except BaseException:
            marker.cancel()
            raise
        try:
            account = await marker
        except SilentError:
            if not key.line.connected:
                raise
            account = None
        series.heard_at = max(series.heard_at, clock.monotonic())
        await series.quiet(quiet_seconds, deadline)
    ordered = sorted(series.found.values(), key=lambda one: (one.on, int(one.id)))
    return Statement(tuple(ordered if limit is None else ordered[-limit:]), account, clock.now())


@contextlib.contextmanager
def _listening(key: KeyLine, series: _Series) -> Iterator[None]:
    key.listeners.append(series.hear)
    try:
        yield
    finally:
        key.listeners.remove(series.hear)

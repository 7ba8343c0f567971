"""Clients' requests from the report of transactions, for a CRM that sends no webhooks. Off unless switched on.

The report shows pending withdrawals on some tenants, and whose id a row carries is not said: the request's, or its own
with the request's in the comment. So whatever could be the id is read as a request, and what is found pending there
comes onto the list. A row is never more than a reason to read; where requests cannot be read, it is none.
"""

import logging
import re
from collections import OrderedDict
from collections.abc import Collection
from datetime import timedelta

from bot.clock import Clock
from bot.errors import RefusedError
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.operations.withdrawals import Withdrawals
from bot.providers.crm import wire

FIRST_DAYS = timedelta(days=180)
LATER_DAYS = timedelta(days=7)
LOOK_SECONDS = 60.0
MOST_AT_ONCE = 50
_MOST_REMEMBERED = 5000
_PENDING = "pending"
_ID = re.compile(r"(?<![A-Za-z0-9])[a-z0-9]{8}(?![A-Za-z0-9])", re.ASCII)
_log = logging.getLogger(__name__)


class ReportFeed:
    """Looks into the report, and remembers which rows led nowhere."""

    def __init__(self, connections: Connections, withdrawals: Withdrawals, clock: Clock, *, is_on: bool) -> None:
        self._connections = connections
        self._withdrawals = withdrawals
        self._clock = clock
        self.is_on = is_on
        self._has_looked = False
        self._fruitless: OrderedDict[str, None] = OrderedDict()

    async def look(self) -> None:
        """Put what is pending in the report onto the list. The first time far back, later the last days only.

        Raises:
            CountersignError: The CRM could not be asked. That it refuses the report, or has no call to read a request,
                is in the log only: it will do so again.
        """
        through = await self._withdrawals.reader() if self.is_on else None
        if through is None:
            return
        try:
            rows = await self._pending(through)
            known = await self._withdrawals.known_ids()
            fresh = [row for row in rows if row.id not in self._fruitless and known.isdisjoint(_candidates(row))]
            for row in fresh[:MOST_AT_ONCE]:
                await self._follow(through, row)
        except RefusedError as error:
            _log.warning("report not looked into", extra={"code": error.code})
        else:
            self._has_looked = self._has_looked or len(fresh) <= MOST_AT_ONCE

    async def _pending(self, through: Connection) -> list[wire.Transaction]:
        from bot.providers.crm.client import Crm  # with the first login: most starts ask nobody

        today = self._clock.now().date()
        start = today - (LATER_DAYS if self._has_looked else FIRST_DAYS)
        async with self._connections.session(through, seconds=LOOK_SECONDS) as provider:
            if not isinstance(provider, Crm):
                return []
            rows = provider.reports.transactions(start, today + timedelta(days=1), types=("withdrawal",))
            return [row async for row in rows if row.status == _PENDING]

    async def _follow(self, through: Connection, row: wire.Transaction) -> None:
        for request_id in _candidates(row):
            try:
                if await self._withdrawals.find(through, request_id):
                    return
            except RefusedError as error:
                if wire.lacks_call(error):
                    raise
        self._fruitless[row.id] = None
        if len(self._fruitless) > _MOST_REMEMBERED:
            self._fruitless.popitem(last=False)


def _candidates(row: wire.Transaction) -> Collection[str]:
    """What may be the request's id: what looks like one in the comment, then the row's own."""
    return tuple(dict.fromkeys([*_ID.findall(row.comment or "")[:2], row.id]))

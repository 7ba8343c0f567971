"""Clients' withdrawals that we approved and that may still be rejected: read again for some days (M08).

A CRM may let what was approved be rejected after all, and on a tenant that sends no webhooks nothing tells of it. A
request that was read as approved waits for nothing, so nobody else would look at it again.
"""

from datetime import datetime, timedelta

from bot.approvals.model import Kind, State
from bot.clock import Clock
from bot.store import Database, Tables
from bot.store.columns import at

READ_EVERY = timedelta(hours=1)
READ_FOR = timedelta(days=7)
_AT_ONCE = 50


class ApprovedLately:
    """Whose turn it is. What cannot be read waits an hour like the others: it keeps none of them from being read."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._left: list[str] = []
        self._gathered_at: datetime | None = None

    async def due(self) -> list[str]:
        """The next few to read, each handed out once an hour, the one not read for the longest time first."""
        now = self._clock.now()
        if self._gathered_at is None or now - self._gathered_at >= READ_EVERY:
            self._left = await self._database.read(lambda tables: _approved(tables, now - READ_FOR))
            self._gathered_at = now
        turn, self._left = self._left[:_AT_ONCE], self._left[_AT_ONCE:]
        return turn


def _approved(tables: Tables, since: datetime) -> list[str]:
    """Approved at the CRM when last read, by a request of ours that was done `since`."""
    rows = tables.conn.execute(
        "SELECT request_id FROM crm_withdrawals WHERE status = 'approved' AND request_id IN ("
        "SELECT json_extract(parameters, '$.target') FROM requests WHERE kind = ? AND state = ? AND settled_at >= ?"
        " AND json_extract(parameters, '$.decision') = 'approve') ORDER BY confirmed_at, request_id",
        (Kind.WITHDRAWAL.value, State.SUCCEEDED.value, at(since)),
    )
    return [request_id for (request_id,) in rows]

"""Webhooks of the CRM on their way into the database: kept before they are answered, many in one commit.

What arrives in one turn of the loop is one change. A change is few statements however many rows it has: after each of
them the writer's thread waits for the loop's.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot.clock import Clock
from bot.ports import Sealer
from bot.providers.crm.wire import hooks
from bot.store import Database, Tables
from bot.store.columns import at

SOURCE = "webhook"
TOGETHER = 256
"""SQLite takes 32,766 values in a statement."""
LONGEST_ID = 64
_EVENTS = "INSERT INTO crm_events (id, event, request_id, status, body, first_at, last_at) VALUES "
_EVENT = "(?, ?, ?, ?, ?, ?, ?)"
_EVENT_AGAIN = " ON CONFLICT (event, request_id, status) DO UPDATE SET times = times + 1, last_at = excluded.last_at"
_HEARD = "INSERT INTO crm_withdrawals (request_id, source, noticed_at) VALUES "
_HEARD_OF = "(?, ?, ?)"
_HEARD_AGAIN = " ON CONFLICT (request_id) DO UPDATE SET unread = unread + 1"


@dataclass(frozen=True, slots=True)
class _Arrival:
    event: hooks.Event
    body: bytes
    kept: asyncio.Future[None]


class Arrivals:
    """What came in and is not kept yet."""

    def __init__(self, database: Database, sealer: Sealer, clock: Clock) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._waiting: list[_Arrival] = []
        self._under_way: set[asyncio.Future[None]] = set()

    async def keep(self, body: bytes) -> bool:
        """Keep one webhook durably; whether it was one about a withdrawal. Nothing else is kept.

        Raises:
            ReplyError: It is no webhook.
            StoreError: It was not kept.
        """
        event = hooks.parse_event(body)
        if not event.is_withdrawal or not event.data.id or len(event.data.id) > LONGEST_ID:
            return False
        loop = asyncio.get_running_loop()
        one = _Arrival(event, body, loop.create_future())
        self._waiting.append(one)
        if len(self._waiting) == 1:
            loop.call_soon(self._hand_over)
        await one.kept
        return True

    async def close(self) -> None:
        """Until nothing is on its way."""
        while self._waiting or self._under_way:
            self._hand_over()
            await asyncio.wait(set(self._under_way))

    def _hand_over(self) -> None:
        batch, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._hand_over)
        if not batch:
            return
        writing = asyncio.ensure_future(self._database.write(lambda tables: self._insert(tables, batch)))
        self._under_way.add(writing)

        def settle(written: asyncio.Future[None]) -> None:
            self._under_way.discard(written)
            error = written.exception()
            for one in batch:
                if one.kept.done():
                    continue  # its caller has gone
                if error is None:
                    one.kept.set_result(None)
                else:
                    one.kept.set_exception(error)

        writing.add_done_callback(settle)

    def _insert(self, tables: Tables, batch: Sequence[_Arrival]) -> None:
        now = at(self._clock.now())
        (last,) = tables.conn.execute("SELECT coalesce(max(id), 0) FROM crm_events").fetchone()
        events: list[str | int | bytes] = []
        heard: list[str | int] = []
        for number, one in enumerate(batch, last + 1):
            request_id = one.event.data.id or ""
            sealed = self._sealer.seal(one.body, -number)
            events += (number, one.event.source.event, request_id, one.event.data.status or "", sealed, now, now)
            heard += (request_id, SOURCE, now)
        tables.conn.execute(_EVENTS + ", ".join([_EVENT] * len(batch)) + _EVENT_AGAIN, events)
        tables.conn.execute(_HEARD + ", ".join([_HEARD_OF] * len(batch)) + _HEARD_AGAIN, heard)

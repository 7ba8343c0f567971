"""What was settled by hand is looked at for a while longer: a person's word is no proof, and the provider may show it.

Nothing here changes a request (M08).
"""

import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from bot.approvals import records as requests
from bot.approvals.model import Request
from bot.clock import Clock
from bot.errors import StoreError
from bot.operations.moving import records
from bot.operations.moving.incidents import Incidents
from bot.operations.moving.records import Sending
from bot.providers.acts import Evidence
from bot.store import Database, Tables

WATCHED_FOR = timedelta(days=7)
LOOK_SECONDS = 600.0
_log = logging.getLogger(__name__)


class Afterwards:
    """One look every ten minutes at each of them."""

    def __init__(
        self,
        database: Database,
        incidents: Incidents,
        clock: Clock,
        evidence: Callable[[Request, Sending], Awaitable[Evidence | None]],
    ) -> None:
        """`evidence`: asks the provider; None when it could not be asked."""
        self._database = database
        self._incidents = incidents
        self._clock = clock
        self._evidence = evidence
        self._told: set[str] = set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(StoreError):  # it is looked again
                await self.look()
            await self._clock.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """At everything that was settled by hand lately, once."""
        since = self._clock.now() - WATCHED_FOR

        def settled(tables: Tables) -> list[tuple[Request, list[Sending]]]:
            found = requests.settled_since(tables, since)
            return [(one, records.sendings_of(tables, one.id)) for one in found]

        for request, sendings in await self._database.read(settled):
            if request.id not in self._told and sendings:
                await self._look_at(request, sendings[-1])

    async def _look_at(self, request: Request, sending: Sending) -> None:
        try:
            evidence = await self._evidence(request, sending)
        except Exception:  # an adapter's slip ends one look, not the looking  # noqa: BLE001
            _log.exception("not looked", extra={"request": request.id})
            return
        if evidence is None:
            return
        if await self._database.write(lambda tables: self._incidents.compare(tables, request, evidence)):
            self._told.add(request.id)

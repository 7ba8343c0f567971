"""Clients' requests, as something that is followed: read anew now and then, which is the truth of them.

Their webhooks only hasten that: what one tells of is read at once, and what cannot be read then is read with the rest.
No call lists what waits. So what a webhook would have told while nobody listened is not found by asking, unless the
report of transactions is looked into as well. A desk to which nothing is due asks for something small all the same: it
would not learn otherwise that the CRM is gone.
"""

from bot.clock import Clock
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.operations.report_feed import ReportFeed
from bot.operations.withdrawal_reading import ANSWER_SECONDS
from bot.operations.withdrawals import Withdrawals

REPORT_SECONDS = 120.0
"""The report is long, and looked into no more often than this."""


class ClientRequests:
    """The list and the report, read together."""

    def __init__(
        self, withdrawals: Withdrawals, report: ReportFeed, connections: Connections, clock: Clock, *, hears: bool
    ) -> None:
        """`hears`: whether webhooks are taken."""
        self._withdrawals = withdrawals
        self._report = report
        self._connections = connections
        self._clock = clock
        self._hears = hears
        self._looked_at: float | None = None

    @property
    def misses_what_it_does_not_hear(self) -> bool:
        """Whether a webhook tells of some that no question brings to light."""
        return self._hears and not self._report.is_on

    async def read(self, through: Connection) -> None:
        """Read anew what waits. `CountersignError`: it could not all be read."""
        was_asked, now = await self._withdrawals.refresh(), self._clock.monotonic()
        if self._report.is_on and (self._looked_at is None or now - self._looked_at >= REPORT_SECONDS):
            await self._report.look()
            self._looked_at, was_asked = now, True
        if not was_asked:
            await self._connections.look(through, seconds=ANSWER_SECONDS)

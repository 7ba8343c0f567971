"""Reports, row by row: however long they are, only a part of them is held at a time."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Literal

from bot.providers.crm import wire
from bot.providers.crm.client.line import Line
from bot.providers.crm.wire import reports
from bot.providers.crm.wire.grammar import windows_between


class Reports:
    """The sections Reports and Statistics."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def transactions(
        self,
        start: date,
        end: date,
        *,
        types: Sequence[str] = (),
        user_id: str | None = None,
        transaction_id: str | None = None,
    ) -> AsyncIterator[wire.Transaction]:
        """Every row of these days, newest three months first; nobody sees that more than three are not given at once.

        Windows share a day, since nobody says whether the last one counts: what stands on it is given once.
        """
        shared: set[str] = set()
        for window in windows_between(start, end):
            here: set[str] = set()
            async for row in self._line.rows(
                lambda skip, limit, window=window: wire.build_transactions(  # type: ignore[misc]
                    window, skip, limit, user_id=user_id, transaction_id=transaction_id, type=list(types) or None
                ),
                wire.parse_transactions,
                lambda row: row.id,
            ):
                if (row.timestamp or "").startswith(window.start.isoformat()):
                    here.add(row.id)
                if row.id not in shared:
                    yield row
            shared = here

    async def commissions(self, kind: Literal["flexible", "fixed"] = "flexible") -> AsyncIterator[reports.Commission]:
        """Every commission there is; the documents name no days to choose. [N] for `fixed`."""
        number = 0

        def key(row: reports.Commission) -> str:
            nonlocal number
            number += 1
            return row.id or f"#{number}"

        async for row in self._line.rows(
            lambda skip, limit: reports.build_commissions(kind, skip, limit), reports.parse_commissions, key
        ):
            yield row

    async def leader_board(self, competition_id: str, most: int = 20) -> reports.LeaderBoard:
        """Who leads a competition."""
        return reports.parse_leader_board(await self._line.read(reports.build_leader_board(competition_id, most)))

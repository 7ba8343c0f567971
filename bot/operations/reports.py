"""Reports of the CRM as files, and its leader boards. However long a report is, a page of it is held at a time."""

import csv
import io
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import IO, TYPE_CHECKING, Any

import msgspec

from bot.access.model import Person
from bot.clock import Clock
from bot.csvtext import inert
from bot.errors import InputError, NotFoundError, RefusedError
from bot.operations.adapters import crm_seen_by
from bot.operations.connections import Connections
from bot.operations.tallies import Booking, Tally, commission, transaction
from bot.providers.crm import wire
from bot.providers.crm.wire.reports import Commission, LeaderBoard

if TYPE_CHECKING:
    from bot.providers.crm.client import Crm

MOST_DAYS = 366
MOST_BYTES = 45 << 20
"""Telegram takes 50 MB of a bot."""
REPORT_SECONDS = 300.0
_NO_COMPETITION = "competition_not_exists"
_EXAMPLE = "/report transactions 30"


class Kind(StrEnum):
    """What a report is about."""

    TRANSACTIONS = "transactions"
    COMMISSIONS = "commissions"


@dataclass(frozen=True, slots=True)
class Written:
    """A report in a file without a name; it is gone when it is closed."""

    name: str
    rows: int
    content: IO[bytes]
    is_cut: bool = False
    """It would have been larger than Telegram takes."""
    tally: Tally | None = None
    """What its rows add up to, by day and currency."""


class Reports:
    """Reports, through a connection the asker may read."""

    def __init__(self, connections: Connections, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock

    async def write(self, person: Person, kind: Kind, days: int) -> Written:
        """The last `days` as CSV; the caller closes the file. Commissions are all there are: no days can be chosen.

        Raises:
            InputError: None of 1 to 366 days.
        """
        if not 1 <= days <= MOST_DAYS:
            raise InputError(f"a report is of 1 to {MOST_DAYS} days", _EXAMPLE)
        today = self._clock.now().date()
        name = f"{kind.value}-{today.isoformat()}.csv"
        tally = Tally(_COUNTED[kind])
        async with crm_seen_by(self._connections, person, seconds=REPORT_SECONDS) as crm:
            return await written(name, *_rows(crm, kind, today - timedelta(days=days), today), tally)

    async def leader_board(self, person: Person, competition_id: str) -> LeaderBoard:
        """Who leads a competition. `NotFoundError` when there is none of that id."""
        async with crm_seen_by(self._connections, person, seconds=20.0) as crm:
            try:
                return await crm.reports.leader_board(competition_id)
            except RefusedError as error:
                if error.code == _NO_COMPETITION:
                    raise NotFoundError("competition", competition_id) from None
                raise


def _rows(crm: "Crm", kind: Kind, start: Any, today: Any) -> tuple[type[msgspec.Struct], AsyncIterator[Any]]:
    match kind:
        case Kind.TRANSACTIONS:
            return wire.Transaction, crm.reports.transactions(start, today + timedelta(days=1))
        case Kind.COMMISSIONS:
            return Commission, crm.reports.commissions()


_COUNTED: Mapping[Kind, Callable[[Any], Booking | None]] = {
    Kind.TRANSACTIONS: transaction,
    Kind.COMMISSIONS: commission,
}


async def written(
    name: str, shape: type[msgspec.Struct], rows: AsyncIterator[Any], tally: Tally | None = None
) -> Written:
    """Row after row into a file: a head, then one line each; and into the tally."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  # whoever sends it closes it
    try:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        lines = csv.writer(text)
        lines.writerow(shape.__struct_fields__)
        count, is_cut = 0, False
        async for row in rows:
            if file.tell() > MOST_BYTES:
                is_cut = True
                break
            if tally is not None:
                tally.add(row)
            lines.writerow([inert(getattr(row, field)) for field in shape.__struct_fields__])
            count += 1
        text.detach()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return Written(name, count, file, is_cut, tally)

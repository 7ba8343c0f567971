"""The policies of the desk, as rows: the one in force, those before it, and one that waits for its hour."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from bot.approvals.policy.model import Policy
from bot.approvals.policy.reading import read
from bot.clock import Clock
from bot.store import Tables
from bot.store.columns import at, moment


@dataclass(frozen=True, slots=True)
class Version:
    """One policy's row."""

    number: int
    document: str
    """TOML, as it was handed in."""
    in_force_from: datetime
    request_id: str | None
    """The request that brought it; None for the configuration's."""
    called_off_at: datetime | None


class Policies:
    """Reads them inside the caller's transaction."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def in_force(self, tables: Tables) -> tuple[int, Policy | None]:
        """The version's number and the policy; 0 and None on a desk that has none."""
        row = tables.conn.execute(
            "SELECT version, document FROM policies WHERE in_force_from <= ? AND called_off_at IS NULL"
            " ORDER BY version DESC LIMIT 1",
            (at(self._clock.now()),),
        ).fetchone()
        return (0, None) if row is None else (row[0], _read(row[1]))

    @staticmethod
    def versions(tables: Tables) -> list[Version]:
        """Every one, oldest first."""
        rows = tables.conn.execute(
            "SELECT version, document, in_force_from, request_id, called_off_at FROM policies ORDER BY version"
        ).fetchall()
        return [
            Version(number, text, moment(since), request, moment(off) if off is not None else None)
            for number, text, since, request, off in rows
        ]


@lru_cache(maxsize=8)
def _read(document: str) -> Policy:
    return read(document)

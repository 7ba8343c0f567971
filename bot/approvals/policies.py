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
    """Reads and writes them inside the caller's transaction."""

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

    def current(self, tables: Tables) -> Version | None:
        """The row of the one in force; None on a desk that has none."""
        now = self._clock.now()
        there = [one for one in self.versions(tables) if one.called_off_at is None and one.in_force_from <= now]
        return there[-1] if there else None

    def waiting(self, tables: Tables) -> Version | None:
        """The one that waits for its hour. At most one does: nothing new is taken up meanwhile."""
        now = self._clock.now()
        there = [one for one in self.versions(tables) if one.called_off_at is None and one.in_force_from > now]
        return there[-1] if there else None

    def take_up(self, tables: Tables, document: str, in_force_from: datetime, request_id: str | None) -> int:
        """A new version; answers its number."""
        (number,) = tables.conn.execute("SELECT coalesce(max(version), 0) + 1 FROM policies").fetchone()
        tables.conn.execute(
            "INSERT INTO policies VALUES (?, ?, ?, ?, NULL)", (number, document, at(in_force_from), request_id)
        )
        return int(number)

    def call_off(self, tables: Tables, number: int) -> None:
        """It never comes into force."""
        now = at(self._clock.now())
        tables.conn.execute("UPDATE policies SET called_off_at = ? WHERE version = ?", (now, number))

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

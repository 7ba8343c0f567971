"""What people add to a request that is asked for: remarks, as rows. They never change what was asked."""

from dataclasses import dataclass
from datetime import datetime

from bot.store import Tables
from bot.store.columns import at, moment


@dataclass(frozen=True, slots=True)
class Remark:
    """Something said about a request."""

    person_id: int
    at: datetime
    text: str


def add_remark(tables: Tables, request_id: str, remark: Remark) -> None:
    tables.conn.execute(
        "INSERT INTO remarks (request_id, person_id, at, text) VALUES (?, ?, ?, ?)",
        (request_id, remark.person_id, at(remark.at), remark.text),
    )


def remarks_on(tables: Tables, request_id: str) -> list[Remark]:
    """Every one, oldest first."""
    rows = tables.conn.execute(
        "SELECT person_id, at, text FROM remarks WHERE request_id = ? ORDER BY id", (request_id,)
    ).fetchall()
    return [Remark(person, moment(when), text) for person, when, text in rows]

"""What the bot's own file says, read from outside and by hand: nothing of the bot's is imported here."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

RESERVING = ("pending", "approved", "held", "sending", "acked", "unknown", "succeeded", "settled_by_hand")


@dataclass(frozen=True)
class Standing:
    """Where the one request stands, and what is still to be done."""

    id: str | None = None
    state: str = ""
    version: int = 0
    waiting: int = 0
    unhandled: int = 0
    looked_at: int = 0
    """When the provider last showed what it has of it, in milliseconds."""


def asked(path: Path, question: str, *values: object) -> list[tuple[Any, ...]]:
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as reader:
        return reader.execute(question, values).fetchall()


def standing(path: Path) -> Standing:
    found = asked(
        path,
        "SELECT (SELECT count(*) FROM outbox WHERE state = 'waiting'),"
        " (SELECT count(*) FROM inbox WHERE done_at IS NULL), (SELECT coalesce(max(at), 0) FROM sightings)",
    )
    waiting, unhandled, looked_at = found[0]
    rows = asked(path, "SELECT id, state, version FROM requests")
    assert len(rows) <= 1, f"one wish has become {len(rows)} requests"
    name, state, version = rows[0] if rows else (None, "", 0)
    return Standing(name, state, version, waiting, unhandled, looked_at)


def reserved(path: Path) -> Decimal:
    """As the limits count it."""
    rows = asked(path, "SELECT cases.amount FROM cases JOIN requests ON requests.id = request_id WHERE counts = 1")
    return sum((Decimal(amount) for (amount,) in rows), Decimal(0))


def recomputed(path: Path) -> Decimal:
    """From every request's own parameters and state (M80)."""
    rows = asked(path, "SELECT state, json_extract(parameters, '$.amount') FROM requests")
    return sum((Decimal(amount) for state, amount in rows if state in RESERVING), Decimal(0))


def attempts(path: Path) -> list[str | None]:
    """How each ended, oldest first."""
    return [outcome for (outcome,) in asked(path, "SELECT outcome FROM sendings ORDER BY attempt")]


def passed_through(path: Path) -> set[str]:
    """The actions of the log about requests."""
    return {action for (action,) in asked(path, "SELECT action FROM audit WHERE action LIKE 'request.%'")}

"""A new epoch of an install: nothing that was under way goes on by itself, and buttons from before are dead.

It begins when the database is an older one (a restore), or belongs to another key without the one before (a recovery).
"""

from collections.abc import Mapping
from datetime import datetime

from bot.approvals import records
from bot.approvals.machine import Event
from bot.approvals.model import State
from bot.operations.freezing import DESK
from bot.ports import Deed, Recorder
from bot.store import Tables
from bot.store.columns import at

_ENDING: Mapping[State, tuple[Event, str]] = {
    State.PENDING: (Event.EXPIRED, "{why}; ask anew"),
    State.APPROVED: (Event.EXPIRED, "{why}; see whether it was done, then ask anew"),
    State.HELD: (Event.WITHDRAWN, "{why}; see whether it was done, then ask anew"),
    State.SENDING: (Event.OUTCOME_LOST, "{why} while it was being sent"),
    State.ACKED: (Event.OUTCOME_LOST, "{why} while it was being sent"),
}
_VOID = (
    "DELETE FROM cards",
    "DELETE FROM sealed WHERE subject LIKE 'draft/%'",
    "DELETE FROM drafts",
    "UPDATE invites SET expires_at = min(expires_at, :now) WHERE used_at IS NULL",
    "UPDATE account_links SET expires_at = min(expires_at, :now) WHERE used_at IS NULL",
    "UPDATE entry_links SET expires_at = min(expires_at, :now) WHERE used_at IS NULL",
    "DELETE FROM meta WHERE key = 'ran_before'",  # the next start is a first one, and none after a crash
)


def next_epoch(highest: int, now: datetime) -> int:
    """Above every one there was, and above what any other life of this database can have had before `now`."""
    return max(highest + 1, at(now) // 1000)


def begin(tables: Tables, epoch: int, now: datetime) -> None:
    """Write the epoch down. Cards, drafts, invitations and links from before are void."""
    for statement in _VOID:
        tables.conn.execute(statement, {"now": at(now)})
    tables.conn.execute("INSERT OR REPLACE INTO meta VALUES ('epoch', ?)", (str(epoch),))


def freeze_by_nobody(tables: Tables, audit: Recorder, now: datetime, why: str) -> None:
    """No money leaves before others have signed: what was decided since is not known here.

    The reason of an earlier one gives way.
    """
    tables.conn.execute("INSERT OR REPLACE INTO freezes VALUES (?, ?, NULL, ?)", (DESK, at(now), why))
    audit.record(tables, Deed("freeze.alarmed", f"freeze/{DESK}", details={"reason": why}))


def end_requests(tables: Tables, audit: Recorder, now: datetime, why: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """End those that waited, were approved or were held; what was being sent is unknown from now on.

    Returns:
        The ids of those that ended, and of those whose outcome is unknown, oldest first.
    """
    ids = [row[0] for row in tables.conn.execute("SELECT id FROM requests ORDER BY asked_at, id").fetchall()]
    moved: dict[State, list[str]] = {}
    for request in (records.read(tables, number) for number in ids):
        if request.state not in _ENDING:
            continue
        event, said = _ENDING[request.state]
        outcome = said.format(why=why)
        records.move(tables, request, event, now, outcome)
        state = records.read(tables, request.id).state
        details = {"kind": request.kind.value, "outcome": outcome}
        audit.record(tables, Deed(f"request.{state}", f"request/{request.id}", details=details))
        moved.setdefault(state, []).append(request.id)
    unknown = moved.pop(State.UNKNOWN, [])
    return tuple(number for state in moved.values() for number in state), tuple(unknown)

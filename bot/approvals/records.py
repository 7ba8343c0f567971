"""Rows ⇄ requests. Every change names the version it saw."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.approvals.machine import Event, after
from bot.approvals.model import Decision, Kind, Request, Rule, Seat, State, Vote
from bot.errors import ConflictError, NotFoundError
from bot.store import Tables
from bot.store.columns import at, moment, packed

_COLUMNS = "id, kind, parameters, hash, rule, state, version, asked_by, asked_at, expires_at, outcome"


def insert(tables: Tables, request: Request, asked_in: str | None) -> None:
    """A new row. `ConflictError` when the message it was asked in has made one already (M09)."""
    values = (
        request.id,
        request.kind.value,
        packed(dict(request.parameters)),
        request.hash,
        _packed_rule(request.rule),
        request.state.value,
        request.version,
        request.asked_by,
        at(request.asked_at),
        at(request.expires_at),
        asked_in,
    )
    cursor = tables.conn.execute(
        "INSERT OR IGNORE INTO requests"
        " (id, kind, parameters, hash, rule, state, version, asked_by, asked_at, expires_at, asked_in)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    if cursor.rowcount != 1:
        raise ConflictError("this was asked for already, with the same message")


def read(tables: Tables, request_id: str) -> Request:
    """One request with its votes. `NotFoundError`."""
    row = tables.conn.execute(
        f"SELECT {_COLUMNS} FROM requests WHERE id = ?",  # noqa: S608  # columns are ours
        (request_id,),
    ).fetchone()
    if row is None:
        raise NotFoundError("request", request_id)
    return _request(tables, row)


def pending(tables: Tables) -> list[Request]:
    """Every request that waits for votes, oldest first."""
    rows = tables.conn.execute(
        f"SELECT {_COLUMNS} FROM requests WHERE state = 'pending' ORDER BY asked_at, id"  # noqa: S608  # columns are ours
    ).fetchall()
    return [_request(tables, row) for row in rows]


def move(tables: Tables, request: Request, event: Event, now: datetime, outcome: str = "") -> None:
    """Carry the row over to the state after `event`, if nobody was quicker: `ConflictError`."""
    state = after(request.state, event)
    cursor = tables.conn.execute(
        "UPDATE requests SET state = ?, version = version + 1, settled_at = ?, outcome = ?"
        " WHERE id = ? AND version = ?",
        (state.value, at(now), outcome, request.id, request.version),
    )
    if cursor.rowcount != 1:
        raise ConflictError("somebody was quicker")


def vote(tables: Tables, request: Request, cast: Vote, telegram_id: int) -> bool:
    """Write a vote; answers whether it is this person's first."""
    cursor = tables.conn.execute(
        "INSERT OR IGNORE INTO votes (request_id, person_id, telegram_id, decision, hash, at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (request.id, cast.person_id, telegram_id, cast.decision.value, cast.hash, at(cast.at)),
    )
    return cursor.rowcount == 1


def is_void(tables: Tables, cast: Vote) -> bool:
    """Whether its person was suspended, or lost a role or an account, since: what is given back later does not revive
    a vote."""
    found = tables.conn.execute(
        "SELECT 1 FROM audit WHERE object = ? AND at >= ?"
        " AND action IN ('person.suspended', 'role.taken', 'account.removed') LIMIT 1",
        (f"person/{cast.person_id}", at(cast.at)),
    ).fetchone()
    return found is not None


def _request(tables: Tables, row: tuple[Any, ...]) -> Request:
    number, kind, parameters, hashed, rule, state, version, asked_by, asked_at, expires_at, outcome = row
    votes = tables.conn.execute(
        "SELECT person_id, decision, hash, at FROM votes WHERE request_id = ? ORDER BY at, person_id", (number,)
    ).fetchall()
    texts: Mapping[str, str] = json.loads(parameters)
    return Request(
        id=number,
        kind=Kind(kind),
        parameters=texts,
        hash=hashed,
        rule=_rule(rule),
        state=State(state),
        version=version,
        asked_by=asked_by,
        asked_at=moment(asked_at),
        expires_at=moment(expires_at),
        votes=tuple(Vote(person, Decision(said), seen, moment(when)) for person, said, seen, when in votes),
        outcome=outcome,
    )


def _packed_rule(rule: Rule) -> str:
    return packed({"seats": [[seat.circle, seat.count] for seat in rule.seats], "barred": sorted(rule.barred)})


def _rule(text: str) -> Rule:
    said = json.loads(text)
    return Rule(tuple(Seat(circle, count) for circle, count in said["seats"]), frozenset(said["barred"]))

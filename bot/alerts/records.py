"""Rules, states, values and firings as rows."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from bot.alerts.book import Entry
from bot.alerts.model import (
    Measure,
    Occasion,
    Phase,
    Repeat,
    Rule,
    Severity,
    Side,
    Source,
    State,
    Target,
    Test,
)
from bot.store import Tables
from bot.store.columns import at, moment, packed

_SECOND = timedelta(seconds=1)
_STATES = (
    "SELECT alert_rules.id, owner, connection_id, what, subject, body, created_at,"
    " phase, side, since, reference, told_at, times, muted_until, muted_while_held"
    " FROM alert_rules LEFT JOIN alert_states ON rule_id = alert_rules.id"
)
_TOLD = "SELECT id, rule_id, severity, told_at, body, acknowledged_by, acknowledged_at, resolved_at FROM alert_firings"
AGAIN: Final = "/again/"
"""In a bucket: behind it, when something that lasts was said once more."""
KEY: Final = f"substr(bucket, 1, instr(bucket || '{AGAIN}', '{AGAIN}') - 1)"
"""Of a firing: what it is about, however often that was said."""
_PUT_STATE = (
    "INSERT OR REPLACE INTO alert_states SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9"
    " WHERE EXISTS (SELECT 1 FROM alert_rules WHERE id = ?1)"
)


@dataclass(frozen=True, slots=True)
class Told:
    """One firing as it was told. `chats`: the dedupe key of each message, by chat, with the card of its buttons."""

    id: str
    rule_id: str
    severity: Severity
    told_at: datetime
    title: str
    lines: tuple[str, ...]
    chats: Mapping[str, tuple[int, int | None]]
    acknowledged_by: int | None
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    audience: frozenset[int] | None = None
    """Whose business it is; None: everybody's who may read its connection."""


def read_entries(tables: Tables) -> list[Entry]:
    """Every rule, and how it stands."""
    return [_entry(row) for row in tables.conn.execute(_STATES)]


def read_entry(tables: Tables, rule_id: str) -> Entry | None:
    """One; None when it is gone."""
    row = tables.conn.execute(f"{_STATES} WHERE alert_rules.id = ?", (rule_id,)).fetchone()
    return None if row is None else _entry(row)


def entries_of(tables: Tables, owner: int) -> list[Entry]:
    """One person's, oldest first."""
    rows = tables.conn.execute(f"{_STATES} WHERE owner = ? ORDER BY created_at, alert_rules.id", (owner,))
    return [_entry(row) for row in rows]


def owners(tables: Tables) -> set[int]:
    """Who has any."""
    return {owner for (owner,) in tables.conn.execute("SELECT DISTINCT owner FROM alert_rules")}


def count_of(tables: Tables, owner: int) -> int:
    """How many somebody has."""
    (count,) = tables.conn.execute("SELECT count(*) FROM alert_rules WHERE owner = ?", (owner,)).fetchone()
    return int(count)


def read_values(tables: Tables) -> dict[Source, tuple[Decimal, datetime]]:
    """The latest value of every source, as it was written down last."""
    rows = tables.conn.execute("SELECT connection_id, what, subject, value, at FROM alert_values")
    return {
        Source(number, Measure(what), subject): (Decimal(value), moment(when))
        for number, what, subject, value, when in rows
    }


def _body_of(rule: Rule) -> dict[str, Any]:
    """What may change of a rule, as plain values."""
    return {
        "test": rule.test.value,
        "threshold": str(rule.threshold),
        "currency": rule.currency,
        "window": rule.window // _SECOND,
        "repeat": rule.repeat.value,
        "every": rule.every // _SECOND,
        "hysteresis": str(rule.hysteresis),
        "expires_at": None if rule.expires_at is None else at(rule.expires_at),
        "severity": rule.severity.value,
        "target": [rule.target.person, rule.target.chat, rule.target.thread],
        "rest": rule.rest // _SECOND,
        "is_paused": rule.is_paused,
    }


def row_of(rule: Rule) -> list[Any]:
    """A whole rule as plain values, for its row or a card."""
    source = rule.source
    return [
        rule.id,
        rule.owner,
        source.connection,
        source.what.value,
        source.subject,
        packed(_body_of(rule)),
        at(rule.created_at),
    ]


def write_rule(tables: Tables, rule: Rule) -> None:
    """A new one, or the same one changed."""
    tables.conn.execute(
        "INSERT INTO alert_rules VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
        row_of(rule),
    )


def write_states(tables: Tables, states: Iterable[tuple[str, State]]) -> None:
    """How rules stand; those that are gone by now are left out."""
    tables.conn.executemany(_PUT_STATE, [_state_row(one, state) for one, state in states])


def write_values(tables: Tables, values: Iterable[tuple[Source, Decimal, datetime]]) -> None:
    """The latest of some sources."""
    tables.conn.executemany(
        "INSERT OR REPLACE INTO alert_values VALUES (?, ?, ?, ?, ?)",
        [
            (source.connection, source.what.value, source.subject, str(value), at(when))
            for source, value, when in values
        ],
    )


def delete_rule(tables: Tables, rule_id: str) -> bool:
    """Answers whether it was there."""
    return bool(tables.conn.execute("DELETE FROM alert_rules WHERE id = ?", (rule_id,)).rowcount)


def looked_at(tables: Tables) -> list[tuple[int, int]]:
    """Whose rules, by their owner, look at which connections."""
    query = (
        "SELECT DISTINCT owner, connection_id FROM alert_rules WHERE connection_id != 0 AND NOT body ->> 'is_paused'"
    )
    return list(tables.conn.execute(query).fetchall())


def pause(tables: Tables, owner: int, connection: int) -> list[str]:
    """All that somebody has on a connection; which these were."""
    rows = tables.conn.execute(
        "UPDATE alert_rules SET body = json_set(body, '$.is_paused', json('true'))"
        " WHERE owner = ? AND connection_id = ? AND NOT body ->> 'is_paused' RETURNING id",
        (owner, connection),
    ).fetchall()
    return [str(number) for (number,) in rows]


def read_told(tables: Tables, firing_id: str) -> Told | None:
    """One firing; None when it is forgotten."""
    row = tables.conn.execute(f"{_TOLD} WHERE id = ?", (firing_id,)).fetchone()
    return None if row is None else _told(row)


def open_firings(tables: Tables, rule_id: str, bucket: str | None = None) -> list[Told]:
    """Those of a rule that were told and are not over; of one bucket only."""
    rows = tables.conn.execute(
        f"{_TOLD} WHERE rule_id = ? AND resolved_at IS NULL AND is_quiet = 0 AND bucket = coalesce(?, bucket)",
        (rule_id, bucket),
    )
    return [_told(row) for row in rows.fetchall()]


def open_keys(tables: Tables, occasion: Occasion) -> dict[int, tuple[str, datetime]]:
    """What was told of it and is not over, by connection; and since when that is so."""
    rows = tables.conn.execute(
        f"SELECT connection_id, {KEY}, min(happened_at) FROM alert_firings JOIN alert_rules ON alert_rules.id = rule_id"  # noqa: S608  # ours
        " WHERE what = ? AND resolved_at IS NULL AND is_quiet = 0 GROUP BY connection_id",
        (occasion.value,),
    )
    return {connection: (key, moment(since)) for connection, key, since in rows.fetchall()}


def unseen(tables: Tables, severity: Severity, since: datetime, until: datetime, steps: int) -> list[tuple[Told, int]]:
    """Those told meanwhile that nobody has acknowledged, that are not over, and that have gone fewer steps; with how
    many they have."""
    query = _TOLD.replace("SELECT id,", "SELECT steps, id,")
    rows = tables.conn.execute(
        f"{query} WHERE severity = ? AND acknowledged_at IS NULL AND resolved_at IS NULL AND is_quiet = 0"
        " AND told_at > ? AND told_at <= ? AND steps < ?",
        (severity.value, at(since), at(until), steps),
    )
    return [(_told(row[1:]), row[0]) for row in rows.fetchall()]


def gone_steps(tables: Tables, firing_id: str, steps: int, now: datetime) -> None:
    """It has been escalated so far."""
    tables.conn.execute(
        "UPDATE alert_firings SET steps = ?, escalated_at = ? WHERE id = ?", (steps, at(now), firing_id)
    )


def _told(row: tuple[Any, ...]) -> Told:
    number, rule_id, severity, told_at, body, by, acknowledged_at, resolved_at = row
    said = json.loads(body)
    return Told(
        number,
        rule_id,
        Severity(severity),
        moment(told_at),
        said["title"],
        tuple(said["lines"]),
        {key: (chat, card) for key, (chat, card) in said["chats"].items()},
        by,
        _moment(acknowledged_at),
        _moment(resolved_at),
        None if said.get("audience") is None else frozenset(said["audience"]),
    )


def _entry(row: tuple[Any, ...]) -> Entry:
    rule = rule_of(row[:7])
    return Entry(rule, State() if row[7] is None else _state(row[7:]))


def rule_of(row: Sequence[Any]) -> Rule:
    """What `row_of` made."""
    number, owner, connection, what, subject, text, created_at = row
    body = json.loads(text)
    return Rule(
        number,
        owner,
        Source(connection, _what(what), subject),
        Test(body["test"]),
        moment(created_at),
        Decimal(body["threshold"]),
        body["currency"],
        body["window"] * _SECOND,
        Repeat(body["repeat"]),
        body["every"] * _SECOND,
        Decimal(body["hysteresis"]),
        _moment(body["expires_at"]),
        Severity(body["severity"]),
        Target(*body["target"]),
        body["rest"] * _SECOND,
        body["is_paused"],
    )


def _state(row: tuple[Any, ...]) -> State:
    phase, side, since, reference, told_at, times, muted_until, muted_while_held = row
    return State(
        Phase(phase),
        Side(side),
        _moment(since),
        None if reference is None else Decimal(reference),
        _moment(told_at),
        times,
        _moment(muted_until),
        bool(muted_while_held),
    )


def _state_row(rule_id: str, state: State) -> tuple[Any, ...]:
    return (
        rule_id,
        state.phase.value,
        state.side.value,
        _column(state.since),
        None if state.reference is None else str(state.reference),
        _column(state.told_at),
        state.times,
        _column(state.muted_until),
        int(state.muted_while_held),
    )


def _what(text: str) -> Measure | Occasion:
    return Measure(text) if text in _MEASURES else Occasion(text)


_MEASURES = frozenset(Measure)


def _moment(column: int | None) -> datetime | None:
    return None if column is None else moment(column)


def _column(when: datetime | None) -> int | None:
    return None if when is None else at(when)

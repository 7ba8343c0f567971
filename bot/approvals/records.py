"""Rows ⇄ requests. Every change names the version it saw."""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bot.approvals.machine import ENDS, Event, after
from bot.approvals.model import Decision, Kind, Proof, Request, Rule, Seat, Stake, State, Vote, hash_of
from bot.errors import AlikeError, ConflictError, NotFoundError
from bot.money import Currency, Money
from bot.store import Tables
from bot.store.columns import at, moment, packed

_log = logging.getLogger(__name__)
_COLUMNS = (
    "id, kind, parameters, hash, rule, state, version, asked_by, asked_at, expires_at, outcome,"
    " connection_id, amount, currency, same, number, held_until, asked_in_chat"
)
_SAID_OF_A_RULE = frozenset({"seats", "barred", "proof", "hold", "life", "name", "uncounted"})
_WITHOUT_EFFECT = frozenset({State.DENIED, State.EXPIRED, State.CANCELLED, State.FAILED})


def insert(tables: Tables, request: Request, asked_in: str | None) -> None:
    """A new row.

    Raises:
        ConflictError: The message it was asked in has made one already (M09).
        AlikeError: One that would do the same thing is on its way, or its outcome is unknown (M06).
    """
    stake = request.stake
    if stake is not None:
        alike = tables.conn.execute("SELECT id, state FROM requests WHERE blocks = ?", (stake.same,)).fetchone()
        if alike is not None:
            raise AlikeError(alike[0], alike[1])
    money = stake.amount if stake is not None else None
    values = (
        request.id,
        request.kind.value,
        packed(dict(request.parameters)),
        request.hash,
        packed_rule(request.rule),
        request.state.value,
        request.version,
        request.asked_by,
        at(request.asked_at),
        at(request.expires_at),
        asked_in,
        stake.connection_id if stake is not None else None,
        money.text() if money is not None else None,
        money.currency.code if money is not None else None,
        stake.same if stake is not None else None,
        stake.same if stake is not None else None,
        request.number,
        request.asked_in_chat,
    )
    cursor = tables.conn.execute(
        "INSERT OR IGNORE INTO requests"
        " (id, kind, parameters, hash, rule, state, version, asked_by, asked_at, expires_at, asked_in,"
        " connection_id, amount, currency, same, blocks, number, asked_in_chat)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
    return standing(tables, (State.PENDING,))


def standing(tables: Tables, states: Iterable[State]) -> list[Request]:
    """Every request in one of these states, oldest first."""
    rows = tables.conn.execute(
        f"SELECT {_COLUMNS} FROM requests"  # noqa: S608  # columns are ours
        " WHERE state IN (SELECT value FROM json_each(?)) ORDER BY asked_at, id",
        (packed([state.value for state in states]),),
    ).fetchall()
    return list(_readable(tables, rows))


def newest(
    tables: Tables, kind: Kind | None, state: State | None, since: datetime | None, until: datetime | None, most: int
) -> list[Request]:
    """The newest first, of a kind, in a state, asked for since (inclusive) and until (exclusive); None is any."""
    rows = tables.conn.execute(
        f"SELECT {_COLUMNS} FROM requests"  # noqa: S608  # columns are ours
        " WHERE kind = coalesce(?, kind) AND state = coalesce(?, state) AND asked_at >= ? AND asked_at < ?"
        " ORDER BY asked_at DESC, id DESC LIMIT ?",
        (
            kind,
            state,
            at(since) if since is not None else 0,
            at(until) if until is not None else 2**62,
            most,
        ),
    ).fetchall()
    return list(_readable(tables, rows))


def move(
    tables: Tables,
    request: Request,
    event: Event,
    now: datetime,
    outcome: str = "",
    *,
    held_until: datetime | None = None,
    moved_money: bool = True,
) -> Request:
    """Carry the row over to the state after `event`, if nobody was quicker: `ConflictError`. Answers it as it is then.

    Once it has ended nothing like it is kept from being asked for; and what had no effect counts in no limit (M80).

    Args:
        moved_money: What two people say of an outcome that they settle by hand.
    """
    state = after(request.state, event)
    cursor = tables.conn.execute(
        "UPDATE requests SET state = ?, version = version + 1, settled_at = ?, outcome = ?,"
        " held_until = coalesce(?, held_until), blocks = CASE WHEN ? THEN NULL ELSE blocks END,"
        " counts = CASE WHEN ? THEN 0 ELSE counts END"
        " WHERE id = ? AND version = ?",
        (
            state.value,
            at(now),
            outcome,
            at(held_until) if held_until is not None else None,
            state in ENDS,
            state in _WITHOUT_EFFECT or not moved_money,
            request.id,
            request.version,
        ),
    )
    if cursor.rowcount != 1:
        raise ConflictError("somebody was quicker")
    return replace(
        request,
        state=state,
        version=request.version + 1,
        outcome=outcome,
        held_until=held_until or request.held_until,
    )


def unblock(tables: Tables, request: Request) -> bool:
    """Let another like it be asked for, although what became of this one is unknown; answers whether that is new."""
    cursor = tables.conn.execute("UPDATE requests SET blocks = NULL WHERE id = ? AND blocks IS NOT NULL", (request.id,))
    return cursor.rowcount == 1


def counts(tables: Tables, request: Request) -> bool:
    """Whether limits count it: for what has ended, whether money moved (M80)."""
    return bool(tables.conn.execute("SELECT counts FROM requests WHERE id = ?", (request.id,)).fetchone()[0])


def settled_since(tables: Tables, since: datetime) -> list[Request]:
    """What people have settled by hand since then, oldest first."""
    rows = tables.conn.execute(
        f"SELECT {_COLUMNS} FROM requests WHERE state = ? AND settled_at >= ? ORDER BY settled_at",  # noqa: S608  # ours
        (State.SETTLED_BY_HAND.value, at(since)),
    ).fetchall()
    return list(_readable(tables, rows))


def succeeded_about(tables: Tables, kind: Kind, target: str) -> list[Request]:
    """What was done of one kind to one thing."""
    rows = tables.conn.execute(
        f"SELECT {_COLUMNS} FROM requests WHERE kind = ? AND state = ?"  # noqa: S608  # columns are ours
        " AND json_extract(parameters, '$.target') = ?",
        (kind.value, State.SUCCEEDED.value, target),
    ).fetchall()
    return list(_readable(tables, rows))


def vote(tables: Tables, request: Request, cast: Vote, telegram_id: int) -> bool:
    """Write a vote; answers whether it is this person's first."""
    cursor = tables.conn.execute(
        "INSERT OR IGNORE INTO votes (request_id, person_id, telegram_id, decision, hash, at, proof, shown, message_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            request.id,
            cast.person_id,
            telegram_id,
            cast.decision.value,
            cast.hash,
            at(cast.at),
            cast.proof.value,
            cast.shown,
            cast.message_id,
        ),
    )
    return cursor.rowcount == 1


def missed(tables: Tables, request: Request) -> set[int]:
    """Who has picked a wrong number for it (our ids), and so cannot approve it any more."""
    rows = tables.conn.execute("SELECT person_id FROM number_misses WHERE request_id = ?", (request.id,)).fetchall()
    return {person_id for (person_id,) in rows}


def is_void(tables: Tables, cast: Vote) -> bool:
    """Whether its person was suspended, or lost a role or an account, since: what is given back later does not revive
    a vote."""
    found = tables.conn.execute(
        "SELECT 1 FROM audit WHERE object = ? AND at >= ?"
        " AND action IN ('person.suspended', 'role.taken', 'account.removed') LIMIT 1",
        (f"person/{cast.person_id}", at(cast.at)),
    ).fetchone()
    return found is not None


def terms_of(request: Request) -> str:
    """64 hex digits over everything of a request that never changes, as its row holds it."""
    stake = request.stake
    money = stake.amount if stake is not None else None
    terms = [
        request.id,
        request.hash,
        packed_rule(request.rule),
        at(request.asked_at),
        at(request.expires_at),
        stake.connection_id if stake is not None else None,
        str(money),
        stake.same if stake is not None else None,
        request.number,
        request.asked_in_chat,
    ]
    return hashlib.sha256(packed(terms).encode()).hexdigest()


def is_as_recorded(tables: Tables, request: Request) -> bool:
    """Whether the rows still say what the audit log says was asked for, and who approved exactly that."""
    about = f"request/{request.id}"
    terms = tables.conn.execute(
        "SELECT details ->> 'terms' FROM audit WHERE object = ? AND action = 'request.asked'", (about,)
    ).fetchone()
    approved = tables.conn.execute(
        "SELECT person_id, details ->> 'hash' FROM audit"
        " WHERE object = ? AND action = 'request.approved' AND person_id IS NOT NULL",
        (about,),
    ).fetchall()
    stored = {(vote.person_id, vote.hash) for vote in request.votes if vote.decision is Decision.APPROVE}
    is_hashed = request.hash == hash_of(request.kind, request.asked_by, request.parameters)
    return is_hashed and terms == (terms_of(request),) and stored == set(approved)


def _readable(tables: Tables, rows: Iterable[tuple[Any, ...]]) -> Iterator[Request]:
    """One row that somebody has spoilt keeps nobody from the others; it is named in the log."""
    for row in rows:
        try:
            yield _request(tables, row)
        except (ValueError, KeyError, TypeError):
            _log.critical("the row of a request cannot be read", extra={"request": row[0]})


def _request(tables: Tables, row: tuple[Any, ...]) -> Request:
    (name, kind, parameters, hashed, rule, state, version, asked_by, asked_at, expires_at, outcome) = row[:11]
    (connection, amount, currency, same, number, held_until, chat) = row[11:]
    votes = tables.conn.execute(
        "SELECT person_id, decision, hash, at, proof, shown, message_id FROM votes WHERE request_id = ?"
        " ORDER BY at, person_id",
        (name,),
    ).fetchall()
    texts: Mapping[str, str] = json.loads(parameters)
    money = Money(Decimal(amount), Currency(currency)) if amount is not None else None
    return Request(
        id=name,
        kind=Kind(kind),
        parameters=texts,
        hash=hashed,
        rule=_rule(rule),
        state=State(state),
        version=version,
        asked_by=asked_by,
        asked_at=moment(asked_at),
        expires_at=moment(expires_at),
        votes=tuple(_vote(*one) for one in votes),
        outcome=outcome,
        stake=Stake(connection, money, same) if same is not None else None,
        number=number,
        held_until=moment(held_until) if held_until is not None else None,
        asked_in_chat=chat,
    )


def _vote(person: int, said: str, seen: str, when: int, proof: int, shown: str, message_id: int | None) -> Vote:
    return Vote(person, Decision(said), seen, moment(when), Proof(proof), shown, message_id)


def packed_rule(rule: Rule) -> str:
    """The rule as its row holds it."""
    uncounted = {"uncounted": True} if rule.is_uncounted else {}  # not told otherwise: `terms_of` older rows lacks it
    return packed(
        {
            "seats": [[seat.circle, seat.count] for seat in rule.seats],
            "barred": sorted(rule.barred),
            "proof": rule.proof.value,
            "hold": int(rule.hold.total_seconds()),
            "life": int(rule.life.total_seconds()),
            "name": rule.name,
            **uncounted,
        }
    )


def _rule(text: str) -> Rule:
    """What an earlier version did not write has its value of then; a word that nobody wrote is a spoilt one."""
    said = json.loads(text)
    if not _SAID_OF_A_RULE.issuperset(said):
        raise ValueError("the rule of a request")
    return Rule(
        tuple(Seat(circle, count) for circle, count in said["seats"]),
        frozenset(said["barred"]),
        Proof(said.get("proof", 0)),
        timedelta(seconds=said.get("hold", 0)),
        timedelta(seconds=said.get("life", 1800)),
        said.get("name", ""),
        said.get("uncounted", False),
    )

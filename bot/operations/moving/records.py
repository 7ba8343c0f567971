"""Rows of what is sent and what was seen of it, and of what the limits count."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from bot.access.model import Person, Role
from bot.approvals.model import Request, circles_of
from bot.approvals.policy.model import Act as Named
from bot.approvals.policy.model import Case
from bot.logs import redact
from bot.money import Currency, Money
from bot.providers.acts import Act, Evidence, Outcome, Prepared, Receipt
from bot.providers.records import Environment
from bot.store import Tables
from bot.store.columns import at, moment, packed


@dataclass(frozen=True, slots=True)
class Sending:
    """One attempt: what was stored before the first byte left (M02), and how that ended."""

    request_id: str
    attempt: int
    connection_id: int
    reference: str
    nonce: int | None
    wire: bytes
    prepared_at: datetime
    begun_at: datetime
    outcome: Outcome | None
    receipt: str
    code: str
    detail: str

    def prepared(self, act: Act) -> Prepared:
        """What the adapter handed over then; `act` is made anew from what was approved."""
        return Prepared(act, self.reference, self.nonce, self.wire, self.prepared_at, self.receipt)


def begin(tables: Tables, request: Request, prepared: Prepared, attempt: int, now: datetime) -> None:
    """Before a byte leaves."""
    tables.conn.execute(
        "INSERT INTO sendings (request_id, attempt, connection_id, reference, nonce, wire, prepared_at, begun_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            request.id,
            attempt,
            request.stake.connection_id if request.stake is not None else 0,
            prepared.reference,
            prepared.nonce,
            prepared.wire,
            at(prepared.prepared_at),
            at(now),
        ),
    )


def end(tables: Tables, request_id: str, attempt: int, receipt: Receipt, now: datetime) -> None:
    """How the attempt ended, as far as its own answer says."""
    tables.conn.execute(
        "UPDATE sendings SET outcome = ?, receipt = ?, code = ?, detail = ?, ended_at = ?"
        " WHERE request_id = ? AND attempt = ?",
        (receipt.outcome.value, receipt.reference, receipt.code, receipt.detail, at(now), request_id, attempt),
    )


class Asked(StrEnum):
    """What a provider answered to."""

    SENT = "sent"
    LOOKED = "looked"


@dataclass(frozen=True, slots=True)
class Said:
    """Its answer, word for word but for what is secret."""

    at: datetime
    asked: Asked
    body: str


def keep_answer(tables: Tables, request_id: str, asked: Asked, text: str, now: datetime) -> None:
    """Masked before it is a row; nothing is kept of nothing."""
    body = "\n".join(redact(line) for line in text.splitlines())
    if body:
        tables.conn.execute(
            "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?)", (request_id, at(now), asked.value, body)
        )


def answers_of(tables: Tables, request_id: str) -> list[Said]:
    """All that were kept, oldest first."""
    rows = tables.conn.execute("SELECT at, asked, body FROM answers WHERE request_id = ? ORDER BY at", (request_id,))
    return [Said(moment(when), Asked(asked), body) for when, asked, body in rows]


def sendings_of(tables: Tables, request_id: str) -> list[Sending]:
    """Every attempt, oldest first."""
    rows = tables.conn.execute(
        "SELECT request_id, attempt, connection_id, reference, nonce, wire, prepared_at, begun_at, outcome, receipt,"
        " code, detail FROM sendings WHERE request_id = ? ORDER BY attempt",
        (request_id,),
    ).fetchall()
    return [
        Sending(
            name,
            attempt,
            connection,
            reference,
            nonce,
            wire,
            moment(prepared),
            moment(begun),
            Outcome(outcome) if outcome is not None else None,
            receipt,
            code,
            detail,
        )
        for name, attempt, connection, reference, nonce, wire, prepared, begun, outcome, receipt, code, detail in rows
    ]


_SEEN = "outcome, reference, detail, differing, alike, absent, answered_later, balance"


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one look at the provider showed."""

    at: datetime
    outcome: Outcome
    reference: str
    detail: str
    differing: tuple[str, ...]
    alike: tuple[str, ...]
    absent: bool
    answered_later: bool
    balance: str | None


def note_sighting(tables: Tables, request_id: str, evidence: Evidence, now: datetime) -> None:
    """Of several looks in a row that show the same the first and the last are kept."""
    absence = evidence.absence
    balance = str(absence.balance) if absence is not None and absence.balance is not None else None
    before = tables.conn.execute(
        f"SELECT at, {_SEEN} FROM sightings WHERE request_id = ? ORDER BY at DESC LIMIT 2",  # noqa: S608  # ours
        (request_id,),
    ).fetchall()
    seen = (
        evidence.outcome.value,
        evidence.reference,
        evidence.detail,
        packed(list(evidence.differing)),
        packed(list(evidence.alike)),
        absence is not None,
        absence is not None and absence.answered_later,
        balance,
    )
    if len(before) == 2 and before[0][1:] == before[1][1:] == seen:
        tables.conn.execute("DELETE FROM sightings WHERE request_id = ? AND at = ?", (request_id, before[0][0]))
    tables.conn.execute(
        f"INSERT OR REPLACE INTO sightings (request_id, at, {_SEEN}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (request_id, at(evidence.seen_at or now), *seen),
    )


def sightings_of(tables: Tables, request_id: str) -> list[Sighting]:
    """Every one, oldest first."""
    rows = tables.conn.execute(
        "SELECT at, outcome, reference, detail, differing, alike, absent, answered_later, balance"
        " FROM sightings WHERE request_id = ? ORDER BY at",
        (request_id,),
    ).fetchall()
    return [
        Sighting(
            moment(row[0]),
            Outcome(row[1]),
            row[2],
            row[3],
            tuple(json.loads(row[4])),
            tuple(json.loads(row[5])),
            bool(row[6]),
            bool(row[7]),
            row[8],
        )
        for row in rows
    ]


def another_did_it(tables: Tables, request: Request, reference: str) -> bool:
    """Whether an effect that carries no mark may be, or is, that of another request."""
    same = request.stake.same if request.stake is not None else None
    under_way = tables.conn.execute(
        "SELECT 1 FROM requests WHERE id != ? AND same = ? AND state IN ('sending', 'acked', 'unknown')",
        (request.id, same),
    ).fetchone()
    claimed = tables.conn.execute(
        "SELECT 1 FROM requests JOIN sendings ON sendings.request_id = requests.id"
        " LEFT JOIN sightings ON sightings.request_id = requests.id AND sightings.outcome = 'succeeded'"
        " WHERE requests.id != ? AND json_extract(requests.parameters, '$.provider') = ?"
        " AND (sendings.receipt = ? AND sendings.outcome = 'succeeded' OR sightings.reference = ?)",
        (request.id, request.parameters["provider"], reference, reference),
    ).fetchone()
    return under_way is not None or claimed is not None


def is_first_payment(tables: Tables, parameters: Mapping[str, str]) -> bool:
    """Whether nothing is known to have arrived where this would go. What was said by hand is no proof of it."""
    found = tables.conn.execute(
        "SELECT 1 FROM requests WHERE kind = 'transfer' AND state = 'succeeded'"
        " AND json_extract(parameters, '$.target') = ? AND json_extract(parameters, '$.provider') = ? LIMIT 1",
        (parameters["target"], parameters["provider"]),
    ).fetchone()
    return found is None


def note_case(tables: Tables, request_id: str, case: Case, policy: int, tier: str) -> None:
    """What the limits count from now on, unless it ends without effect."""
    amount = case.amount
    tables.conn.execute(
        "INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            request_id,
            case.act.value,
            case.provider,
            case.environment.value,
            case.connection,
            case.source,
            case.beneficiary,
            amount.text() if amount is not None else None,
            amount.currency.code if amount is not None else None,
            at(case.at),
            case.requester.id,
            packed(sorted(circles_of(case.requester))),
            policy,
            tier,
        ),
    )


def counting(
    tables: Tables, currency: Currency | None, since: datetime, *, before: datetime | None = None
) -> list[Case]:
    """Every case since a moment that limits count, of one currency or of all; with `before` only what was asked for
    earlier."""
    of_currency, values = ("", ()) if currency is None else ("cases.currency = ? AND", (currency.code,))
    rows = tables.conn.execute(
        "SELECT cases.act, provider, environment, connection, source, beneficiary, cases.amount, cases.currency,"  # noqa: S608  # ours
        " cases.at, cases.person_id, circles FROM cases JOIN requests ON requests.id = request_id"
        f" WHERE {of_currency} cases.at >= ? AND (? IS NULL OR cases.at < ?) AND counts = 1 ORDER BY cases.at",
        (*values, at(since), *((at(before) if before is not None else None,) * 2)),
    ).fetchall()
    return list(cases_from(rows))


def case_of(tables: Tables, request_id: str) -> Case | None:
    """What the limits look at of one request; None where it moves no money."""
    rows = tables.conn.execute(
        "SELECT act, provider, environment, connection, source, beneficiary, amount, currency, at, person_id, circles"
        " FROM cases WHERE request_id = ?",
        (request_id,),
    ).fetchall()
    return next(iter(cases_from(rows)), None)


_CaseRow = tuple[str, str, str, str, str, str, str | None, str | None, int, int, str]


def cases_from(rows: Iterable[_CaseRow]) -> Iterable[Case]:
    """Rows ⇄ cases. Who asked is known as they were then."""
    return map(_case, rows)


@lru_cache(maxsize=4096)  # a case stays as it was written, and all of a day are counted anew for each request
def _case(row: _CaseRow) -> Case:
    act, provider, environment, connection, source, beneficiary, amount, currency, when, person, circles = row
    return Case(
        Named(act),
        provider,
        Environment(environment),
        connection,
        source,
        beneficiary,
        _money(amount, currency) if amount is not None and currency is not None else None,
        moment(when),
        _person(person, circles),
    )


@lru_cache(maxsize=4096)
def _money(amount: str, currency: str) -> Money:
    return Money(Decimal(amount), Currency(currency))


@lru_cache(maxsize=512)  # few ask, and each of them often
def _person(number: int, circles: str) -> Person:
    held: dict[str, set[str]] = {"role": set(), "group": set()}
    for circle in json.loads(circles):
        kind, _, name = circle.partition("/")
        held[kind].add(name)
    return Person(number, "", frozenset(Role(role) for role in held["role"]), frozenset(), frozenset(held["group"]))

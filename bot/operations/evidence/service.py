"""Gathers what is known of a request into a pack. That one was made is a row of the audit log, with its SHA-256."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from bot.access.model import Person, Right
from bot.access.service import people_in
from bot.approvals import enclosures
from bot.approvals import records as requests
from bot.approvals.model import Request
from bot.approvals.policies import Policies
from bot.approvals.policy.reading import read
from bot.approvals.service import Approvals
from bot.audit import anchors
from bot.audit.chain import RawRow
from bot.audit.service import Audit
from bot.clock import Clock
from bot.errors import ConflictError, NotAllowedError
from bot.operations.evidence.dossier import Dossier, LogRow, PolicyText, Remembered
from bot.operations.evidence.packing import members_of, zipped
from bot.operations.moving import records
from bot.operations.rates import Entered, rates_for
from bot.ports import Deed
from bot.store import Database, Tables
from bot.store.columns import moment

MOST_ROWS: Final = 100_000
"""Of the audit log in one pack: some 20 MB."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A ZIP, ready to be handed over."""

    name: str
    content: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class _Path:
    """Which part of the log: from the request's first row to the last one that says something of it, or beyond."""

    own: frozenset[int]
    first: int
    last: int
    head: Remembered


class Evidence:
    """Makes packs."""

    def __init__(
        self, database: Database, approvals: Approvals, audit: Audit, clock: Clock, anchor_file: Path | None
    ) -> None:
        self._database = database
        self._approvals = approvals
        self._audit = audit
        self._clock = clock
        self._anchor_file = anchor_file

    async def take(self, by: Person, request_id: str, *, telegram_id: int) -> Pack:
        """Everything about one request.

        Raises:
            NotFoundError: There is none.
            NotAllowedError: Not for this person: its asker, who decides on such things, and auditors may.
            ConflictError: Its part of the audit log is too long for a pack.
        """
        now = self._clock.now()
        facts, path = await self._database.read(lambda tables: self._facts(tables, by, request_id, now))
        known = await self._remembered(path)
        end = min((one.seq for one in known if one.seq >= path.last), default=path.head.seq)
        if end - path.first >= MOST_ROWS:
            raise ConflictError(
                f"the audit log goes on for {end - path.first:,} rows from there to what is known outside, and a pack "
                "takes fewer; an anchor file under [audit] makes that path short"
            )
        log = await self._log(path, end)
        own = [one for one in (*known, path.head) if path.first <= one.seq <= end and _is_of(one, log, path)]
        dossier = replace(facts, log=log, anchors=tuple(own))
        content = await asyncio.to_thread(lambda: zipped(members_of(dossier), now))
        digest = sha256(content).hexdigest()
        deed = Deed("evidence.taken", f"request/{request_id}", by.id, telegram_id, {"sha256": digest})
        await self._database.write(lambda tables: self._audit.record(tables, deed))
        return Pack(f"evidence-{request_id}.zip", content, digest)

    async def _log(self, path: _Path, end: int) -> tuple[LogRow, ...]:
        found: list[LogRow] = []
        after = path.first - 1
        while rows := await self._rows(after, end):
            found += [_log_row(row, path.own) for row in rows]
            after = int(rows[-1][0])
        return tuple(found)

    async def _rows(self, after: int, end: int) -> list[RawRow]:
        return await self._database.read(lambda tables: self._audit.raw_rows(tables, after, end))

    async def _remembered(self, path: _Path) -> list[Remembered]:
        """What is known outside of rows from the request's first on: by the anchor file, and in the audit chat."""
        in_chat = await self._database.read(_told_in_chat)
        in_file = await asyncio.to_thread(_in_file, self._anchor_file)
        found = [one for one in (*in_file, *in_chat) if one.seq >= path.first]
        return sorted(found, key=lambda one: one.seq)

    def _facts(self, tables: Tables, by: Person, request_id: str, now: datetime) -> tuple[Dossier, _Path]:
        """Everything but the log, and which part of that: both as of this moment, so that they go together."""
        request = _allowed(tables, by, request_id)
        remarks, files = enclosures.remarks_on(tables, request_id), enclosures.files_of(tables, request_id)
        policy, tier = _judged_by(tables, request_id)
        people = {request.asked_by, *(one.person_id for one in request.votes)}
        people |= {one.person_id for one in remarks} | {one.person_id for one in files}
        names = dict(tables.conn.execute("SELECT id, name FROM persons").fetchall())
        sendings = records.sendings_of(tables, request_id)
        dossier = Dossier(
            made_at=now,
            request=request,
            lines=self._approvals.lines(request),
            names={number: name for number, name in names.items() if number in people},
            tier=tier,
            policy=policy,
            rates=tuple(_rates(tables, request, policy, sendings[-1].begun_at if sendings else now)),
            sendings=tuple(sendings),
            sightings=tuple(records.sightings_of(tables, request_id)),
            answers=tuple(records.answers_of(tables, request_id)),
            remarks=tuple(remarks),
            files=tuple((file, enclosures.content_of(tables, file.id)) for file in files),
            log=(),
            anchors=(),
        )
        return dossier, _path(tables, self._audit, request_id, now)


def _allowed(tables: Tables, by: Person, request_id: str) -> Request:
    request = requests.read(tables, request_id)
    person = next((one for one in people_in(tables) if one.id == by.id), None)
    may = person is not None and any(person.may(right) for right in (Right.DECIDE, Right.READ_AUDIT, Right.PEOPLE))
    if request.asked_by != by.id and not may:
        raise NotAllowedError("see the evidence of a request of somebody else")
    return request


def _path(tables: Tables, audit: Audit, request_id: str, now: datetime) -> _Path:
    """Rows about the request itself, and those that say what something was done for, such as a code that was used."""
    about = f"request/{request_id}"
    first = tables.conn.execute("SELECT min(seq) FROM audit WHERE object = ?", (about,)).fetchone()[0]
    rows = tables.conn.execute(
        "SELECT seq FROM audit WHERE seq >= ? AND (object = ? OR instr(details, ?) > 0)",
        (first, about, request_id),
    ).fetchall()
    own = frozenset(seq for (seq,) in rows)
    head = audit.head(tables)
    if head is None:
        raise ConflictError("the audit log is empty")
    here = Remembered(now, head.seq, head.hash.hex(), head.epoch, "the log's end when this pack was made")
    return _Path(own, min(own), max(own), here)


def _judged_by(tables: Tables, request_id: str) -> tuple[PolicyText | None, str]:
    """The policy that a movement of money was judged by, and the tier."""
    row = tables.conn.execute("SELECT policy, tier FROM cases WHERE request_id = ?", (request_id,)).fetchone()
    if row is None:
        return None, ""
    found = [one for one in Policies.versions(tables) if one.number == row[0]]
    return (PolicyText(found[0].number, found[0].document) if found else None), str(row[1])


def _rates(tables: Tables, request: Request, judged_by: PolicyText | None, last: datetime) -> list[Entered]:
    """Nobody weighs it any more when it is too late to send it."""
    case = records.case_of(tables, request.id)
    if case is None or judged_by is None:
        return []
    return rates_for(tables, case, read(judged_by.document), min(last, request.send_by))


def _log_row(raw: Sequence[Any], own: frozenset[int]) -> LogRow:
    seq, prev, hashed = raw[0], bytes(raw[8]).hex(), bytes(raw[9]).hex()
    return LogRow(seq, prev, hashed, tuple(_text(field) for field in raw[:8]) if seq in own else None)


def _text(field: Any) -> Any:
    return field.decode(errors="replace") if isinstance(field, bytes) else field


def _is_of(one: Remembered, log: Iterable[LogRow], path: _Path) -> bool:
    """Whether it speaks of this log's rows, and not of those that a restore took away since."""
    if one.epoch == path.head.epoch:
        return True
    return any(row.seq == one.seq and row.hash == one.hash for row in log)


def _in_file(path: Path | None) -> list[Remembered]:
    """What the anchor file says; nothing when it is not ours to read."""
    try:
        lines = [] if path is None else path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        for anchor in anchors.read_lines([line])[0]:
            when = datetime.fromisoformat(line.split()[0])
            found.append(Remembered(when, anchor.seq, anchor.hash.hex(), anchor.epoch or 1, "the desk's anchor file"))
    return found


def _told_in_chat(tables: Tables) -> list[Remembered]:
    """The daily heads that were sent to the audit chat, as far as they are remembered."""
    rows = tables.conn.execute(
        "SELECT body, chat_id, message_id, sent_at FROM outbox"
        " WHERE dedupe LIKE 'audit/head/%' AND message_id IS NOT NULL ORDER BY id"
    ).fetchall()
    found = []
    for body, chat, message, sent in rows:
        anchor = anchors.anchor_from(json.loads(body)["lines"][0])
        if anchor is not None:
            source = f"message {message} of chat {chat}"
            found.append(Remembered(moment(sent), anchor.seq, anchor.hash.hex(), anchor.epoch or 1, source))
    return found

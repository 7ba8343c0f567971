"""The audit log: one row for each change, in the change's own transaction.

If the row cannot be written, the change does not happen. Details are canonical JSON and never hold a secret: what is
one right now, or looks like one, is masked before it is hashed. How rows hang together is `chain`'s.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache

import msgspec

from bot.audit.chain import FIRST, Code, Examination, RawRow, generation_of, hash_of
from bot.audit.model import Anchor, Head, Row, Selection, Verdict
from bot.clock import Clock
from bot.logs import redact
from bot.ports import Deed
from bot.secret import MASK, conceal
from bot.store import Tables
from bot.store.columns import at, moment, packed

_COLUMNS = "seq, at, epoch, person_id, telegram_id, action, object, details, prev, hash, mac"
_RAW = (
    "seq, at, epoch, person_id, telegram_id, CAST(action AS BLOB), CAST(object AS BLOB), CAST(details AS BLOB),"
    " prev, hash, mac"
)
_INSERT = f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  # a constant
_BEFORE = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1"
NAMED_IN_DETAILS = (
    "instr(details, '\"for_person\":') AND"
    " CASE WHEN json_valid(details) THEN json_extract(details, '$.for_person') END = ?"
)
"""Rows in whose details a person is named: what others, or the host, did for them. As the index `audit_for` has it."""
_TELLTALE = re.compile(r"[:=,%]|1-")
"""Without one of these no text has the shape of a secret. A hyphen alone is none: references of ours have one."""
_LATEST = 253_402_300_799_999
"""The last moment of the year 9999."""
_PAGE = 2000
"""Rows of one look: a few milliseconds of the database's thread."""


class Audit:
    """Writes, reads and examines the chain."""

    def __init__(self, clock: Clock, code: Code, epoch: int) -> None:
        """`code` makes the MAC of a row's hash with the key of its day; the vault's keys bring it."""
        self._clock = clock
        self._code = code
        self._epoch = epoch

    def record(self, tables: Tables, deed: Deed) -> None:
        """Append `deed` inside the caller's transaction.

        The row before is read each time: what is remembered of it would be wrong after somebody's rollback.
        """
        row = tables.conn.execute(_BEFORE).fetchone()
        seq, prev = (row[0] + 1, row[1]) if row else (1, FIRST)
        now = at(self._clock.now())
        object_, details = _without_secrets(deed)
        fields = (seq, now, self._epoch, deed.person_id, deed.telegram_id, deed.action, object_, packed(details))
        hashed = hash_of(fields, prev)
        tables.conn.execute(_INSERT, (*fields, prev, hashed, self._code(hashed, generation_of(now))))

    @staticmethod
    def head(tables: Tables) -> Head | None:
        """The last row's number, hash and epoch; None for an empty log."""
        row = tables.conn.execute("SELECT seq, hash, epoch FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
        return None if row is None else Head(*row)

    @staticmethod
    def hash_at(tables: Tables, seq: int) -> bytes | None:
        """The hash of one row; None when there is no such row."""
        row = tables.conn.execute("SELECT hash FROM audit WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else row[0]

    @staticmethod
    def began_at(tables: Tables) -> datetime | None:
        """When the oldest row was written, as far as that can be read; None for an empty log."""
        oldest = "SELECT min(at) FROM audit WHERE typeof(at) = 'integer' AND at BETWEEN 0 AND ?"
        (millis,) = tables.conn.execute(oldest, (_LATEST,)).fetchone()
        return None if millis is None else moment(millis)

    @staticmethod
    def newest(tables: Tables, selection: Selection, limit: int, *, before: int | None = None) -> list[Row]:
        """The selected rows, newest first; with `before`, those below that number."""
        return _rows(tables, selection, "seq < ?", before, "DESC", limit)

    @staticmethod
    def oldest(tables: Tables, selection: Selection, limit: int, *, after: int | None = None) -> list[Row]:
        """The selected rows, oldest first; with `after`, those above that number."""
        return _rows(tables, selection, "seq > ?", after, "ASC", limit)

    def examination(self, anchors: Iterable[Anchor] = ()) -> Examination:
        """To be fed with `raw_rows`, page after page."""
        return Examination(self._code, anchors)

    @staticmethod
    def last(tables: Tables) -> int:
        """The highest number there is; 0 for an empty log."""
        numbers = "SELECT coalesce(max(seq), 0) FROM audit WHERE typeof(seq) = 'integer'"
        return int(tables.conn.execute(numbers).fetchone()[0])

    @staticmethod
    def raw_rows(tables: Tables, after: int | None, upto: int) -> list[RawRow]:
        """The next rows as they lie there, whatever they are; an empty list at the end."""
        first, values = ("", ()) if after is None else ("seq > ? AND ", (after,))
        return tables.conn.execute(
            f"SELECT {_RAW} FROM audit WHERE {first}seq <= ? ORDER BY seq LIMIT {_PAGE}",  # noqa: S608  # constants
            (*values, upto),
        ).fetchall()

    @staticmethod
    def count(tables: Tables, upto: int) -> int:
        """All rows but those with a number above `upto`, in their order or not."""
        (counted,) = tables.conn.execute(
            "SELECT count(*) FROM audit WHERE typeof(seq) != 'integer' OR seq <= ?", (upto,)
        ).fetchone()
        return int(counted)

    def verdict(self, tables: Tables, anchors: Iterable[Anchor] = ()) -> Verdict:
        """Examine the whole chain in one go: for a database that nobody else waits for."""
        examination, upto, after = self.examination(anchors), self.last(tables), None
        while rows := self.raw_rows(tables, after, upto):
            examination.take(rows)
            after = rows[-1][0]
        return examination.end(self.count(tables, upto))

    def first_bad(self, tables: Tables) -> int | None:
        """The first row that does not fit the chain, or None when all do. A cut tail shows only against an anchor."""
        flaws = self.verdict(tables).flaws
        return flaws[0].seq if flaws else None


def _rows(tables: Tables, selection: Selection, bound: str, seq: int | None, order: str, limit: int) -> list[Row]:
    """Each way in which a row is about a person is looked up by an index of its own, and no further than `limit`."""
    narrowing = [bound] if seq is not None else []
    values: list[int | str] = [seq] if seq is not None else []
    if selection.object is not None:
        narrowing.append("object = ?")
        values.append(selection.object)
    if selection.since is not None:
        narrowing.append("at >= ?")
        values.append(at(selection.since))
    if selection.until is not None:
        narrowing.append("at < ?")
        values.append(at(selection.until))
    ways: list[tuple[str, list[int | str]]] = [("1", [])]
    if selection.person_id is not None:
        number = selection.person_id
        ways = [("person_id = ?", [number]), ("object = ?", [f"person/{number}"]), (NAMED_IN_DETAILS, [number])]
    looks = " UNION ".join(
        f"SELECT seq FROM (SELECT seq FROM audit WHERE {' AND '.join([way, *narrowing])} ORDER BY seq {order} LIMIT ?)"  # noqa: S608  # texts of this file only
        for way, _ in ways
    )
    found = tables.conn.execute(
        f"SELECT {_COLUMNS} FROM audit WHERE seq IN ({looks}) ORDER BY seq {order} LIMIT ?",  # noqa: S608  # likewise
        (*(value for _, own in ways for value in (*own, *values, limit)), limit),
    )
    return [_row(each) for each in found]


def _row(raw: RawRow) -> Row:
    seq, millis, epoch, person_id, telegram_id, action, object_, details, prev, hashed, mac = raw
    said = _details(details)
    return Row(seq, moment(millis), epoch, person_id, telegram_id, action, object_, said, prev, hashed, mac)


def _details(text: str) -> Mapping[str, str | int]:
    try:
        found = msgspec.json.decode(text, type=dict[str, str | int])
    except (msgspec.MsgspecError, RecursionError):  # somebody had their hands in it; the examination says so
        return {"unreadable": text}
    return found


def _without_secrets(deed: Deed) -> tuple[str, Mapping[str, str | int]]:
    """Its object and details. Hardly ever is there anything to mask, so what cannot be one is let pass first."""
    details, said, suspected = deed.details, deed.object, False
    for name, value in details.items():
        suspected = suspected or _tells_a_secret(name)
        if not isinstance(value, int):
            said += " " + value
    if not suspected and _TELLTALE.search(said) is None and conceal(said) == said:
        return deed.object, details
    shown = redact(deed.object)
    return (shown if MASK in shown else deed.object), {name: _masked(name, value) for name, value in details.items()}


@lru_cache(maxsize=256)
def _tells_a_secret(name: str) -> bool:
    """Whether a detail of this name is masked whatever it is."""
    return MASK in redact(f"{name}=anything")


def _masked(name: str, value: str | int) -> str | int:
    """The value as it may be kept."""
    shown = redact(f"{name}={value}")
    return shown.removeprefix(f"{name}=") if MASK in shown else value

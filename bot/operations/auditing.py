"""Asking the audit log: pages of it, files of it, whether it is whole.

A day is a day of the desk's time zone. Looking leaves no trace; a file that leaves the house does (`audit.exported`).
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from bot.access.model import Person
from bot.audit.chain import RawRow
from bot.audit.export import Format, head_of, line_of
from bot.audit.model import Anchor, Row, Selection, Verdict
from bot.audit.service import Audit
from bot.clock import Clock
from bot.errors import ConflictError, InputError, NotFoundError, StoreError
from bot.operations.freezing import DESK, Alarm, no_alarm
from bot.ports import Deed
from bot.store import Database, Tables

PAGE_ROWS: Final = 15
MOST_ROWS_OF_A_FILE: Final = 50_000
"""Of a file that is sent in the chat; Telegram takes 50 MB from a bot."""
EXAMPLE = "/audit yesterday"
_READ_AT_ONCE = 1000
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a selection, newest first."""

    selection: Selection
    rows: tuple[Row, ...]
    names: Mapping[int, str]
    """Everybody's, by their ids, also of those who have left."""
    newer: bool
    """There are rows above these."""
    older: bool
    """And below."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file of rows, oldest first."""

    name: str
    content: bytes
    rows: int


class Auditing:
    """What people and the host ask of the audit log."""

    def __init__(
        self,
        database: Database,
        audit: Audit,
        clock: Clock,
        *,
        zone: ZoneInfo,
        alarm: Alarm = no_alarm,
    ) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._zone = zone
        self._alarm = alarm

    async def select(self, words: Sequence[str]) -> Selection:
        """A person's name or number, `request` and its id, a day, or a day behind one of these; nothing is everything.
        The id of a request may stand alone, unless it is somebody's name.

        Raises:
            InputError, NotFoundError: With what would be right.
            ConflictError: Several people have that name.
        """
        *subject, last = words or [""]
        since, until = self._day(last)
        if since is None:
            subject = [word for word in words if word]
        if not subject:
            return Selection(since=since, until=until)
        if subject[0].lower() == "request":
            if len(subject) != 2:
                raise InputError("name one request", "/audit request abcdefghij")
            return Selection(object=f"request/{subject[1].lower()}", since=since, until=until)
        wanted = " ".join(subject)
        about = await self._database.read(lambda tables: _person_or_request(tables, wanted))
        if isinstance(about, str):
            return Selection(object=about, since=since, until=until)
        return Selection(person_id=about, since=since, until=until)

    def day(self, text: str) -> tuple[datetime, datetime]:
        """A day in the desk's time zone: its first moment, and the next day's. `InputError` for anything else."""
        since, until = self._day(text)
        if since is None or until is None:
            raise InputError("a day is written as 2026-11-21, today or yesterday", "2026-11-21")
        return since, until

    async def page(self, selection: Selection, *, below: int | None = None, above: int | None = None) -> Page:
        """The newest rows; or the next ones below, or above, a row."""

        def look(tables: Tables) -> Page:
            if above is not None:
                rows = self._audit.oldest(tables, selection, PAGE_ROWS + 1, after=above)
                more = len(rows) > PAGE_ROWS
                return Page(selection, tuple(reversed(rows[:PAGE_ROWS])), _names(tables), newer=more, older=True)
            rows = self._audit.newest(tables, selection, PAGE_ROWS + 1, before=below)
            more = len(rows) > PAGE_ROWS
            return Page(selection, tuple(rows[:PAGE_ROWS]), _names(tables), newer=below is not None, older=more)

        return await self._database.read(look)

    async def export(self, by: Person, selection: Selection, format_: Format, *, telegram_id: int) -> Document:
        """The selection as a file for a chat; that it was made is a row of its own.

        Raises:
            ConflictError: There is nothing, or too much for a chat.
        """
        lines = head_of(format_)
        rows = 0
        async for line in self._lines(selection, format_):
            rows += 1
            lines.append(line)
            if rows > MOST_ROWS_OF_A_FILE:
                raise ConflictError(
                    f"these are more than {MOST_ROWS_OF_A_FILE:,} rows; name a person, a request or a day, "
                    "or use `countersign audit export` on the host"
                )
        if not rows:
            raise ConflictError("there is nothing to export")
        details = _described(selection, format_) | {"rows": rows}
        deed = Deed("audit.exported", "audit", by.id, telegram_id, details)
        await self._database.write(lambda tables: self._audit.record(tables, deed))
        name = f"audit-{self._clock.now().astimezone(self._zone):%Y-%m-%d-%H%M%S}.{format_}"
        return Document(name, "\n".join([*lines, ""]).encode(), rows)

    async def export_at_host(self, selection: Selection, format_: Format) -> AsyncIterator[str]:
        """Every line of the selection, however many; that somebody asks is a row of its own, not among them."""
        rows = self._lines(selection, format_, upto=await self._database.read(self._audit.last))
        deed = Deed("audit.exported", "audit", details=_described(selection, format_) | {"via": "terminal"})
        await self._database.write(lambda tables: self._audit.record(tables, deed))
        for line in head_of(format_):
            yield line
        async for line in rows:
            yield line

    async def verify(self, known: Iterable[Anchor] = ()) -> Verdict:
        """Examine the whole chain against what is known of it outside. When it does not pass, the desk is frozen."""
        verdict = await examined(self._database, self._audit, known)
        if not verdict.is_whole:
            why = f"the audit log does not pass its examination, first at row {verdict.flaws[0].seq}"
            with contextlib.suppress(StoreError):  # what was found is told all the same
                await self._database.write(lambda tables: self._alarm(tables, DESK, why))
        return verdict

    def _day(self, word: str) -> tuple[datetime, datetime] | tuple[None, None]:
        """The bounds of a day, or nothing when the word is none."""
        today = self._clock.now().astimezone(self._zone).date()
        named = {"today": today, "yesterday": today - timedelta(days=1)}
        day = named.get(word.lower())
        if day is None and not _DAY.fullmatch(word):
            return None, None
        try:
            day = day or date.fromisoformat(word)
            first, next_ = (
                datetime.combine(each, time(), self._zone).astimezone(UTC) for each in (day, day + timedelta(days=1))
            )
        except (ValueError, OverflowError):
            raise InputError(f"there is no day {word}", "/audit 2026-11-21") from None
        return first, next_

    async def _lines(self, selection: Selection, format_: Format, upto: int | None = None) -> AsyncIterator[str]:
        """One line a row, oldest first, up to a row; a page of them at a time, so that others have their turn."""
        names = await self._database.read(_names)
        after = None
        while rows := await self._oldest(selection, after):
            for row in rows:
                if upto is not None and row.seq > upto:
                    return
                yield line_of(row, names, format_)
            after = rows[-1].seq

    async def _oldest(self, selection: Selection, after: int | None) -> list[Row]:
        return await self._database.read(
            lambda tables: self._audit.oldest(tables, selection, _READ_AT_ONCE, after=after)
        )


async def examined(database: Database, audit: Audit, known: Iterable[Anchor] = ()) -> Verdict:
    """Examine the chain as it is now, page by page and beside the database's thread: the bot goes on meanwhile."""
    examination = audit.examination(known)
    upto = await database.read(audit.last)
    after: Any = None  # a number, unless somebody has had their hands in it
    while rows := await _raw_rows(database, audit, after, upto):
        await asyncio.to_thread(examination.take, rows)
        after = rows[-1][0]
    return examination.end(await database.read(lambda tables: audit.count(tables, upto)))


async def _raw_rows(database: Database, audit: Audit, after: int | None, upto: int) -> list[RawRow]:
    return await database.read(lambda tables: audit.raw_rows(tables, after, upto))


def _described(selection: Selection, format_: Format) -> dict[str, str | int]:
    """What was asked for, as details of a row."""
    said: dict[str, str | int | None] = {
        "format": format_.value,
        "person": selection.person_id,
        "object": selection.object,
        "since": selection.since.isoformat() if selection.since else None,
        "until": selection.until.isoformat() if selection.until else None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _names(tables: Tables) -> dict[int, str]:
    return dict(tables.conn.execute("SELECT id, name FROM persons").fetchall())


def _person_or_request(tables: Tables, wanted: str) -> int | str:
    """A person's number; or, where nobody is called that, a request as rows name it."""
    try:
        return _person_called(tables, wanted)
    except NotFoundError:
        about = f"request/{wanted.lower()}"
        if tables.conn.execute("SELECT 1 FROM audit WHERE object = ? LIMIT 1", (about,)).fetchone() is None:
            raise
        return about


def _person_called(tables: Tables, wanted: str) -> int:
    """Their number: by that, a Telegram id, a name, or a word that is part of one name only."""
    names = _names(tables)
    if wanted.isascii() and wanted.isdecimal():
        return _numbered(tables, names, wanted)
    asked = wanted.casefold()
    called = [number for number, name in names.items() if name.casefold() == asked]
    called = called or [number for number, name in names.items() if asked in name.casefold().split()]
    if len(called) > 1:
        several = ", ".join(f"{names[number]} is {number}" for number in called)
        raise ConflictError(f"several people are called that ({several}); give the number")
    if not called:
        raise NotFoundError("person", wanted, sorted(set(names.values())))
    return called[0]


def _numbered(tables: Tables, names: Mapping[int, str], wanted: str) -> int:
    number = int(wanted[:18])
    if number in names:
        return number
    row = tables.conn.execute("SELECT person_id FROM telegram_ids WHERE telegram_id = ?", (number,)).fetchone()
    if row is None:
        raise NotFoundError("person", wanted, sorted(set(names.values())))
    return int(row[0])

"""When nothing is heard from a connection: one card, opened, kept up to date while it lasts, and closed.

A line that breaks and stands again within half a minute is nobody's business, and one that stands for a moment only is
not back. What is told is a row first, so that a card which was opened before a restart is closed after it.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never
from zoneinfo import ZoneInfo

from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.linked import Connection
from bot.providers.records import Environment
from bot.store import Tables
from bot.store.columns import at, moment

STEADY = timedelta(seconds=10)
_LASTING = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 30, 60))
_HOUR = timedelta(hours=1)


class Step(StrEnum):
    """What is to be told now."""

    OPEN = "open"
    LASTING = "lasting"
    CLOSE = "close"


class Missed(StrEnum):
    """What may come while nobody listens. The value is said of one; of more, with an s at the end of its first word."""

    FILLED = "order filled"
    OPENED = "position opened"
    CLOSED = "position closed"
    STOPPED = "position stopped out"
    IN = "booking in"
    OUT = "booking out"


@dataclass(slots=True)
class Spell:
    """The trouble one connection is in, if it is in any. Pure."""

    patience: timedelta
    since: datetime | None = None
    up_at: datetime | None = None
    """Since when it stands; None while it does not, or nobody knows."""
    row: int | None = None
    """The outage that was told of."""
    said: int = 0
    """How often it was said that it lasts."""
    why: str = ""
    missed: Counter["Missed"] = field(default_factory=Counter)
    """What came meanwhile, as it was looked up afterwards."""

    def learnt(self, what: "Missed") -> None:
        if self.since is not None:
            self.missed[what] += 1

    def lasted_at(self, when: datetime) -> bool:
        return self.since is not None and self.since <= when and (self.up_at is None or when <= self.up_at)

    def down(self, since: datetime, why: str) -> None:
        self.since = since if self.since is None else self.since
        self.up_at = None
        self.why = why or self.why

    def up(self, now: datetime) -> None:
        if self.up_at is None:
            self.up_at = now

    def rest(self) -> None:
        """Nobody tries, for whoever locked it knows: what was not told is forgotten."""
        if self.row is None:
            self.over()

    def over(self) -> None:
        self.since = self.row = None
        self.said, self.why = 0, ""
        self.missed.clear()

    def due(self, now: datetime) -> Step | None:
        """What is to be told now, if anything. What was too short to be told is forgotten."""
        if self.since is None:
            return None
        if self.up_at is not None:
            if self.row is None and self.up_at - self.since >= self.patience:
                return Step.OPEN  # a stall is known for what it was only when it is over
            if now - self.up_at < STEADY:
                return None
            if self.row is None:
                self.over()
                return None
            return Step.CLOSE
        lasted = now - self.since
        if self.row is None:
            return Step.OPEN if lasted >= self.patience else None
        return Step.LASTING if lasted >= _said_after(self.said) else None


@dataclass(frozen=True, slots=True)
class Cards:
    """Outages told to the chats of those who may know of the connection."""

    outbox: Outbox
    zone: ZoneInfo

    def tell(
        self, tables: Tables, connection: Connection, chats: list[int], spell: Spell, step: Step, now: datetime
    ) -> int:
        """Queue it, inside the caller's transaction; answers the outage's row."""
        since = now if spell.since is None else spell.since
        row = spell.row
        if row is None:
            row = _opened(tables, connection.id, since)
        until = spell.up_at or now
        if step is Step.CLOSE:
            tables.conn.execute("UPDATE outages SET until = ? WHERE id = ?", (at(until), row))
        title, lines = self._said(connection, spell, since, until, step)
        for chat in chats:
            first = f"outage/{row}/{chat}"
            dedupe = {Step.OPEN: first, Step.LASTING: f"{first}/{spell.said + 1}", Step.CLOSE: f"{first}/over"}[step]
            replaces = None if step is Step.OPEN else first
            self.outbox.put(tables, Notice(Lane.EVENTS, chat, title, lines, dedupe=dedupe, replaces=replaces))
        return row

    def _said(
        self, connection: Connection, spell: Spell, since: datetime, until: datetime, step: Step
    ) -> tuple[str, tuple[str, ...]]:
        demo = " (demo)" if connection.environment is Environment.DEMO else ""
        name, begun, ended = f"{connection.name}{demo}", self.time(since, until), self.time(until, since)
        match step:
            case Step.OPEN:
                reason = (f"Why: {spell.why}.",) if spell.why else ()
                line = f"{name} has told nothing since {begun}."
                return "No news from a provider", (line, *reason, "What happens meanwhile is looked up afterwards.")
            case Step.LASTING:
                line = f"{name} has told nothing since {begun}, {_length(until - since)} by now."
                return "Still no news from a provider", (line,)
            case Step.CLOSE:
                line = f"{name} told nothing from {begun} to {ended} ({_length(until - since)})."
                found = ", ".join(_counted(one, spell.missed[one]) for one in Missed if spell.missed[one])
                return "Back again", (line, *((f"Looked up meanwhile: {found}.",) if found else ()))
            case _:
                assert_never(step)

    def time(self, when: datetime, beside: datetime) -> str:
        return time_said(when, beside, self.zone)


def time_said(when: datetime, beside: datetime, zone: ZoneInfo) -> str:
    """With its day, unless that is the day of what is said `beside` it, or of now."""
    local = when.astimezone(zone)
    day = "" if local.date() == beside.astimezone(zone).date() else f"{local:%Y-%m-%d} "
    return f"{day}{local:%H:%M:%S %Z}"


def open_outage(tables: Tables, connection: int) -> tuple[int, datetime] | None:
    """The one that was told of and is not over, as far as the rows know."""
    row = tables.conn.execute(
        "SELECT id, since FROM outages WHERE connection_id = ? AND until IS NULL", (connection,)
    ).fetchone()
    return None if row is None else (row[0], moment(row[1]))


def given_up(tables: Tables, connection: int, now: datetime) -> None:
    """Nobody will find out any more when it was over."""
    tables.conn.execute("UPDATE outages SET until = ? WHERE connection_id = ? AND until IS NULL", (at(now), connection))


def _opened(tables: Tables, connection: int, since: datetime) -> int:
    cursor = tables.conn.execute("INSERT INTO outages (connection_id, since) VALUES (?, ?)", (connection, at(since)))
    assert cursor.lastrowid is not None  # noqa: S101  # an INSERT that did not raise has one
    return cursor.lastrowid


def _counted(what: Missed, count: int) -> str:
    first, _, rest = what.value.partition(" ")
    return f"{count} {first}{'' if count == 1 else 's'} {rest}"


def _said_after(said: int) -> timedelta:
    """5, 15, 30 minutes, an hour, and every hour from then on."""
    return _LASTING[said] if said < len(_LASTING) else _HOUR * (said - len(_LASTING) + 2)


def _length(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    minutes = seconds // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"

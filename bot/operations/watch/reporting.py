"""What is told of how lines stand: outages, gaps that stay, and what a provider will not tell of."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from bot.access.service import Access
from bot.alerts.happening import Happening
from bot.alerts.model import Occasion
from bot.clock import Clock
from bot.errors import (
    BusyError,
    ProviderError,
    RefusedError,
    SilentError,
    StoreError,
    StreamsFullError,
    UnreachableError,
)
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.linked import Connection
from bot.operations.watch.outages import Cards, Spell, Step, given_up, open_outage
from bot.providers.gaps import Hole
from bot.providers.streams import Subject, Topic
from bot.store import Database, Tables

_MOST_LINES = 10


class WaitsForOutages(Protocol):
    """Rules that wait for an outage."""

    def happened(self, what: Happening) -> None:
        """Something began, and lasts. Told again it is nothing new."""

    async def over(self, connection_id: int, occasion: Occasion, key: str) -> None:
        """It is over."""


@dataclass(slots=True)
class Report:
    """One connection's lines, as far as anybody is to know."""

    connection: Connection
    spell: Spell
    holes: list[Hole] = field(default_factory=list)
    """Gaps that stay, not told yet."""
    refusals: dict[Subject, ProviderError] = field(default_factory=dict)
    """What is not told of, and why; not told to anybody yet."""
    is_taken_up: bool = False
    """Whether it is known what was told of it before the start."""
    has_line: bool = False
    """Whether a line says how it stands; else its polls do."""


class Reports:
    """Those of all connections."""

    def __init__(
        self,
        database: Database,
        access: Access,
        outbox: Outbox,
        rules: WaitsForOutages,
        clock: Clock,
        zone: ZoneInfo,
        patience: timedelta,
    ) -> None:
        self._database = database
        self._access = access
        self._outbox = outbox
        self._rules = rules
        self._clock = clock
        self._cards = Cards(outbox, zone)
        self._patience = patience
        self._all: dict[int, Report] = {}

    @property
    def all(self) -> tuple[Report, ...]:
        return tuple(self._all.values())

    def of(self, connection: Connection) -> Report:
        """That of one connection, as it is named now."""
        report = self._all.setdefault(connection.id, Report(connection, Spell(self._patience)))
        report.connection = connection
        return report

    async def drop(self, connection_id: int) -> None:
        """Nobody looks at it any more. An outage that was told of is not closed: nobody knows."""
        self._all.pop(connection_id, None)
        await self._database.write(lambda tables: given_up(tables, connection_id, self._clock.now()))

    async def run(self) -> None:
        """Tell what is to be told, until cancelled."""
        while True:
            await self._clock.sleep(1.0)
            for report in list(self._all.values()):
                with suppress(StoreError):  # it is told later
                    await self._tell_of(report)

    async def _tell_of(self, report: Report) -> None:
        if not report.is_taken_up:
            await self._take_up(report)
        now, spell = self._clock.now(), report.spell
        step = spell.due(now)
        holes, refusals = list(report.holes), dict(report.refusals)
        if step is None and not holes and not refusals:
            if spell.row is not None and spell.up_at is None:
                self._lasts(report)  # a rule may say how long
            return
        connection, chats = report.connection, self._chats(report.connection)

        def change(tables: Tables) -> int | None:
            if not _is_there(tables, connection.id):
                return None
            row = None if step is None else self._cards.tell(tables, connection, chats, spell, step, now)
            for notice in self._notices(connection, holes, refusals, chats):
                self._outbox.put(tables, notice)
            return row

        row = await self._database.write(change)
        del report.holes[: len(holes)]
        for subject in refusals:
            report.refusals.pop(subject, None)
        if row is None and step is not None:
            self._all.pop(connection.id, None)  # it is unlinked
            return
        match step:
            case Step.OPEN:
                spell.row = row
                self._lasts(report)
            case Step.LASTING:
                spell.said += 1
            case Step.CLOSE:
                spell.over()
                await self._rules.over(connection.id, Occasion.STREAM_DOWN, f"outage/{row}")

    async def _take_up(self, report: Report) -> None:
        """An outage that was told of before the start is the same one, until the line stands again."""
        found = await self._database.read(lambda tables: open_outage(tables, report.connection.id))
        if found is not None:
            report.spell.row, report.spell.since = found
        report.is_taken_up = True

    def _lasts(self, report: Report) -> None:
        """Rules may wait for that, too."""
        connection, spell = report.connection, report.spell
        if spell.row is not None and spell.since is not None:
            detail, key = f"{connection.name} tells nothing", f"outage/{spell.row}"
            self._rules.happened(Happening(Occasion.STREAM_DOWN, key, detail, spell.since, connection.id))

    def _notices(
        self, connection: Connection, holes: list[Hole], refusals: dict[Subject, ProviderError], chats: list[int]
    ) -> list[Notice]:
        name, notices, time, now = connection.name, list[Notice](), self._cards.time, self._clock.now()
        if holes:
            first = holes[0]
            lines = [f"{_said(one.subject)}: {time(one.since, now)} to {time(one.until, now)}" for one in holes]
            shown = (f"{name}: what happened then cannot be had any more.", *_most(lines))
            key = f"hole/{connection.id}/{first.subject.topic}/{first.subject.name}/{first.since.isoformat()}"
            notices += [Notice(Lane.EVENTS, chat, "No data", shown, dedupe=f"{key}/{chat}") for chat in chats]
        if refusals:
            subject = min(refusals)
            lines = [f"{_said(one)}: {reason_of(refusals[one])}" for one in sorted(refusals)]
            shown = (f"{name} does not tell of it; it is asked now and then instead.", *_most(lines))
            key = f"refused/{connection.id}/{subject.topic}/{subject.name}/{now:%G-%V}"
            notices += [Notice(Lane.EVENTS, chat, "Not followed", shown, dedupe=f"{key}/{chat}") for chat in chats]
        return notices

    def _chats(self, connection: Connection) -> list[int]:
        people = [one for one in self._access.roster.people if connection.may_read(one)]
        return sorted(chat for one in people for chat in one.telegram_ids)


def _is_there(tables: Tables, connection: int) -> bool:
    return tables.conn.execute("SELECT 1 FROM connections WHERE id = ?", (connection,)).fetchone() is not None


def reason_of(error: BaseException) -> str:
    """In a few plain words; what a provider said is in its code."""
    match error:
        case StreamsFullError():
            return f"it follows {error.most} markets already"
        case BusyError():
            return "it was asked too often"
        case RefusedError():
            return f"it said {error.code}"
        case UnreachableError():
            return "it cannot be reached"
        case SilentError():
            return "it gives no sign of life"
        case TimeoutError():
            return "no answer in time"
        case _:
            return "it did not answer as it should"


def _most(lines: list[str]) -> list[str]:
    more = len(lines) - _MOST_LINES
    return lines if more <= 0 else [*lines[:_MOST_LINES], f"and {more} more."]


def _said(subject: Subject) -> str:
    if subject.topic is Topic.REQUEST:
        return "clients' requests that nobody had told of before"
    return subject.name or subject.topic.value

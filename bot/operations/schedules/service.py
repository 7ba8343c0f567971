"""Each slot of each schedule once, whatever happens: a row for (schedule, slot) comes before its run (SAFETY R30–R32).

What was missed is made up once, by the latest slot, and called late; the others are noted. A run that was begun and not
ended when the program stopped is begun again at the next start: what it tells carries the slot's name, so it is told
once.
"""

import logging
from collections.abc import Container, Sequence
from datetime import datetime, timedelta

from bot.access.model import Person, Right
from bot.access.records import group_now
from bot.access.service import check_right
from bot.clock import Clock
from bot.errors import ConflictError, NotFoundError
from bot.messages.notice import Notice
from bot.messages.outbox import Outbox
from bot.operations.schedules import slots
from bot.operations.schedules.model import End, Kind, Run, Schedule
from bot.ports import Deed, Recorder
from bot.store import Database, Tables
from bot.store.columns import at, moment

_log = logging.getLogger(__name__)
_A_DAY = timedelta(days=1)
LATE = timedelta(minutes=5)
MOST = 20
"""Of one person."""
_LONG_AGO = timedelta(days=40)
_SET_BACK = timedelta(minutes=1)
_COLUMNS = "id, person_id, telegram_id, kind, connection, cron, zone, created_at, is_paused, group_id, thread_id"


class Schedules:
    """Keeps them, and says which slots have come."""

    def __init__(self, database: Database, audit: Recorder, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._outbox = outbox
        self._clock = clock
        self._looked_at: datetime | None = None

    async def make(
        self, by: Person, kind: Kind, connection: str | None, cron: str, zone: str, *, telegram_id: int
    ) -> Schedule:
        """A new one.

        Raises:
            NotAllowedError: They may not read (any more).
            ConflictError: They have very many.
        """
        now = self._clock.now()

        def change(tables: Tables) -> Schedule:
            check_right(tables, by, Right.READ)
            if len(_of(tables, by.id)) >= MOST:
                raise ConflictError(f"you have {MOST} schedules, which is the most; /schedule shows them")
            number = tables.conn.execute(
                "INSERT INTO schedules (person_id, telegram_id, kind, connection, cron, zone, created_at, next_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (by.id, telegram_id, kind, connection, cron, zone, at(now), at(slots.upcoming(cron, zone, now))),
            ).lastrowid
            details = {"kind": kind.value, "cron": cron, "zone": zone} | (
                {"connection": connection} if connection else {}
            )
            self._audit.record(tables, Deed("schedule.made", f"schedule/{number}", by.id, telegram_id, details))
            return _one(tables, by.id, int(number or 0))

        return await self._database.write(change)

    async def of(self, by: Person) -> list[tuple[Schedule, datetime]]:
        """A person's, each with its next instant."""
        now = self._clock.now()
        found = await self._database.read(lambda tables: _of(tables, by.id))
        return [(one, slots.upcoming(one.cron, one.zone, now)) for one in found]

    async def pause(self, by: Person, number: int, *, paused: bool, telegram_id: int) -> Schedule:
        """It rests, or goes on with the next slot; what came meanwhile is not made up."""
        now = self._clock.now()

        def change(tables: Tables) -> Schedule:
            one = _one(tables, by.id, number)
            tables.conn.execute(
                "UPDATE schedules SET is_paused = ?, created_at = ?, next_at = ? WHERE id = ?",
                (paused, at(now), at(slots.upcoming(one.cron, one.zone, now)), number),
            )
            what = "schedule.paused" if paused else "schedule.resumed"
            self._audit.record(tables, Deed(what, f"schedule/{number}", by.id, telegram_id))
            return _one(tables, by.id, number)

        return await self._database.write(change)

    async def tell(
        self, by: Person, number: int, group: int | None, thread: int | None, *, telegram_id: int
    ) -> Schedule:
        """That group hears of it, too, from now on; None: nobody else does.

        Raises:
            NotAllowedError: They may not tell others (any more).
            NotFoundError: They have none of that number.
        """

        def change(tables: Tables) -> Schedule:
            if group is not None:
                check_right(tables, by, Right.ALERT)
            _one(tables, by.id, number)
            tables.conn.execute(
                "UPDATE schedules SET group_id = ?, thread_id = ? WHERE id = ?", (group, thread, number)
            )
            details = {"group": str(group)} if group is not None else {}
            self._audit.record(tables, Deed("schedule.told", f"schedule/{number}", by.id, telegram_id, details))
            return _one(tables, by.id, number)

        return await self._database.write(change)

    async def group_of(self, one: Schedule, groups: Container[int]) -> int | None:
        """The group that hears of it, by the id it has now; None when it is none of the desk's (`groups`) any more."""
        group = one.group
        if group is None:
            return None
        now = await self._database.read(lambda tables: group_now(tables, group))
        return now if now in groups else None

    async def remove(self, by: Person, number: int, *, telegram_id: int) -> None:
        """`NotFoundError` when they have none of that number."""

        def change(tables: Tables) -> None:
            _one(tables, by.id, number)
            tables.conn.execute("DELETE FROM schedules WHERE id = ?", (number,))
            self._audit.record(tables, Deed("schedule.removed", f"schedule/{number}", by.id, telegram_id))

        await self._database.write(change)

    async def due(self) -> list[Run]:
        """Slots that have come, each claimed for whoever asks: nobody gets it a second time.

        The first time in a run of the program also those that were begun before and not ended. When the clock was set
        back, every schedule is reckoned anew.
        """
        now, before = self._clock.now(), self._looked_at

        def change(tables: Tables) -> list[Run]:
            anew = before is None or now < before - _SET_BACK
            left = _begun(tables, now) if before is None else []
            rows = tables.conn.execute(
                f"SELECT {_COLUMNS} FROM schedules WHERE NOT is_paused AND (next_at <= ? OR ?)",  # noqa: S608  # ours
                (at(now), anew),
            ).fetchall()
            new = [_if_it_can_be(tables, _schedule(row), now) for row in rows]
            return [*left, *(run for run in new if run is not None)]

        found = await self._database.write(change)
        self._looked_at = now
        return found

    async def end(self, run: Run, end: End, notices: Sequence[Notice] = (), trouble: str = "") -> None:
        """What it tells is queued in the same commit."""
        now = at(self._clock.now())

        def change(tables: Tables) -> None:
            cursor = tables.conn.execute(
                "UPDATE schedule_runs SET state = ?, ended_at = ?, trouble = ?"
                " WHERE schedule_id = ? AND slot = ? AND state = 'begun'",
                (end, now, trouble, run.schedule.id, run.slot.isoformat()),
            )
            for notice in notices if cursor.rowcount == 1 else ():
                self._outbox.put(tables, notice)

        await self._database.write(change)


def _if_it_can_be(tables: Tables, one: Schedule, now: datetime) -> Run | None:
    """One whose zone this machine does not know any more stops no other; it is looked at again in a day."""
    try:
        return _claimed(tables, one, now)
    except (ValueError, LookupError) as error:
        _log.warning("schedule cannot be reckoned", extra={"schedule": one.id, "error": type(error).__name__})
        tables.conn.execute("UPDATE schedules SET next_at = ? WHERE id = ?", (at(now + _A_DAY), one.id))
        return None


def _claimed(tables: Tables, one: Schedule, now: datetime) -> Run | None:
    """The latest slot that has come and has no row; those before it are noted as missed."""
    last = tables.conn.execute(
        "SELECT max(slot) FROM schedule_runs WHERE schedule_id = ? AND due_at <= ?", (one.id, at(now))
    ).fetchone()[0]
    since = slots.local(max(one.created_at, now - _LONG_AGO), one.zone)
    after = max(since, datetime.fromisoformat(last)) if last is not None else since
    came = [
        slot for slot in slots.passed(one.cron, one.zone, after, now) if slots.instant(slot, one.zone) > one.created_at
    ]
    tables.conn.execute(
        "UPDATE schedules SET next_at = ? WHERE id = ?", (at(slots.upcoming(one.cron, one.zone, now)), one.id)
    )
    new = [slot for slot in came if _write_down(tables, one, slot, End.MISSED, now)]
    if not new or new[-1] != came[-1]:
        return None
    slot = new[-1]
    tables.conn.execute(
        "UPDATE schedule_runs SET state = 'begun', ended_at = NULL WHERE schedule_id = ? AND slot = ?",
        (one.id, slot.isoformat()),
    )
    return _run(one, slot, now, new[:-1])


def _write_down(tables: Tables, one: Schedule, slot: datetime, end: End, now: datetime) -> bool:
    """Whether it was not there before."""
    due_at = slots.instant(slot, one.zone)
    cursor = tables.conn.execute(
        "INSERT OR IGNORE INTO schedule_runs (schedule_id, slot, due_at, state, begun_at, ended_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (one.id, slot.isoformat(), at(due_at), end, at(now), at(now)),
    )
    return cursor.rowcount == 1


def _begun(tables: Tables, now: datetime) -> list[Run]:
    columns = ", ".join(f"schedules.{name}" for name in _COLUMNS.split(", "))
    rows = tables.conn.execute(
        f"SELECT slot, {columns} FROM schedule_runs JOIN schedules ON schedules.id = schedule_id"  # noqa: S608  # ours
        " WHERE state = 'begun' ORDER BY due_at"
    ).fetchall()
    return [_run(_schedule(row), datetime.fromisoformat(slot), now, ()) for slot, *row in rows]


def _run(one: Schedule, slot: datetime, now: datetime, missed: Sequence[datetime]) -> Run:
    due_at = slots.instant(slot, one.zone)
    return Run(one, slot, due_at, now - due_at > LATE, len(missed), missed[0] if missed else None)


def _of(tables: Tables, person_id: int) -> list[Schedule]:
    rows = tables.conn.execute(
        f"SELECT {_COLUMNS} FROM schedules WHERE person_id = ? ORDER BY id",  # noqa: S608  # the columns are these
        (person_id,),
    ).fetchall()
    return [_schedule(row) for row in rows]


def _one(tables: Tables, person_id: int, number: int) -> Schedule:
    found = _of(tables, person_id)
    for one in found:
        if one.id == number:
            return one
    raise NotFoundError("schedule", str(number), [str(one.id) for one in found])


def _schedule(row: Sequence[object]) -> Schedule:
    number, person_id, telegram_id, kind, connection, cron, zone, created_at, is_paused, group, thread = row
    return Schedule(
        int(str(number)),
        int(str(person_id)),
        int(str(telegram_id)),
        Kind(str(kind)),
        None if connection is None else str(connection),
        str(cron),
        str(zone),
        moment(int(str(created_at))),
        bool(is_paused),
        None if group is None else int(str(group)),
        None if thread is None else int(str(thread)),
    )

"""The second factor: six digits that only the person's own device shows (SAFETY 4.8).

A good code is used up in the transaction of what it authorises: the step it belongs to is stored there, and only a
greater one counts from then on. A wrong one is counted in a transaction in which nothing else happens, so that nothing
takes the count back.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from bot.access.model import Person
from bot.access.records import people_in
from bot.clock import Clock
from bot.errors import (
    CodeUsedError,
    CodeWrongError,
    FactorLockedError,
    FactorMissingError,
    FactorUnreadableError,
    StepUpError,
)
from bot.operations.factor_news import FactorNews
from bot.operations.factor_records import Standing, deed, seed_in, standing_in, subject_of
from bot.operations.freezing import DESK, Alarm, no_alarm
from bot.operations.timekeeping import Timekeeping
from bot.ports import Recorder
from bot.secret import Secret
from bot.store import Database, Tables
from bot.store.columns import at
from bot.vault.service import Vault
from bot.vault.totp import matching_step

TRIES = 5
TRIES_WITHIN = timedelta(minutes=15)
LOCKED_FOR = timedelta(minutes=15)
ALARMED_WITHIN = timedelta(hours=24)
"""A second lock within this time freezes the desk: whoever was told of the first has not stopped."""
Refusal = StepUpError | None
"""None when the code was good."""
Result = TypeVar("Result")


class Factors:
    """Everybody's second factor."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: Recorder,
        news: FactorNews,
        timekeeping: Timekeeping,
        clock: Clock,
    ) -> None:
        self._database = database
        self._vault = vault
        self._audit = audit
        self._news = news
        self._timekeeping = timekeeping
        self._clock = clock
        self.alarm: Alarm = no_alarm
        """Freezes, and tells."""

    async def standing(self, person_id: int) -> Standing:
        """How it is now; what is over is not told."""
        now = self._clock.now()

        def look(tables: Tables) -> Standing:
            found = standing_in(tables, person_id) or Standing()
            return Standing(
                found.active_since,
                found.last_step,
                found.locked_until if found.locked_until and found.locked_until > now else None,
                found.enrolling_until if found.enrolling_until and found.enrolling_until > now else None,
                found.waiting,
            )

        return await self._database.read(look)

    def checking(
        self, person_id: int, code: Secret, *, purpose: str, telegram_id: int | None = None
    ) -> Callable[[Tables], Refusal]:
        """A change that uses the code up for `purpose`, or answers why not, for the transaction of what it authorises.

        Whoever runs it goes on when it answers None. Otherwise they *return*, with nothing else changed: raising would
        take back the count of wrong codes. `authorised` does just that.
        """
        now = self._clock.now()
        looking = self._timekeeping.looking()

        def change(tables: Tables) -> Refusal:
            doubted = looking(tables)
            if doubted is not None:
                return doubted
            standing = standing_in(tables, person_id)
            person = next((one for one in people_in(tables) if one.id == person_id), None)
            if standing is None or not standing.is_active or person is None:
                return FactorMissingError()
            if standing.locked_until is not None and standing.locked_until > now:
                return FactorLockedError(_minutes(standing.locked_until - now))
            seed = seed_in(tables, self._vault, subject_of(person_id))
            if seed is None:
                return FactorUnreadableError()
            step = matching_step(seed, code.reveal(), now)
            if step is None:
                return self._failed(tables, person, now, telegram_id)
            if step <= standing.last_step:
                return CodeUsedError()
            tables.conn.execute("UPDATE factors SET last_step = ? WHERE person_id = ?", (step, person_id))
            tables.conn.execute("DELETE FROM factor_failures WHERE person_id = ?", (person_id,))
            self._audit.record(
                tables, deed("factor.shown", person_id, telegram_id, {"for": purpose, "totp_step": step})
            )
            return None

        return change

    async def authorised(
        self,
        person_id: int,
        code: Secret,
        act: Callable[[Tables], Result],
        *,
        purpose: str,
        telegram_id: int | None = None,
    ) -> Result:
        """Let `act` happen in the transaction that uses the code up. When `act` raises, the code is not used.

        Raises:
            StepUpError: No good code; `act` was not run.
        """
        checking = self.checking(person_id, code, purpose=purpose, telegram_id=telegram_id)

        def change(tables: Tables) -> Result | StepUpError:
            refused = checking(tables)
            return refused if refused is not None else act(tables)

        done = await self._database.write(change)
        if isinstance(done, StepUpError):
            raise done
        return done

    def _failed(self, tables: Tables, person: Person, now: datetime, telegram_id: int | None) -> StepUpError:
        """One more wrong code; the last one locks."""
        tables.conn.execute("DELETE FROM factor_failures WHERE at <= ?", (at(now - TRIES_WITHIN),))
        tables.conn.execute("INSERT INTO factor_failures VALUES (?, ?)", (person.id, at(now)))
        (failures,) = tables.conn.execute(
            "SELECT count(*) FROM factor_failures WHERE person_id = ?", (person.id,)
        ).fetchone()
        if failures < TRIES:
            self._audit.record(tables, deed("factor.failed", person.id, telegram_id))
            return CodeWrongError(TRIES - failures)
        tables.conn.execute("DELETE FROM factor_failures WHERE person_id = ?", (person.id,))
        tables.conn.execute(
            "UPDATE factors SET locked_until = ? WHERE person_id = ?", (at(now + LOCKED_FOR), person.id)
        )
        if _locked_before(tables, person.id, now):
            when = f"{now:%Y-%m-%d %H:%M} UTC"
            self.alarm(tables, DESK, f"wrong codes have locked {person.name}'s second factor twice in a day, at {when}")
        self._audit.record(tables, deed("factor.locked", person.id, telegram_id))
        dedupe, minutes = f"factor.locked/{person.id}/{at(now)}", _minutes(LOCKED_FOR)
        why = f"{TRIES} wrong codes were given. For {minutes} minutes none is accepted."
        self._news.tell(tables, person, "Your second factor is locked", dedupe, why)
        self._news.tell_admins(tables, person, f"The second factor of {person.name} is locked", dedupe, why)
        return FactorLockedError(minutes)


def _locked_before(tables: Tables, person_id: int, now: datetime) -> bool:
    """Whether wrong codes have locked it lately, and no good one was shown since: once may be a slip."""
    last = tables.conn.execute(
        "SELECT action FROM audit WHERE object = ? AND action IN ('factor.locked', 'factor.shown') AND at >= ?"
        " ORDER BY seq DESC LIMIT 1",
        (f"person/{person_id}", at(now - ALARMED_WITHIN)),
    ).fetchone()
    return last is not None and last[0] == "factor.locked"


def _minutes(span: timedelta) -> int:
    """Whole minutes, rounded up."""
    return -(-span // timedelta(minutes=1))

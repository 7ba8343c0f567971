"""The second factor: six digits that only the person's own device shows (SAFETY 4.8).

A good code is used up in the transaction of what it authorises: the step it belongs to is stored there, and only a
greater one counts from then on. A wrong one is counted in a transaction in which nothing else happens, so that nothing
takes the count back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from bot.access.model import Person, Right, Role
from bot.access.records import people_in
from bot.access.service import check_right
from bot.clock import Clock
from bot.errors import (
    CodeUsedError,
    CodeWrongError,
    ConflictError,
    FactorLockedError,
    FactorMissingError,
    FactorUnreadableError,
    RecordUnreadableError,
    StepUpError,
)
from bot.messages.outbox import Lane, Notice, Outbox
from bot.operations.timekeeping import Timekeeping
from bot.ports import Deed, Recorder
from bot.secret import Secret
from bot.store import Database, Tables
from bot.store.columns import at, moment
from bot.vault.service import Subject, Vault
from bot.vault.totp import SEED_BYTES, matching_step, new_seed, provisioning_uri, seed_from, text_of

TRIES = 5
TRIES_WITHIN = timedelta(minutes=15)
LOCKED_FOR = timedelta(minutes=15)
ENROL_WITHIN = timedelta(minutes=10)
_FIELD = "seed"
_ASK_THEM = "If you doubt that it was them, ask them, and /suspend them until you know."
_IN_GROUPS_OF = 4
Refusal = StepUpError | None
"""None when the code was good."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person's second factor is."""

    active_since: datetime | None = None
    last_step: int = 0
    """The step of the last code that was accepted."""
    locked_until: datetime | None = None
    enrolling_until: datetime | None = None

    @property
    def is_active(self) -> bool:
        return self.active_since is not None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a device needs to know. It is shown once, and never again."""

    uri: Secret
    """For the picture."""
    key: Secret
    """The same seed to type, in groups of four."""
    until: datetime


class Factors:
    """Everybody's second factor."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: Recorder,
        outbox: Outbox,
        timekeeping: Timekeeping,
        clock: Clock,
        issuer: str,
    ) -> None:
        """`issuer` is what the device shows beside the digits: the desk's name."""
        self._database = database
        self._vault = vault
        self._audit = audit
        self._outbox = outbox
        self._timekeeping = timekeeping
        self._clock = clock
        self._issuer = issuer

    # asking

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
            seed = self._seed(tables, _subject(person_id))
            if seed is None:
                return FactorUnreadableError()
            step = matching_step(seed, code.reveal(), now)
            if step is None:
                return self._failed(tables, person, now, telegram_id)
            if step <= standing.last_step:
                return CodeUsedError()
            tables.conn.execute("UPDATE factors SET last_step = ? WHERE person_id = ?", (step, person_id))
            tables.conn.execute("DELETE FROM factor_failures WHERE person_id = ?", (person_id,))
            self._note(tables, "factor.shown", person_id, telegram_id, {"for": purpose, "totp_step": step})
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

    async def check(self, person: Person, code: Secret, *, purpose: str, telegram_id: int | None = None) -> None:
        """Use the code up for nothing but `purpose`'s sake. `StepUpError`."""
        await self.authorised(person.id, code, lambda _: None, purpose=purpose, telegram_id=telegram_id)

    # setting up

    async def begin(self, person: Person) -> Enrolment:
        """A first factor; an unfinished one before it is void. `ConflictError` when there is an active one."""

        def change(tables: Tables) -> None:
            check_right(tables, person, Right.TALK)
            standing = standing_in(tables, person.id)
            if standing is not None and standing.is_active:
                raise ConflictError("you have a second factor; a new one takes its place with a code of the old one")
            keep(tables)

        enrolment, keep = self._enrolling(person)
        await self._database.write(change)
        return enrolment

    async def begin_anew(self, person: Person, code: Secret, *, telegram_id: int) -> Enrolment:
        """One in place of the active one, which counts until the new one has been shown. `StepUpError`."""
        enrolment, keep = self._enrolling(person)
        await self.authorised(person.id, code, keep, purpose="replace the second factor", telegram_id=telegram_id)
        return enrolment

    async def confirm(self, person: Person, code: Secret, *, telegram_id: int) -> None:
        """The first code of the new one: from now on it is the person's factor.

        Raises:
            CodeWrongError: Not its code; the enrolment stands.
            ClockDoubtedError: Whether it is cannot be said now.
            ConflictError: Nothing is being set up any more.
        """
        now = self._clock.now()
        looking = self._timekeeping.looking()

        def change(tables: Tables) -> Refusal:
            check_right(tables, person, Right.TALK)
            doubted = looking(tables)
            if doubted is not None:
                return doubted
            standing = standing_in(tables, person.id)
            if standing is None or standing.enrolling_until is None or standing.enrolling_until <= now:
                raise ConflictError("nothing is being set up any more; /factor begins anew")
            seed = self._seed(tables, _subject(person.id, new=True))
            if seed is None:
                return FactorUnreadableError()
            step = matching_step(seed, code.reveal(), now)
            if step is None:
                return CodeWrongError()
            forget(tables, self._vault, person.id)
            tables.conn.execute(
                "INSERT INTO factors (person_id, active_since, last_step) VALUES (?, ?, ?)", (person.id, at(now), step)
            )
            self._vault.keeping(_subject(person.id), {_FIELD: Secret(text_of(seed))})(tables)
            action = "factor.replaced" if standing.is_active else "factor.enrolled"
            self._note(tables, action, person.id, telegram_id)
            done, dedupe = "replaced" if standing.is_active else "set up", f"{action}/{person.id}/{at(now)}"
            self.tell(tables, person, f"Your second factor was {done}", dedupe)
            if not standing.is_active:  # nothing but the phone vouched for it: somebody else shall know
                title = f"{person.name} has set up a second factor"
                self._tell_admins(tables, person, title, dedupe, next_step=_ASK_THEM)
            return None

        refused = await self._database.write(change)
        if refused is not None:
            raise refused

    async def void_picture(self, chat_id: int, message_id: int, until: datetime) -> None:
        """The picture is in a chat: it does not stay there longer than it is good for, whatever happens here."""
        dedupe = f"factor/picture/{chat_id}/{message_id}"
        notice = Notice(Lane.SECURITY, chat_id, "", dedupe=dedupe, deletes=message_id, not_before=until)
        await self._database.write(lambda tables: self._outbox.put(tables, notice))

    async def give_up(self, person: Person) -> bool:
        """Stop setting one up; answers whether one was. An active one stays."""

        def change(tables: Tables) -> bool:
            standing = standing_in(tables, person.id)
            if standing is None or standing.enrolling_until is None:
                return False
            self._void(tables, person.id)
            return True

        return await self._database.write(change)

    async def void(self) -> int:
        """Erase the seeds nobody has confirmed in time; answers how many. Work for the clock."""
        now = at(self._clock.now())

        def change(tables: Tables) -> int:
            late = tables.conn.execute("SELECT person_id FROM factors WHERE enrolling_until <= ?", (now,)).fetchall()
            for (person_id,) in late:
                self._void(tables, person_id)
            return len(late)

        return await self._database.write(change)

    async def remove(self, person: Person, code: Secret, *, telegram_id: int) -> None:
        """Take it away. The admins hear of it. `StepUpError`."""

        def change(tables: Tables) -> None:
            forget(tables, self._vault, person.id)
            self._note(tables, "factor.removed", person.id, telegram_id)
            dedupe = f"factor.removed/{person.id}/{at(self._clock.now())}"
            self.tell(tables, person, "Your second factor was removed", dedupe)
            self._tell_admins(tables, person, f"{person.name} has removed their second factor", dedupe)

        purpose = "remove the second factor"
        await self.authorised(person.id, code, change, purpose=purpose, telegram_id=telegram_id)

    def tell(self, tables: Tables, person: Person, title: str, dedupe: str, *lines: str, next_step: str = "") -> None:
        """The person, in each of their chats; they are to know when it was not them."""
        last = "If that was not you, tell an admin at once."
        for number in person.telegram_ids:
            notice = Notice(Lane.SECURITY, number, title, (*lines, last), f"{dedupe}/{number}", next_step=next_step)
            self._outbox.put(tables, notice)

    def _enrolling(self, person: Person) -> tuple[Enrolment, Callable[[Tables], None]]:
        """A new seed, and the change that keeps it, sealed."""
        seed, until = new_seed(), self._clock.now() + ENROL_WITHIN
        text = text_of(seed)

        def keep(tables: Tables) -> None:
            tables.conn.execute(
                "INSERT INTO factors (person_id, enrolling_until) VALUES (?, ?)"
                " ON CONFLICT (person_id) DO UPDATE SET enrolling_until = excluded.enrolling_until",
                (person.id, at(until)),
            )
            self._vault.keeping(_subject(person.id, new=True), {_FIELD: Secret(text)})(tables)

        grouped = " ".join(text[start : start + _IN_GROUPS_OF] for start in range(0, len(text), _IN_GROUPS_OF))
        uri = Secret(provisioning_uri(seed, person.name, self._issuer))
        return Enrolment(uri, Secret(grouped), until), keep

    def _seed(self, tables: Tables, subject: Subject) -> bytes | None:
        """None when it is gone or does not open."""
        try:
            text = self._vault.safe.take_all(tables, subject).get(_FIELD)
            seed = seed_from(text.reveal()) if text is not None else b""
        except (RecordUnreadableError, ValueError):
            return None
        return seed if len(seed) == SEED_BYTES else None

    def _void(self, tables: Tables, person_id: int) -> None:
        tables.conn.execute("UPDATE factors SET enrolling_until = NULL WHERE person_id = ?", (person_id,))
        tables.conn.execute("DELETE FROM factors WHERE person_id = ? AND active_since IS NULL", (person_id,))
        self._vault.erasing(_subject(person_id, new=True).name)(tables)

    def _failed(self, tables: Tables, person: Person, now: datetime, telegram_id: int | None) -> StepUpError:
        """One more wrong code; the last one locks."""
        tables.conn.execute("DELETE FROM factor_failures WHERE at <= ?", (at(now - TRIES_WITHIN),))
        tables.conn.execute("INSERT INTO factor_failures VALUES (?, ?)", (person.id, at(now)))
        (failures,) = tables.conn.execute(
            "SELECT count(*) FROM factor_failures WHERE person_id = ?", (person.id,)
        ).fetchone()
        if failures < TRIES:
            self._note(tables, "factor.failed", person.id, telegram_id)
            return CodeWrongError(TRIES - failures)
        tables.conn.execute("DELETE FROM factor_failures WHERE person_id = ?", (person.id,))
        tables.conn.execute(
            "UPDATE factors SET locked_until = ? WHERE person_id = ?", (at(now + LOCKED_FOR), person.id)
        )
        self._note(tables, "factor.locked", person.id, telegram_id)
        dedupe, minutes = f"factor.locked/{person.id}/{at(now)}", _minutes(LOCKED_FOR)
        why = f"{TRIES} wrong codes were given. For {minutes} minutes none is accepted."
        self.tell(tables, person, "Your second factor is locked", dedupe, why)
        self._tell_admins(tables, person, f"The second factor of {person.name} is locked", dedupe, why)
        return FactorLockedError(minutes)

    def _tell_admins(
        self, tables: Tables, person: Person, title: str, dedupe: str, *lines: str, next_step: str = ""
    ) -> None:
        """Everybody else's admins."""
        for admin in people_in(tables):
            if Role.ADMIN in admin.roles and admin.id != person.id:
                for number in admin.telegram_ids:
                    notice = Notice(Lane.SECURITY, number, title, lines, f"{dedupe}/{number}", next_step=next_step)
                    self._outbox.put(tables, notice)

    def _note(
        self,
        tables: Tables,
        action: str,
        person_id: int,
        telegram_id: int | None,
        details: Mapping[str, str | int] | None = None,
    ) -> None:
        self._audit.record(tables, Deed(action, f"person/{person_id}", person_id, telegram_id, details or {}))


def standing_in(tables: Tables, person_id: int) -> Standing | None:
    """As of the caller's transaction."""
    row = tables.conn.execute(
        "SELECT active_since, last_step, locked_until, enrolling_until FROM factors WHERE person_id = ?", (person_id,)
    ).fetchone()
    if row is None:
        return None
    active_since, last_step, locked_until, enrolling_until = row
    return Standing(_moment(active_since), last_step, _moment(locked_until), _moment(enrolling_until))


def has_factor(tables: Tables, person_id: int) -> bool:
    """Whether a person could show a code."""
    standing = standing_in(tables, person_id)
    return standing is not None and standing.is_active


def forget(tables: Tables, vault: Vault, person_id: int) -> None:
    """Erase everything about a person's factor, what is half set up as well."""
    tables.conn.execute("DELETE FROM factors WHERE person_id = ?", (person_id,))
    for new in (False, True):
        vault.erasing(_subject(person_id, new=new).name)(tables)


def _subject(person_id: int, *, new: bool = False) -> Subject:
    """What the seed is sealed for. One that is not confirmed yet is no other's."""
    if new:
        return Subject(f"factor/{person_id}/new", person_id, "factor", "unconfirmed", "factor")
    return Subject(f"factor/{person_id}", person_id, "factor", "active", "factor")


def _minutes(span: timedelta) -> int:
    """Whole minutes, rounded up."""
    return -(-span // timedelta(minutes=1))


def _moment(column: int | None) -> datetime | None:
    return None if column is None else moment(column)

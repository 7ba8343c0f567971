"""The second factor: six digits that only the person's own device shows (SAFETY 4.8).

A good code is used up in the transaction of what it authorises: the step it belongs to is stored there, and only a
greater one counts from then on. A wrong one is counted in a transaction in which nothing else happens, so that nothing
takes the count back.

A new one takes the place of an old one by the old one's code. A *first* one has nothing behind it but the phone it was
set up from, so it waits, sealed and good for nothing, until an admin who is somebody else has confirmed it. The only
admin of a desk has nobody who could: theirs counts at once, which is written down and told to everybody who may decide
or look on. Any admin can confirm, with a second factor or without one, so no desk is locked out; and a desk that has
two admins never trusts a single chat.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from bot.access.model import Person, Right, Role
from bot.access.records import people_in
from bot.access.service import check_right
from bot.approvals import records
from bot.approvals.model import Kind, Request
from bot.approvals.service import Approvals, Wish
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
from bot.operations.freezing import DESK, Alarm, no_alarm
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
ALARMED_WITHIN = timedelta(hours=24)
"""A second lock within this time freezes the desk: whoever was told of the first has not stopped."""
ENROL_WITHIN = timedelta(minutes=10)
CONFIRM_WITHIN = timedelta(hours=12)
_FIELD = "seed"
_ASK_THEM = "They are the only admin, so nobody had to confirm it. If you doubt that it was them, ask them."
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
    waiting: str | None = None
    """The open request that is to confirm a first one."""

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
        approvals: Approvals,
        audit: Recorder,
        outbox: Outbox,
        timekeeping: Timekeeping,
        clock: Clock,
        issuer: str,
    ) -> None:
        """`issuer` is what the device shows beside the digits: the desk's name."""
        self._database = database
        self._vault = vault
        self._approvals = approvals
        self._audit = audit
        self._outbox = outbox
        self._timekeeping = timekeeping
        self._clock = clock
        self._issuer = issuer
        self.alarm: Alarm = no_alarm
        """Freezes, and tells."""

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
        """A first factor; an unfinished or unconfirmed one before it is void. `ConflictError` when one is active."""

        def change(tables: Tables) -> None:
            check_right(tables, person, Right.TALK)
            standing = standing_in(tables, person.id)
            if standing is not None and standing.is_active:
                raise ConflictError("you have a second factor; a new one takes its place with a code of the old one")
            if standing is not None and standing.waiting is not None:
                asked = records.read(tables, standing.waiting)
                self._approvals.calling_off(tables, asked, "they are setting up another one")
            keep(tables)

        enrolment, keep = self._enrolling(person)
        await self._database.write(change)
        return enrolment

    async def begin_anew(self, person: Person, code: Secret, *, telegram_id: int) -> Enrolment:
        """One in place of the active one, which counts until the new one has been shown. `StepUpError`."""
        enrolment, keep = self._enrolling(person)
        await self.authorised(person.id, code, keep, purpose="replace the second factor", telegram_id=telegram_id)
        return enrolment

    async def confirm(self, person: Person, code: Secret, *, telegram_id: int) -> Request | None:
        """The first code of the new one: it is the person's factor from now on, or once the answered request is signed.

        Raises:
            CodeWrongError: Not its code; the enrolment stands.
            ClockDoubtedError: Whether it is cannot be said now.
            ConflictError: Nothing is being set up any more; or nobody is there who could confirm it.
        """
        now = self._clock.now()
        looking = self._timekeeping.looking()

        def change(tables: Tables) -> Refusal | Request:
            by = check_right(tables, person, Right.TALK)
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
            if standing.is_active:
                dedupe = self._take_up(tables, by, seed, step)
                self._note(tables, "factor.replaced", by.id, telegram_id)
                self.tell(tables, by, "Your second factor was replaced", dedupe)
                return None
            if is_only_admin(tables, by):
                dedupe = self._take_up(tables, by, seed, step)
                self._note(tables, "factor.enrolled", by.id, telegram_id, {"confirmed_by": "nobody: the only admin"})
                self.tell(tables, by, "Your second factor was set up", dedupe)
                self._tell_onlookers(tables, by, f"{by.name} has set up a second factor", dedupe)
                return None
            parameters = {"person": str(by.id), "name": by.name}
            wish = Wish(Kind.FACTOR_FIRST, parameters)
            request = self._approvals.asking(by, wish, telegram_id=telegram_id)(tables)
            tables.conn.execute(
                "UPDATE factors SET enrolling_until = NULL, waiting = ?, last_step = ? WHERE person_id = ?",
                (request.id, step, by.id),
            )
            return request

        answered = await self._database.write(change)
        if isinstance(answered, StepUpError):
            raise answered
        return answered

    def confirmed(self, tables: Tables, person: Person, request_id: str) -> None:
        """Somebody else has confirmed what waited for that request. `ConflictError` when something else waits."""
        row = tables.conn.execute(
            "SELECT last_step FROM factors WHERE person_id = ? AND waiting = ?", (person.id, request_id)
        ).fetchone()
        seed = self._seed(tables, _subject(person.id, new=True)) if row is not None else None
        if row is None or seed is None:
            raise ConflictError(f"what {person.name} set up is not there any more; /factor begins anew")
        dedupe = self._take_up(tables, person, seed, row[0])
        self._note(tables, "factor.enrolled", person.id, None, {"request": request_id})
        self.tell(tables, person, "Your second factor was set up", dedupe, "Another person has confirmed it.")

    def _take_up(self, tables: Tables, person: Person, seed: bytes, step: int) -> str:
        """From now on it is the person's factor; answers what news of that is told apart by."""
        now = at(self._clock.now())
        forget(tables, self._vault, person.id)
        tables.conn.execute(
            "INSERT INTO factors (person_id, active_since, last_step) VALUES (?, ?, ?)", (person.id, now, step)
        )
        self._vault.keeping(_subject(person.id), {_FIELD: Secret(text_of(seed))})(tables)
        return f"factor.taken_up/{person.id}/{now}"

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
        """Erase the seeds nobody has confirmed in time, or at all; answers how many. Work for the clock."""
        now = at(self._clock.now())

        def change(tables: Tables) -> int:
            late = tables.conn.execute(
                "SELECT person_id FROM factors WHERE enrolling_until <= ? OR waiting IN"
                " (SELECT id FROM requests WHERE state != 'pending')",
                (now,),
            ).fetchall()
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
                " ON CONFLICT (person_id) DO UPDATE SET enrolling_until = excluded.enrolling_until, waiting = NULL",
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
        if _locked_before(tables, person.id, now):
            when = f"{now:%Y-%m-%d %H:%M} UTC"
            self.alarm(tables, DESK, f"wrong codes have locked {person.name}'s second factor twice in a day, at {when}")
        self._note(tables, "factor.locked", person.id, telegram_id)
        dedupe, minutes = f"factor.locked/{person.id}/{at(now)}", _minutes(LOCKED_FOR)
        why = f"{TRIES} wrong codes were given. For {minutes} minutes none is accepted."
        self.tell(tables, person, "Your second factor is locked", dedupe, why)
        self._tell_admins(tables, person, f"The second factor of {person.name} is locked", dedupe, why)
        return FactorLockedError(minutes)

    def _tell_admins(self, tables: Tables, person: Person, title: str, dedupe: str, *lines: str) -> None:
        """Everybody else's admins."""
        for admin in people_in(tables):
            if Role.ADMIN in admin.roles and admin.id != person.id:
                for number in admin.telegram_ids:
                    self._outbox.put(tables, Notice(Lane.SECURITY, number, title, lines, f"{dedupe}/{number}"))

    def _tell_onlookers(self, tables: Tables, person: Person, title: str, dedupe: str) -> None:
        """Everybody else who decides or looks on: nothing but the phone vouched for it."""
        for other in people_in(tables):
            if other.id != person.id and (other.may(Right.DECIDE) or other.may(Right.SEE_PEOPLE)):
                for number in other.telegram_ids:
                    notice = Notice(Lane.SECURITY, number, title, (), f"{dedupe}/{number}", next_step=_ASK_THEM)
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


def is_only_admin(tables: Tables, person: Person) -> bool:
    """Whether they are an admin, and no other admin could confirm anything of theirs."""
    return {one.id for one in people_in(tables) if Role.ADMIN in one.roles} == {person.id}


def standing_in(tables: Tables, person_id: int) -> Standing | None:
    """As of the caller's transaction."""
    row = tables.conn.execute(
        "SELECT active_since, last_step, locked_until, enrolling_until,"
        " (SELECT id FROM requests WHERE id = waiting AND state = 'pending') FROM factors WHERE person_id = ?",
        (person_id,),
    ).fetchone()
    if row is None:
        return None
    active_since, last_step, locked_until, enrolling_until, waiting = row
    return Standing(_moment(active_since), last_step, _moment(locked_until), _moment(enrolling_until), waiting)


def _locked_before(tables: Tables, person_id: int, now: datetime) -> bool:
    """Whether wrong codes have locked it lately, and no good one was shown since: once may be a slip."""
    last = tables.conn.execute(
        "SELECT action FROM audit WHERE object = ? AND action IN ('factor.locked', 'factor.shown') AND at >= ?"
        " ORDER BY seq DESC LIMIT 1",
        (f"person/{person_id}", at(now - ALARMED_WITHIN)),
    ).fetchone()
    return last is not None and last[0] == "factor.locked"


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

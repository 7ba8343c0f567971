"""Setting up a second factor, and taking it away.

A new one takes the place of an old one by the old one's code. A *first* one has nothing behind it but the phone it was
set up from, so it waits, sealed and good for nothing, until an admin who is somebody else has confirmed it. The only
admin of a desk has nobody who could: theirs counts at once, which is written down and told to everybody who may decide
or look on. Any admin can confirm, with a second factor or without one, so no desk is locked out; and a desk that has
two admins never trusts a single chat.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.access.model import Person, Right, Role
from bot.access.records import people_in
from bot.access.service import check_right
from bot.approvals import records
from bot.approvals.model import Kind, Request
from bot.approvals.service import Approvals, Wish
from bot.clock import Clock
from bot.errors import CodeWrongError, ConflictError, FactorUnreadableError, StepUpError
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.factor import Factors, Refusal
from bot.operations.factor_news import FactorNews
from bot.operations.factor_records import FIELD, deed, forget, seed_in, standing_in, subject_of
from bot.operations.timekeeping import Timekeeping
from bot.ports import Recorder
from bot.secret import Secret
from bot.store import Database, Tables
from bot.store.columns import at
from bot.vault.service import Vault
from bot.vault.totp import matching_step, new_seed, provisioning_uri, text_of

ENROL_WITHIN = timedelta(minutes=10)
CONFIRM_WITHIN = timedelta(hours=12)
_IN_GROUPS_OF = 4


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a device needs to know. It is shown once, and never again."""

    uri: Secret
    """For the picture."""
    key: Secret
    """The same seed to type, in groups of four."""
    until: datetime


class Enrolling:
    """What becomes of everybody's second factor."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        factors: Factors,
        approvals: Approvals,
        audit: Recorder,
        outbox: Outbox,
        news: FactorNews,
        timekeeping: Timekeeping,
        clock: Clock,
        issuer: str,
    ) -> None:
        """`issuer` is what the device shows beside the digits: the desk's name."""
        self._database = database
        self._vault = vault
        self._factors = factors
        self._approvals = approvals
        self._audit = audit
        self._outbox = outbox
        self._news = news
        self._timekeeping = timekeeping
        self._clock = clock
        self._issuer = issuer

    async def begin(self, person: Person) -> Enrolment:
        """A first factor; an unfinished or unconfirmed one before it is void. `ConflictError` when one is active."""

        def change(tables: Tables) -> None:
            check_right(tables, person, Right.TALK)
            standing = standing_in(tables, person.id)
            if standing is not None and standing.is_active:
                raise ConflictError("you have a second factor; a new one takes its place with a code of the old one")
            if standing is not None and standing.waiting is not None:
                asked = records.read(tables, standing.waiting)
                self._approvals.course.calling_off(tables, asked, "they are setting up another one")
            keep(tables)

        enrolment, keep = self._enrolling(person)
        await self._database.write(change)
        return enrolment

    async def begin_anew(self, person: Person, code: Secret, *, telegram_id: int) -> Enrolment:
        """One in place of the active one, which counts until the new one has been shown. `StepUpError`."""
        enrolment, keep = self._enrolling(person)
        await self._factors.authorised(
            person.id, code, keep, purpose="replace the second factor", telegram_id=telegram_id
        )
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
            seed = seed_in(tables, self._vault, subject_of(person.id, new=True))
            if seed is None:
                return FactorUnreadableError()
            step = matching_step(seed, code.reveal(), now)
            if step is None:
                return CodeWrongError()
            if standing.is_active:
                dedupe = self._take_up(tables, by, seed, step)
                self._audit.record(tables, deed("factor.replaced", by.id, telegram_id))
                self._news.tell(tables, by, "Your second factor was replaced", dedupe)
                return None
            if is_only_admin(tables, by):
                dedupe = self._take_up(tables, by, seed, step)
                self._audit.record(
                    tables, deed("factor.enrolled", by.id, telegram_id, {"confirmed_by": "nobody: the only admin"})
                )
                self._news.tell(tables, by, "Your second factor was set up", dedupe)
                self._news.tell_onlookers(tables, by, f"{by.name} has set up a second factor", dedupe)
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
        seed = seed_in(tables, self._vault, subject_of(person.id, new=True)) if row is not None else None
        if row is None or seed is None:
            raise ConflictError(f"what {person.name} set up is not there any more; /factor begins anew")
        dedupe = self._take_up(tables, person, seed, row[0])
        self._audit.record(tables, deed("factor.enrolled", person.id, None, {"request": request_id}))
        self._news.tell(tables, person, "Your second factor was set up", dedupe, "Another person has confirmed it.")

    def _take_up(self, tables: Tables, person: Person, seed: bytes, step: int) -> str:
        """From now on it is the person's factor; answers what news of that is told apart by."""
        now = at(self._clock.now())
        forget(tables, self._vault, person.id)
        tables.conn.execute(
            "INSERT INTO factors (person_id, active_since, last_step) VALUES (?, ?, ?)", (person.id, now, step)
        )
        self._vault.keeping(subject_of(person.id), {FIELD: Secret(text_of(seed))})(tables)
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
            self._audit.record(tables, deed("factor.removed", person.id, telegram_id))
            dedupe = f"factor.removed/{person.id}/{at(self._clock.now())}"
            self._news.tell(tables, person, "Your second factor was removed", dedupe)
            self._news.tell_admins(tables, person, f"{person.name} has removed their second factor", dedupe)

        purpose = "remove the second factor"
        await self._factors.authorised(person.id, code, change, purpose=purpose, telegram_id=telegram_id)

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
            self._vault.keeping(subject_of(person.id, new=True), {FIELD: Secret(text)})(tables)

        grouped = " ".join(text[start : start + _IN_GROUPS_OF] for start in range(0, len(text), _IN_GROUPS_OF))
        uri = Secret(provisioning_uri(seed, person.name, self._issuer))
        return Enrolment(uri, Secret(grouped), until), keep

    def _void(self, tables: Tables, person_id: int) -> None:
        tables.conn.execute("UPDATE factors SET enrolling_until = NULL WHERE person_id = ?", (person_id,))
        tables.conn.execute("DELETE FROM factors WHERE person_id = ? AND active_since IS NULL", (person_id,))
        self._vault.erasing(subject_of(person_id, new=True).name)(tables)


def is_only_admin(tables: Tables, person: Person) -> bool:
    """Whether they are an admin, and no other admin could confirm anything of theirs."""
    return {one.id for one in people_in(tables) if Role.ADMIN in one.roles} == {person.id}

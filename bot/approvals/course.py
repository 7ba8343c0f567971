"""What becomes of a request once it has been asked for: every way it can go on, and to its end.

All of it inside the transaction of what moved it, together with the audit row, the cards and the news of that.
"""

from collections.abc import Mapping
from datetime import datetime

from bot.access.model import Person
from bot.access.records import names_in
from bot.access.service import people_in
from bot.approvals import records
from bot.approvals.carriers import Carrier
from bot.approvals.enclosures import Remark, add_remark
from bot.approvals.machine import Event
from bot.approvals.model import Kind, Request, State
from bot.approvals.prompting import Prompts, missing_in_words
from bot.approvals.reasons import why_not
from bot.approvals.seating import end_without_approver
from bot.approvals.signing import Signing
from bot.clock import Clock
from bot.errors import CountersignError, NumberMissedError, NumberWrongError
from bot.ports import Deed, Recorder
from bot.store import Tables


class Course:
    """Moves requests on, writes that down, and tells whom it concerns."""

    def __init__(
        self, audit: Recorder, clock: Clock, carriers: Mapping[Kind, Carrier], prompts: Prompts, signing: Signing
    ) -> None:
        self._audit = audit
        self._clock = clock
        self._carriers = carriers
        self._prompts = prompts
        self._signing = signing

    def denied(self, tables: Tables, request: Request, person: Person, reason: str) -> Request:
        """One denial ends it."""
        now = self._clock.now()
        if reason:
            add_remark(tables, request.id, Remark(person.id, now, reason))
        why = f": {reason}" if reason else ""
        return self.settle(tables, request, Event.DENIED, now, f"by {person.name}{why}")

    def counted(self, tables: Tables, request: Request, signers: list[Person], now: datetime) -> Request:
        """Seat everybody who approved and still may; when nobody is missing, carry it out."""
        if request.rule.missing(self._signing.seated(tables, request, signers)):
            self._prompts.redraw(tables, request)
            return request
        if request.asked_by not in names_in(tables):
            return self.settle(tables, request, Event.WITHDRAWN, now, "its asker is no longer at the desk")
        return self.approved(tables, request, now)

    def approved(self, tables: Tables, request: Request, now: datetime) -> Request:
        """Nobody is missing: what stays within this house is carried out, the rest is held, or may be sent."""
        approved = records.move(tables, request, Event.QUORUM_MET, now)
        if not request.kind.is_sent:
            return self._carried_out(tables, approved, now)
        self.note(tables, "request.released", approved, None, None, {"hash": approved.hash})
        if request.rule.hold:
            until = now + request.rule.hold
            approved = records.move(tables, approved, Event.HOLD_BEGUN, now, held_until=until)
        elif self._carriers[request.kind].approving(tables, approved):
            return approved
        self._prompts.redraw(tables, approved)
        return approved

    def settle(
        self,
        tables: Tables,
        request: Request,
        event: Event,
        now: datetime,
        outcome: str,
    ) -> Request:
        """Move it on, write that down, tell whom it concerns, and draw the prompts anew."""
        return self._moved(tables, records.move(tables, request, event, now, outcome))

    def moving(
        self,
        tables: Tables,
        request: Request,
        event: Event,
        outcome: str = "",
        details: Mapping[str, str] | None = None,
        *,
        moved_money: bool = True,
        shown: bool = True,
    ) -> Request:
        """Something happened to it, in this transaction: it is written down, and every card shows it.

        At its end, and when its outcome becomes unknown, its asker and everybody who signed are told. Not `shown`:
        neither, because there is no time for it now, or because what its row says is not to be believed.
        """
        now = self._clock.now()
        moved = records.move(tables, request, event, now, outcome, moved_money=moved_money)
        return self._moved(tables, moved, details, shown=shown)

    def unblocking(self, tables: Tables, request: Request) -> None:
        """Its outcome has been unknown for so long that another like it may be asked for, in this transaction (M06)."""
        if records.unblock(tables, request):
            self.note(tables, "request.unblocked", request, None, None)

    def calling_off(self, tables: Tables, request: Request, why: str) -> None:
        """What it was about is gone, in this transaction: it ends, and its asker hears why."""
        self.settle(tables, request, Event.WITHDRAWN, self._clock.now(), why)

    def people_changed(self, tables: Tables) -> None:
        """Roles or states changed, in this transaction: what nobody can sign any more ends, and its asker hears why."""
        now = self._clock.now()
        active = {person.id for person in people_in(tables)}
        self._end_delegations(tables, now)
        for request in records.standing(tables, (State.PENDING, State.HELD)):
            if request.asked_by not in active:
                self.settle(tables, request, Event.WITHDRAWN, now, "its asker is no longer at the desk")
            elif request.state is State.PENDING:
                empty = request.rule.missing(self._signing.signers(tables, request))
                if empty:
                    why = f"nobody is left who could sign for {missing_in_words(empty)}"
                    self.settle(tables, request, Event.EXPIRED, now, why)
                elif self._signing.lost(tables, request):
                    self._prompts.nobody_left(tables, request)

    def check_not_missed(self, tables: Tables, request: Request, person: Person) -> None:
        """`NumberMissedError` where this person has picked a wrong number for it: that was their one try."""
        if request.state is State.PENDING and person.id in records.missed(tables, request):
            raise NumberMissedError(others_can=not self._signing.lost(tables, request))

    def missed(self, tables: Tables, request: Request) -> NumberWrongError:
        """Somebody has just picked a wrong number: the cards show who is left; where nobody is, its asker hears so."""
        lost = self._signing.lost(tables, request)
        self._prompts.redraw(tables, request, anew=True)
        if lost:
            self._prompts.nobody_left(tables, request)
        return NumberWrongError(others_can=not lost)

    def note(
        self,
        tables: Tables,
        action: str,
        request: Request,
        person_id: int | None,
        telegram_id: int | None,
        details: Mapping[str, str | int] | None = None,
    ) -> None:
        """A line of the audit log about it."""
        about: dict[str, str | int] = {"kind": request.kind.value, **(details or {})}
        self._audit.record(tables, Deed(action, f"request/{request.id}", person_id, telegram_id, about))

    def _carried_out(self, tables: Tables, request: Request, now: datetime) -> Request:
        tables.conn.execute("SAVEPOINT carrying")
        try:
            done = self._carriers[request.kind].carry(tables, request)
        except CountersignError as error:
            tables.conn.execute("ROLLBACK TO carrying")
            tables.conn.execute("RELEASE carrying")
            return self.settle(tables, request, Event.REFUSED, now, why_not(error))
        tables.conn.execute("RELEASE carrying")
        return self.settle(tables, request, Event.DONE, now, done)

    def _moved(
        self,
        tables: Tables,
        moved: Request,
        details: Mapping[str, str] | None = None,
        *,
        shown: bool = True,
    ) -> Request:
        about = {"outcome": moved.outcome, **(details or {})}
        self.note(tables, f"request.{moved.state}", moved, None, None, about)
        if shown:
            self._prompts.redraw(tables, moved)
            self._prompts.tell(tables, moved)
        return moved

    def _end_delegations(self, tables: Tables, now: datetime) -> None:
        """Those that lack an approver on either side since: audited, and told to both."""
        for one in end_without_approver(tables, now):
            details: dict[str, str | int] = {"to": one.delegate_id, "reason": "no approver any more"}
            self._audit.record(tables, Deed("delegation.ended", f"person/{one.person_id}", details=details))
            both = [person for person in people_in(tables) if person.id in (one.person_id, one.delegate_id)]
            line = "One of the two is no approver at this desk any more."
            self._prompts.say(tables, both, "A delegation has ended", line, f"delegation/{one.id}/ended")

"""What comes after the end and says otherwise (M08). The end stands; what was heard is written down and told, once."""

from bot.access.model import Role
from bot.access.service import people_in
from bot.approvals import records as requests
from bot.approvals.model import Kind, Request
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.ports import Deed, Recorder
from bot.providers.acts import Evidence, Outcome
from bot.store import Tables


class Incidents:
    """Opens them, inside the caller's transaction."""

    def __init__(self, audit: Recorder, outbox: Outbox) -> None:
        self._audit = audit
        self._outbox = outbox

    def compare(self, tables: Tables, request: Request, evidence: Evidence) -> bool:
        """What the provider shows of a request that has ended; answers whether that says otherwise."""
        shown = contradiction(requests.counts(tables, request), evidence)
        if shown is not None:
            self.open(tables, request, shown)
        return shown is not None

    def decided_otherwise(self, tables: Tables, target: str, status: str, *, was_approved: bool) -> None:
        """A client's withdrawal is read as `status` at its CRM, after a decision of ours on it was done.

        Approved at one node, it may be rejected at the next: that says nothing against our approval. Rejected after
        it `was_approved` for good does, and so does anything but a rejection after ours.
        """
        for request in requests.succeeded_about(tables, Kind.WITHDRAWAL, target):
            ours = request.parameters["decision"]
            if (ours == "approve" and status == "rejected" and was_approved) or (
                ours == "reject" and status == "approved"
            ):
                self.open(tables, request, f"the CRM says that it is {status}")

    def open(self, tables: Tables, request: Request, shown: str) -> None:
        """Once for each request: an audit row, and an alert to every admin and to its asker."""
        about = f"request/{request.id}"
        known = tables.conn.execute(
            "SELECT 1 FROM audit WHERE object = ? AND action = 'request.contradicted' LIMIT 1", (about,)
        ).fetchone()
        if known is not None:
            return
        details = {"state": request.state.value, "outcome": request.outcome, "shown": shown}
        self._audit.record(tables, Deed("request.contradicted", about, details=details))
        lines = (
            f"It ended here as: {request.state.value.replace('_', ' ')}, {request.outcome}.",
            f"After that, {shown}.",
            "Its state here is not changed. Find out at the provider what is true, and set it right there.",
        )
        step = f"/request {request.id} shows it; /freeze stops what would come next."
        for person in people_in(tables):
            if Role.ADMIN in person.roles or person.id == request.asked_by:
                for number in person.telegram_ids:
                    title = f"Request {request.id}: the provider says otherwise"
                    dedupe = f"{about}/contradicted/{number}"
                    self._outbox.put(tables, Notice(Lane.SECURITY, number, title, lines, dedupe, next_step=step))


def contradiction(counted: bool, evidence: Evidence) -> str | None:
    """In words, how the evidence differs from the end; None when it does not.

    Args:
        counted: Whether the end says that money moved.
    """
    booked = evidence.outcome is Outcome.SUCCEEDED or bool(evidence.differing)
    if not counted and booked:
        otherwise = f", with another {', '.join(evidence.differing)}" if evidence.differing else ""
        return f"the provider shows that it was executed as {evidence.reference}{otherwise}"
    if counted and evidence.differing:
        return f"the provider shows it as {evidence.reference} with another {', '.join(evidence.differing)}"
    if counted and evidence.outcome in (Outcome.FAILED, Outcome.ALREADY_DECIDED):
        return f"the provider says that it was not done ({evidence.detail})"
    return None

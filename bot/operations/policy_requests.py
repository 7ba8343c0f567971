"""What a request for another policy means: what its signers read, who they are, and how it comes into force."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.access.model import Person, Right, Role
from bot.access.service import check_right, people_in
from bot.approvals import records
from bot.approvals.carriers import InHouse
from bot.approvals.model import Kind, Proof, Request, Rule
from bot.approvals.policies import Policies
from bot.approvals.policy.model import DEFAULT
from bot.approvals.policy.words import seat
from bot.clock import Clock
from bot.errors import ConflictError
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.ports import Deed, Recorder
from bot.store import Tables

TOLD = "policy_told"
"""Where it is kept which version was told of last."""
_SHOWN_CHARACTERS = 1400
"""Of the sentences on a prompt, those that loosen first: a message holds 4,096 with all that stands around them."""


class PolicyRequests(InHouse):
    """Carries a proposal out; fits `bot.approvals.carriers.Carrier`."""

    def __init__(self, policies: Policies, audit: Recorder, outbox: Outbox, clock: Clock) -> None:
        self._policies = policies
        self._audit = audit
        self._outbox = outbox
        self._clock = clock

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        loosened, tightened = said(parameters, "loosened"), said(parameters, "tightened")
        against = parameters["against"]
        over = f"instead of version {against}" if against != "0" else "on a desk that has none"
        size = len(parameters["document"].encode())
        return (
            f"Another policy {over}: {size:,} bytes, SHA-256 {_digest(parameters['document'])[:16]}.",
            *difference_in_lines(loosened, tightened, _SHOWN_CHARACTERS),
            *_when(loosened, int(parameters["wait"])),
            "The document, and every change in it: “/policy file” and the request's id.",
        )

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        self._still_possible(tables, asked_by, parameters)
        document = _digest(parameters["document"])
        for request in records.pending(tables):
            if request.kind is Kind.POLICY and _digest(request.parameters["document"]) == document:
                raise ConflictError(f"that is asked for already: request {request.id}")
        _, found = self._policies.in_force(tables)
        seats = tuple(filter(None, map(seat, said(parameters, "needs"))))
        return Rule(seats, proof=Proof[parameters["proof"]], life=(found or DEFAULT).life, name="policy")

    def _still_possible(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> None:
        check_right(tables, asked_by, Right.POLICY)
        number, _ = self._policies.in_force(tables)
        if str(number) != parameters["against"] or self._policies.waiting(tables) is not None:
            raise ConflictError("the policy has changed since this was compared with it; propose it again")

    def carry(self, tables: Tables, request: Request) -> str:
        parameters = request.parameters
        asker = next((one for one in people_in(tables) if one.id == request.asked_by), None)
        if asker is None:
            raise ConflictError("whoever asked for it is no longer at the desk")
        self._still_possible(tables, asker, parameters)
        loosened, tightened = said(parameters, "loosened"), said(parameters, "tightened")
        start = self._clock.now() + timedelta(seconds=int(parameters["wait"]))
        number = self._policies.take_up(tables, parameters["document"], start, request.id)
        details = {
            "request": request.id,
            "from": minute(start),
            "sha256": _digest(parameters["document"]),
            "loosened": str(len(loosened)),
            "tightened": str(len(tightened)),
        }
        self._audit.record(tables, Deed("policy.adopted", f"policy/{number}", asker.id, details=details))
        if loosened:
            done = f"version {number} takes effect on {minute(start)} UTC"
            step = "Whoever may freeze can call it off until then: /policy cancel"
        else:
            done, step = f"version {number} is in force", "/policy shows all of it."
            tables.conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (TOLD, str(number)))
        lines = (f"{asker.name} proposed it.", *difference_in_lines(loosened, tightened, _SHOWN_CHARACTERS))
        title = f"The policy changes: {done}"
        tell(tables, self._outbox, title, lines, f"policy/{number}/adopted", step, but=asker.id)
        return done


def difference_in_lines(loosened: tuple[str, ...], tightened: tuple[str, ...], characters: int) -> tuple[str, ...]:
    """What changes, the loosening first; cut with a count when that is long."""
    if not loosened and not tightened:
        return ("Nothing becomes stricter or less strict.",)
    lines: list[str] = []
    left = characters
    for title, sentences in (("Less strict:", loosened), ("Stricter:", tightened)):
        shown = 0
        for sentence in sentences:
            if left < len(sentence) and (shown or lines):
                break
            left -= len(sentence)
            lines += ([title] if not shown else []) + [f"• {sentence}"]
            shown += 1
        if shown < len(sentences):
            more = f"… and {len(sentences) - shown} more."
            lines.append(more if shown else f"{title} {more}")
    return tuple(lines)


def _when(loosened: tuple[str, ...], seconds: int) -> tuple[str, ...]:
    if not loosened:
        return ("It takes effect at once.",)
    return (f"It takes effect {seconds // 3600} hours after the last signature, and can be called off until then.",)


def tell(
    tables: Tables,
    outbox: Outbox,
    title: str,
    lines: tuple[str, ...],
    dedupe: str,
    next_step: str = "",
    *,
    but: int | None = None,
) -> None:
    """Every admin and approver except one (our id), once for each key."""
    for person in people_in(tables):
        concerned = person.id != but and not person.roles.isdisjoint({Role.ADMIN, Role.APPROVER})
        for number in person.telegram_ids if concerned else ():
            notice = Notice(Lane.SECURITY, number, title, lines, f"{dedupe}/{number}", next_step=next_step)
            outbox.put(tables, notice)


def said(parameters: Mapping[str, str], key: str) -> tuple[str, ...]:
    """The sentences that a request keeps as lines."""
    return tuple(filter(None, parameters[key].split("\n")))


def _digest(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()


def minute(moment: datetime) -> str:
    """As sentences about the policy say it, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M}"

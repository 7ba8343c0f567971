"""The freeze: nothing that moves money leaves, all over the desk or through one provider.

Anybody who may freeze does it alone and at once; it is lifted by a request that others sign (`thawing`). What is being
sent already is followed to its end; reads and alerts go on. The program freezes by itself, too, when it meets what must
not be (`alarm`): then nobody has to be awake.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from bot.access.model import Person, Right
from bot.access.records import people_in
from bot.access.service import check_right
from bot.approvals import records as requests
from bot.approvals.machine import ENDS
from bot.approvals.model import Request, State
from bot.clock import Clock
from bot.errors import FrozenError, UnreachableError
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.network.leaving import leaving
from bot.ports import Deed, Recorder
from bot.providers.registry import PROVIDERS
from bot.store import Database, Tables
from bot.store.columns import at, moment

DESK = "desk"
"""The scope of a freeze that is not of one provider."""
REASON_LENGTH = 200
NO_REASON = "no reason given"
Alarm = Callable[[Tables, str, str], None]
"""Freezes a scope for a reason inside the caller's transaction, and tells."""


def no_alarm(tables: Tables, scope: str, reason: str) -> None:
    """Where there is no money to be kept from leaving."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """One of them."""

    scope: str
    """`desk`, or a provider's name."""
    since: datetime
    person_id: int | None
    """Who froze it; None for the program itself."""
    reason: str
    by: str = ""
    """Who that is: a person's name, or this program."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """What came of freezing."""

    freeze: Freeze
    is_new: bool
    """Otherwise it was frozen already, as `freeze` says."""
    under_way: int
    """Requests that are being sent, or whose outcome is open: they are followed to their end."""


def freezes_in(tables: Tables) -> list[Freeze]:
    """Every freeze there is, the desk's first."""
    rows = tables.conn.execute(
        "SELECT scope, at, person_id, reason, name FROM freezes LEFT JOIN persons ON persons.id = person_id"
        " ORDER BY scope != ?, scope",
        (DESK,),
    ).fetchall()
    return [
        Freeze(scope, moment(since), person, reason, name or "this program")
        for scope, since, person, reason, name in rows
    ]


def freeze_of(tables: Tables, scope: str) -> Freeze | None:
    """That of a scope."""
    return next((one for one in freezes_in(tables) if one.scope == scope), None)


def check(tables: Tables, provider: str) -> None:
    """`FrozenError` when nothing may leave through this provider."""
    for freeze in freezes_in(tables):
        if freeze.scope in (DESK, provider):
            raise FrozenError(freeze.scope, freeze.reason)


def called(scope: str) -> str:
    """`the desk`, `Crypto Capital`."""
    return "the desk" if scope == DESK else PROVIDERS[scope].title


class Freezing:
    """Begins freezes. `alarm` and `freezing` belong into the transaction of what was met."""

    def __init__(self, database: Database, audit: Recorder, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._outbox = outbox
        self._clock = clock
        self._begun: Counter[str] = Counter()
        """How many of a scope have begun in this run; a little before their transaction ends."""

    def begun(self, provider: str) -> int:
        """How many there were that hold up this provider. While it stays the same none has come; asks no disk."""
        return self._begun[DESK] + self._begun[provider]

    @asynccontextmanager
    async def stopping(self, provider: str) -> AsyncIterator[None]:
        """For the length of a block that changes something there: what has not left when a freeze comes does not leave.

        Raises:
            FrozenError: That has happened.
        """
        before = self.begun(provider)
        try:
            with leaving(b"", lambda: self.begun(provider) == before):
                yield
        except UnreachableError:
            if self.begun(provider) != before:
                await self._database.read(lambda tables: check(tables, provider))
            raise

    async def freeze(self, by: Person, scope: str, reason: str = "", *, telegram_id: int) -> Frozen:
        """From the moment this returns nothing more is begun there. A second one changes nothing.

        Raises:
            NotAllowedError: They may not (any more).
        """

        def change(tables: Tables) -> Frozen:
            person = check_right(tables, by, Right.FREEZE)
            said = " ".join(reason.split())[:REASON_LENGTH] or NO_REASON
            is_new = self.freezing(tables, scope, said, person, telegram_id)
            freeze = freeze_of(tables, scope) or Freeze(scope, self._clock.now(), person.id, said, person.name)
            sent = (State.SENDING, State.ACKED, State.UNKNOWN)
            return Frozen(freeze, is_new, sum(one.state in sent for one in _open(tables, scope)))

        return await self._database.write(change)

    def freezing(
        self, tables: Tables, scope: str, reason: str, by: Person | None = None, telegram_id: int | None = None
    ) -> bool:
        """The same inside the caller's transaction; answers whether it was not frozen before."""
        now = self._clock.now()
        cursor = tables.conn.execute(
            "INSERT OR IGNORE INTO freezes VALUES (?, ?, ?, ?)",
            (scope, at(now), by.id if by is not None else None, reason),
        )
        if cursor.rowcount != 1:
            return False
        self._begun[scope] += 1
        if scope == DESK:
            _void(tables, now)
        number = by.id if by is not None else None
        self._audit.record(tables, Deed("freeze.begun", f"freeze/{scope}", number, telegram_id, {"reason": reason}))
        self._tell(tables, Freeze(scope, now, number, reason, by.name if by is not None else "this program"))
        return True

    def alarm(self, tables: Tables, scope: str, reason: str) -> None:
        """Something is as it must not be. The same reason freezes once: who thaws has seen it.

        What is frozen already stays as it is; the alarm is written down and told all the same.
        """
        raised = tables.conn.execute(
            "SELECT 1 FROM audit WHERE object = ? AND action IN ('freeze.begun', 'freeze.alarmed')"
            " AND json_extract(details, '$.reason') = ? LIMIT 1",
            (f"freeze/{scope}", reason),
        ).fetchone()
        if raised is not None or self.freezing(tables, scope, reason):
            return
        self._audit.record(tables, Deed("freeze.alarmed", f"freeze/{scope}", details={"reason": reason}))
        self._tell(tables, Freeze(scope, self._clock.now(), None, reason, "this program"))

    def tell_all(
        self, tables: Tables, title: str, lines: tuple[str, ...], dedupe: str, *, step: str = "", but: int | None = None
    ) -> None:
        """Everybody who may freeze, and so may act on it; not the person `but`."""
        for person in people_in(tables):
            if person.may(Right.FREEZE) and person.id != but:
                self._put(tables, person, title, lines, dedupe, step)

    def _tell(self, tables: Tables, freeze: Freeze) -> None:
        """Everybody who may freeze, and whoever has something waiting there; not whoever did it."""
        waiting: dict[int, list[str]] = {}
        for request in _open(tables, freeze.scope):
            waiting.setdefault(request.asked_by, []).append(request.id)
        title = f"Frozen: {called(freeze.scope)}"
        for person in people_in(tables):
            own = waiting.get(person.id, [])
            if person.id == freeze.person_id or not (own or person.may(Right.FREEZE)):
                continue
            lines = [
                f"By {freeze.by}: {freeze.reason}.",
                "No money leaves. What was being sent already is followed to its end; reading and alerts go on.",
            ]
            if own:
                lines.append(f"It holds up what you asked for: {', '.join(own)}.")
            which = "" if freeze.scope == DESK else f"{freeze.scope} "
            step = f"/status shows it. To end it: /thaw {which}and why; others must sign that."
            step = step if person.may(Right.FREEZE) else "/status shows it."
            self._put(tables, person, title, tuple(lines), f"freeze/{freeze.scope}/{at(freeze.since)}", step)

    def _put(self, tables: Tables, person: Person, title: str, lines: tuple[str, ...], dedupe: str, step: str) -> None:
        for number in person.telegram_ids:
            notice = Notice(Lane.SECURITY, number, title, lines, f"{dedupe}/{number}", next_step=step)
            self._outbox.put(tables, notice)


def _void(tables: Tables, now: datetime) -> None:
    """What was begun before is begun anew afterwards: drafts are gone, their buttons lose, links to pages are over.

    Prompts to sign stay: a signature is no movement of money, and whoever looks into it needs them. So do pages of
    answers: reading goes on.
    """
    tables.conn.execute("DELETE FROM drafts")
    tables.conn.execute(
        "UPDATE cards SET version = version + 1"
        " WHERE expires_at > ? AND kind NOT IN ('pages', 'freeze') AND kind NOT LIKE 'request%'",
        (at(now),),
    )
    tables.conn.execute("UPDATE entry_links SET expires_at = min(expires_at, ?) WHERE used_at IS NULL", (at(now),))


def _open(tables: Tables, scope: str) -> list[Request]:
    """Movements of money that have not ended, as far as a freeze of this scope holds them up."""
    standing = requests.standing(tables, frozenset(State) - ENDS)
    return [one for one in standing if one.kind.is_sent and scope in (DESK, one.parameters.get("provider"))]

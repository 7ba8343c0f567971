"""Withdrawals that clients of the CRM ask for: the list of those this desk knows, each confirmed by reading it.

Nothing announces a new request. So ids come from webhooks, which tell that a node was passed, from people, who type
one, and, where that is switched on, from the report of transactions (`report_feed`). An event is a hint and nothing
more: it is kept, then the request is read, and what was read counts. Events come twice, late and out of order; the same
one a second time is read again and told no second time (SAFETY M53).

Where a tenant has no call to read requests, what the webhook told is shown, and said to be only that.
"""

import asyncio
import logging
from dataclasses import dataclass

from bot.access.model import Person, Right
from bot.access.service import Access
from bot.audit.service import Audit
from bot.clock import Clock
from bot.errors import (
    ConflictError,
    CountersignError,
    InputError,
    NotAllowedError,
    NotFoundError,
    RefusedError,
    ReplyError,
)
from bot.messages.cards import Cards
from bot.messages.outbox import Outbox
from bot.operations.approved_lately import ApprovedLately
from bot.operations.arrivals import Arrivals
from bot.operations.connections import Connections
from bot.operations.decisions import (
    Decision,
    PreparedDecision,
    Seen,
    check_may_prepare,
    check_reason,
    may_prepare,
    prepared,
)
from bot.operations.linked import Connection
from bot.operations.moving.incidents import Incidents
from bot.operations.requested import PENDING, Known, Source, read_all
from bot.operations.withdrawal_news import Before, WithdrawalNews
from bot.ports import Deed, Sealer
from bot.providers.crm import wire
from bot.providers.crm.wire import hooks
from bot.providers.crm.wire.requests import Withdrawal
from bot.store import Database, Tables
from bot.store.columns import at

ANSWER_SECONDS = 20.0
_AT_ONCE = 50
_BURST_SECONDS = 0.05
_EXAMPLE = "/withdrawals add b7c8d9e0"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """One request as it was when somebody looked."""

    known: Known
    found: Withdrawal | None
    may_decide: bool
    """Whether this person can ask for a decision about what they see."""


@dataclass(frozen=True, slots=True)
class _Settled:
    """What came of reading one."""

    found: Withdrawal | None
    failure: CountersignError | None
    """Why the CRM could not be asked; None also where it answered that there is nothing to read."""


class Withdrawals:
    """The list, and what keeps it true."""

    def __init__(
        self,
        database: Database,
        connections: Connections,
        access: Access,
        audit: Audit,
        outbox: Outbox,
        cards: Cards,
        sealer: Sealer,
        clock: Clock,
    ) -> None:
        self._database = database
        self._connections = connections
        self._audit = audit
        self._news = WithdrawalNews(access, outbox, cards, clock)
        self._sealer = sealer
        self._clock = clock
        self._incidents = Incidents(audit, outbox)
        self._arrivals = Arrivals(database, sealer, clock)
        self._approved_lately = ApprovedLately(database, clock)
        self._reading: asyncio.Task[None] | None = None
        self._heard = False

    # coming in

    async def take(self, body: bytes) -> None:
        """Keep one webhook that was found to be signed, durably; what is not about a withdrawal is let go.

        Those that come together are kept in one commit. Reading follows by itself.

        Raises:
            ReplyError: It is no webhook.
            StoreError: It was not kept.
        """
        if not await self._arrivals.keep(body):
            return
        self._heard = True
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_soon())

    async def add(self, person: Person, request_id: str, *, telegram_id: int) -> Known:
        """A request whose id a person knows; it is read at once.

        Raises:
            NotFoundError: The CRM knows none of that id.
        """
        if not person.may(Right.ASK) and not person.may(Right.DECIDE):
            raise NotAllowedError(Right.ASK)
        wanted = request_id.strip().lower()
        if not (wanted.isascii() and wanted.isalnum() and len(wanted) <= 64):
            raise InputError("a request's id is letters and digits", _EXAMPLE)
        through = await self._through(person)
        found = await self._ask(through, wanted)

        def change(tables: Tables) -> None:
            _note(tables, wanted, Source.OPERATOR, at(self._clock.now()))
            deed = Deed("withdrawal.noted", f"crm/{wanted}", person.id, telegram_id, {"connection": through.name})
            self._audit.record(tables, deed)
            tables.conn.execute("UPDATE crm_withdrawals SET unread = 0 WHERE request_id = ?", (wanted,))
            self._confirm(tables, wanted, found, is_read=True)

        await self._database.write(change)
        return await self.one(person, wanted)

    async def find(self, through: Connection, request_id: str) -> bool:
        """Put a request of that id onto the list, if reading finds one; whether it did.

        Raises:
            RefusedError: This tenant does not let requests be read.
        """
        try:
            found = await self._ask(through, request_id)
        except NotFoundError:
            return False

        def change(tables: Tables) -> None:
            tables.conn.execute(
                "INSERT INTO crm_withdrawals (request_id, source, noticed_at, unread) VALUES (?, ?, ?, 0)"
                " ON CONFLICT (request_id) DO NOTHING",
                (request_id, Source.REPORT.value, at(self._clock.now())),
            )
            self._confirm(tables, request_id, found, is_read=True)

        await self._database.write(change)
        return True

    async def known_ids(self) -> frozenset[str]:
        """The requests of the list."""
        rows = await self._database.read(
            lambda tables: tables.conn.execute("SELECT request_id FROM crm_withdrawals").fetchall()
        )
        return frozenset(request_id for (request_id,) in rows)

    async def close(self) -> None:
        """Let go of what is under way; what was kept stays due."""
        await self._arrivals.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    # reading

    async def refresh(self) -> bool:
        """Read what something was heard of since, what was pending when last read, and what we approved lately.

        Whether there was anything to read.

        Raises:
            CountersignError: Why one of them could not be read; the others were.
        """
        through = await self.reader()
        if through is None:
            return False
        due = await self._database.read(_due)
        due += [(request_id, 0) for request_id in await self._approved_lately.due()]
        failures = [(await self._settle(through, request_id, unread)).failure for request_id, unread in due]
        for failure in failures:
            if failure is not None:
                raise failure
        return bool(due)

    async def _read_soon(self) -> None:
        """Read what was heard of, a burst in one go; what cannot be read now is read by whoever watches the CRM."""
        while self._heard:
            await self._clock.sleep(_BURST_SECONDS)
            self._heard = False
            try:
                through = await self.reader()
                if through is None:
                    return
                for request_id, unread in await self._database.read(_unread):
                    await self._settle(through, request_id, unread)
            except CountersignError as error:
                _log.warning("requests not read", extra={"error": type(error).__name__})

    async def _settle(self, through: Connection, request_id: str, unread: int) -> "_Settled":
        """Read one request and write down what it is. What cannot be read now, and what came meanwhile, stays unread.

        Args:
            unread: How many times it was heard of before this read.
        """
        found, trouble, is_read, failure = None, "", True, None
        try:
            found, is_read = await self._now(through, request_id)
            trouble = "" if found else "no webhook told it whole, and it cannot be read"
        except NotFoundError:
            trouble = "the CRM knows no such request"
        except RefusedError as error:
            trouble, unread = error.code, 0
        except CountersignError as error:
            trouble, unread, failure = type(error).__name__.removesuffix("Error").lower(), 0, error

        def change(tables: Tables) -> None:
            tables.conn.execute(
                "UPDATE crm_withdrawals SET unread = max(0, unread - ?), trouble = ? WHERE request_id = ?",
                (unread, trouble, request_id),
            )
            if found is not None:
                self._confirm(tables, request_id, found, is_read=is_read)

        await self._database.write(change)
        return _Settled(found, failure)

    async def _now(self, through: Connection, request_id: str) -> tuple[Withdrawal | None, bool]:
        """What it is now, and whether that was read: where it cannot be, what webhooks told, if they told it whole."""
        try:
            return await self._ask(through, request_id), True
        except RefusedError as error:
            if not wire.lacks_call(error):
                raise
            return await self._last_told(request_id), False

    async def _ask(self, through: Connection, request_id: str) -> Withdrawal:
        from bot.providers.crm.client import Crm  # with the first login: most starts ask nobody

        async with self._connections.session(through, seconds=ANSWER_SECONDS) as provider:
            if not isinstance(provider, Crm):
                raise NotFoundError("request", request_id)
            try:
                return await provider.requests.withdrawal(request_id)
            except RefusedError as error:
                if wire.is_missing(error):
                    raise NotFoundError("request", request_id) from None
                raise

    async def _last_told(self, request_id: str) -> Withdrawal | None:
        """What webhooks told of it: the end of a request outweighs what came before it, whenever it arrived."""
        rows = await self._database.read(
            lambda tables: tables.conn.execute(
                "SELECT id, body FROM crm_events WHERE request_id = ?"
                " ORDER BY status = 'rejected' DESC, status = 'approved' DESC, id DESC",
                (request_id,),
            ).fetchall()
        )
        for number, body in rows:
            try:
                return hooks.parse_told(self._sealer.unseal(body, -number))
            except (ReplyError, ValueError):
                continue
        return None

    def _confirm(self, tables: Tables, request_id: str, found: Withdrawal, *, is_read: bool) -> None:
        """Write what it is now; tell the approvers when that is news."""
        row = tables.conn.execute(
            "SELECT status, node, amount FROM crm_withdrawals WHERE request_id = ?", (request_id,)
        ).fetchone()
        amount, now = found.amount, self._clock.now()
        asked_at = found.asked_at
        client = found.user.name if found.user and found.user.name else found.user_id or ""
        tables.conn.execute(
            "UPDATE crm_withdrawals SET confirmed_at = ?, is_read = ?, trouble = '', status = ?, node = ?,"
            " account = ?, amount = ?, currency = ?, method = ?, client = ?, asked_at = ? WHERE request_id = ?",
            (
                *(at(now), int(is_read), found.status, found.waits_at, found.account, amount.text()),
                *(amount.currency.code, found.withdrawal_method, client),
                *(None if asked_at is None else at(asked_at), request_id),
            ),
        )
        self._news.tell(tables, Before(*row) if row else None, found, client, is_read=is_read)
        if is_read:
            ends = _ends_told(tables, request_id)
            self._news.tell_contradiction(tables, found, ends)
            was_approved = "approved" in ends or (row is not None and row[0] == "approved")
            self._incidents.decided_otherwise(tables, request_id, found.status, was_approved=was_approved)

    # showing

    async def everything(self, person: Person) -> list[Known]:
        """Every request of the list, oldest first."""
        await self._through(person)
        return await self._database.read(read_all)

    async def one(self, person: Person, request_id: str) -> Known:
        """`NotFoundError` when it is not on the list."""
        for known in await self.everything(person):
            if known.request_id == request_id:
                return known
        raise NotFoundError("request", request_id)

    async def look(self, person: Person, request_id: str) -> Look:
        """One request, read now; what webhooks told of one that cannot be read."""
        known = await self.one(person, request_id)
        through = await self._through(person)
        found = (await self._settle(through, known.request_id, 0)).found
        known = await self.one(person, request_id)
        if found is None:
            return Look(known, await self._last_told(known.request_id), may_decide=False)
        return Look(known, found, may_decide=found.status == PENDING and may_prepare(person, through))

    async def prepare_decision(
        self, person: Person, request_id: str, decision: Decision, reason: str, seen: Seen
    ) -> PreparedDecision:
        """Make a decision ready to be asked for: read the request now and compare it with what was shown.

        Nothing is decided and nothing is sent.

        Raises:
            NotAllowedError: They may not ask for it, or not act through the connection.
            ConflictError: It is not pending any more, or not what was shown, or cannot be known.
            InputError: A rejection without a reason, or one too long.
            ProviderError: It could not be read now.
        """
        through = await self._through(person)
        check_may_prepare(person, through)
        if decision is Decision.REJECT:
            check_reason(reason)
        known = await self.one(person, request_id)
        found, is_read = await self._now(through, known.request_id)
        if found is None:
            raise ConflictError(f"request {request_id} cannot be read, and no webhook told it whole")
        await self._database.write(lambda tables: self._confirm(tables, known.request_id, found, is_read=is_read))
        return prepared(through, found, decision, reason, seen, is_read=is_read)

    async def _through(self, person: Person) -> Connection:
        """The connection by which this person may read the CRM; one they may act through before any other.

        Raises:
            NotFoundError: None.
        """
        visible = [one for one in await self._connections.visible_to(person) if one.provider == wire.NAME]
        if not visible:
            raise NotFoundError("connection", wire.NAME)
        return next((one for one in visible if one.may_act(person)), visible[0])

    async def reader(self) -> Connection | None:
        """A connection that reads for everybody, when nobody in particular asks."""
        for one in await self._connections.everything():
            if one.provider == wire.NAME and one.owner_active and not self._connections.is_locked(one):
                return one
        return None


def _note(tables: Tables, request_id: str, source: Source, now: int) -> None:
    tables.conn.execute(
        "INSERT INTO crm_withdrawals (request_id, source, noticed_at) VALUES (?, ?, ?)"
        " ON CONFLICT (request_id) DO UPDATE SET unread = unread + 1",
        (request_id, source.value, now),
    )


def _due(tables: Tables) -> list[tuple[str, int]]:
    """What was heard of and not read, then what was pending when it was read last."""
    return tables.conn.execute(
        "SELECT request_id, unread FROM crm_withdrawals WHERE unread > 0 OR status = 'pending'"
        " ORDER BY unread = 0, noticed_at LIMIT ?",
        (_AT_ONCE,),
    ).fetchall()


def _unread(tables: Tables) -> list[tuple[str, int]]:
    return tables.conn.execute(
        "SELECT request_id, unread FROM crm_withdrawals WHERE unread > 0 ORDER BY noticed_at LIMIT ?", (_AT_ONCE,)
    ).fetchall()


def _ends_told(tables: Tables, request_id: str) -> list[str]:
    """How it ended, by its webhooks: not at all, one way, or both."""
    rows = tables.conn.execute(
        "SELECT DISTINCT status FROM crm_events WHERE request_id = ? AND status IN ('approved', 'rejected')",
        (request_id,),
    )
    return [status for (status,) in rows]

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
)
from bot.messages.cards import Cards
from bot.messages.outbox import Outbox
from bot.operations.adapters import crm_meant_by
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
from bot.operations.withdrawal_news import WithdrawalNews
from bot.operations.withdrawal_reading import WithdrawalReading
from bot.ports import Deed, Sealer
from bot.providers.crm import wire
from bot.providers.crm.wire.requests import Withdrawal
from bot.store import Database, Tables
from bot.store.columns import at

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
        self._clock = clock
        news = WithdrawalNews(access, outbox, cards, clock)
        self._requests = WithdrawalReading(database, connections, news, Incidents(audit, outbox), sealer, clock)
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
        through = await crm_meant_by(self._connections, person)
        found = await self._requests.ask(through, wanted)

        def change(tables: Tables) -> None:
            _note(tables, wanted, Source.OPERATOR, at(self._clock.now()))
            deed = Deed("withdrawal.noted", f"crm/{wanted}", person.id, telegram_id, {"connection": through.name})
            self._audit.record(tables, deed)
            tables.conn.execute("UPDATE crm_withdrawals SET unread = 0 WHERE request_id = ?", (wanted,))
            self._requests.confirm(tables, wanted, found, is_read=True)

        await self._database.write(change)
        return await self.one(person, wanted)

    async def find(self, through: Connection, request_id: str) -> bool:
        """Put a request of that id onto the list, if reading finds one; whether it did.

        Raises:
            RefusedError: This tenant does not let requests be read.
        """
        try:
            found = await self._requests.ask(through, request_id)
        except NotFoundError:
            return False

        def change(tables: Tables) -> None:
            tables.conn.execute(
                "INSERT INTO crm_withdrawals (request_id, source, noticed_at, unread) VALUES (?, ?, ?, 0)"
                " ON CONFLICT (request_id) DO NOTHING",
                (request_id, Source.REPORT.value, at(self._clock.now())),
            )
            self._requests.confirm(tables, request_id, found, is_read=True)

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
        failures = [(await self._requests.settle(through, request_id, unread)).failure for request_id, unread in due]
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
                    await self._requests.settle(through, request_id, unread)
            except CountersignError as error:
                _log.warning("requests not read", extra={"error": type(error).__name__})

    # showing

    async def everything(self, person: Person) -> list[Known]:
        """Every request of the list, oldest first."""
        await crm_meant_by(self._connections, person)
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
        through = await crm_meant_by(self._connections, person)
        found = (await self._requests.settle(through, known.request_id, 0)).found
        known = await self.one(person, request_id)
        if found is None:
            return Look(known, await self._requests.last_told(known.request_id), may_decide=False)
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
        through = await crm_meant_by(self._connections, person)
        check_may_prepare(person, through)
        if decision is Decision.REJECT:
            check_reason(reason)
        known = await self.one(person, request_id)
        found, is_read = await self._requests.now(through, known.request_id)
        if found is None:
            raise ConflictError(f"request {request_id} cannot be read, and no webhook told it whole")
        await self._database.write(
            lambda tables: self._requests.confirm(tables, known.request_id, found, is_read=is_read)
        )
        return prepared(through, found, decision, reason, seen, is_read=is_read)

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

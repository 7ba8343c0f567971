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
from datetime import datetime
from enum import StrEnum
from typing import Any

from bot.access.model import Person, Right, Role
from bot.access.service import Access
from bot.audit.service import Audit
from bot.clock import Clock
from bot.errors import (
    CountersignError,
    InputError,
    NotAllowedError,
    NotFoundError,
    ProviderError,
    RefusedError,
    ReplyError,
)
from bot.messages.outbox import Lane, Notice, Outbox
from bot.money import Money
from bot.operations.arrivals import Arrivals
from bot.operations.connections import Connections
from bot.operations.linked import Connection, read_all
from bot.ports import Deed, Sealer
from bot.providers.crm import wire
from bot.providers.crm.wire import hooks
from bot.providers.crm.wire.requests import Withdrawal
from bot.store import Database, Tables
from bot.store.columns import at, moment, money

ANSWER_SECONDS = 20.0
_AT_ONCE = 50
_BURST_SECONDS = 0.05
_EXAMPLE = "/withdrawals add b7c8d9e0"
_log = logging.getLogger(__name__)


class Source(StrEnum):
    """How this desk came to know of a request."""

    WEBHOOK = "webhook"
    OPERATOR = "operator"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Known:
    """One request on the list. What is None has not been read yet."""

    request_id: str
    source: Source
    noticed_at: datetime
    confirmed_at: datetime | None
    is_read: bool
    """Confirmed by reading; otherwise a webhook's word is all there is."""
    trouble: str
    status: str | None
    node: int
    account: str
    amount: Money | None
    method: str
    client: str
    asked_at: datetime | None


class Withdrawals:
    """The list, and what keeps it true."""

    def __init__(
        self,
        database: Database,
        connections: Connections,
        access: Access,
        audit: Audit,
        outbox: Outbox,
        sealer: Sealer,
        clock: Clock,
    ) -> None:
        self._database = database
        self._connections = connections
        self._access = access
        self._audit = audit
        self._outbox = outbox
        self._sealer = sealer
        self._clock = clock
        self._arrivals = Arrivals(database, sealer, clock)
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

    async def refresh(self) -> None:
        """Read every request that something was heard of since, and those that were pending when last read."""
        through = await self.reader()
        if through is None:
            return
        for request_id, unread in await self._database.read(_due):
            await self._settle(through, request_id, unread)

    async def _read_soon(self) -> None:
        """Read what was heard of, a burst in one go; what cannot be read now waits for the clock."""
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

    async def _settle(self, through: Connection, request_id: str, unread: int) -> None:
        """Read one request and write down what it is. What cannot be read now, and what came meanwhile, stays unread.

        Args:
            unread: How many times it was heard of before this read.
        """
        found, trouble, is_read = None, "", True
        try:
            found = await self._ask(through, request_id)
        except NotFoundError:
            trouble = "the CRM knows no such request"
        except RefusedError as error:
            if wire.lacks_call(error):
                found, is_read = await self._last_told(request_id), False
                trouble = "" if found else "no webhook told it whole, and it cannot be read"
            else:
                trouble, unread = error.code, 0
        except CountersignError as error:
            trouble, unread = type(error).__name__.removesuffix("Error").lower(), 0

        def change(tables: Tables) -> None:
            tables.conn.execute(
                "UPDATE crm_withdrawals SET unread = max(0, unread - ?), trouble = ? WHERE request_id = ?",
                (unread, trouble, request_id),
            )
            if found is not None:
                self._confirm(tables, request_id, found, is_read=is_read)

        await self._database.write(change)

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
        before = tables.conn.execute(
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
        if before != (found.status, found.waits_at, amount.text()):
            self._tell(tables, request_id, _headline(before, found), _facts(found, client, is_read=is_read), "state")
        if is_read:
            self._tell_contradiction(tables, request_id, found)

    def _tell_contradiction(self, tables: Tables, request_id: str, found: Withdrawal) -> None:
        """An event that says what the read denies: told once, and the read counts."""
        ends = [
            status
            for (status,) in tables.conn.execute(
                "SELECT DISTINCT status FROM crm_events WHERE request_id = ? AND status IN ('approved', 'rejected')",
                (request_id,),
            )
        ]
        denied = ends if found.status == "pending" else [one for one in ends if (one, found.status) == _IMPOSSIBLE]
        if denied:
            lines = (f"A webhook says {denied[0]}; the CRM itself says {found.status}, and that counts.",)
            self._tell(tables, request_id, f"Withdrawal {request_id}: contradiction", lines, "contradiction")

    def _tell(self, tables: Tables, request_id: str, title: str, lines: tuple[str, ...], kind: str) -> None:
        """To every approver who may read the CRM, privately: a state each time it is news, a contradiction once."""
        key = f"{kind}/{at(self._clock.now())}" if kind == "state" else kind
        linked = [one for one in read_all(tables) if one.provider == wire.NAME]
        for person in self._access.roster.people:
            if Role.APPROVER not in person.roles or not any(one.may_read(person) for one in linked):
                continue
            for telegram_id in person.telegram_ids:
                dedupe = f"crm/{request_id}/{key}/{lines[0]}/{telegram_id}"
                step = f"/withdrawals {request_id}"
                self._outbox.put(tables, Notice(Lane.DECISIONS, telegram_id, title, lines, dedupe, next_step=step))

    # showing

    async def pending(self, person: Person) -> list[Known]:
        """Those that wait, oldest first; also those nobody could read yet."""
        return [one for one in await self.everything(person) if one.status in (None, "pending")]

    async def everything(self, person: Person) -> list[Known]:
        """Every request of the list, oldest first."""
        await self._through(person)
        rows = await self._database.read(_all)
        return sorted(map(_known, rows), key=lambda one: (one.asked_at or one.noticed_at, one.request_id))

    async def one(self, person: Person, request_id: str) -> Known:
        """`NotFoundError` when it is not on the list."""
        for known in await self.everything(person):
            if known.request_id == request_id:
                return known
        raise NotFoundError("request", request_id)

    async def detail(self, person: Person, request_id: str) -> tuple[Known, Withdrawal | None]:
        """One request, read now; None for what cannot be read."""
        known = await self.one(person, request_id)
        through = await self._through(person)
        await self._settle(through, known.request_id, 0)
        known = await self.one(person, request_id)
        try:
            return known, await self._ask(through, known.request_id)
        except (NotFoundError, ProviderError):
            return known, await self._last_told(known.request_id)

    async def _through(self, person: Person) -> Connection:
        """The connection by which this person may read the CRM.

        Raises:
            NotFoundError: None.
        """
        for one in await self._connections.visible_to(person):
            if one.provider == wire.NAME:
                return one
        raise NotFoundError("connection", wire.NAME)

    async def reader(self) -> Connection | None:
        """A connection that reads for everybody, when nobody in particular asks."""
        for one in await self._connections.everything():
            if one.provider == wire.NAME and one.owner_active and not self._connections.is_locked(one):
                return one
        return None


_IMPOSSIBLE = ("rejected", "approved")
"""A rejection is final: what was rejected is never approved. The other way there is post-approval rejection."""


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


def _all(tables: Tables) -> list[tuple[Any, ...]]:
    return tables.conn.execute(
        "SELECT request_id, source, noticed_at, confirmed_at, is_read, trouble, status, node, account, amount,"
        " currency, method, client, asked_at FROM crm_withdrawals"
    ).fetchall()


def _known(row: tuple[Any, ...]) -> Known:
    request_id, source, noticed_at, confirmed_at, is_read, trouble, status, node, account, amount, code, *rest = row
    method, client, asked_at = rest
    return Known(
        request_id,
        Source(source),
        moment(noticed_at),
        None if confirmed_at is None else moment(confirmed_at),
        bool(is_read),
        trouble,
        status,
        node or 0,
        account or "",
        None if amount is None else money(amount, code),
        method or "",
        client or "",
        None if asked_at is None else moment(asked_at),
    )


def _headline(before: tuple[Any, ...] | None, found: Withdrawal) -> str:
    """What is new about a request, in one line."""
    was = before[0] if before else None
    if found.status == "rejected" and was == "approved":
        return f"Withdrawal {found.id} rejected after it was approved"
    if found.status != "pending":
        return f"Withdrawal {found.id} {found.status}"
    waits = f" at node {found.waits_at}" if found.waits_at else ""
    return f"Withdrawal {found.id} waits{waits}"


def _facts(found: Withdrawal, client: str, *, is_read: bool) -> tuple[str, ...]:
    said = () if is_read else ("As a webhook told it; this tenant does not let requests be read.",)
    return (f"{found.amount} by {found.withdrawal_method}", f"Client {client}, from {found.account}", *said)

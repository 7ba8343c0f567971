"""One client's withdrawal as it is now: read, written down, and told where it is news.

What was read counts; where the CRM has no call to read it, what webhooks told, if they told it whole.
"""

from dataclasses import dataclass

from bot.clock import Clock
from bot.errors import CountersignError, NotFoundError, RefusedError, ReplyError
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.operations.moving.incidents import Incidents
from bot.operations.withdrawal_news import Before, WithdrawalNews
from bot.ports import Sealer
from bot.providers.crm import wire
from bot.providers.crm.wire import hooks
from bot.providers.crm.wire.requests import Withdrawal
from bot.store import Database, Tables
from bot.store.columns import at

ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of reading one."""

    found: Withdrawal | None
    failure: CountersignError | None
    """Why the CRM could not be asked; None also where it answered that there is nothing to read."""


class WithdrawalReading:
    """Reads requests, and keeps their rows true."""

    def __init__(
        self,
        database: Database,
        connections: Connections,
        news: WithdrawalNews,
        incidents: Incidents,
        sealer: Sealer,
        clock: Clock,
    ) -> None:
        self._database = database
        self._connections = connections
        self._news = news
        self._incidents = incidents
        self._sealer = sealer
        self._clock = clock

    async def settle(self, through: Connection, request_id: str, unread: int) -> Settled:
        """Read one request and write down what it is. What cannot be read now, and what came meanwhile, stays unread.

        Args:
            unread: How many times it was heard of before this read.
        """
        found, trouble, is_read, failure = None, "", True, None
        try:
            found, is_read = await self.now(through, request_id)
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
                self.confirm(tables, request_id, found, is_read=is_read)

        await self._database.write(change)
        return Settled(found, failure)

    async def now(self, through: Connection, request_id: str) -> tuple[Withdrawal | None, bool]:
        """What it is now, and whether that was read: where it cannot be, what webhooks told, if they told it whole."""
        try:
            return await self.ask(through, request_id), True
        except RefusedError as error:
            if not wire.lacks_call(error):
                raise
            return await self.last_told(request_id), False

    async def ask(self, through: Connection, request_id: str) -> Withdrawal:
        """What the CRM answers. `NotFoundError` where it knows none of that id."""
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

    async def last_told(self, request_id: str) -> Withdrawal | None:
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

    def confirm(self, tables: Tables, request_id: str, found: Withdrawal, *, is_read: bool) -> None:
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


def _ends_told(tables: Tables, request_id: str) -> list[str]:
    """How it ended, by its webhooks: not at all, one way, or both."""
    rows = tables.conn.execute(
        "SELECT DISTINCT status FROM crm_events WHERE request_id = ? AND status IN ('approved', 'rejected')",
        (request_id,),
    )
    return [status for (status,) in rows]

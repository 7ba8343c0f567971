"""What a payment provider tells of clients' deposits: kept, recorded, passed on to people. Nothing is moved by it.

The first final word on a payment counts. The same one again is answered as the documents say and told nobody; another
one is told once, because then one of the two was wrong.
"""

from decimal import Decimal

from bot.access.model import Person, Role
from bot.access.service import Access
from bot.audit.service import Audit
from bot.clock import Clock
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.money import Currency, Money
from bot.operations.linked import Connection, read_all
from bot.ports import Deed
from bot.providers.crm import wire
from bot.providers.crm.wire.psp import Callback, Refusal, Status
from bot.store import Database, Tables
from bot.store.columns import at, money

_WORDS = {Status.FAILED: "failed", Status.SUCCEEDED: "succeeded", Status.PROCESSING: "is being processed"}
_HEARSAY = "The payment provider says so; nothing was booked because of it."


class Payments:
    """The payments that were told of."""

    def __init__(self, database: Database, access: Access, audit: Audit, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._access = access
        self._audit = audit
        self._outbox = outbox
        self._clock = clock

    async def take(self, callback: Callback) -> Refusal | None:
        """Keep what a signed callback says; or why it cannot be.

        Raises:
            StoreError: It was not kept.
        """
        return await self._database.write(lambda tables: self._settle(tables, callback))

    def _settle(self, tables: Tables, told: Callback) -> Refusal | None:
        amount = Money.reading(Decimal(told.amount), Currency.of(told.currency))
        before = tables.conn.execute(
            "SELECT status, amount, currency, contradicted FROM crm_payments WHERE order_no = ?", (told.order_no,)
        ).fetchone()
        if before is None:
            if self._is_taken(tables, told):
                return Refusal.EXISTS
            self._write(tables, told, amount)
            return None
        status, said, code, contradicted = before
        agrees = money(said, code) == amount
        if status != Status.PROCESSING:
            if not contradicted and not (agrees and status == told.status):
                self._contradict(tables, told, amount, Status(status))
            self._count(tables, told)
            return Refusal.NOT_PENDING
        if not agrees:
            return Refusal.CURRENCY if code != amount.currency.code else Refusal.AMOUNT
        if self._is_taken(tables, told):
            return Refusal.EXISTS
        if told.status == Status.PROCESSING:
            self._count(tables, told)
        else:
            self._write(tables, told, amount)
        return None

    def _is_taken(self, tables: Tables, told: Callback) -> bool:
        """Whether another payment has that transaction."""
        found = tables.conn.execute(
            "SELECT 1 FROM crm_payments WHERE transaction_id = ? AND order_no != ?",
            (told.transaction_id or None, told.order_no),
        ).fetchone()
        return found is not None

    def _write(self, tables: Tables, told: Callback, amount: Money) -> None:
        now = at(self._clock.now())
        tables.conn.execute(
            "INSERT INTO crm_payments (order_no, status, amount, currency, transaction_id, client, first_at, last_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (order_no) DO UPDATE SET status = excluded.status,"
            " transaction_id = coalesce(excluded.transaction_id, transaction_id), times = times + 1,"
            " last_at = excluded.last_at",
            (
                *(told.order_no, told.status, amount.text(), amount.currency.code),
                *(told.transaction_id or None, told.user_id or "", now, now),
            ),
        )
        self._record(tables, "payment.told", told, amount)
        title = f"Payment {told.order_no} {_WORDS[Status(told.status)]}"
        client = f" of client {told.user_id}" if told.user_id else ""
        self._tell(tables, told, title, (f"A deposit of {amount}{client}.", _HEARSAY))

    def _contradict(self, tables: Tables, told: Callback, amount: Money, before: Status) -> None:
        tables.conn.execute("UPDATE crm_payments SET contradicted = 1 WHERE order_no = ?", (told.order_no,))
        self._record(tables, "payment.contradicted", told, amount)
        said = f"It {_WORDS[before]} by the first word; now it is said that {amount} {_WORDS[Status(told.status)]}."
        lines = (said, "The first word is kept. Look the payment up at the provider and in the CRM.")
        self._tell(tables, told, f"Payment {told.order_no}: contradiction", lines)

    def _count(self, tables: Tables, told: Callback) -> None:
        tables.conn.execute(
            "UPDATE crm_payments SET times = times + 1, last_at = ? WHERE order_no = ?",
            (at(self._clock.now()), told.order_no),
        )

    def _record(self, tables: Tables, action: str, told: Callback, amount: Money) -> None:
        details: dict[str, str | int] = {"amount": str(amount), "status": Status(told.status).name.lower()}
        self._audit.record(tables, Deed(action, f"crm/payment/{told.order_no}", details=details))

    def _tell(self, tables: Tables, told: Callback, title: str, lines: tuple[str, ...]) -> None:
        linked = [one for one in read_all(tables) if one.provider == wire.NAME]
        for person in self._access.roster.people:
            if not _concerns(person, linked):
                continue
            for chat in sorted(person.telegram_ids):
                dedupe = f"crm/payment/{told.order_no}/{title}/{chat}"
                self._outbox.put(tables, Notice(Lane.EVENTS, chat, title, lines, dedupe))


def _concerns(person: Person, linked: list[Connection]) -> bool:
    """Admins, who switched this on, and the approvers who may read the CRM."""
    if Role.ADMIN in person.roles:
        return True
    return Role.APPROVER in person.roles and any(one.may_read(person) for one in linked)

"""Money requests with nobody to send them: people, a policy, a book and the rooms that judge, on a real database.

For tests of what may be asked for and who decides, which need no provider and many rounds.
"""

from collections.abc import Sequence
from typing import Any

from bot.access.model import Person
from bot.access.service import Access
from bot.approvals import records
from bot.approvals.machine import Event
from bot.approvals.model import Decision, Kind, Proof, Request
from bot.approvals.policies import Policies
from bot.approvals.service import Approvals, Seen, Shown, Wish
from bot.audit.service import Audit
from bot.config import Member
from bot.messages.cards import Cards
from bot.messages.outbox import Outbox
from bot.operations.moving.carrying import Mover
from bot.operations.moving.guarding import Guarding
from bot.operations.transfers import TransferMatter
from bot.store import Database, Tables
from bot.store.columns import at
from bot.vault.keys import KeyTree, MasterKey
from tests.support.clock import HandClock

ADAM, OLGA, OSCAR, ANNA, ARNO = 1001, 1002, 1003, 1004, 1005
MEMBERS = (
    Member(OLGA, "Olga", ["operator"]),
    Member(OSCAR, "Oscar", ["operator"]),
    Member(ANNA, "Anna", ["approver"]),
    Member(ARNO, "Arno", ["approver"]),
)
HARBOUR = "9120007013"
_KEYS = KeyTree(MasterKey.new(), "guarded", bytes(32))


class Guarded:
    """The rooms, and what is done in them. `woken` counts how often whoever sends was told to look."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        self.database, self.clock = database, clock
        self.audit = Audit(clock, _KEYS.audit_code, 1)
        self.access = Access(database, self.audit, clock, [])
        self.with_factor: set[int] = set()
        self.approvals = Approvals(
            database,
            self.audit,
            Outbox(database, clock),
            Cards(database, clock),
            clock,
            lambda tables, person_id: person_id in self.with_factor,
        )
        self.matter = TransferMatter()
        self.guarding = Guarding(Policies(clock), clock, check_disk=lambda: None)  # there is room
        self.woken = 0
        self.approvals.carriers[Kind.TRANSFER] = Mover(self.matter, self.guarding, self._wake)

    def _wake(self, request: Request) -> None:
        self.woken += 1

    async def furnish(self, policy: str | None, connections: Sequence[str] = ("main",)) -> None:
        """People, connections shared for acting, somebody in the book; and a policy in force."""
        await self.access.start([ADAM], MEMBERS)
        now, owner = at(self.clock.now()), self.person(OLGA).id

        def change(tables: Tables) -> None:
            for label in connections:
                number = tables.conn.execute(
                    "INSERT INTO connections (owner, provider, label, environment, created_at, tested_at)"
                    " VALUES (?, 'cryptocapital', ?, 'live', ?, ?) RETURNING id",
                    (owner, label, now, now),
                ).fetchone()[0]
                tables.conn.execute("INSERT INTO shares VALUES (?, 'role/operator', 'act')", (number,))
            tables.conn.execute(
                "INSERT INTO beneficiaries (provider, account, name, added_at, usable_from)"
                " VALUES ('cryptocapital', ?, 'Harbour', ?, ?)",
                (HARBOUR, now, now),
            )

        await self.database.write(change)
        if policy is not None:
            await self.policy(policy)

    async def policy(self, document: str, version: int = 1) -> None:
        """In force from now on."""
        now = at(self.clock.now())
        await self.write("INSERT INTO policies VALUES (?, ?, ?, NULL, NULL)", version, document, now)

    async def write(self, statement: str, *values: object) -> None:
        await self.database.write(lambda tables: tables.conn.execute(statement, values))

    async def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = await self.database.read(
            lambda tables: list(tables.conn.execute(statement, values).fetchall())
        )
        return found

    def person(self, telegram_id: int) -> Person:
        found = self.access.roster.person(telegram_id)
        assert found is not None
        return found

    def wish(
        self,
        amount: str = "10.00",
        currency: str = "USD",
        *,
        connection: int = 1,
        label: str = "main",
        source: str = "9120004471",
    ) -> Wish:
        """A transfer to Harbour."""
        return Wish(
            Kind.TRANSFER,
            {
                "connection": f"cryptocapital/{label}",
                "connection_id": str(connection),
                "provider": "cryptocapital",
                "environment": "live",
                "account": source,
                "target": HARBOUR,
                "beneficiary": "Harbour",
                "amount": amount,
                "currency": currency,
            },
        )

    async def asked(self, wish: Wish | None = None, by: int = OLGA, shown: Shown | None = None) -> Request:
        return await self.approvals.ask(self.person(by), wish or self.wish(), telegram_id=by, shown=shown)

    async def says(self, who: int, decision: Decision, request: Request, shown: Shown | None = None) -> Request:
        return await self.approvals.decide(
            self.person(who), request.id, decision, Seen(request.hash), telegram_id=who, shown=shown
        )

    async def approves(self, who: int, request: Request, shown: Shown | None = None) -> Request:
        return await self.says(who, Decision.APPROVE, request, shown)

    async def now(self, request: Request) -> Request:
        """As it stands."""
        return await self.approvals.find(request.id)

    async def happens(self, request: Request, event: Event, *, moved_money: bool = True) -> Request:
        """As whoever sends would write it down."""

        def change(tables: Tables) -> Request:
            fresh = records.read(tables, request.id)
            return self.approvals.course.moving(tables, fresh, event, moved_money=moved_money)

        return await self.database.write(change)


def showing(proof: Proof) -> Shown:
    """A proof that nothing speaks against."""
    return Shown(proof, lambda tables: None)

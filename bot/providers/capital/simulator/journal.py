"""What the two histories tell: deals as activities, money as transactions."""

from datetime import datetime
from decimal import Decimal

from bot.providers.capital.simulator.state import Account, Activity, Direction, Position, Transaction, WorkingOrder
from bot.providers.capital.simulator.world import World

_FIRST_NUMBER = 55_500_001


class Journal:
    """The only writer of both."""

    def __init__(self, world: World) -> None:
        self.world = world

    def position(
        self,
        row: Position,
        source: str,
        status: str = "ACCEPTED",
        *,
        size: Decimal | None = None,
        direction: Direction | None = None,
        level: Decimal | None = None,
        type: str = "POSITION",
    ) -> None:
        """One thing that happened to a row; what is not given is the row's own."""
        self.world.state.activities.append(
            Activity(
                at=self.world.now(),
                account_id=row.account_id,
                epic=row.epic,
                deal_id=row.deal_id,
                source=source,
                type=type,
                status=status,
                reference=row.reference,
                size=row.size if size is None else size,
                direction=direction or row.direction,
                level=row.level if level is None else level,
                guaranteed=row.bracket.guaranteed,
                order_id=row.order_id or None,
            )
        )

    def order(self, row: WorkingOrder, source: str, status: str, reference: str) -> None:
        self.world.state.activities.append(
            Activity(
                at=self.world.now(),
                account_id=row.account_id,
                epic=row.epic,
                deal_id=row.deal_id,
                source=source,
                type="WORKING_ORDER",
                status=status,
                reference=reference,
                size=row.size,
                direction=row.direction,
                level=row.level,
                guaranteed=row.guaranteed,
            )
        )

    def money(self, account: Account, kind: str, note: str, amount: Decimal, epic: str | None = None) -> None:
        """Cash of the account changed by `amount`; the change itself is the caller's."""
        rows = self.world.state.transactions
        number = _FIRST_NUMBER + len(rows)
        rows.append(Transaction(self.world.now(), account.id, kind, note, number, amount, account.currency, epic))

    def activities(self, account: Account, start: datetime, end: datetime) -> list[Activity]:
        """Newest first, both ends included, as far as they show already."""
        shown = self.world.now_ms() - self.world.state.options.activity_delay_ms
        rows = (row for row in reversed(self.world.state.activities) if row.account_id == account.id)
        return [row for row in rows if start <= row.at <= end and row.at.timestamp() * 1000 <= shown]

    def transactions(self, account: Account, start: datetime, end: datetime) -> list[Transaction]:
        rows = (row for row in reversed(self.world.state.transactions) if row.account_id == account.id)
        return [row for row in rows if start <= row.at <= end]

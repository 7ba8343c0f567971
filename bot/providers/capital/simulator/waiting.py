"""Working orders: they wait for their price, and are gone when it comes, when their time is over or when cancelled.

BUY LIMIT and SELL STOP wait for a lower price, the other two for a higher one. Whatever the level was, the fill is at
the price of that moment. One that lacks the margin then is rejected and gone.
"""

from collections.abc import Mapping
from decimal import Decimal

from bot.network.strictjson import Json
from bot.providers.capital.simulator.calls import Refused
from bot.providers.capital.simulator.dealing import Dealing
from bot.providers.capital.simulator.demo import deal_ids
from bot.providers.capital.simulator.journal import Journal
from bot.providers.capital.simulator.market import INSTRUMENTS
from bot.providers.capital.simulator.orders import Order, change_working_order, parse_working_order
from bot.providers.capital.simulator.state import Account, Confirmation, Quote, WorkingOrder
from bot.providers.capital.simulator.world import World


class Waiting:
    """The only writer of working orders."""

    def __init__(self, world: World, dealing: Dealing, journal: Journal) -> None:
        self.world = world
        self.dealing = dealing
        self.journal = journal

    def held(self, account: Account) -> list[WorkingOrder]:
        """Oldest first."""
        return [row for row in self.world.state.orders.values() if row.account_id == account.id]

    def place(self, account: Account, body: Mapping[str, Json]) -> str:
        parsed = parse_working_order(self.world, account, "", body)
        deal_id, _ = deal_ids(self.world.state, parsed.epic)
        parsed.deal_id = deal_id
        reference, reason = self.world.order_reference(), self.dealing.rejecting()
        self.journal.order(parsed, "USER", "REJECTED" if reason else "ACCEPTED", reference)
        self.dealing.file(_word(self.world, parsed, reference, "OPEN", "OPENED", reason))
        if not reason:
            self.world.state.orders[deal_id] = parsed
            self.world.record("order", account.id, deal_id, parsed.size, parsed.epic, reference)
            self._watch(parsed)
        return reference

    def change(self, account: Account, deal_id: str, body: Mapping[str, Json]) -> str:
        row = self._row(account, deal_id)
        changed = change_working_order(self.world, account, row, body)
        reference, reason = self.world.order_reference(), self.dealing.rejecting()
        self.journal.order(changed, "USER", "MODIFY_REJECT" if reason else "MODIFIED", reference)
        self.dealing.file(_word(self.world, changed, reference, "OPEN", "OPENED", reason))
        if not reason:
            self.world.state.orders[deal_id] = changed
            self.world.record("amend", account.id, deal_id, changed.size, changed.epic, reference)
            self._watch(changed)
        return reference

    def cancel(self, account: Account, deal_id: str) -> str:
        row = self._row(account, deal_id)
        reference, reason = self.world.order_reference(), self.dealing.rejecting()
        self.journal.order(row, "USER", "CANCEL_REJECT" if reason else "CANCELLED", reference)
        self.dealing.file(_word(self.world, row, reference, "DELETED", "DELETED", reason))
        if not reason:
            del self.world.state.orders[deal_id]
            self.world.record("cancel", account.id, deal_id, row.size, row.epic, reference)
        return reference

    def _row(self, account: Account, deal_id: str) -> WorkingOrder:
        row = self.world.state.orders.get(deal_id)
        if row is None or row.account_id != account.id:
            raise Refused(404, "error.not-found.dealId")
        return row

    def hear(self, epic: str, _: Quote) -> None:
        for row in [row for row in self.world.state.orders.values() if row.epic == epic]:
            self._watch(row)

    def expire(self) -> None:
        """Whatever was good until a moment that has passed."""
        now = self.world.now()
        for row in [row for row in self.world.state.orders.values() if row.good_till and row.good_till <= now]:
            del self.world.state.orders[row.deal_id]
            self.journal.order(row, "SYSTEM", "EXPIRED", "")

    def _watch(self, row: WorkingOrder) -> None:
        price = self.world.fill_price(row.epic, row.direction)
        beyond = (price - row.level) * row.direction.sign
        reached = beyond <= 0 if row.kind == "LIMIT" else beyond >= 0
        if reached and self.world.state.quotes[row.epic].status == "TRADEABLE":
            self._fill(row, price)

    def _fill(self, row: WorkingOrder, price: Decimal) -> None:
        account = self.world.state.accounts[row.account_id]
        order = Order(INSTRUMENTS[row.epic], row.direction, row.size, row.bracket(price))
        del self.world.state.orders[row.deal_id]
        if self.dealing.objection(account, order):
            self.journal.order(row, "SYSTEM", "REJECTED", "")
            return
        self.journal.order(row, "SYSTEM", "EXECUTED", "")
        self.dealing.execute(account, order, row.deal_id, self.world.order_reference())


def _word(world: World, row: WorkingOrder, reference: str, status: str, affected: str, reason: str) -> Confirmation:
    return Confirmation(
        at=world.now(),
        reference=reference,
        deal_id=row.deal_id,
        epic=row.epic,
        direction=row.direction,
        size=row.size,
        accepted=not reason,
        reason=reason or "SUCCESS",
        status=None if reason else status,
        level=None if reason else row.level,
        affected=[] if reason else [(row.deal_id, affected)],
        bracket=row.bracket(row.level),
    )

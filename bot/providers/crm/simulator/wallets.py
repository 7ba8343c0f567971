"""The wallet calls: wallets/get-wallet, update-balance, and the order's status.

Refusals beyond the pages, our choice: a currency the tenant does not keep and an amount of zero are `invalid_request`;
the same order id with other content is `order_id_exists`. An order refused for want of money is `failed` and may be
tried again under the same id. With `wallet_orders_wait` an order is `pending` until the control side settles it.
"""

from collections.abc import Sequence

from bot.providers.crm.simulator.books import Books
from bot.providers.crm.simulator.fields import ID_LENGTH, RefusedError, invalid
from bot.providers.crm.simulator.gate import Answer, Call, Duty
from bot.providers.crm.simulator.notation import Place, plain
from bot.providers.crm.simulator.world import Order, Tenant

ORDER_ID_LENGTH = 16


class Wallets:
    """What the API shows and does with clients' wallets."""

    def __init__(self, tenant: Tenant, books: Books) -> None:
        self._tenant = tenant
        self._books = books

    def duties(self) -> Sequence[Duty]:
        return (
            Duty("GET", "/wallets", self.show),
            Duty("PATCH", "/wallets/balance", self.update_balance),
            Duty("GET", "/wallets/balance/{order_id}", self.order_status),
        )

    def show(self, call: Call) -> Answer:
        user_id = self._known(call.query.text("user_id", length=ID_LENGTH))
        wallets = self._tenant.world.wallets.get(user_id, {})
        return Answer({currency: plain(wallet.balance) for currency, wallet in wallets.items()})

    def update_balance(self, call: Call) -> Answer:
        """Credit, or below zero debit, a wallet; asked twice under one order id it is booked once."""
        world = self._tenant.world
        order_id = call.body.text("order_id", length=ORDER_ID_LENGTH)
        user_id, currency = call.body.text("user_id", length=ID_LENGTH), call.body.text("currency")
        order = Order(user_id=user_id, currency=currency, amount=call.body.number("amount"))
        if currency not in world.usd_rates:
            raise invalid()
        self._known(user_id)
        earlier = world.orders.get(order_id)
        if earlier is not None and earlier.status != "failed":
            if not earlier.asks_the_same(order):
                raise RefusedError("order_id_exists")
            return Answer({})
        world.orders[order_id] = order
        if world.settings.wallet_orders_wait:
            order.status = "pending"
        else:
            self._execute(order_id, order)
        return Answer({})

    def order_status(self, call: Call) -> Answer:
        order_id = call.path["order_id"]
        if order_id not in self._tenant.world.orders:
            raise RefusedError("order_not_found")
        return Answer({"order_id": order_id, "status": self._tenant.world.orders[order_id].status})

    def settle(self, order_id: str, *, success: bool) -> Order:
        """A waiting order is booked, or fails."""
        order = self._tenant.world.orders.get(order_id)
        if order is None or order.status != "pending":
            raise RefusedError("order_not_found")
        if success:
            self._execute(order_id, order)
        else:
            order.status = "failed"
        return order

    def _execute(self, order_id: str, order: Order) -> None:
        place = Place(order.user_id, order.currency)
        order.status = "failed"
        self._books.require(place, -order.amount)
        self._books.book(place, order.amount, "Open API", ref_id=order_id)
        kind, ends = "wallet_credit", ("open-api", place.label)
        if order.amount < 0:
            kind, ends = "wallet_debit", ends[::-1]
        self._books.record(kind, *ends, abs(order.amount), order.currency, order_id)
        order.status = "success"

    def _known(self, user_id: str) -> str:
        if user_id not in self._tenant.world.clients:
            raise RefusedError("account_not_found")
        return user_id

"""The client and wallet calls: users/get-users, get-user, wallets/get-wallet, update-balance, and the order's status.

Refusals beyond the pages, our choice: a currency the tenant does not keep and an amount of zero are `invalid_request`;
an order id is remembered once it was booked, so a refused one may be tried again.
"""

from collections.abc import Sequence

from bot.providers.crm.simulator.books import Books
from bot.providers.crm.simulator.fields import ID_LENGTH, RefusedError, invalid
from bot.providers.crm.simulator.gate import Answer, Call, Duty
from bot.providers.crm.simulator.world import Client, Order, Place, Tenant, plain, stamp

ORDER_ID_LENGTH = 16


class Clients:
    """What the API shows of clients and their wallets."""

    def __init__(self, tenant: Tenant, books: Books) -> None:
        self._tenant = tenant
        self._books = books

    def duties(self) -> Sequence[Duty]:
        return (
            Duty("GET", "/users", self.listing),
            Duty("GET", "/users/{id}", self.get),
            Duty("GET", "/wallets", self.wallet),
            Duty("PATCH", "/wallets/balance", self.update_balance),
            Duty("GET", "/wallets/balance/{order_id}", self.order_status),
        )

    def listing(self, call: Call) -> Answer:
        skip, limit = call.query.page()
        kind = call.query.optional_text("type")
        if kind not in (None, "ib", "trader"):
            raise invalid()
        suspended = call.query.flag("suspended")
        found = [
            client
            for client in self._tenant.world.clients.values()
            if client.suspended == suspended and kind in (None, client.type)
        ]
        return Answer({"count": len(found), "records": [self._record(client) for client in found[skip : skip + limit]]})

    def get(self, call: Call) -> Answer:
        world = self._tenant.world
        client = world.clients.get(call.path["id"])
        if client is None:
            raise RefusedError("user_not_found")
        shown = self._card(client)
        if call.query.flag("owner"):
            shown["owner"] = self._staff(client.owner_id)
        if call.query.flag("participants"):
            shown["participants"] = [self._staff(staff_id) for staff_id in client.participant_ids]
        return Answer(shown)

    def wallet(self, call: Call) -> Answer:
        user_id = self._known(call.query.text("user_id", length=ID_LENGTH))
        wallets = self._tenant.world.wallets.get(user_id, {})
        return Answer({currency: plain(wallet.balance) for currency, wallet in wallets.items()})

    def update_balance(self, call: Call) -> Answer:
        """Credit, or below zero debit, a wallet; asked twice under one order id it is booked once."""
        world = self._tenant.world
        order_id = call.body.text("order_id", length=ORDER_ID_LENGTH)
        user_id, currency = call.body.text("user_id", length=ID_LENGTH), call.body.text("currency")
        order = Order(user_id, currency, call.body.number("amount"))
        if currency not in world.usd_rates:
            raise invalid()
        self._known(user_id)
        if order_id not in world.orders:
            self._execute(order_id, order)
        elif world.orders[order_id] != order:
            raise RefusedError("order_id_exists")
        return Answer({})

    def order_status(self, call: Call) -> Answer:
        order_id = call.path["order_id"]
        if order_id not in self._tenant.world.orders:
            raise RefusedError("order_not_found")
        return Answer({"order_id": order_id, "status": "success"})

    def _execute(self, order_id: str, order: Order) -> None:
        place = Place(order.user_id, order.currency)
        self._books.require(place, -order.amount)
        self._books.book(place, order.amount, "Open API", ref_id=order_id)
        kind, ends = "wallet_credit", ("open-api", place.label)
        if order.amount < 0:
            kind, ends = "wallet_debit", ends[::-1]
        self._books.record(kind, *ends, abs(order.amount), order.currency, order_id)
        self._tenant.world.orders[order_id] = order

    def _known(self, user_id: str) -> str:
        if user_id not in self._tenant.world.clients:
            raise RefusedError("account_not_found")
        return user_id

    def _staff(self, staff_id: str) -> dict[str, object]:
        staff = self._tenant.world.staff[staff_id]
        return {"id": staff.id, "name": staff.name, "email": staff.email}

    def _card(self, client: Client) -> dict[str, object]:
        """What both calls show of a client."""
        return {
            "id": client.id,
            "name": client.name,
            "email": client.email,
            "phone": {"country_code": client.country_code, "number": client.phone},
            "type": client.type,
            "referral_code": client.referral_code,
            "trading_accounts": [
                {"platform": item.platform, "connection_id": item.connection_id, "trading_id": str(item.login)}
                for item in self._tenant.world.accounts
                if item.user_id == client.id
            ],
            "created_at": stamp(client.created_at),
        }

    def _record(self, client: Client) -> dict[str, object]:
        world = self._tenant.world
        opened = [account.created_at for account in world.accounts if account.user_id == client.id]
        referrer = world.clients.get(client.referrer_id)
        return {
            **self._card(client),
            "group_id": client.group_id,
            "group_name": world.groups[client.group_id]["en-us"],
            "kyc_status": client.kyc_status,
            "kyc_processing": client.kyc_processing,
            "referrer_id": client.referrer_id,
            "referrer_name": referrer.name if referrer else "",
            "downline_count": str(sum(other.referrer_id == client.id for other in world.clients.values())),
            "first_open_time": stamp(min(opened)) if opened else "",
            "updated_at": stamp(client.updated_at),
        }

"""Withdrawal requests: the money behind the review.

The amount leaves the account once, when the client asks (or, with `deduct_at`, when the last node approves), and comes
back at most once, when the request is rejected. The states are those of `reviews.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from bot.providers.crm.simulator.books import Books
from bot.providers.crm.simulator.events import Announcement, decided
from bot.providers.crm.simulator.fields import RefusedError
from bot.providers.crm.simulator.notation import ZERO, Place, plain, stamp, written
from bot.providers.crm.simulator.reviews import Status, Withdrawal
from bot.providers.crm.simulator.standing import CENT
from bot.providers.crm.simulator.world import Tenant, World


@dataclass(frozen=True, slots=True)
class Method:
    """A way to pay out: in which currency, for which share as fee, at most how much of it.

    An automatic one has an order at whoever pays it out.
    """

    name: str
    currency: str
    fee: Decimal
    highest_fee: Decimal
    automatic: bool = False


METHODS = {
    method.name: method
    for method in (
        Method("Bank wire", "USD", Decimal("0.01"), Decimal(50)),
        Method("SEPA transfer", "EUR", Decimal("0.005"), Decimal(25)),
        Method("银行转账", "CNY", Decimal("0.01"), Decimal(300)),
        Method("USDT (TRC-20)", "USDT", Decimal("0.002"), Decimal(20), automatic=True),
    )
}

Announce = Callable[[Announcement], None]
FIRST_NODE_RULE = "rule:first-node"
AUTO_RULE = "rule:auto-approval"


class Withdrawals:
    """What clients, the back office and callers of the API can do with a request."""

    def __init__(self, tenant: Tenant, books: Books, announce: Announce) -> None:
        self._tenant = tenant
        self._books = books
        self._announce = announce

    def find(self, request_id: str) -> Withdrawal:
        request = self._tenant.world.withdrawals.get(request_id)
        if request is None:
            raise RefusedError("request_not_found")
        return request

    def ask(self, place: Place, amount: Decimal, method: str) -> Withdrawal:
        """A client asks. No event tells of it: the vendor has none for a new request."""
        if method not in METHODS:
            raise RefusedError("withdrawal_method_not_found")
        self._books.require(place, amount)
        world, now = self._tenant.world, self._tenant.now()
        request = Withdrawal(
            id=world.new_id("withdrawal"),
            user_id=place.user_id,
            place=place,
            amount=amount,
            method=method,
            created_at=now,
            updated_at=now,
            total_nodes=max(1, world.settings.levels),
        )
        world.withdrawals[request.id] = request
        request.log("create", place.user_id, now)
        before = self._books.balance(place)
        if world.settings.deduct_at == "submission":
            self._deduct(request, "withdrawal_requested")
        self._books.enter(place, -amount, f"W-{request.id}", before, request_id=request.id)
        self._follow_rules(request)
        return request

    def approve(self, request_id: str, admin: str) -> Withdrawal:
        """The current node says yes; the last one ends the request."""
        request = self.find(request_id)
        request.require_pending()
        if request.approved + 1 == request.total_nodes and not request.deducted:
            self._books.require(request.place, request.amount)
            self._deduct(request, "withdrawal_deducted")
        if request.pass_node(admin, self._tenant.now()):
            place = request.place
            self._books.record(
                "withdrawal_paid", f"held:{request.id}", request.method, request.amount, place.currency, request.id
            )
        self._tell(request)
        return request

    def reject(self, request_id: str, admin: str, comment: str, *, even_approved: bool) -> Withdrawal:
        """End it and give the money back; an approved one only with `even_approved`."""
        request = self.find(request_id)
        before = request.refuse(admin, comment, self._tenant.now(), even_approved=even_approved)
        if request.deducted:
            request.deducted = False
            source = request.method if before is Status.APPROVED else f"held:{request.id}"
            place = request.place
            self._books.shift(place, request.amount, f"W-{request.id} returned")
            self._books.record("withdrawal_returned", source, place.label, request.amount, place.currency, request.id)
        self._tell(request)
        return request

    def reset(self, request_id: str, admin: str) -> Withdrawal:
        """Back to the first node; only while under review."""
        request = self.find(request_id)
        request.start_over(admin, self._tenant.now())
        return request

    def edit(self, request_id: str, admin: str, amount: Decimal) -> Withdrawal:
        """Staff change the trading amount before approval; what is held follows."""
        request = self.find(request_id)
        request.require_pending()
        more = amount - request.amount
        self._books.require(request.place, max(more, ZERO) if request.deducted else amount)
        if more and request.deducted:
            self._books.shift(request.place, -more, f"W-{request.id} edited")
            self._hold(request, "withdrawal_edited", more)
        before, request.amount = request.amount, amount
        changed = ({"trading_amount": written(before)}, {"trading_amount": written(amount)})
        request.log("update", admin, self._tenant.now(), *changed)
        return request

    def _follow_rules(self, request: Withdrawal) -> None:
        """What the back office has set up to happen by itself."""
        settings = self._tenant.world.settings
        if request.amount < settings.auto_approve_below:
            request.auto = True
            for _ in range(request.total_nodes):
                self.approve(request.id, AUTO_RULE)
        elif settings.first_node_passes and request.total_nodes > 1:
            self.approve(request.id, FIRST_NODE_RULE)

    def _deduct(self, request: Withdrawal, kind: str) -> None:
        self._books.shift(request.place, -request.amount, f"W-{request.id}")
        request.deducted = True
        self._hold(request, kind, request.amount)

    def _hold(self, request: Withdrawal, kind: str, amount: Decimal) -> None:
        """Record money going into what is held for `request`, or out of it when below zero."""
        ends = (request.place.label, f"held:{request.id}")
        source, target = ends if amount > 0 else ends[::-1]
        self._books.record(kind, source, target, abs(amount), request.place.currency, request.id)

    def _tell(self, request: Withdrawal) -> None:
        self._announce(decided("withdrawal", request, event_data(self._tenant.world, request)))


def payout(world: World, request: Withdrawal) -> dict[str, object]:
    """The withdrawal fields that the webhook and the request have in common, `trading_id` aside.

    `converted_amount` is a number and its neighbours are texts, as the vendor's table has it.
    """
    method, place = METHODS[request.method], request.place
    rate = world.usd_rates[place.currency] / world.usd_rates[method.currency]
    rate = rate.quantize(Decimal("0.000001"), ROUND_HALF_EVEN)
    converted = (request.amount * rate).quantize(CENT, ROUND_HALF_EVEN)
    fee = min((converted * method.fee).quantize(CENT, ROUND_HALF_EVEN), method.highest_fee)
    return {
        "trading_platform": place.platform,
        "trading_connection_id": place.connection_id,
        "trading_currency": place.currency,
        "trading_amount": written(request.amount),
        "withdrawal_method": method.name,
        "withdrawal_currency": method.currency,
        "exchange_rate": f"{plain(rate)}",
        "converted_amount": plain(converted),
        "withdrawal_fee": f"{fee:.2f}",
        "withdrawal_amount": f"{converted - fee:.2f}",
        "custom_fields": _details(world, request),
    }


def event_data(world: World, request: Withdrawal) -> dict[str, object]:
    """The `data` of a webhook; the login is a number here and a text in the request."""
    place = request.place
    data: dict[str, object] = {
        "id": request.id,
        "type": "withdrawal",
        "status": request.status.value,
        "user_id": place.user_id,
        "request_time": stamp(request.created_at),
        "trading_id": place.trading_id,
        **payout(world, request),
    }
    if METHODS[request.method].automatic:
        data["external_order_id"] = f"X-{request.id}"
    if request.status is not Status.REJECTED:
        data["withdrawal_flow"] = request.steps()
    return data


def _details(world: World, request: Withdrawal) -> list[dict[str, object]]:
    """The form the client filled in; bank details live here."""
    holder = world.clients[request.place.user_id].name
    if METHODS[request.method].currency == "USDT":
        return [_detail("address", "Address", "地址", f"T{request.place.user_id.upper() * 4}1")]
    return [
        _detail("bank_name", "Bank", "银行", "示例银行" if request.method == "银行转账" else "Example Bank"),
        _detail("account_holder", "Account holder", "持有人", holder),
        _detail("account_no", "Account no.", "账号", f"0000{request.place.user_id}"),
    ]


def _detail(key: str, english: str, chinese: str, value: str) -> dict[str, object]:
    return {"key": key, "type": "text", "label": {"en-us": english, "zh-cn": chinese}, "value": value}

"""Withdrawal requests: the states of the back office and the money behind them.

    pending --approve, node k < last--> pending --approve, last node--> approved --reject, back office--> rejected
       |  ^                               |
       |  +------------- reset -----------+
       +--------------- reject at any node ---------------------------------------------------------> rejected

The amount leaves the account when the client asks and comes back when the request is rejected, once each; the vendor's
pages leave open when it leaves. How many nodes a request has is settled when it is made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from bot.providers.crm.simulator.books import Books
from bot.providers.crm.simulator.fields import RefusedError
from bot.providers.crm.simulator.settings import EVENT_PREFIX
from bot.providers.crm.simulator.standing import CENT
from bot.providers.crm.simulator.world import (
    WALLET,
    Log,
    Place,
    Status,
    Tenant,
    Withdrawal,
    World,
    plain,
    stamp,
    written,
)


@dataclass(frozen=True, slots=True)
class Method:
    """A way to pay out: in which currency, for which share as fee, at most how much of it."""

    name: str
    currency: str
    fee: Decimal
    highest_fee: Decimal


METHODS = {
    method.name: method
    for method in (
        Method("Bank wire", "USD", Decimal("0.01"), Decimal(50)),
        Method("SEPA transfer", "EUR", Decimal("0.005"), Decimal(25)),
        Method("银行转账", "CNY", Decimal("0.01"), Decimal(300)),
        Method("USDT (TRC-20)", "USDT", Decimal("0.002"), Decimal(20)),
    )
}

Announce = Callable[[str, Withdrawal], None]


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
            place=place,
            amount=amount,
            method=method,
            created_at=now,
            updated_at=now,
            total_nodes=max(1, world.settings.levels),
        )
        world.withdrawals[request.id] = request
        self._log(request, "create", place.user_id)
        self._books.book(place, -amount, f"W-{request.id}", request_id=request.id)
        self._hold(request, "withdrawal_requested", amount)
        return request

    def approve(self, request_id: str, admin: str) -> Withdrawal:
        """The current node says yes; the last one ends the request."""
        request = self._pending(request_id)
        request.approved += 1
        request.previous_node = request.approved
        if request.approved == request.total_nodes:
            request.status = Status.APPROVED
            place = request.place
            self._books.record(
                "withdrawal_paid", f"held:{request.id}", request.method, request.amount, place.currency, request.id
            )
        self._log(request, "approve", admin)
        self._announce(f"{EVENT_PREFIX}approve.node.{request.approved}", request)
        return request

    def reject(self, request_id: str, admin: str, comment: str, *, even_approved: bool) -> Withdrawal:
        """End it and give the money back; an approved one only with `even_approved`."""
        request = self.find(request_id)
        if not (request.status is Status.PENDING or (even_approved and request.status is Status.APPROVED)):
            raise RefusedError("request_status_not_pending")
        source = request.method if request.status is Status.APPROVED else f"held:{request.id}"
        request.status, request.comment = Status.REJECTED, comment
        self._books.shift(request.place, request.amount, f"W-{request.id} returned")
        place = request.place
        self._books.record("withdrawal_returned", source, place.label, request.amount, place.currency, request.id)
        self._log(request, "reject", admin)
        self._announce(f"{EVENT_PREFIX}reject", request)
        return request

    def reset(self, request_id: str, admin: str) -> Withdrawal:
        """Back to the first node; only while under review."""
        request = self._pending(request_id)
        request.previous_node, request.approved = request.approved, 0
        self._log(request, "reset", admin)
        return request

    def edit(self, request_id: str, admin: str, amount: Decimal) -> Withdrawal:
        """Staff change the trading amount before approval; what is held follows."""
        request = self._pending(request_id)
        more = amount - request.amount
        self._books.require(request.place, max(more, Decimal(0)))
        if more:
            self._books.shift(request.place, -more, f"W-{request.id} edited")
            self._hold(request, "withdrawal_edited", more)
        before, request.amount = request.amount, amount
        self._log(request, "update", admin, {"trading_amount": written(before)}, {"trading_amount": written(amount)})
        return request

    def _pending(self, request_id: str) -> Withdrawal:
        request = self.find(request_id)
        if request.status is not Status.PENDING:
            raise RefusedError("request_status_not_pending")
        return request

    def _hold(self, request: Withdrawal, kind: str, amount: Decimal) -> None:
        """Record money going into what is held for `request`, or out of it when below zero."""
        ends = (request.place.label, f"held:{request.id}")
        source, target = ends if amount > 0 else ends[::-1]
        self._books.record(kind, source, target, abs(amount), request.place.currency, request.id)

    def _log(
        self,
        request: Withdrawal,
        event: str,
        admin: str,
        before: dict[str, str] | None = None,
        after: dict[str, str] | None = None,
    ) -> None:
        request.updated_at = self._tenant.now()
        request.logs.append(Log(event=event, at=request.updated_at, admin=admin, before=before, after=after))


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
        "trading_id": WALLET if place.login is None else place.login,
        **payout(world, request),
    }
    if request.status is not Status.REJECTED:
        data["withdrawal_flow"] = {"total_steps": request.total_nodes, "current_steps": request.approved}
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

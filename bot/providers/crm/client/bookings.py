"""Money into and out of wallets and trading accounts.

What makes one booking one is its own name, made of the request's id: the same request prepared twice has the same one.
A wallet books an `order_id` once. A trading account books a comment once within two minutes, and says `repeat` then.

An act names the account (a client's id, or `<server>/<login>`), the amount, and in its parameters `operation` (wallet,
mt4, mt5) and `direction` (deposit, withdrawal).
"""

import base64
import hashlib
from datetime import timedelta
from decimal import Decimal

from bot.errors import InputError, ProviderError, RefusedError
from bot.network.rest import Answer
from bot.providers.acts import Act, Evidence, Outcome, Prepared, Receipt
from bot.providers.crm import wire
from bot.providers.crm.client.line import Line
from bot.providers.crm.client.trading import Trading
from bot.providers.crm.client.wallets import Wallets
from bot.providers.crm.client.wired import wired
from bot.providers.crm.wire.requests import parse_decided
from bot.providers.crm.wire.trading import Direction, build_booking, parse_booked
from bot.providers.crm.wire.wallets import build_change

_BALANCE = 6
"""MT4's `cmd` of a booking."""
_ORDERS = {"success": Outcome.SUCCEEDED, "pending": Outcome.ACKNOWLEDGED, "failed": Outcome.FAILED}
_NOT_KNOWN = ""
"""In place of an order's status: the tenant has the call, and no such order."""
_TAKEN = "taken"
"""The receipt's reference of a change of balance that was accepted and whose order could not be read at once."""


class Bookings:
    """Deposits and withdrawals."""

    def __init__(self, line: Line, wallets: Wallets, trading: Trading) -> None:
        self._line = line
        self._wallets = wallets
        self._trading = trading

    def prepare(self, act: Act) -> Prepared:
        """Nothing is read: there is nothing that could have changed.

        Raises:
            InputError: The act lacks something, or its amount cannot move.
        """
        operation, direction = act.parameters["operation"], _direction(act.parameters["direction"])
        if act.amount is None or act.amount.amount <= 0 or not act.amount.is_exact:
            raise InputError("an amount above nought, with no more decimals than its currency", "250.00")
        reference = order_id_of(act.request_id)
        amount, currency = act.amount.amount, act.amount.currency.code
        match operation:
            case "wallet":
                signed: Decimal = amount if direction == "deposit" else -amount
                request = build_change(act.account, currency, signed, reference)
            case "mt4" | "mt5":
                connection_id, _, login = act.account.rpartition("/")
                request = build_booking(operation, direction, login, connection_id, currency, amount, reference)
            case _:
                raise InputError("an operation is wallet, mt4 or mt5", "wallet")
        return Prepared(act, reference, None, wired(request), self._line.clock.now())

    async def taken(self, prepared: Prepared, answer: Answer) -> Receipt:
        """Booked; or, with `repeat`, booked before and not again. A wallet's order says what became of it.

        Raises:
            ReplyError: The answer is none that a booking gets.
        """
        if prepared.act.parameters["operation"] == "wallet":
            parse_decided(answer.body)
            return await self._accepted(prepared)
        if answer.status != 204 and parse_booked(answer.body).repeat:
            return Receipt(Outcome.ALREADY_DECIDED, prepared.reference, "repeat", "booked before, and not again")
        return Receipt(Outcome.SUCCEEDED, prepared.reference)

    async def _accepted(self, prepared: Prepared) -> Receipt:
        """A change of balance was answered 200, which is all that a tenant without orders ever says."""
        try:
            status = await self._order(prepared.reference)
        except ProviderError as error:
            said = f"accepted; its order could not be read ({error.detail or 'refused'})"
            return Receipt(Outcome.ACKNOWLEDGED, _TAKEN, detail=said)
        if status is None:
            return Receipt(Outcome.SUCCEEDED, prepared.reference)
        match _ORDERS.get(status, Outcome.ACKNOWLEDGED):
            case Outcome.SUCCEEDED:
                return Receipt(Outcome.SUCCEEDED, prepared.reference, status)
            case Outcome.FAILED:
                return Receipt(Outcome.FAILED, prepared.reference, status, "it was accepted, and its order failed")
            case _:
                said = f"its order is {status}" if status else "its order is not known there yet"
                return Receipt(Outcome.ACKNOWLEDGED, _TAKEN, status, f"accepted; {said}")

    async def find(self, prepared: Prepared) -> Evidence:
        """A booking that is seen happened; one that is not seen may still have."""
        now = self._line.clock.now()
        if prepared.act.parameters["operation"] == "wallet":
            status = await self._order(prepared.reference)
            if status:
                outcome = _ORDERS.get(status, Outcome.UNKNOWN)
                return Evidence(outcome, prepared.reference, "by the order's status", now)
            if status is None and prepared.answered == _TAKEN:
                return Evidence(
                    Outcome.SUCCEEDED, prepared.reference, "it was accepted, which is all that is told", now
                )
        elif await self._among_trades(prepared):
            return Evidence(Outcome.SUCCEEDED, prepared.reference, "it stands among the account's bookings", now)
        if await self._in_report(prepared):
            return Evidence(Outcome.SUCCEEDED, prepared.reference, "it stands in the report of transactions", now)
        return Evidence(Outcome.UNKNOWN, prepared.reference, "not seen, which proves nothing", now)

    async def _order(self, order_id: str) -> str | None:
        """[N] What became of it there, `_NOT_KNOWN` where there is none; None where a tenant does not have the call."""
        try:
            return str((await self._wallets.order(order_id)).status)
        except RefusedError as error:
            if wire.lacks_call(error):
                return None
            if wire.is_missing(error):
                return _NOT_KNOWN
            raise

    async def _among_trades(self, prepared: Prepared) -> bool:
        if prepared.act.parameters["operation"] != "mt4":
            return False
        connection_id, _, login = prepared.act.account.rpartition("/")
        day = prepared.prepared_at.date()
        rows = await self._trading.trades(
            "closed", connection_id, day - timedelta(days=1), day + timedelta(days=2), login=login
        )
        return any(row.cmd == _BALANCE and row.comment == prepared.reference for row in rows)

    async def _in_report(self, prepared: Prepared) -> bool:
        day = prepared.prepared_at.date()
        window = wire.Window(day - timedelta(days=1), day + timedelta(days=2))
        rows = self._line.rows(
            lambda skip, limit: wire.build_transactions(window, skip, limit),
            wire.parse_transactions,
            lambda row: row.id,
        )
        async for row in rows:
            if prepared.reference in (row.comment, row.ref_id, row.id):
                return True
        return False


def _direction(word: str) -> Direction:
    match word:
        case "deposit" | "withdrawal":
            return word
        case _:
            raise InputError("a direction is deposit or withdrawal", "deposit")


def order_id_of(request_id: str) -> str:
    """16 letters and digits, the same for the same request, and no other's."""
    digest = hashlib.sha256(f"countersign/crm/{request_id}".encode()).digest()
    return "cs" + base64.b32encode(digest).decode().lower()[:14]

"""The transactions report (reports/get-transactions): a POST, so it is signed.

A withdrawal request's row follows its request: amount and status are those of now. Whether rows of pending requests
show, and whose id they carry, is set on the control side. The oldest row comes first; an archive, where there is one,
lies among the rows by time.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from bot.providers.crm.simulator import archive
from bot.providers.crm.simulator.archive import Past
from bot.providers.crm.simulator.fields import ID_LENGTH
from bot.providers.crm.simulator.gate import Answer, Call, Duty
from bot.providers.crm.simulator.notation import WALLET, ZERO, plain, stamp, written
from bot.providers.crm.simulator.reviews import Status
from bot.providers.crm.simulator.withdrawals import payout
from bot.providers.crm.simulator.world import Tenant, Transaction, World


class Report:
    """Deposits and withdrawals of wallets and trading accounts."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def duties(self) -> Sequence[Duty]:
        return (Duty("POST", "/report/transactions", self.transactions),)

    def transactions(self, call: Call) -> Answer:
        body = call.body
        skip, limit = body.page()
        start, end = body.months()
        user_id = body.optional_text("user_id", length=ID_LENGTH)
        reference = body.optional_text("transaction_id")
        kinds = {_folded(kind) for kind in body.texts("type")}
        world = self._tenant.world
        found = [
            row
            for row in world.transactions
            if start <= row.at <= end
            and user_id in (None, row.place.user_id)
            and reference in (None, row.ref_id)
            and (not kinds or _folded(row.type) in kinds)
            and self._shows(row)
        ]
        found.sort(key=lambda row: row.at)
        past: Sequence[int] = archive.between(world.archive, start, end)
        if world.archive is None or user_id not in (None, world.archive.user_id):
            past = range(0)
        elif kinds or reference:
            past = [
                number
                for number in past
                if (not kinds or _folded(archive.type_of(number)) in kinds)
                and reference in (None, archive.reference_of(number))
            ]
        rows = _page(world, found, past, skip, limit)
        return Answer({"count": len(found) + len(past), "records": [self._record(row) for row in rows]})

    def _shows(self, row: Transaction) -> bool:
        world = self._tenant.world
        if world.settings.report_shows_pending or not row.request_id:
            return True
        return world.withdrawals[row.request_id].status is not Status.PENDING

    def _record(self, row: Transaction) -> dict[str, object]:
        world, place = self._tenant.world, row.place
        wallet = world.wallets[place.user_id][place.currency].id if place.login is None else ""
        record: dict[str, object] = {
            "id": row.id,
            "user_id": place.user_id,
            "type": row.type,
            "currency": place.currency,
            "amount": plain(row.amount),
            "payment_method": row.payment_method,
            "payment_currency": place.currency if row.payment_method else "",
            "payment_total": plain(row.amount) if row.payment_method else 0,
            "timestamp": stamp(row.at),
            "comment": row.comment,
            "trading_platform": place.platform,
            "trading_connection_id": place.connection_id,
            "trading_id": WALLET if place.login is None else str(place.login),
            "ref_id": row.ref_id,
            "previous_balance": written(row.previous_balance),
            "new_balance": written(row.new_balance),
            "wallet_id": wallet,
            "status": Status.APPROVED.value,
            "withdrawal_method": "",
        }
        return record | self._request_fields(row)

    def _request_fields(self, row: Transaction) -> dict[str, object]:
        """What a withdrawal request's row takes from the request."""
        world = self._tenant.world
        request = world.withdrawals.get(row.request_id)
        if request is None:
            return {}
        details = payout(world, request)
        fields: dict[str, object] = {
            "amount": plain(request.amount),
            "new_balance": written(row.previous_balance - (request.amount if request.deducted else ZERO)),
            "status": request.status.value,
        }
        names = ("withdrawal_method", "withdrawal_currency", "withdrawal_amount", "withdrawal_fee")
        fields |= {name: details[name] for name in names}
        return fields | ({"id": request.id} if world.settings.report_id_is_request_id else {})


def _page(world: World, rows: Sequence[Transaction], past: Sequence[int], skip: int, limit: int) -> list[Transaction]:
    """The rows at these positions of both, merged by time; only these of the archive's are made."""
    if world.archive is None:
        return list(rows[skip : skip + limit])
    moments = Past(world.archive)
    positions = [index + bisect_right(past, row.at, key=moments.__getitem__) for index, row in enumerate(rows)]
    page = []
    for position in range(skip, min(skip + limit, len(rows) + len(past))):
        before = bisect_left(positions, position)
        if before < len(rows) and positions[before] == position:
            page.append(rows[before])
        else:
            page.append(archive.row(world.archive, past[position - before]))
    return page


def _folded(kind: str) -> str:
    """Type names match without regard to case, spaces and underscores."""
    return kind.replace(" ", "").replace("_", "").lower()

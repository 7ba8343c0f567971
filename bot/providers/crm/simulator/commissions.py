"""What introducing brokers earn: reports/get-commissions-flexible, and its fixed sibling, which has no stored page.

Each closed trade of a client with a referrer earns one row; currencies are rewarded by the flexible plan, metals and
indices by the fixed one. A row is `pending` until the back office pays it into the receiver's wallet. The page names no
window of dates, only `skip` and `limit`. The oldest comes first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from bot.providers.crm.simulator.books import Books
from bot.providers.crm.simulator.fields import RefusedError
from bot.providers.crm.simulator.gate import Answer, Call, Duty
from bot.providers.crm.simulator.notation import Place, stamp, written
from bot.providers.crm.simulator.people import Client
from bot.providers.crm.simulator.standing import BUY, CENT, SELL
from bot.providers.crm.simulator.world import Account, Tenant, Trade

FIXED = {"XAUUSD": Decimal(8), "US500": Decimal(1)}
FLEXIBLE = {"EURUSD": Decimal(5), "GBPUSD": Decimal(6), "USDJPY": Decimal(5)}
"""US dollars a lot."""
CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class Commission:
    """One trade's reward for the client's referrer."""

    trade: Trade
    account: Account
    trader: Client
    receiver: Client
    amount: Decimal

    @property
    def id(self) -> str:
        return f"c{self.trade.order_id:07}"


class Commissions:
    """The two reports, and the pay-out behind them."""

    def __init__(self, tenant: Tenant, books: Books) -> None:
        self._tenant = tenant
        self._books = books

    def duties(self) -> Sequence[Duty]:
        return (
            Duty("GET", "/report/commissions/flexible", lambda call: self.page(call, FLEXIBLE)),
            Duty("GET", "/report/commissions/fixed", lambda call: self.page(call, FIXED)),
        )

    def page(self, call: Call, plan: dict[str, Decimal]) -> Answer:
        skip, limit = call.query.page()
        found = sorted(self._earned(plan), key=lambda item: (item.trade.close_time, item.trade.order_id))
        return Answer({"count": len(found), "records": [self._record(item) for item in found[skip : skip + limit]]})

    def pay(self, commission_id: str) -> Commission:
        """The back office pays one out, once."""
        world = self._tenant.world
        earned = (item for item in self._earned(FIXED | FLEXIBLE) if item.id == commission_id)
        commission = next(earned, None)
        if commission is None:
            raise RefusedError("commission_not_found")
        if commission_id in world.paid_commissions:
            raise RefusedError("commission_status_not_pending")
        world.paid_commissions.append(commission_id)
        place = Place(commission.receiver.id, CURRENCY)
        self._books.book(place, commission.amount, commission_id, kind="commission_payout")
        self._books.record("commission_paid", "broker", place.label, commission.amount, CURRENCY, commission_id)
        return commission

    def _earned(self, plan: dict[str, Decimal]) -> Iterator[Commission]:
        world = self._tenant.world
        for account in world.accounts:
            trader = world.clients[account.user_id]
            receiver = world.clients.get(account.rebate_user_id or trader.referrer_id)
            if receiver is None:
                continue
            for trade in world.trades_of(account):
                if trade.close_time is not None and trade.cmd in (BUY, SELL) and trade.symbol in plan:
                    amount = (trade.volume * plan[trade.symbol]).quantize(CENT, ROUND_HALF_EVEN)
                    yield Commission(trade, account, trader, receiver, max(amount, CENT))

    def _record(self, item: Commission) -> dict[str, object]:
        world, trade = self._tenant.world, item.trade
        wallet = world.wallets.get(item.receiver.id, {}).get(CURRENCY)
        return {
            "id": item.id,
            "order_id": str(trade.order_id),
            "trading_account_id": str(trade.login),
            "trader_id": item.trader.id,
            "receiver_id": item.receiver.id,
            "currency": CURRENCY,
            "symbol": trade.symbol,
            "volume": f"{trade.volume:f}",
            "swaps": f"{trade.swaps:f}",
            "profit": written(trade.profit),
            "open_time": stamp(trade.open_time),
            "close_time": stamp(trade.close_time) if trade.close_time else "",
            "rebate_time": stamp(trade.close_time) if trade.close_time else "",
            "commission": written(item.amount),
            "total": written(item.amount),
            "status": "paid" if item.id in world.paid_commissions else "pending",
            "rebate_account_id": wallet.id if wallet else "",
        }

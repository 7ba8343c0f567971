"""Accounts, their preferences, play money, and the two histories."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from bot.network.strictjson import Json
from bot.providers.capital.simulator import filters, replies
from bot.providers.capital.simulator.calls import Call, Refused, Reply, flag, moment, number, whole
from bot.providers.capital.simulator.journal import Journal
from bot.providers.capital.simulator.limits import Limits
from bot.providers.capital.simulator.market import INSTRUMENTS
from bot.providers.capital.simulator.sessions import Access, Authenticated
from bot.providers.capital.simulator.state import Account, Direction, Position
from bot.providers.capital.simulator.world import World, cents

_MOST_TOP_UP = Decimal(400_000)
_FULL = Decimal(100_000)
_DAY = timedelta(days=1)
_LONGEST_PERIOD = 86_400
_USUAL_PERIOD = 600
_EVER = timedelta(days=3650)

_KINDS = """
INACTIVITY_FEE RESERVE VOID UNRESERVE WRITE_OFF_OR_CREDIT CREDIT_FACILITY FX_COMMISSION COMPLAINT_SETTLEMENT DEPOSIT
WITHDRAWAL REFUND WITHDRAWAL_MONEY_BACK TRADE SWAP TRADE_COMMISSION TRADE_COMMISSION_GSL NEGATIVE_BALANCE_PROTECTION
TRADE_CORRECTION CHARGEBACK ADJUSTMENT BONUS TRANSFER CORPORATE_ACTION CONVERSION REBATE TRADE_SLIPPAGE_PROTECTION
"""
KINDS = frozenset(_KINDS.split())
"""Of transactions."""


class Banking:
    """Section Accounts."""

    def __init__(self, world: World, limits: Limits, journal: Journal) -> None:
        self.world = world
        self.limits = limits
        self.journal = journal

    def routes(self) -> list[tuple[str, str, Authenticated]]:
        return [
            ("GET", "/accounts", self.accounts),
            ("GET", "/accounts/preferences", self.preferences),
            ("PUT", "/accounts/preferences", self.prefer),
            ("POST", "/accounts/topUp", self.top_up),
            ("GET", "/history/activity", self.activity),
            ("GET", "/history/transactions", self.transactions),
        ]

    def accounts(self, _: Call, access: Access) -> Reply:
        return Reply(replies.accounts(self.world, access.user))

    def preferences(self, _: Call, access: Access) -> Reply:
        return Reply(replies.preferences(access.account))

    def prefer(self, call: Call, access: Access) -> Reply:
        """All of it or nothing; what is not named stays."""
        chosen = _leverages(access.account, call.body.get("leverages"))
        hedging = access.account.hedging
        if call.body.get("hedgingMode") is not None:
            hedging = flag(call.body, "hedgingMode")
        for group, value in chosen.items():
            access.account.leverages[group].current = value
        access.account.hedging = hedging
        return Reply({"status": "SUCCESS"})

    def top_up(self, call: Call, access: Access) -> Reply:
        account, amount = access.account, number(call.body, "amount")
        if amount is None:
            raise Refused(400, "error.null.amount")
        after = self.world.worth(account).balance + amount
        only_live = self.world.state.options.environments == "live"
        if only_live or not amount or abs(amount) > _MOST_TOP_UP or not 0 <= after <= _FULL or cents(amount) != amount:
            raise Refused(400, "error.invalid.amount")
        self.limits.top_up(account.id)
        self.move_cash(account, amount)
        return Reply({"successful": True})

    def move_cash(self, account: Account, amount: Decimal) -> None:
        """Money comes from outside, or goes there when `amount` is below zero."""
        account.deposit = cents(account.deposit + amount)
        kind, source, target = ("deposit", "bank", account.id) if amount > 0 else ("withdrawal", account.id, "bank")
        self.world.record(kind, source, target, abs(amount), account.currency, "")
        self.journal.money(account, kind.upper(), kind.capitalize(), cents(amount))

    def fund(self, row: Position) -> Decimal:
        """What holding a position over one night costs or brings its account; the rates are those of its market."""
        account, instrument = self.world.state.accounts[row.account_id], INSTRUMENTS[row.epic]
        worth = self.world.closing_price(row) * row.size * instrument.overnight(row.direction is Direction.BUY) / 100
        amount = cents(self.world.convert(worth, instrument.currency, account.currency))
        account.deposit += amount
        self.world.record("swap", row.deal_id, account.id, amount, account.currency, row.reference)
        self.journal.money(account, "SWAP", "Overnight funding", amount, row.epic)
        self.journal.position(row, "SYSTEM", type="SWAP")
        return amount

    def activity(self, call: Call, access: Access) -> Reply:
        start, end = self._day(call.query)
        wanted = filters.parse(call.query.get("filter"))
        deal_id = call.query.get("dealId")
        detailed = flag(call.query, "detailed")
        rows = [
            row
            for row in self.journal.activities(access.account, start, end)
            if deal_id in (None, row.deal_id) and filters.fits(wanted, row)
        ]
        return Reply({"activities": [replies.activity(row, detailed=detailed) for row in rows]})

    def transactions(self, call: Call, access: Access) -> Reply:
        kind = call.query.get("type")
        if kind is not None and kind not in KINDS:
            raise Refused(400, "error.invalid.type")
        start, end = self._range(call.query)
        period = whole(call.query.get("lastPeriod"), "error.invalid.lastPeriod")
        now = self.world.now()
        if start is None and end is None:
            start = now - min(timedelta(seconds=_USUAL_PERIOD if period is None else period), _EVER)
        rows = self.journal.transactions(access.account, start or now - _EVER, end or now)
        return Reply({"transactions": [replies.transaction(row) for row in rows if kind in (None, row.type)]})

    def _day(self, query: Mapping[str, str]) -> tuple[datetime, datetime]:
        """At most one day; of a range with one end the other lies a day away."""
        now = self.world.now()
        start, end = self._range(query)
        period = whole(query.get("lastPeriod"), "error.invalid.lastPeriod")
        if start is None and end is None:
            if period is not None and period > _LONGEST_PERIOD:
                raise Refused(400, "error.invalid.lastPeriod")
            return now - timedelta(seconds=_USUAL_PERIOD if period is None else period), now
        if start is None:
            return (end or now) - _DAY, end or now
        if end is None:
            return start, start + _DAY
        if end - start > _DAY:
            raise Refused(400, "error.invalid.daterange")
        return start, end

    def _range(self, query: Mapping[str, str]) -> tuple[datetime | None, datetime | None]:
        """`from` and `to`, each absent or not later than now, and in this order."""
        ends: list[datetime | None] = []
        for name in ("from", "to"):
            found = moment(query.get(name))
            if found is None and name in query:
                raise Refused(400, f"error.invalid.{name}")
            ends.append(found)
        start, end = ends
        latest = max((one for one in ends if one is not None), default=None)
        if (start is not None and end is not None and start > end) or (
            latest is not None and latest > self.world.now()
        ):
            raise Refused(400, "error.invalid.daterange")
        return start, end


def _leverages(account: Account, named: Json) -> dict[str, int]:
    if named is None:
        return {}
    if not isinstance(named, Mapping):
        raise Refused(400, "error.invalid.leverages")
    chosen: dict[str, int] = {}
    for group, value in named.items():
        if value is None:
            continue
        known = account.leverages.get(group)
        if known is None or not isinstance(value, int) or isinstance(value, bool) or value not in known.available:
            raise Refused(400, "error.invalid.leverage.value")
        chosen[group] = value
    return chosen

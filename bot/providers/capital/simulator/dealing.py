"""Carrying orders out: netting, opening, closing, and what a new price sets off.

Without hedging an opposite order consumes the oldest rows first; what is left of it opens a row of its own. An order in
the same direction always opens a new row. Whatever is closed moves its profit into the account's cash.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from bot.network.strictjson import Json
from bot.providers.capital.simulator.calls import Refused
from bot.providers.capital.simulator.demo import deal_ids
from bot.providers.capital.simulator.journal import Journal
from bot.providers.capital.simulator.market import INSTRUMENTS
from bot.providers.capital.simulator.orders import Order, parse_bracket
from bot.providers.capital.simulator.state import Account, Confirmation, Filed, Position, Quote, WorkingOrder
from bot.providers.capital.simulator.world import World, cents


class Dealing:
    """The only writer of positions, of cash through trading, and of confirmations."""

    def __init__(self, world: World, journal: Journal) -> None:
        self.world = world
        self.journal = journal

    def place(self, account: Account, order: Order) -> str:
        """Fill a market order or reject it whole; the reference under which the verdict lies."""
        reference = self.world.order_reference()
        order_id, deal_id = deal_ids(self.world.state, order.instrument.epic)
        opposite = self._opposite(account, order)
        reason = self.rejecting() or self.objection(account, order)
        verdict = Confirmation(
            at=self.world.now(),
            reference=reference,
            deal_id=order_id,
            epic=order.instrument.epic,
            direction=order.direction,
            size=order.size,
            accepted=not reason,
            reason=reason or "SUCCESS",
        )
        self._note_order(account, order, verdict)
        if not reason:
            verdict = self._fill(account, order, verdict, opposite, deal_id)
        self.file(verdict)
        return reference

    def _note_order(self, account: Account, order: Order, verdict: Confirmation) -> None:
        """The history tells of a market order as of one that waited, twice, before it tells of the position."""
        passing = WorkingOrder(
            deal_id=verdict.deal_id,
            account_id=account.id,
            epic=verdict.epic,
            direction=order.direction,
            size=order.size,
            level=self.world.fill_price(verdict.epic, order.direction),
            kind="LIMIT",
            leverage=1,
            created=verdict.at,
        )
        for source in ("USER", "SYSTEM") if verdict.accepted else ("USER",):
            status = "ACCEPTED" if verdict.accepted else "REJECTED"
            self.journal.order(passing, source, status, verdict.reference)

    def _opposite(self, account: Account, order: Order) -> list[Position]:
        """What an order consumes; nothing where the account holds both ways at once."""
        if account.hedging:
            return []
        wanted = order.instrument.epic, order.direction.opposite
        return [row for row in self.world.held(account) if (row.epic, row.direction) == wanted]

    def objection(self, account: Account, order: Order) -> str:
        """Why this broker cannot carry the order out; empty when it can."""
        if self.world.state.quotes[order.instrument.epic].status != "TRADEABLE":
            return "MARKET_CLOSED"
        opposite = self._opposite(account, order)
        rest = _rest(order, opposite)
        if not rest:
            return ""
        needed = self.world.margin(self._row(account, order, "", "", rest))
        released = sum((self.world.margin(row) for row in opposite), Decimal(0))
        return "INSUFFICIENT_FUNDS" if needed > self.world.worth(account).available + released else ""

    def rejecting(self) -> str:
        """The reason the control side has ordered, once for each order asked."""
        ordered = self.world.state.rejecting
        if ordered is None:
            return ""
        left = ordered.times - 1
        self.world.state.rejecting = replace(ordered, times=left) if left else None
        return ordered.reason

    def execute(self, account: Account, order: Order, order_id: str, reference: str) -> Confirmation:
        """A working order whose price has come; its position gets an id of its own."""
        _, deal_id = deal_ids(self.world.state, order.instrument.epic)
        verdict = Confirmation(
            at=self.world.now(),
            reference=reference,
            deal_id=order_id,
            epic=order.instrument.epic,
            direction=order.direction,
            size=order.size,
            accepted=True,
        )
        return self._fill(account, order, verdict, self._opposite(account, order), deal_id)

    def _fill(
        self, account: Account, order: Order, verdict: Confirmation, opposite: Sequence[Position], deal_id: str
    ) -> Confirmation:
        level = self.world.fill_price(order.instrument.epic, order.direction)
        affected: list[tuple[str, str]] = []
        profit, left, rest = Decimal("0.00"), order.size, _rest(order, opposite)
        for row in opposite:
            taken = min(left, row.size)
            if not taken:
                break
            left -= taken
            affected.append((row.deal_id, "FULLY_CLOSED" if taken == row.size else "PARTIALLY_CLOSED"))
            profit += self._reduce(account, row, taken, level, "USER")
        status = "CLOSED" if not affected or affected[-1][1] == "FULLY_CLOSED" else "PARTIALLY_CLOSED"
        told = level
        if rest:
            status = "OPEN"
            affected.append((deal_id, "OPENED"))
            self._open(account, self._row(account, order, verdict.deal_id, deal_id, rest), verdict.reference)
            told = Decimal(0) if self.world.state.options.zero_levels else level
        filled = replace(verdict, status=status, level=told, affected=affected, bracket=order.bracket)
        return replace(filled, profit=profit, profit_currency=account.currency) if opposite else filled

    def _row(self, account: Account, order: Order, order_id: str, deal_id: str, size: Decimal) -> Position:
        return Position(
            deal_id=deal_id,
            order_id=order_id,
            account_id=account.id,
            epic=order.instrument.epic,
            direction=order.direction,
            size=size,
            level=self.world.fill_price(order.instrument.epic, order.direction),
            leverage=account.leverages[order.instrument.kind].current,
            created=self.world.now(),
            bracket=order.bracket,
        )

    def _open(self, account: Account, row: Position, reference: str) -> None:
        self.world.state.positions[row.deal_id] = row
        self.world.record("open", account.id, row.deal_id, row.size, row.epic, reference)
        self.journal.position(row, "USER")
        self.file(self._about(row, "OPEN", "OPENED", row.size, row.level))

    def amend(self, account: Account, deal_id: str, body: Mapping[str, Json]) -> str:
        """Other stops and take-profits for a row."""
        row = self.row(account, deal_id)
        bracket = parse_bracket(self.world, account, row, body)
        reason = self.rejecting()
        if not reason:
            row.bracket = bracket
            self.world.record("amend", account.id, deal_id, row.size, row.epic, row.reference)
        status = "REJECTED" if reason else "ACCEPTED"
        self.journal.position(row, "USER", status, type="EDIT_STOP_AND_LIMIT")
        word = replace(
            self._about(row, "AMENDED", "AMENDED", row.size, row.level),
            profit_currency=account.currency,
        )
        self.file(_rejected(word, reason) if reason else word)
        return row.reference

    def row(self, account: Account, deal_id: str) -> Position:
        row = self.world.state.positions.get(deal_id)
        if row is None or row.account_id != account.id:
            raise Refused(404, "error.not-found.dealId")
        return row

    def close(self, account: Account, deal_id: str) -> str:
        """Close a whole row at the current price."""
        row = self.row(account, deal_id)
        reason = self.rejecting()
        if not reason and self.world.state.quotes[row.epic].status != "TRADEABLE":
            reason = "MARKET_CLOSED"
        if reason:
            self.journal.position(row, "USER", "REJECTED", direction=row.direction.opposite)
            self.file(_rejected(self._about(row, None, "", row.size, None), reason))
        else:
            self._reduce(account, row, row.size, self.world.closing_price(row), "USER")
        return row.reference

    def _reduce(self, account: Account, row: Position, size: Decimal, level: Decimal, source: str) -> Decimal:
        """Take `size` units off the row; the profit that became cash, in the account's currency."""
        raw = (level - row.level) * size * row.direction.sign
        profit = cents(self.world.convert(raw, INSTRUMENTS[row.epic].currency, account.currency))
        whole = size == row.size
        account.deposit += profit
        self.world.record("close", row.deal_id, account.id, profit, account.currency, row.reference)
        self.journal.position(row, source, size=size, direction=row.direction.opposite, level=level)
        self.journal.money(account, "TRADE", "Trade closed", profit, row.epic)
        status, affected = ("CLOSED", "FULLY_CLOSED") if whole else ("PARTIALLY_CLOSED", "PARTIALLY_CLOSED")
        word = self._about(row, status, affected, size, level)
        word = replace(word, direction=row.direction.opposite, profit=profit, profit_currency=account.currency)
        self.file(word)
        if whole:
            del self.world.state.positions[row.deal_id]
        else:
            row.size -= size
        return profit

    def _about(
        self, row: Position, status: str | None, affected: str, size: Decimal, level: Decimal | None
    ) -> Confirmation:
        """What lies under the row's own reference."""
        return Confirmation(
            at=self.world.now(),
            reference=row.reference,
            deal_id=row.deal_id,
            epic=row.epic,
            direction=row.direction,
            size=size,
            accepted=True,
            status=status,
            level=level,
            affected=[(row.deal_id, affected)],
            bracket=row.bracket,
        )

    def file(self, word: Confirmation) -> None:
        options, filed = self.world.state.options, self.world.state.confirmations
        earlier = filed.get(word.reference)
        if earlier is None:
            ready_ms = self.world.now_ms() + options.confirm_delay_ms
            filed[word.reference] = Filed(word, ready_ms, misses=options.confirm_misses)
        else:
            stale = options.stale_closes if word.status == "CLOSED" else 0
            filed[word.reference] = Filed(word, 0, earlier.confirmation, stale)

    def confirmation(self, reference: str) -> Confirmation:
        """What the broker says now about this reference."""
        filed = self.world.state.confirmations.get(reference)
        if filed is None or self.world.now_ms() < filed.ready_ms:
            raise Refused(404, "error.not-found.dealReference")
        if filed.misses > 0:
            filed.misses -= 1
            raise Refused(404, "error.not-found.dealReference")
        if filed.stale_reads > 0 and filed.earlier is not None:
            filed.stale_reads -= 1
            return filed.earlier
        return filed.confirmation

    def hear(self, epic: str, _: Quote) -> None:
        """A dealt price: trailing stops follow, stops and take-profits that are reached close their rows."""
        for row in [row for row in self.world.state.positions.values() if row.epic == epic]:
            self._watch(row)

    def _watch(self, row: Position) -> None:
        price, sign = self.world.closing_price(row), row.direction.sign
        account = self.world.state.accounts[row.account_id]
        stop, profit = row.bracket.stop_level, row.bracket.profit_level
        if stop is not None and (price - stop) * sign <= 0:
            self._reduce(account, row, row.size, stop if row.bracket.guaranteed else price, "SL")
        elif profit is not None and (price - profit) * sign >= 0:
            self._reduce(account, row, row.size, price, "TP")
        elif stop is not None and row.bracket.stop_distance is not None:
            follows = price - row.bracket.stop_distance * sign
            if (follows - stop) * sign > 0:
                row.bracket = replace(row.bracket, stop_level=follows.quantize(INSTRUMENTS[row.epic].tick))


def _rest(order: Order, opposite: Sequence[Position]) -> Decimal:
    """What is left of an order after it has consumed the rows of the other direction."""
    return max(order.size - sum(row.size for row in opposite), Decimal(0))


def _rejected(word: Confirmation, reason: str) -> Confirmation:
    return replace(word, accepted=False, reason=reason, status=None, level=None, affected=[])

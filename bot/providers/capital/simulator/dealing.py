"""Carrying orders out: netting, opening, closing, and what a new price sets off.

Without hedging an opposite order consumes the oldest rows first; what is left of it opens a row of its own. An order in
the same direction always opens a new row. Whatever is closed moves its profit into the account's cash.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from bot.providers.capital.simulator.calls import Refused
from bot.providers.capital.simulator.demo import deal_ids
from bot.providers.capital.simulator.market import INSTRUMENTS
from bot.providers.capital.simulator.orders import Order
from bot.providers.capital.simulator.state import Account, Confirmation, Filed, Position, Quote
from bot.providers.capital.simulator.world import World, cents


class Dealing:
    """The only writer of positions, of cash through trading, and of confirmations."""

    def __init__(self, world: World) -> None:
        self.world = world

    def place(self, account: Account, order: Order) -> str:
        """Fill a market order or reject it whole; the reference under which the verdict lies."""
        reference = self.world.order_reference()
        order_id, deal_id = deal_ids(self.world.state, order.instrument.epic)
        opposite = self._opposite(account, order)
        rest = max(order.size - sum(row.size for row in opposite), Decimal(0))
        reason = self._objection(account, order, opposite, rest)
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
        if not reason:
            verdict = self._fill(account, order, verdict, opposite, deal_id, rest)
        self._file(verdict)
        return reference

    def _opposite(self, account: Account, order: Order) -> list[Position]:
        wanted = order.instrument.epic, order.direction.opposite
        return [row for row in self.world.held(account) if (row.epic, row.direction) == wanted]

    def _objection(self, account: Account, order: Order, opposite: Sequence[Position], rest: Decimal) -> str:
        """Why an order is rejected after it was taken; empty when it is not."""
        if self.world.state.quotes[order.instrument.epic].status != "TRADEABLE":
            return "MARKET_CLOSED"
        if not rest:
            return ""
        needed = self.world.margin(self._row(account, order, "", "", rest))
        released = sum((self.world.margin(row) for row in opposite), Decimal(0))
        return "INSUFFICIENT_FUNDS" if needed > self.world.worth(account).available + released else ""

    def _fill(
        self,
        account: Account,
        order: Order,
        verdict: Confirmation,
        opposite: Sequence[Position],
        deal_id: str,
        rest: Decimal,
    ) -> Confirmation:
        level = self.world.fill_price(order.instrument.epic, order.direction)
        affected: list[tuple[str, str]] = []
        profit, left = Decimal("0.00"), order.size
        for row in opposite:
            taken = min(left, row.size)
            if not taken:
                break
            left -= taken
            affected.append((row.deal_id, "FULLY_CLOSED" if taken == row.size else "PARTIALLY_CLOSED"))
            profit += self._reduce(account, row, taken, level)
        status = "CLOSED" if not affected or affected[-1][1] == "FULLY_CLOSED" else "PARTIALLY_CLOSED"
        if rest:
            status = "OPEN"
            affected.append((deal_id, "OPENED"))
            self._open(account, self._row(account, order, verdict.deal_id, deal_id, rest), verdict.reference)
        filled = replace(verdict, status=status, level=level, affected=affected, bracket=order.bracket)
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
        self._file(self._about(row, "OPEN", "OPENED", row.size, row.level))

    def close(self, account: Account, deal_id: str) -> str:
        """Close a whole row at the current price."""
        row = self.world.state.positions.get(deal_id)
        if row is None or row.account_id != account.id:
            raise Refused(404, "error.not-found.dealId")
        if self.world.state.quotes[row.epic].status != "TRADEABLE":
            rejected = self._about(row, None, "", row.size, None)
            self._file(replace(rejected, accepted=False, reason="MARKET_CLOSED", affected=[]))
        else:
            self._reduce(account, row, row.size, self.world.closing_price(row))
        return row.reference

    def _reduce(self, account: Account, row: Position, size: Decimal, level: Decimal) -> Decimal:
        """Take `size` units off the row; the profit that became cash, in the account's currency."""
        raw = (level - row.level) * size * row.direction.sign
        profit = cents(self.world.convert(raw, INSTRUMENTS[row.epic].currency, account.currency))
        whole = size == row.size
        account.deposit += profit
        self.world.record("close", row.deal_id, account.id, profit, account.currency, row.reference)
        status, affected = ("CLOSED", "FULLY_CLOSED") if whole else ("PARTIALLY_CLOSED", "PARTIALLY_CLOSED")
        word = self._about(row, status, affected, size, level)
        word = replace(word, direction=row.direction.opposite, profit=profit, profit_currency=account.currency)
        self._file(word)
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

    def _file(self, word: Confirmation) -> None:
        options, filed = self.world.state.options, self.world.state.confirmations
        earlier = filed.get(word.reference)
        if earlier is None:
            filed[word.reference] = Filed(word, self.world.now_ms() + options.confirm_delay_ms)
        else:
            stale = options.stale_closes if word.status == "CLOSED" else 0
            filed[word.reference] = Filed(word, 0, earlier.confirmation, stale)

    def confirmation(self, reference: str) -> Confirmation:
        """What the broker says now about this reference."""
        filed = self.world.state.confirmations.get(reference)
        if filed is None or self.world.now_ms() < filed.ready_ms:
            raise Refused(404, "error.not-found.dealReference")
        if filed.stale_reads > 0 and filed.earlier is not None:
            filed.stale_reads -= 1
            return filed.earlier
        return filed.confirmation

    def reprice(self, epic: str, bid: Decimal, offer: Decimal) -> Quote:
        """A new price: trailing stops follow, stops and take-profits that are reached close their rows."""
        quote = self.world.state.quotes[epic]
        quote.bid, quote.offer, quote.updated = bid, offer, self.world.now()
        quote.high, quote.low = max(quote.high, bid), min(quote.low, bid)
        self._settle(epic)
        return quote

    def set_status(self, epic: str, status: str) -> None:
        """Open or close a market; what was passed while it was closed is closed when it opens, at the price of then."""
        self.world.state.quotes[epic].status = status
        self._settle(epic)

    def _settle(self, epic: str) -> None:
        if self.world.state.quotes[epic].status != "TRADEABLE":
            return
        for row in [row for row in self.world.state.positions.values() if row.epic == epic]:
            self._watch(row)

    def _watch(self, row: Position) -> None:
        price, sign = self.world.closing_price(row), row.direction.sign
        account = self.world.state.accounts[row.account_id]
        stop, profit = row.bracket.stop_level, row.bracket.profit_level
        if stop is not None and (price - stop) * sign <= 0:
            self._reduce(account, row, row.size, stop if row.bracket.guaranteed else price)
        elif profit is not None and (price - profit) * sign >= 0:
            self._reduce(account, row, row.size, price)
        elif stop is not None and row.bracket.stop_distance is not None:
            follows = price - row.bracket.stop_distance * sign
            if (follows - stop) * sign > 0:
                row.bracket = replace(row.bracket, stop_level=follows.quantize(INSTRUMENTS[row.epic].tick))

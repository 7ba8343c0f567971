"""The broker's memory with its clock: time, fresh ids, and what an account is worth at the current prices."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import msgspec

from bot.clock import Clock, to_millis
from bot.loopback.simulator import LedgerEntry, Switches
from bot.providers.capital.simulator import demo
from bot.providers.capital.simulator.bars import Bars
from bot.providers.capital.simulator.market import INSTRUMENTS
from bot.providers.capital.simulator.state import Account, Direction, Position, State

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Worth:
    """An account's four figures, in its currency."""

    deposit: Decimal
    profit_loss: Decimal
    margin: Decimal

    @property
    def balance(self) -> Decimal:
        return self.deposit + self.profit_loss

    @property
    def available(self) -> Decimal:
        return self.balance - self.margin


class World:
    """What every part of the broker works on."""

    def __init__(self, seed: int, clock: Clock) -> None:
        self.clock = clock
        self.switches = Switches()
        self.state = demo.opening(seed, clock.now())
        self.bars = Bars(self.state)
        for epic, quote in self.state.quotes.items():
            self.bars.record(epic, quote, self.now_ms())

    def now(self) -> datetime:
        return self.clock.now() + timedelta(milliseconds=self.state.skipped_ms)

    def now_ms(self) -> int:
        return to_millis(self.now())

    def draw(self, purpose: str) -> bytes:
        """32 bytes never given before; the same seed and the same history give the same."""
        self.state.drawn += 1
        return hashlib.sha256(f"{self.state.seed}/{purpose}/{self.state.drawn}".encode()).digest()

    def order_reference(self) -> str:
        return f"o_{uuid.UUID(bytes=self.draw('reference')[:16], version=4)}"

    def record(self, kind: str, source: str, target: str, amount: Decimal, unit: str, reference: str) -> None:
        """Write one thing that really happened into the ledger."""
        ledger = self.state.ledger
        number = str(len(ledger) + 1)
        ledger.append(LedgerEntry(number, kind, source, target, str(amount), unit, reference, self.now_ms()))

    def fill_price(self, epic: str, direction: Direction) -> Decimal:
        """What a market order of this direction gets."""
        quote = self.state.quotes[epic]
        return quote.offer if direction is Direction.BUY else quote.bid

    def closing_price(self, position: Position) -> Decimal:
        return self.fill_price(position.epic, position.direction.opposite)

    def profit(self, position: Position, size: Decimal | None = None) -> Decimal:
        """Open profit or loss of the row, or of `size` units of it, in the instrument's currency."""
        units = position.size if size is None else size
        return cents((self.closing_price(position) - position.level) * units * position.direction.sign)

    def margin(self, position: Position, size: Decimal | None = None) -> Decimal:
        """Money held back for the row, in its account's currency."""
        units = position.size if size is None else size
        currency = self.state.accounts[position.account_id].currency
        held = self.closing_price(position) * units / position.leverage
        return cents(self.convert(held, INSTRUMENTS[position.epic].currency, currency))

    def held(self, account: Account) -> list[Position]:
        """The account's open rows, oldest first."""
        return [position for position in self.state.positions.values() if position.account_id == account.id]

    def worth(self, account: Account) -> Worth:
        profit = margin = Decimal("0.00")
        for position in self.held(account):
            own = INSTRUMENTS[position.epic].currency
            profit += cents(self.convert(self.profit(position), own, account.currency))
            margin += self.margin(position)
        return Worth(account.deposit, profit, margin)

    def convert(self, amount: Decimal, source: str, target: str) -> Decimal:
        """At the middle of EURUSD and GBPUSD; not rounded."""
        if source == target:
            return amount
        return amount * self._dollars(source) / self._dollars(target)

    def _dollars(self, currency: str) -> Decimal:
        if currency == "USD":
            return Decimal(1)
        quote = self.state.quotes[f"{currency}USD"]
        return (quote.bid + quote.offer) / 2

    def dump(self) -> Mapping[str, Any]:
        built: dict[str, Any] = msgspec.to_builtins(self.state, str_keys=True)
        return built

    def load(self, raw: Mapping[str, Any]) -> None:
        self.state = msgspec.convert(raw, State, str_keys=True)
        self.bars = Bars(self.state)


def cents(amount: Decimal) -> Decimal:
    """To two decimals, half to even: how the broker books."""
    return amount.quantize(_CENT, ROUND_HALF_EVEN)

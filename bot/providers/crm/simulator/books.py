"""How money moves in this tenant: one door for wallets and trading accounts, each move with its traces.

A move shows in the balance, in the transactions report, in the trade history of a trading account (a balance
operation, `cmd` 6) and in the ledger of the control side.
"""

from datetime import datetime
from decimal import Decimal

from bot.clock import to_millis
from bot.loopback.simulator import LedgerEntry
from bot.providers.crm.simulator.fields import RefusedError
from bot.providers.crm.simulator.notation import ZERO, Place
from bot.providers.crm.simulator.standing import BALANCE, balance_before, standing
from bot.providers.crm.simulator.world import Account, Tenant, Trade, Transaction, Wallet


class Books:
    """Moves money and writes it down."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def balance(self, place: Place) -> Decimal:
        if place.login is None:
            wallet = self._tenant.world.wallets.get(place.user_id, {}).get(place.currency)
            return wallet.balance if wallet else ZERO
        return balance_before(self._tenant.world, self._account(place), None)

    def available(self, place: Place) -> Decimal:
        """What may be taken out; never below zero."""
        if place.login is None:
            return self.balance(place)
        return max(ZERO, standing(self._tenant.world, self._account(place)).available)

    def require(self, place: Place, amount: Decimal) -> None:
        """Refuse when less than `amount` may be taken out."""
        if amount > self.available(place):
            raise RefusedError("insufficient_funds")

    def shift(self, place: Place, amount: Decimal, comment: str, at: datetime | None = None) -> None:
        """Change the balance by the signed `amount`; in a trading account as a balance operation."""
        world, at = self._tenant.world, at or self._tenant.now()
        if place.login is None:
            wallets = world.wallets.setdefault(place.user_id, {})
            wallet = wallets.setdefault(place.currency, Wallet(world.new_id("wallet"), ZERO))
            wallet.balance += amount
            return
        world.trades.append(
            Trade(
                connection_id=place.connection_id,
                login=place.login,
                order_id=world.new_order_id(),
                cmd=BALANCE,
                open_time=at,
                close_time=at,
                profit=amount,
                comment=comment,
            )
        )

    def book(
        self,
        place: Place,
        amount: Decimal,
        comment: str,
        *,
        kind: str = "",
        method: str = "",
        ref_id: str = "",
        at: datetime | None = None,
    ) -> Transaction:
        """Shift the signed `amount` and write its row for the report: a deposit, or below zero a withdrawal."""
        before = self.balance(place)
        self.shift(place, amount, comment, at)
        return self.enter(place, amount, comment, before, kind=kind, method=method, ref_id=ref_id, at=at)

    def enter(
        self,
        place: Place,
        amount: Decimal,
        comment: str,
        before: Decimal,
        *,
        kind: str = "",
        method: str = "",
        ref_id: str = "",
        request_id: str = "",
        at: datetime | None = None,
    ) -> Transaction:
        """Write a row for the report, `before` being the balance without it; no money moves."""
        world = self._tenant.world
        row = Transaction(
            id=world.new_id("transaction"),
            place=place,
            type=kind or ("deposit" if amount > 0 else "withdrawal"),
            amount=abs(amount),
            at=at or self._tenant.now(),
            comment=comment,
            previous_balance=before,
            new_balance=before + amount,
            payment_method=method,
            ref_id=ref_id,
            request_id=request_id,
        )
        world.transactions.append(row)
        return row

    def record(self, kind: str, source: str, target: str, amount: Decimal, currency: str, reference: str) -> None:
        """An entry in the ledger of what was really carried out."""
        world = self._tenant.world
        number = world.count("ledger")
        moment = to_millis(self._tenant.now())
        world.ledger.append(
            LedgerEntry(f"L{number:06}", kind, source, target, f"{amount:f}", currency, reference, moment)
        )

    def _account(self, place: Place) -> Account:
        account = self._tenant.world.account(place.connection_id, place.login)
        if account is None:
            raise RefusedError("account_not_found")
        return account

"""What a trading account is worth at this moment. Pure.

Balance is the sum of everything closed; equity adds the credit and the floating result of open positions; margin is
the notional over the leverage. The vendor defines `available_withdrawal` as free margin less credit.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from bot.providers.crm.simulator.notation import ZERO
from bot.providers.crm.simulator.world import Account, Trade, World

CENT = Decimal("0.01")
BUY, SELL, BUY_LIMIT, BALANCE = 0, 1, 2, 6
_MARKET_ORDERS = (BUY, SELL)


@dataclass(frozen=True, slots=True)
class Standing:
    """Amounts in the account's currency; `margin_level` in percent, 0 without open positions."""

    balance: Decimal
    equity: Decimal
    margin: Decimal
    margin_free: Decimal
    margin_level: Decimal
    available: Decimal


def standing(world: World, account: Account) -> Standing:
    open_trades = [trade for trade in world.trades_of(account) if trade.close_time is None]
    balance = balance_before(world, account, None)
    floating = sum((floating_profit(world, account, trade) + trade.swaps for trade in open_trades), ZERO)
    margin = sum((_margin(world, account, trade) for trade in open_trades), ZERO)
    equity = balance + account.credit + floating
    level = (equity / margin * 100).quantize(CENT, ROUND_HALF_EVEN) if margin else ZERO
    return Standing(balance, equity, margin, equity - margin, level, equity - margin - account.credit)


def balance_before(world: World, account: Account, moment: datetime | None) -> Decimal:
    """The balance as it stood before `moment`; none means now."""
    return sum(
        (
            trade.profit + trade.swaps + trade.commission
            for trade in world.trades_of(account)
            if trade.close_time is not None and (moment is None or trade.close_time < moment)
        ),
        ZERO,
    )


def floating_profit(world: World, account: Account, trade: Trade) -> Decimal:
    """What closing `trade` now would bring; nothing for an order that waits."""
    if trade.cmd not in _MARKET_ORDERS:
        return ZERO
    return result(world, account, trade, world.symbols[trade.symbol].price)


def result(world: World, account: Account, trade: Trade, price: Decimal) -> Decimal:
    """The profit of `trade` closed at `price`, in the account's currency, to the cent."""
    symbol = world.symbols[trade.symbol]
    move = price - trade.open_price if trade.cmd == BUY else trade.open_price - price
    return _converted(world, move * trade.volume * symbol.contract, symbol.quote, account.currency)


def _margin(world: World, account: Account, trade: Trade) -> Decimal:
    if trade.cmd not in _MARKET_ORDERS:
        return ZERO
    symbol = world.symbols[trade.symbol]
    notional = trade.volume * symbol.contract * trade.open_price / account.leverage
    return _converted(world, notional, symbol.quote, account.currency)


def _converted(world: World, amount: Decimal, source: str, target: str) -> Decimal:
    rate = world.usd_rates[source] / world.usd_rates[target]
    return (amount * rate).quantize(CENT, ROUND_HALF_EVEN)

"""What a rise/fall or higher/lower contract costs, pays and is worth meanwhile.

CALL, PUT, CALLE and PUTE are offered here, at the money or against a barrier. At the money on the service's own indices
a win pays 1.954 times the stake, as in the documents' example, at any time. Everything else is priced by our own simple
model, because the vendor's is not published: an even chance, shifted by how far the spot stands from the barrier, less
a margin; away from the made-up indices the return also breathes a little from tick to tick.
"""

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Literal

from bot.providers.deriv.simulator.prices import Feed, Symbol
from bot.providers.deriv.simulator.rules import Arguments, RefusalError

OFFERED = {
    "CALL": ("strictly higher than", 1),
    "PUT": ("strictly lower than", -1),
    "CALLE": ("higher than or equal to", 1),
    "PUTE": ("lower than or equal to", -1),
}
"""Contract type → its words in a description, and the direction that wins."""
_TIES_WIN = ("CALLE", "PUTE")

_RETURN = Decimal("1.954")
_MARGIN = Decimal("0.97")
_STEEPNESS = 250
_LEAST_CHANCE, _BEST_CHANCE = Decimal("0.02"), Decimal("0.98")

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHORTEST_SECONDS, _LONGEST_SECONDS = 15, 365 * 86400
_MOST_TICKS = 10
NO_RESALE_SECONDS = 15
"""This close to its end a contract cannot be sold back."""

BOUNDS = {
    "USD": (Decimal("0.35"), Decimal(50000)),
    "EUR": (Decimal("0.35"), Decimal(50000)),
    "BTC": (Decimal("0.00001"), Decimal("0.5")),
    "ETH": (Decimal("0.0001"), Decimal(15)),
}
"""Currency → smallest stake, largest payout."""

_NOT_OFFERED = ("barrier2", "barrier_range", "cancellation", "growth_rate", "limit_order", "multiplier")


@dataclass(frozen=True, slots=True)
class Terms:
    """One contract as it is offered at this moment."""

    contract_type: str
    symbol: Symbol
    ask: Decimal
    payout: Decimal
    start: int
    expiry: int
    barrier: Decimal | None = None
    """None for the entry spot."""
    ticks: int = 0
    """Its length in ticks; 0 when it is measured in time."""

    @property
    def steady(self) -> bool:
        """Whether its price is the same at any moment, so that nothing is worth streaming."""
        return self.barrier is None and self.symbol.market[0] == "synthetic_index"

    @property
    def longcode(self) -> str:
        return longcode(self.contract_type, self.symbol, length(self.expiry - self.start, self.ticks), self.barrier)


def offer(wanted: Arguments, feed: Feed, digits: int, now: int) -> Terms:
    """The terms on which what `wanted` describes can be bought.

    Raises:
        RefusalError: It is not offered: type, barrier, duration, or an amount out of bounds.
    """
    contract_type, symbol = wanted.text("contract_type"), feed.symbol
    if contract_type not in OFFERED or any(name in wanted for name in _NOT_OFFERED):
        raise RefusalError("OfferingsValidationError", "Trading is not offered for this contract type.")
    latest = feed.latest(now)
    spot = feed.quote(latest)
    barrier = _barrier(wanted.text("barrier"), spot, symbol) if "barrier" in wanted else None
    steady = barrier is None and symbol.market[0] == "synthetic_index"
    factor = _RETURN if steady else _factor(contract_type, spot, spot if barrier is None else barrier, latest)
    ask, payout = _price(wanted, digits, factor)
    ticks = wanted.integer("duration") if wanted.text("duration_unit") == "t" and "date_expiry" not in wanted else 0
    expiry = _after_ticks(symbol, ticks, latest) if "duration_unit" in wanted and ticks else _expiry(wanted, now)
    return Terms(contract_type, symbol, ask, payout, now, expiry, barrier, ticks)


def _barrier(text: str, spot: Decimal, symbol: Symbol) -> Decimal:
    """An absolute price, or with a sign the distance from the spot."""
    barrier = spot + Decimal(text) if text[0] in "+-" else Decimal(text)
    if not fits(barrier, symbol.digits):
        raise RefusalError("BarrierValidationError", "Barrier can only be up to the symbol's decimal places.")
    if barrier <= 0 or abs(barrier / spot - 1) > Decimal("0.2"):
        raise RefusalError("BarrierValidationError", "Barrier is out of acceptable range.")
    return barrier


def _factor(contract_type: str, spot: Decimal, barrier: Decimal, latest: int) -> Decimal:
    """What one unit of stake pays when it wins."""
    breath = Decimal(latest % 7 - 3) / 1000
    return (_MARGIN / (_chance(contract_type, barrier, spot) + breath)).quantize(Decimal("0.0001"))


def _chance(contract_type: str, barrier: Decimal, spot: Decimal) -> Decimal:
    _, direction = OFFERED[contract_type]
    chance = Decimal("0.5") + direction * (spot / barrier - 1) * _STEEPNESS
    return min(max(chance, _LEAST_CHANCE), _BEST_CHANCE)


def _price(wanted: Arguments, digits: int, factor: Decimal) -> tuple[Decimal, Decimal]:
    amount, step = wanted.number("amount"), Decimal(1).scaleb(-digits)
    if amount <= 0 or not fits(amount, digits):
        raise RefusalError("InvalidAmount", f"Only a maximum of {digits} decimal places are allowed for the amount.")
    smallest, largest = BOUNDS[wanted.text("currency")]
    if amount > largest:
        raise RefusalError("ContractBuyValidationError", f"Maximum payout allowed is {largest}.")
    if wanted.text("basis", "stake") == "payout":
        ask, payout = (amount / factor).quantize(step, ROUND_HALF_UP), amount
    else:
        ask, payout = amount, (amount * factor).quantize(step, ROUND_DOWN)
    if ask < smallest:
        raise RefusalError("ContractBuyValidationError", f"Please enter a stake amount that's at least {smallest}.")
    if payout > largest:
        raise RefusalError("ContractBuyValidationError", f"Maximum payout allowed is {largest}.")
    return ask, payout


def payout_for(stake: Decimal, digits: int) -> Decimal:
    """What a stake at the money pays when it wins."""
    return (stake * _RETURN).quantize(Decimal(1).scaleb(-digits), ROUND_DOWN)


def _after_ticks(symbol: Symbol, ticks: int, latest: int) -> int:
    if not 1 <= ticks <= _MOST_TICKS:
        raise RefusalError("ContractBuyValidationError", "Number of ticks must be between 1 and 10.")
    return latest + (ticks + 1) * symbol.interval_seconds  # the tick after the purchase is the entry


def _expiry(wanted: Arguments, now: int) -> int:
    if wanted.integer("date_start", now) > now:
        raise RefusalError("ContractBuyValidationError", "Forward starting contracts are not offered.")
    if "date_expiry" in wanted:
        expiry = wanted.integer("date_expiry")
    else:
        expiry = now + wanted.integer("duration") * _UNIT_SECONDS.get(wanted.text("duration_unit", "s"), 0)
    if not _SHORTEST_SECONDS <= expiry - now <= _LONGEST_SECONDS:
        raise RefusalError("ContractBuyValidationError", "Trading is not offered for this duration.")
    return expiry


def fits(amount: Decimal, digits: int) -> bool:
    """Whether the amount can be said with so many decimals."""
    exponent = amount.normalize().as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -digits


def bid(contract_type: str, payout: Decimal, barrier: Decimal, spot: Decimal, digits: int) -> Decimal:
    """What the service pays for an open contract right now."""
    chance = _chance(contract_type, barrier, spot)
    return (payout * chance * _MARGIN).quantize(Decimal(1).scaleb(-digits), ROUND_DOWN)


def outcome(contract_type: str, payout: Decimal, barrier: Decimal, exit_spot: Decimal) -> Decimal:
    """What it pays at its end: everything or nothing."""
    _, direction = OFFERED[contract_type]
    beyond = direction * (exit_spot - barrier)
    return payout if beyond > 0 or (beyond == 0 and contract_type in _TIES_WIN) else Decimal(0)


def longcode(contract_type: str, symbol: Symbol, after: str, barrier: Decimal | None) -> str:
    """The description for people."""
    words, _ = OFFERED[contract_type]
    than = "entry spot" if barrier is None else f"{barrier:f}"
    return f"Win payout if {symbol.title} is {words} {than} at {after} after contract start time."


def shortcode(
    contract_type: str, symbol: Symbol, payout: Decimal, start: int, expiry: int, ticks: int, barrier: Decimal | None
) -> str:
    """The description for machines."""
    end = f"{ticks}T" if ticks else str(expiry)
    against = AT_THE_MONEY if barrier is None else f"{barrier.scaleb(6):.0f}"
    return f"{contract_type}_{symbol.name.upper()}_{payout:f}_{start}_{end}_{against}_0"


AT_THE_MONEY: Literal["S0P"] = "S0P"
"""The barrier is the entry spot."""


def length(seconds: int, ticks: int = 0) -> str:
    """How long a contract runs, for people."""
    if ticks:
        return f"{ticks} tick" if ticks == 1 else f"{ticks} ticks"
    for word, unit in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds % unit == 0:
            count = seconds // unit
            return f"{count} {word}" if count == 1 else f"{count} {word}s"
    return f"{seconds} seconds"

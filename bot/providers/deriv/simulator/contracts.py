"""What a rise/fall contract costs, pays and is worth meanwhile.

Only CALL and PUT at the money are offered here. A win pays 1.954 times the stake, as in the documents' example; the
resale value is our own simple model, because the vendor's pricing is not published: an even chance, shifted by how far
the spot has moved since entry, less a margin.
"""

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Literal

from bot.providers.deriv.simulator.prices import Symbol
from bot.providers.deriv.simulator.rules import Arguments, RefusalError

OFFERED = {"CALL": ("higher", 1), "PUT": ("lower", -1)}
"""Contract type → its word in a description, and the direction that wins."""

_RETURN = Decimal("1.954")
_MARGIN = Decimal("0.97")
_STEEPNESS = 250
_LEAST_CHANCE, _BEST_CHANCE = Decimal("0.02"), Decimal("0.98")

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHORTEST_SECONDS, _LONGEST_SECONDS = 15, 365 * 86400
NO_RESALE_SECONDS = 15
"""This close to its end a contract cannot be sold back."""

_BOUNDS = {
    "USD": (Decimal("0.35"), Decimal(50000)),
    "EUR": (Decimal("0.35"), Decimal(50000)),
    "BTC": (Decimal("0.00001"), Decimal("0.5")),
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


def offer(wanted: Arguments, symbol: Symbol, digits: int, now: int) -> Terms:
    """The terms on which what `wanted` describes can be bought.

    Raises:
        RefusalError: It is not offered: type, barrier, duration, or an amount out of bounds.
    """
    contract_type = wanted.text("contract_type")
    if contract_type not in OFFERED or any(name in wanted for name in _NOT_OFFERED):
        raise RefusalError("OfferingsValidationError", "Trading is not offered for this contract type.")
    if "barrier" in wanted:
        raise RefusalError("BarrierValidationError", "Barriers are not allowed for this contract type.")
    ask, payout = _price(wanted, digits)
    return Terms(contract_type, symbol, ask, payout, now, _expiry(wanted, now))


def _price(wanted: Arguments, digits: int) -> tuple[Decimal, Decimal]:
    amount, step = wanted.number("amount"), Decimal(1).scaleb(-digits)
    if amount <= 0 or not fits(amount, digits):
        raise RefusalError("InvalidAmount", f"Only a maximum of {digits} decimal places are allowed for the amount.")
    smallest, largest = _BOUNDS[wanted.text("currency")]
    if amount > largest:
        raise RefusalError("ContractBuyValidationError", f"Maximum payout allowed is {largest}.")
    if wanted.text("basis", "stake") == "payout":
        ask, payout = (amount / _RETURN).quantize(step, ROUND_HALF_UP), amount
    else:
        ask, payout = amount, payout_for(amount, digits)
    if ask < smallest:
        raise RefusalError("ContractBuyValidationError", f"Please enter a stake amount that's at least {smallest}.")
    if payout > largest:
        raise RefusalError("ContractBuyValidationError", f"Maximum payout allowed is {largest}.")
    return ask, payout


def payout_for(stake: Decimal, digits: int) -> Decimal:
    """What a stake pays when it wins."""
    return (stake * _RETURN).quantize(Decimal(1).scaleb(-digits), ROUND_DOWN)


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


def bid(contract_type: str, payout: Decimal, entry: Decimal, spot: Decimal, digits: int) -> Decimal:
    """What the service pays for an open contract right now."""
    _, direction = OFFERED[contract_type]
    chance = Decimal("0.5") + direction * (spot / entry - 1) * _STEEPNESS
    chance = min(max(chance, _LEAST_CHANCE), _BEST_CHANCE)
    return (payout * chance * _MARGIN).quantize(Decimal(1).scaleb(-digits), ROUND_DOWN)


def outcome(contract_type: str, payout: Decimal, entry: Decimal, exit_spot: Decimal) -> Decimal:
    """What it pays at its end: everything or nothing; standing still loses."""
    _, direction = OFFERED[contract_type]
    return payout if direction * (exit_spot - entry) > 0 else Decimal(0)


def longcode(contract_type: str, symbol: Symbol, seconds: int) -> str:
    """The description for people."""
    word, _ = OFFERED[contract_type]
    after = f"{_span(seconds)} after contract start time"
    return f"Win payout if {symbol.title} is strictly {word} than entry spot at {after}."


def shortcode(contract_type: str, symbol: Symbol, payout: Decimal, start: int, expiry: int) -> str:
    """The description for machines."""
    return f"{contract_type}_{symbol.name.upper()}_{payout:f}_{start}_{expiry}_{BARRIER}_0"


BARRIER: Literal["S0P"] = "S0P"
"""At the money: the barrier is the entry spot."""


def _span(seconds: int) -> str:
    for word, unit in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds % unit == 0:
            count = seconds // unit
            return f"{count} {word}" if count == 1 else f"{count} {word}s"
    return f"{seconds} seconds"

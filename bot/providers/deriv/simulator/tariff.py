"""What a transfer between own accounts costs and how large it may be; `website_status` publishes the same."""

from decimal import Decimal

from bot.providers.deriv.simulator.state import CURRENCIES

TRANSFERS_A_DAY = 10
_PERCENT = Decimal(2)
_MOST = {"USD": Decimal(5000), "EUR": Decimal(5000), "BTC": Decimal("0.1"), "ETH": Decimal(2)}


def fee_percent(source: str, target: str) -> Decimal:
    """Percent of the amount; nothing within one currency."""
    return Decimal(0) if source == target else _PERCENT


def transfer_bounds(currency: str) -> tuple[Decimal, Decimal]:
    """Smallest and largest amount of one transfer."""
    return Decimal(1).scaleb(-CURRENCIES[currency].digits) * 100, _MOST[currency]


def fees(currency: str) -> dict[str, Decimal]:
    """Percent by target currency; between two fiat currencies there is no transfer, so no fee either."""
    kind = CURRENCIES[currency].kind
    return {
        other: _PERCENT for other in CURRENCIES if other != currency and not kind == CURRENCIES[other].kind == "fiat"
    }

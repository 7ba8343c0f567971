"""What an amount is worth in the currency of a limit that counts every currency (SAFETY M82). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_UP, Context, Decimal

from bot.errors import NoRateError
from bot.money import Currency, Money

GOOD_FOR = timedelta(hours=24)
CAUTION = Decimal("1.05")
"""An amount counts for so much more than its rate says: rates move, and are not entered each minute."""
_WIDE = Context(prec=60)


@dataclass(frozen=True, slots=True)
class Rate:
    """One unit of `base` is so many of `quote`."""

    base: str
    quote: str
    rate: Decimal
    at: datetime
    """Since when. Aware UTC."""


class Rates:
    """All that were entered in some time, each good for a day."""

    def __init__(self, rates: Iterable[Rate] = ()) -> None:
        self._pairs: dict[frozenset[str], list[Rate]] = {}
        for one in sorted(rates, key=lambda one: one.at, reverse=True):
            self._pairs.setdefault(frozenset({one.base, one.quote}), []).append(one)

    def worth(self, money: Money, currency: Currency, *moments: datetime) -> Money:
        """In that currency, rounded up, with the caution on top; what is of that currency is itself.

        Args:
            moments: By the newest rate that was good at the first of these, or else at the next.
        Raises:
            NoRateError: None was.
        """
        if money.currency == currency:
            return money
        pair = self._pairs.get(frozenset({money.currency.code, currency.code}), ())
        good = (one for moment in moments for one in pair if one.at <= moment <= one.at + GOOD_FOR)
        found = next(good, None)
        if found is None:
            raise NoRateError(money.currency.code, currency.code)
        cautious = _WIDE.multiply(money.amount, CAUTION)
        is_straight = found.base == money.currency.code
        worth = _WIDE.multiply(cautious, found.rate) if is_straight else _WIDE.divide(cautious, found.rate)
        return Money(worth.quantize(Decimal(1).scaleb(-currency.digits), ROUND_UP, context=_WIDE), currency)


NO_RATES = Rates()

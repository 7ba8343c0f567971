"""How values lie in columns.

Times are epoch milliseconds; amounts are canonical text beside their currency (sqlite-utils would turn a `Decimal` into
a float even in a TEXT column); text does not sort as numbers, so amounts are compared in Python.
"""

from datetime import datetime
from decimal import Decimal

import msgspec

from bot.clock import from_millis, to_millis
from bot.money import Currency, Money


def at(moment: datetime) -> int:
    """Aware time → column."""
    return to_millis(moment)


def moment(column: int) -> datetime:
    """Column → aware UTC."""
    return from_millis(column)


def amount(money: Money) -> tuple[str, str]:
    """Money → two columns, canonical text and currency."""
    return money.text(), money.currency.code


def money(text: str, currency: str) -> Money:
    """Two columns → money."""
    return Money(Decimal(text), Currency(currency))


def packed(value: object) -> str:
    """A plain value (dicts, lists, texts, whole numbers) → one JSON column, keys sorted."""
    return _encode(value).decode()


_encode = msgspec.json.Encoder(order="deterministic").encode

"""The instruments on offer and their dealing rules. Figures are invented, shapes are the reference's."""

from dataclasses import dataclass
from decimal import Decimal

_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Hours = dict[str, tuple[str, ...]]


def _hours(weekday: tuple[str, ...], friday: tuple[str, ...], sunday: tuple[str, ...]) -> Hours:
    """Monday to Thursday alike, Saturday closed."""
    return dict(zip(_WEEK, (weekday, weekday, weekday, weekday, friday, (), sunday), strict=True))


_METAL_HOURS = _hours(("00:00 - 22:00", "23:05 - 00:00"), ("00:00 - 22:00",), ("23:05 - 00:00",))
_CURRENCY_HOURS = _hours(("00:00 - 00:00",), ("00:00 - 22:00",), ("22:00 - 00:00",))
_SHARE_HOURS = _hours(("14:30 - 21:00",), ("14:30 - 21:00",), ())
_ALWAYS: Hours = dict.fromkeys(_WEEK, ("00:00 - 00:00",))

HOURS: dict[str, Hours] = {
    "COMMODITIES": _METAL_HOURS,
    "INDICES": _METAL_HOURS,
    "CURRENCIES": _CURRENCY_HOURS,
    "SHARES": _SHARE_HOURS,
    "CRYPTOCURRENCIES": _ALWAYS,
}


@dataclass(frozen=True, slots=True)
class Instrument:
    """One thing to deal in. Sizes are units of it; distances are percent of the current price."""

    epic: str
    name: str
    kind: str
    currency: str
    code: str
    """First group of its deal ids."""
    digits: int
    min_size: Decimal
    max_size: Decimal
    size_step: Decimal
    guaranteed_allowed: bool = True
    country: str = ""
    min_distance: Decimal = Decimal("0.01")
    max_distance: Decimal = Decimal(60)
    min_guaranteed: Decimal = Decimal(1)

    @property
    def tick(self) -> Decimal:
        """Smallest price step."""
        return Decimal(1).scaleb(-self.digits)


def _instrument(line: str) -> Instrument:
    epic, name, kind, currency, code, digits, smallest, largest, step, country = [
        part.strip() for part in line.split("|")
    ]
    sizes = Decimal(smallest), Decimal(largest), Decimal(step)
    return Instrument(epic, name, kind, currency, code, int(digits), *sizes, kind != "SHARES", country)


_TABLE = """
GOLD      | Gold          | COMMODITIES      | USD | 00601567 | 2 | 0.01  | 1000     | 0.01  |
SILVER    | Silver        | COMMODITIES      | USD | 00601a12 | 3 | 1     | 50000    | 1     |
OIL_CRUDE | Crude Oil     | COMMODITIES      | USD | 00602b40 | 2 | 1     | 20000    | 1     |
US100     | US Tech 100   | INDICES          | USD | 00605c03 | 1 | 0.001 | 200      | 0.001 | US
US500     | US 500        | INDICES          | USD | 00605c04 | 1 | 0.01  | 500      | 0.01  | US
DE40      | Germany 40    | INDICES          | EUR | 00605d11 | 1 | 0.01  | 200      | 0.01  | DE
EURUSD    | EUR/USD       | CURRENCIES       | USD | 00611001 | 5 | 100   | 10000000 | 100   |
GBPUSD    | GBP/USD       | CURRENCIES       | USD | 00611002 | 5 | 100   | 10000000 | 100   |
BTCUSD    | Bitcoin/USD   | CRYPTOCURRENCIES | USD | 00620001 | 2 | 0.001 | 50       | 0.001 |
AAPL      | Apple Inc     | SHARES           | USD | 00630aa1 | 2 | 1     | 10000    | 1     | US
"""

INSTRUMENTS = {one.epic: one for one in map(_instrument, _TABLE.strip().splitlines())}

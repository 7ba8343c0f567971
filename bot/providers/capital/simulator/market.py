"""The instruments on offer and their dealing rules. Figures are invented, shapes are the reference's."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

_DAY_MINUTES = 24 * 60
WEEK_MINUTES = 7 * _DAY_MINUTES
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


def is_open(kind: str, minute: int) -> bool:
    """Whether instruments of this kind are dealt in this epoch minute (UTC), by their weekly hours."""
    return minute % WEEK_MINUTES in open_minutes(kind)


@cache
def open_minutes(kind: str) -> frozenset[int]:
    """Minutes since Thursday midnight: the epoch began on one."""
    found: set[int] = set()
    for day, name in enumerate(_WEEK):
        start = ((day - 3) % 7) * _DAY_MINUTES
        for cell in HOURS[kind][name]:
            begin, end = map(_minute_of_day, cell.split(" - "))
            found.update(range(start + begin, start + (end or _DAY_MINUTES)))
    return frozenset(found)


def _minute_of_day(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


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

    def overnight(self, long: bool) -> Decimal:
        """Percent of its worth a position earns (or costs, below zero) each night."""
        return Decimal("-0.0192") if long else Decimal("0.0058")

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
"""What the desk deals in."""

_MORE = """
PLATINUM  | Platinum      | COMMODITIES      | USD | 00603001 | 2 | 0.1   | 2000     | 0.1   |
PALLADIUM | Palladium     | COMMODITIES      | USD | 00603002 | 2 | 0.1   | 2000     | 0.1   |
COPPER    | Copper        | COMMODITIES      | USD | 00603003 | 4 | 10    | 100000   | 10    |
NATURALGAS | Natural Gas  | COMMODITIES      | USD | 00603004 | 3 | 100   | 300000   | 100   |
OIL_BRENT | Brent Oil     | COMMODITIES      | USD | 00603005 | 2 | 1     | 20000    | 1     |
COCOA     | Cocoa         | COMMODITIES      | USD | 00603006 | 1 | 0.1   | 500      | 0.1   |
US30      | US Wall Street 30 | INDICES      | USD | 00606001 | 1 | 0.01  | 200      | 0.01  | US
UK100     | UK 100        | INDICES          | GBP | 00606002 | 1 | 0.01  | 500      | 0.01  | GB
FR40      | France 40     | INDICES          | EUR | 00606003 | 1 | 0.01  | 500      | 0.01  | FR
EU50      | EU Stocks 50  | INDICES          | EUR | 00606004 | 1 | 0.01  | 500      | 0.01  |
RTY       | US Russell 2000 | INDICES        | USD | 00606005 | 1 | 0.01  | 500      | 0.01  | US
EURGBP    | EUR/GBP       | CURRENCIES       | GBP | 00612001 | 5 | 100   | 10000000 | 100   |
ETHUSD    | Ethereum/USD  | CRYPTOCURRENCIES | USD | 00622001 | 2 | 0.01  | 500      | 0.01  |
SOLUSD    | Solana/USD    | CRYPTOCURRENCIES | USD | 00622002 | 3 | 0.1   | 5000     | 0.1   |
XRPUSD    | Ripple/USD    | CRYPTOCURRENCIES | USD | 00622003 | 5 | 10    | 500000   | 10    |
LTCUSD    | Litecoin/USD  | CRYPTOCURRENCIES | USD | 00622004 | 2 | 0.1   | 5000     | 0.1   |
DOGEUSD   | Dogecoin/USD  | CRYPTOCURRENCIES | USD | 00622005 | 5 | 10    | 1000000  | 10    |
ADAUSD    | Cardano/USD   | CRYPTOCURRENCIES | USD | 00622006 | 5 | 10    | 500000   | 10    |
MSFT      | Microsoft     | SHARES           | USD | 00632001 | 2 | 1     | 10000    | 1     | US
AMZN      | Amazon        | SHARES           | USD | 00632002 | 2 | 1     | 10000    | 1     | US
GOOGL     | Alphabet      | SHARES           | USD | 00632003 | 2 | 1     | 10000    | 1     | US
META      | Meta Platforms | SHARES          | USD | 00632004 | 2 | 1     | 10000    | 1     | US
NVDA      | NVIDIA        | SHARES           | USD | 00632005 | 2 | 1     | 10000    | 1     | US
TSLA      | Tesla         | SHARES           | USD | 00632006 | 2 | 1     | 10000    | 1     | US
NFLX      | Netflix       | SHARES           | USD | 00632007 | 2 | 1     | 5000     | 1     | US
AMD       | AMD           | SHARES           | USD | 00632008 | 2 | 1     | 10000    | 1     | US
INTC      | Intel         | SHARES           | USD | 00632009 | 2 | 1     | 10000    | 1     | US
JPM       | JPMorgan      | SHARES           | USD | 0063200a | 2 | 1     | 10000    | 1     | US
DIS       | Disney        | SHARES           | USD | 0063200b | 2 | 1     | 10000    | 1     | US
KO        | Coca-Cola     | SHARES           | USD | 0063200c | 2 | 1     | 10000    | 1     | US
PEP       | PepsiCo       | SHARES           | USD | 0063200d | 2 | 1     | 10000    | 1     | US
SAP       | SAP           | SHARES           | EUR | 0063200e | 2 | 1     | 10000    | 1     | DE
"""
"""What makes the catalogue larger than one socket may hear of."""

INSTRUMENTS = {one.epic: one for one in map(_instrument, (_TABLE.rstrip() + _MORE).strip().splitlines())}

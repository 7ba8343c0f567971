"""The symbols of this service: indices it makes up itself, coins, currency pairs, a few shares of the world's markets.

More than a hundred of them never rest, so that many streams can be tried on any day.
"""

from decimal import Decimal

from bot.providers.deriv.simulator.prices import Symbol
from bot.providers.deriv.simulator.rules import RefusalError

_INDICES = (
    ("R_10", "Volatility 10 Index", "6180.250", 3, 2, "0.01"),
    ("R_50", "Volatility 50 Index", "214.8700", 4, 2, "0.05"),
    ("R_100", "Volatility 100 Index", "1595.28", 2, 2, "0.10"),
    ("1HZ100V", "Volatility 100 (1s) Index", "1043.60", 2, 1, "0.10"),
)
_PAIRS = (("EURUSD", "1.15840"), ("GBPUSD", "1.33120"))
_COINS = (("BTC", "91240.500"), ("ETH", "3018.740"))
_MORE_INDICES = (
    *((f"R_{n}", f"Volatility {n} Index", f"{n * 31 + 400}.400", 3, 2, f"0.{n // 10:02}") for n in (25, 75)),
    *(
        (f"1HZ{n}V", f"Volatility {n} (1s) Index", f"{n * 77 + 900}.20", 2, 1, "0.06")
        for n in (10, 15, 25, 30, 50, 75, 90, 150, 250)
    ),
    *((f"BOOM{n}", f"Boom {n} Index", f"{n * 11}.500", 3, 1, "0.05") for n in (50, 150, 300, 500, 600, 900, 1000)),
    *((f"CRASH{n}", f"Crash {n} Index", f"{n * 7}.250", 3, 1, "0.05") for n in (50, 150, 300, 500, 600, 900, 1000)),
    *((f"JD{n}", f"Jump {n} Index", f"{n * 901}.10", 2, 1, "0.08") for n in (10, 25, 50, 75, 100)),
    *((f"stpRNG{n}", f"Step {n}00 Index", f"{8000 + n * 113}.1", 1, 1, "0.02") for n in (1, 2, 3, 4, 5)),
    *((f"RB{n}", f"Range Break {n} Index", f"{n * 83}.3", 1, 2, "0.03") for n in (100, 200)),
    *((f"DEX{n}{way}", f"DEX {n} {way} Index", f"{n * 9}.75", 2, 1, "0.05")
      for n in (600, 900, 1500) for way in ("UP", "DN")),
    ("RDBULL", "Bull Market Index", "1204.5100", 4, 2, "0.04"),
    ("RDBEAR", "Bear Market Index", "988.1300", 4, 2, "0.04"),
)  # fmt: skip
_MORE_COINS = (
    "ADA ALG ARB ATO AVA AXS BAT BCH BNB BSV BTG CEL CRV DOG DOT DSH EGL ENJ EOS ETC FET FIL FTM GAL GRT ICP IMX INJ "
    "IOT LDO LNK LTC MAN MKR MTC NEO NER OMG ONT SAN SNX SOL SUI TON TRX UNI VET WAV XLM XMR XRP XTZ ZEC ZIL"
)
_MORE_PAIRS = (
    *(("AUDUSD", "0.66410"), ("USDCAD", "1.38220"), ("USDCHF", "0.79950"), ("NZDUSD", "0.58030")),
    *(("EURGBP", "0.87020"), ("AUDCAD", "0.91790"), ("EURCHF", "0.92620"), ("EURAUD", "1.74430")),
)


def _index(name: str, title: str, base: str, digits: int, interval: int, swing: str) -> Symbol:
    return Symbol(
        name,
        title,
        Decimal(base),
        digits,
        interval,
        Decimal(swing),
        ("synthetic_index", "Derived"),
        ("random_index", "Continuous Indices"),
        ("synthetics", "Synthetics"),
        "stockindex",
        "USD",
    )


def _pair(name: str, base: str) -> Symbol:
    return Symbol(
        f"frx{name}",
        f"{name[:3]}/{name[3:]}",
        Decimal(base),
        5,
        1,
        Decimal("0.012"),
        ("forex", "Forex"),
        ("major_pairs", "Major Pairs"),
        ("none", "None"),
        "forex",
        name[3:],
        rests_at_weekends=True,
    )


def _coin(name: str, base: str) -> Symbol:
    return Symbol(
        f"cry{name}USD",
        f"{name}/USD",
        Decimal(base),
        3,
        1,
        Decimal("0.04"),
        ("cryptocurrency", "Cryptocurrencies"),
        ("non_stable_coin", "Cryptocurrencies"),
        ("none", "None"),
        "cryptocurrency",
        "USD",
    )


SYMBOLS = {
    symbol.name: symbol
    for symbol in (
        *(_index(*row) for row in _INDICES),
        *(_pair(*row) for row in _PAIRS),
        *(_coin(*row) for row in _COINS),
        *(_index(*row) for row in _MORE_INDICES),
        *(_coin(name, f"{3 + place * 4}.150") for place, name in enumerate(_MORE_COINS.split())),
        *(_pair(*row) for row in _MORE_PAIRS),
    )
}


def known(name: str) -> Symbol:
    """The symbol of that name.

    Raises:
        RefusalError: `InvalidSymbol`.
    """
    if name not in SYMBOLS:
        raise RefusalError("InvalidSymbol", f"Symbol {name} is invalid.")
    return SYMBOLS[name]

"""The symbols that can be watched and bought, and where their prices walk.

A price is a pure function of seed, symbol and second, times the moves somebody ordered through `/_sim/move`; nothing is
stored, so a restart finds the same history. Currency pairs rest from Friday 21:00 to Sunday 21:00 UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from hashlib import sha256

import msgspec

_WAVES = ((86400, Decimal("0.60")), (3600, Decimal("0.25")), (300, Decimal("0.10")), (20, Decimal("0.05")))
"""Seconds between two turning points, and this wave's share of a symbol's swing."""

_DAY = 86400
_WEEK = 7 * _DAY
_CLOSES = _DAY + 21 * 3600
"""Friday 21:00 as seconds since the epoch's own Thursday 00:00."""
_CLOSED_SECONDS = 2 * _DAY


class Move(msgspec.Struct, frozen=True):
    """From second `at` on, the price stands `percent` higher (or lower) than the walk alone would have it."""

    at: int
    percent: Decimal


@dataclass(frozen=True, slots=True)
class Symbol:
    """One underlying, with the words the service uses for its place in the catalogue."""

    name: str
    title: str
    base: Decimal
    digits: int
    interval_seconds: int
    """One tick each so many seconds."""
    swing: Decimal
    """Largest distance of the walk from `base`, as a fraction of it."""
    market: tuple[str, str]
    submarket: tuple[str, str]
    subgroup: tuple[str, str]
    kind: str
    quoted_in: str
    rests_at_weekends: bool = False

    @property
    def pip(self) -> Decimal:
        return Decimal(1).scaleb(-self.digits)

    def is_open(self, second: int) -> bool:
        return self.awake(second) == second

    def awake(self, second: int) -> int:
        """`second`, or the last one before it in which the market was open."""
        since_close = (second - _CLOSES) % _WEEK
        return second - since_close - 1 if self.rests_at_weekends and since_close < _CLOSED_SECONDS else second


def _synthetic(name: str, title: str, base: str, digits: int, interval: int, swing: str) -> Symbol:
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


def _pair(name: str, title: str, base: str, digits: int) -> Symbol:
    return Symbol(
        name,
        title,
        Decimal(base),
        digits,
        1,
        Decimal("0.012"),
        ("forex", "Forex"),
        ("major_pairs", "Major Pairs"),
        ("none", "None"),
        "forex",
        title[-3:],
        rests_at_weekends=True,
    )


def _coin(name: str, title: str, base: str, digits: int) -> Symbol:
    return Symbol(
        name,
        title,
        Decimal(base),
        digits,
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
        _synthetic("R_10", "Volatility 10 Index", "6180.250", 3, 2, "0.01"),
        _synthetic("R_50", "Volatility 50 Index", "214.8700", 4, 2, "0.05"),
        _synthetic("R_100", "Volatility 100 Index", "1595.28", 2, 2, "0.10"),
        _synthetic("1HZ100V", "Volatility 100 (1s) Index", "1043.60", 2, 1, "0.10"),
        _pair("frxEURUSD", "EUR/USD", "1.15840", 5),
        _pair("frxGBPUSD", "GBP/USD", "1.33120", 5),
        _coin("cryBTCUSD", "BTC/USD", "91240.500", 3),
        _coin("cryETHUSD", "ETH/USD", "3018.740", 3),
    )
}


def quote(seed: int, symbol: Symbol, second: int, moves: Sequence[Move]) -> Decimal:
    """The middle price in that second, at the symbol's pip."""
    moved = Decimal(1)
    for move in moves:
        if move.at <= second:
            moved *= 1 + move.percent / 100
    raw = symbol.base * (1 + symbol.swing * _walk(seed, symbol.name, symbol.awake(second))) * moved
    return max(raw.quantize(symbol.pip, ROUND_HALF_EVEN), symbol.pip)


def _walk(seed: int, name: str, second: int) -> Decimal:
    """Between −1 and 1: four waves of turning points drawn from the seed, joined by straight lines."""
    total = Decimal(0)
    for period, share in _WAVES:
        step, past = divmod(second, period)
        here, there = _turning_point(seed, name, period, step), _turning_point(seed, name, period, step + 1)
        total += share * (here + (there - here) * past / period)
    return total


@lru_cache(maxsize=4096)
def _turning_point(seed: int, name: str, period: int, step: int) -> Decimal:
    digest = sha256(f"{seed}/{name}/{period}/{step}".encode()).digest()
    return Decimal(int.from_bytes(digest[:4])) / (1 << 31) - 1

"""Money: an exact decimal in one currency. Opens nothing.

Two doors in: `Money.parse` for what people write (strict, SAFETY M60) and `Money.reading` for what a provider reports
(any finite decimal within bounds, kept digit for digit). No float ever becomes money; nothing is rounded silently.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Self

from bot.errors import InputError

_TWO = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNH CNY COP "
    "CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR "
    "JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN "
    "NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP "
    "SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG"
)
_ZERO = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_CRYPTO = {"BTC": 8, "ETH": 8, "LTC": 8, "BCH": 8, "XRP": 6, "USDC": 6, "USDT": 6, "UST": 6, "TUSDT": 6, "EUSDT": 6}

DIGITS: dict[str, int] = {
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_ZERO.split(), 0),
    **dict.fromkeys(_THREE.split(), 3),
    **_CRYPTO,
}
"""Decimals of each known currency (ISO 4217, and the crypto units the providers name)."""

_LIMIT = Decimal(10) ** 15
_SUM_LIMIT = Decimal(10) ** 24
"""A sum of many readings may be larger than any of them."""
_MAX_DECIMALS = 18
_EXACT = Context(prec=60)  # wide enough that a sum is never rounded
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,11})(?:\.([0-9]{1,18}))?", re.ASCII)


@dataclass(frozen=True, slots=True, order=False)
class Currency:
    """A currency code as the provider wrote it, upper case, with the decimals we know for it."""

    code: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Z0-9]{2,20}", self.code, re.ASCII):
            raise ValueError("not a currency code")

    @classmethod
    def of(cls, text: str) -> Self:
        """From a provider's or a person's spelling; `ValueError` when it cannot be a code."""
        if not text.isascii():  # 'ſ'.upper() is 'S', 'ı'.upper() is 'I'
            raise ValueError("not a currency code")
        return cls(text.upper())

    @property
    def known(self) -> bool:
        """Whether we know its decimals. An unknown one can be shown, never moved."""
        return self.code in DIGITS

    @property
    def digits(self) -> int:
        """Decimals of the smallest unit; 2 is assumed for showing an unknown one."""
        return DIGITS.get(self.code, 2)

    def __str__(self) -> str:
        return self.code


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency. Signed; at most 18 decimals. What comes in is below 10^15, a sum below 10^24."""

    amount: Decimal
    currency: Currency

    def __post_init__(self) -> None:
        if type(self.amount) is not Decimal:
            raise TypeError("an amount is a Decimal")
        _check(self.amount, _SUM_LIMIT)

    @classmethod
    def parse(cls, text: str, currency: Currency) -> Self:
        """What a person wrote → money that may move.

        ASCII digits and one point only: no sign, exponent, blank, thousands mark. At most the currency's decimals.

        Raises:
            InputError: With the currency's own rule in it.
        """
        if not currency.known:
            raise InputError(f"{currency} is not a currency this desk can move", "250.00 USD")
        example = f"{Decimal(250).quantize(Decimal(1).scaleb(-currency.digits))} {currency}"
        match = _AMOUNT.fullmatch(text)
        if match is None:
            raise InputError("an amount is plain digits with at most one point", example)
        if len(match.group(2) or "") > currency.digits:
            raise InputError(f"{currency} has {currency.digits} decimals", example)
        return cls(Decimal(text), currency)

    @classmethod
    def reading(cls, amount: Decimal | int, currency: Currency) -> Self:
        """What a provider reported, digit for digit. `ValueError` outside the bounds."""
        money = cls(Decimal(amount) if isinstance(amount, int) else amount, currency)
        check_number(money.amount)
        return money

    @property
    def is_exact(self) -> bool:
        """Whether it has no more decimals than its currency, so that it could be moved."""
        exponent = self.amount.normalize(_EXACT).as_tuple().exponent
        return self.currency.known and isinstance(exponent, int) and -exponent <= self.currency.digits

    def text(self) -> str:
        """Canonical text: no exponent, at least the currency's decimals, no minus before nought. What rows hold."""
        amount = self.amount or self.amount.copy_abs()
        exponent = amount.as_tuple().exponent
        have = -exponent if isinstance(exponent, int) and exponent < 0 else 0
        return f"{amount:.{max(have, self.currency.digits)}f}"

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError("currencies do not mix")
        return Money(_EXACT.add(self.amount, other.amount), self.currency)

    def __neg__(self) -> "Money":
        return Money(self.amount.copy_negate(), self.currency)

    def __str__(self) -> str:
        return f"{self.text()} {self.currency}"


def total(amounts: Iterable[Money], currency: Currency) -> Money:
    """The exact sum of many; nought of `currency` for none. `ValueError` where another currency is among them."""
    found = Decimal(0)
    for money in amounts:
        if money.currency != currency:
            raise ValueError("currencies do not mix")
        found = _EXACT.add(found, money.amount)
    return Money(found, currency)


def check_number(number: Decimal) -> Decimal:
    """The number itself when it is finite and within bounds, else `ValueError`. For amounts, prices and sizes."""
    return _check(number, _LIMIT)


def _check(number: Decimal, limit: Decimal) -> Decimal:
    if number.is_finite() and -6 <= number.adjusted() < 15 and len(str(number)) <= 18:
        return number  # below 10^15 and written out, with fewer than 18 decimals: nearly every number there is
    if not number.is_finite():
        raise ValueError("not a finite number")
    exponent = number.as_tuple().exponent
    if number.copy_abs() >= limit or not isinstance(exponent, int) or exponent < -_MAX_DECIMALS:
        raise ValueError("number out of bounds")
    return number

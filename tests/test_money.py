"""Amounts: what a person may write, what a provider may say, and what becomes of the digits."""

import ast
import inspect
import re
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bot.money
from bot.errors import InputError
from bot.money import DIGITS, Currency, Money, check_number, total

USD, JPY, KWD, BTC = Currency("USD"), Currency("JPY"), Currency("KWD"), Currency("BTC")


@pytest.mark.parametrize(
    "text",
    [
        "NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf", "-1", "+1", "-0", "1e5", "1E400", "1e-2", "0x10", "1_000",
        "1,000.00", "1.000,00", "1,5", ".5", "5.", "00012", "01", "00", "0.", "１００", "١٢٣", "١٫٥", "1 000",
        "1\u00a0000", " 1", "1 ", "1\n", "\t1", "1.005 USD", "1.005", "0.001", "1000000000000", "9" * 4000,
        "1" + "0" * 30, "1.0.0", "",
        "one", "½", "²", "1٫0", "$5", "5$", "1.00\x00", "1.00\u202e", "(1)", "--1", "1/2", "True", "None",
        "1．5", "۱",
    ],
)  # fmt: skip
def test_what_is_not_an_amount_of_dollars_is_refused_with_a_right_example(text: str) -> None:
    """F30."""
    with pytest.raises(InputError) as caught:
        Money.parse(text, USD)
    assert caught.value.example == "250.00 USD"


@pytest.mark.parametrize(
    ("text", "currency", "canonical"),
    [
        ("0", USD, "0.00"),
        ("1", USD, "1.00"),
        ("1.5", USD, "1.50"),
        ("1.50", USD, "1.50"),
        ("0.01", USD, "0.01"),
        ("999999999999.99", USD, "999999999999.99"),
        ("250", JPY, "250"),
        ("999999999999", JPY, "999999999999"),
        ("1.234", KWD, "1.234"),
        ("0.00000001", BTC, "0.00000001"),
        ("21000000", BTC, "21000000.00000000"),
    ],
)
def test_what_is_an_amount_is_kept_to_the_digit(text: str, currency: Currency, canonical: str) -> None:
    money = Money.parse(text, currency)
    assert money.amount == Decimal(text)
    assert money.text() == canonical
    assert str(money) == f"{canonical} {currency.code}"
    assert money.is_exact


@pytest.mark.parametrize(
    ("text", "currency", "reason", "example"),
    [
        ("0.1", JPY, "JPY has 0 decimals", "250 JPY"),
        ("1.0", JPY, "JPY has 0 decimals", "250 JPY"),
        ("1.2345", KWD, "KWD has 3 decimals", "250.000 KWD"),
        ("0.000000001", BTC, "BTC has 8 decimals", "250.00000000 BTC"),
        ("1.005", USD, "USD has 2 decimals", "250.00 USD"),
        ("1.000", USD, "USD has 2 decimals", "250.00 USD"),
    ],
)
def test_too_many_decimals_are_refused_naming_the_currencys_own_and_never_rounded(
    text: str, currency: Currency, reason: str, example: str
) -> None:
    with pytest.raises(InputError) as caught:
        Money.parse(text, currency)
    assert (caught.value.reason, caught.value.example) == (reason, example)


def test_an_unknown_currency_can_be_shown_and_not_moved() -> None:
    currency = Currency.of("XYZ")
    with pytest.raises(InputError, match="XYZ is not a currency"):
        Money.parse("1", currency)
    money = Money.reading(Decimal("1.5"), currency)
    assert str(money) == "1.50 XYZ"
    assert not money.is_exact


_GRAMMAR = {0: r"(0|[1-9][0-9]{0,11})", 2: r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,2})?",
            3: r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,3})?", 8: r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,8})?"}  # fmt: skip
_PIECES = st.sampled_from(
    [*"0123456789", ".", ",", "-", "+", "e", "E", "_", " ", "١", "１", "NaN", "00", "9" * 12, "\n"]
)


@given(
    st.one_of(st.text(max_size=20), st.lists(_PIECES, max_size=16).map("".join), st.decimals().map(str)),
    st.sampled_from([USD, JPY, KWD, BTC]),
)
@settings(max_examples=600, deadline=None)
def test_a_text_is_accepted_exactly_when_it_is_of_the_grammar(text: str, currency: Currency) -> None:
    digits = {"USD": 2, "JPY": 0, "KWD": 3, "BTC": 8}[currency.code]
    if re.fullmatch(_GRAMMAR[digits], text, re.ASCII):
        money = Money.parse(text, currency)
        assert money.amount == Decimal(text)
        assert Money.parse(money.text(), currency) == money
    else:
        with pytest.raises(InputError):
            Money.parse(text, currency)


@pytest.mark.parametrize(
    ("code", "digits"),
    [("USD", 2), ("EUR", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("TND", 3), ("BTC", 8), ("ETH", 8), ("USDC", 6)],
)
def test_each_currency_has_its_own_decimals(code: str, digits: int) -> None:
    assert Currency(code).digits == digits
    assert DIGITS[code] == digits


@pytest.mark.parametrize(
    "text", ["", "U", "US D", "UЅD", "usdı", "uſd", "ﬀ", "ß", "US$", "USD\n", "A" * 21, "U-D", "ＵＳＤ"]
)
def test_what_cannot_be_a_currency_code_is_refused_also_what_only_looks_like_one(text: str) -> None:
    with pytest.raises(ValueError, match="not a currency code"):
        Currency.of(text)


def test_a_code_in_small_letters_is_the_same_currency() -> None:
    assert Currency.of("usd") == USD


@pytest.mark.parametrize(
    "number",
    [
        "NaN", "sNaN", "Infinity", "-Infinity", "1E400", "1e-400", "1e15", "-1e15", "1000000000000000",
        "0.0000000000000000001", "1E+999999", "9" * 100,
    ],
)  # fmt: skip
def test_a_reading_outside_the_bounds_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match=r"out of bounds|not a finite"):
        Money.reading(Decimal(number), USD)
    with pytest.raises(ValueError, match=r"out of bounds|not a finite"):
        check_number(Decimal(number))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1.005", "1.005"),
        ("-3.1", "-3.10"),
        ("1E+3", "1000.00"),
        ("123456789012345.123456789012345678", "123456789012345.123456789012345678"),
        ("999999999999999.999999999999999999", "999999999999999.999999999999999999"),
        ("0E-18", "0.000000000000000000"),
        ("0E+10", "0.00"),
        ("-0", "0.00"),
        ("-0.000", "0.000"),
    ],
)
def test_a_reading_is_kept_digit_for_digit_and_nought_has_no_minus(number: str, text: str) -> None:
    assert Money.reading(Decimal(number), USD).text() == text


def test_a_whole_number_is_a_reading_too() -> None:
    assert Money.reading(12, USD).text() == "12.00"


@pytest.mark.parametrize("value", [0.5, 1.0, float("nan"), "1.5"])
def test_no_float_and_no_unvetted_text_becomes_money(value: Any) -> None:
    with pytest.raises(TypeError, match="an amount is a Decimal"):
        Money.reading(value, USD)
    with pytest.raises(TypeError, match="an amount is a Decimal"):
        Money(value, USD)


def test_a_reading_of_more_decimals_than_the_currency_has_cannot_be_moved() -> None:
    assert not Money.reading(Decimal("1.005"), USD).is_exact
    assert not Money.reading(Decimal("123456789012345.000000000000000001"), USD).is_exact
    assert Money.reading(Decimal("1.500000"), USD).is_exact
    assert Money.reading(Decimal("1E+3"), JPY).is_exact


def test_a_sum_is_exact_whatever_the_context_says() -> None:
    with localcontext() as context:
        context.prec = 3
        total = Money.reading(Decimal("123456789012345.000000000000000001"), USD) + Money.reading(Decimal("0.1"), USD)
        assert total.text() == "123456789012345.100000000000000001"


def test_currencies_do_not_mix() -> None:
    with pytest.raises(ValueError, match="currencies do not mix"):
        Money.parse("1", USD) + Money.parse("1", JPY)


def test_a_sum_may_be_larger_than_any_reading_and_is_bounded_too() -> None:
    much = Money.reading(Decimal(999_999_999_999_999), USD)
    assert (much + much).text() == "1999999999999998.00"
    with pytest.raises(ValueError, match="out of bounds"):
        Money(Decimal(10) ** 24, USD)


def test_turning_the_sign_twice_is_nothing() -> None:
    money = Money.parse("1.50", USD)
    assert (-money).text() == "-1.50"
    back = -money
    assert -back == money
    assert (-Money.parse("0", USD)).text() == "0.00"


def test_equal_amounts_are_equal_however_many_noughts_follow() -> None:
    assert Money.parse("1.5", USD) == Money.parse("1.50", USD)
    assert Money.parse("1.5", USD) != Money.parse("1.5", Currency("EUR"))


def test_the_money_file_knows_no_float() -> None:
    tree = ast.parse(inspect.getsource(bot.money))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert "float" not in names
    assert not [value for value in constants if isinstance(value, float)]


def test_a_sum_of_many_is_exact_and_of_one_currency() -> None:
    cents = [Money.parse("0.01", USD)] * 3 + [Money.parse("999999999999.99", USD)]
    assert total(cents, USD).text() == "1000000000000.02"
    assert total([], JPY).text() == "0"
    with pytest.raises(ValueError, match="do not mix"):
        total([Money.parse("1", JPY)], USD)

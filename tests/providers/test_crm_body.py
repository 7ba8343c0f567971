"""Bodies that are the same bytes under both readings of the signature's page. Expected texts are JavaScript's."""

from decimal import Decimal
from typing import Any

import pytest

from bot.providers.crm import body


def test_nothing_stands_between_the_parts_and_the_order_stays() -> None:
    fields: dict[str, body.Value] = {"skip": 0, "limit": 1, "type": ["deposit"], "mail": False}
    assert body.encode(fields) == b'{"skip":0,"limit":1,"type":["deposit"],"mail":false}'


def test_text_is_raw_but_for_what_json_must_escape() -> None:
    written = body.encode({"comment": '出金 "é" \\ / \u2028\x7f\n\t\b\f\r\x00\x1f'})
    expected = '{"comment":"出金 \\"é\\" \\\\ / \u2028\x7f\\n\\t\\b\\f\\r\\u0000\\u001f"}'
    assert written == expected.encode()


def test_nothing_is_normalised() -> None:
    assert body.encode({"a": "é", "b": "e\u0301"}) == b'{"a":"\xc3\xa9","b":"e\xcc\x81"}'


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Decimal("100.00"), b"100"),
        (Decimal("1E+3"), b"1000"),
        (Decimal("-2.50"), b"-2.5"),
        (Decimal("-0.0"), b"0"),
        (Decimal("0.000001"), b"0.000001"),
        (Decimal("123456789.123456"), b"123456789.123456"),
        (Decimal("0.100000000000001"), b"0.100000000000001"),
        (2**53 - 1, b"9007199254740991"),
        (-7, b"-7"),
    ],
)
def test_numbers_are_written_as_javascript_prints_them(number: Decimal | int, text: bytes) -> None:
    assert body.encode({"n": number}) == b'{"n":' + text + b"}"


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 0.5},
        {"n": None},
        {"n": b"bytes"},
        {"n": 2**53},
        {"n": Decimal("-9007199254740993")},
        {"n": Decimal("0.0000009")},
        {"n": Decimal("1234567890123.456")},
        {"n": Decimal("NaN")},
        {"n": Decimal("sNaN")},
        {"n": Decimal("-Infinity")},
        {"n": Decimal("1E+400")},
        {"7": "moved to the front"},
        {"a": {"0": 1}},
        {"a": "\ud800"},
    ],
)
def test_what_has_no_common_form_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        body.encode(fields)


def test_a_key_of_digits_with_a_leading_zero_stays_where_it_is() -> None:
    assert body.encode({"b": 1, "07": 2}) == b'{"b":1,"07":2}'

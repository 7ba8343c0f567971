"""Request bodies that every server reads to the same bytes. Pure.

The signature covers the body. Some servers check it over the bytes they received, others, going by the vendor's own
samples, over `JSON.stringify` of what they parsed. A body written here is the same under both: no blanks, no escapes
that JavaScript would not write, numbers as JavaScript prints them, keys in an order JavaScript keeps.

Source: CRM Open API, page Authentication V2 (code samples); ECMA-262, Number::toString and JSON.stringify.
"""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

Value: TypeAlias = "str | bool | int | Decimal | Sequence[Value] | Mapping[str, Value]"
Fields: TypeAlias = "Mapping[str, Value | None]"
"""What a body is built of; what is None is left out."""

_INDEX = re.compile(r"0|[1-9][0-9]*", re.ASCII)
_EXACT_INTEGER = 2**53
_EXACT_DIGITS = 15
_SMALLEST = Decimal("0.000001")


def encode(fields: Mapping[str, Value]) -> bytes:
    """The object as UTF-8; sign these bytes and send these bytes.

    Raises:
        ValueError: Something in it has no form both readings share: a float, None, a number JavaScript cannot hold
            exactly, a key that looks like an index, half a character.
    """
    return _text(fields).encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | Decimal):
        return _number(Decimal(value))
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_key(name)}:{_text(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_text(inner) for inner in value) + "]"
    raise ValueError(f"a {type(value).__name__} does not belong in a body")


def _key(name: str) -> str:
    if _INDEX.fullmatch(name):
        raise ValueError("a key of digits would be moved to the front")
    return json.dumps(name, ensure_ascii=False)


def _number(number: Decimal) -> str:
    """Plain digits; a fraction within the digits a double surely keeps, so that it is printed back unchanged."""
    if not number.is_finite() or abs(number) >= _EXACT_INTEGER:
        raise ValueError("number beyond what JavaScript counts exactly")
    if number == 0:
        return "0"
    if abs(number) < _SMALLEST:
        raise ValueError("number so small that it is printed with an exponent")
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if "." in text and len(text.replace(".", "").lstrip("-0")) > _EXACT_DIGITS:
        raise ValueError("more digits than a double keeps")
    return text

"""JSON read without mercy (SAFETY M62). Pure.

The standard parser takes `NaN`, turns `1e400` into infinity, keeps the last of two equal keys and dies on depth. Here
numbers are exact decimals or integers, and each of those is an error. Replies about money are read by this parser as
well as by the typed decoder; simulators read requests with it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import msgspec

Json = str | int | bool | None | Decimal | Sequence["Json"] | Mapping[str, "Json"]
"""What `loads` returns; numbers with a point or exponent are `Decimal`."""

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_PARTS = 100_000
"""Commas and brackets. A text that is hardly more than those takes a moment to read in which nobody is answered."""
MAX_INTEGER_DIGITS = 20
MAX_NUMBER_CHARACTERS = 80
_PLAIN_CHARACTERS = 40
"""So many without an exponent are a number within every bound."""
_BEYOND = 10**MAX_INTEGER_DIGITS
_BLANKS = " \t\n\r"
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")


def loads(raw: bytes | str, *, max_bytes: int = MAX_BYTES) -> Json:
    """Parse one JSON text.

    Raises:
        ValueError: Not JSON, too large or deep or of too many parts, a duplicate key, NaN, infinity, a number too long.
    """
    data = raw.encode() if isinstance(raw, str) else raw
    if len(data) > max_bytes:
        raise ValueError("larger than allowed")
    if _too_deep(data):
        raise ValueError("nested too deeply")
    if len(data) > MAX_PARTS and sum(map(data.count, (b",", b"[", b"{"))) > MAX_PARTS:
        raise ValueError("more parts than allowed")
    quick = _quickly(data)
    if quick is not None:
        return quick
    text = data.decode("utf-8")  # UnicodeDecodeError is a ValueError
    parsed = _parsed(text.strip(_BLANKS))
    if "\\u" in text and "\\ud" in text.lower():
        _check_encodable(parsed)
    return parsed


def _quickly(data: bytes) -> dict[str, Json] | None:
    """An object as the strict parser reads it, by a quicker one; None where the two might differ.

    The quicker one is as strict but for two things. It keeps the last of two equal keys: so colons are counted, one of
    which stands in every pair; when no more of them came than there are pairs now, then no pair was dropped. And it
    takes integers of any length: so they are looked at.
    """
    colons = data.count(b":")
    if colons != data.count(b'":') or b"\\" in data:
        return None
    try:
        parsed = _QUICK.decode(data)
        return parsed if type(parsed) is dict and _pairs(parsed.values(), len(parsed)) == colons else None
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _pairs(values: Iterable[Any], found: int) -> int:
    """How many pairs there are: those `found` already, and those inside of `values`."""
    for value in values:
        kind = type(value)
        if kind is dict:
            found = _pairs(value.values(), found + len(value))
        elif kind is list:
            found = _pairs(value, found)
        elif kind is int and not -_BEYOND < value < _BEYOND:
            raise ValueError("number out of bounds")
    return found


def _parsed(text: str) -> Json:
    """Without the decoder's own two looks for blanks around it, which cost as much as a short text itself."""
    parsed: Json
    parsed, end = _DECODER.raw_decode(text)
    if end != len(text):
        raise ValueError("more than one JSON text")
    return parsed


def _check_encodable(value: Json) -> None:
    """`\\ud800` alone is JSON, but no text: it could never be written again. UnicodeEncodeError is a ValueError."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            key.encode()
            _check_encodable(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            _check_encodable(inner)


def _too_deep(data: bytes) -> bool:
    """Whether brackets nest deeper than allowed; those inside strings do not count. Unbalanced ones are the parser's.

    No recursion, and no loop over a megabyte in Python: strings are cut out, everything but brackets is dropped, and
    then each round takes away the innermost pairs. What has no more of them than may nest cannot nest deeper.
    """
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    outside = data.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    brackets = b"".join(outside).translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return b"[]" in brackets or brackets.count(b"[") > MAX_DEPTH


def _decimal(text: str) -> Decimal:
    if len(text) <= _PLAIN_CHARACTERS and "e" not in text and "E" not in text:
        return Decimal(text)
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise ValueError("number out of bounds")
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent beyond what Decimal can hold; it is an ArithmeticError
        raise ValueError("number out of bounds") from None
    if not number.is_finite() or abs(number.adjusted()) > 60:
        raise ValueError("number out of bounds")
    return number


def _integer(text: str) -> int:
    if len(text) > MAX_INTEGER_DIGITS and len(text.lstrip("-")) > MAX_INTEGER_DIGITS:
        raise ValueError("number out of bounds")
    return int(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


_DECODER = json.JSONDecoder(parse_float=_decimal, parse_int=_integer, parse_constant=_refuse, object_pairs_hook=_object)
_QUICK = msgspec.json.Decoder(float_hook=_decimal)

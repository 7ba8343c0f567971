"""The CRM's four signatures, as its side computes them. Pure.

V2 (authentication-v2): `sha256=` and the hex HMAC-SHA256 of the body under the API key. V1 (authentication): an
upper-case SHA-1 over sorted parameters with the key behind them. Webhooks (security): the HMAC of the body under that
webhook's own secret, bare or with the prefix.

What JavaScript's `JSON.stringify` would make of a body is rebuilt here too, because two of the vendor's own samples
sign that text and not the bytes that travel.
"""

import hashlib
import hmac
import json
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from bot.network.strictjson import Json

PREFIX = "sha256="
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ARRAY_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


def sign(key: str, message: bytes) -> str:
    """HMAC-SHA256 of `message` in lower-case hex, 64 digits, without prefix."""
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()


def v2(api_key: str, message: bytes) -> str:
    """The `signature` header of a V2 call."""
    return PREFIX + sign(api_key, message)


def v1_variants(api_key: str, body: Mapping[str, Json]) -> frozenset[str]:
    """Every V1 signature that some reading of the page allows for `body`.

    The page contradicts itself on empty values, and its two samples spell booleans and null differently.
    """
    return frozenset(
        _v1(api_key, body, words, keep_empty)
        for words in (_JAVASCRIPT_WORDS, _PYTHON_WORDS)
        for keep_empty in (True, False)
    )


def psp(token: str, body: Mapping[str, Json]) -> str:
    """The `sign` of a payment call: V1's algorithm without `sign` itself and without empty values."""
    return _v1(token, {name: value for name, value in body.items() if name != "sign"}, _JAVASCRIPT_WORDS, False)


def canonical(value: Json) -> bytes:
    """The bytes of `JSON.stringify(value)`: no spaces, numbers as doubles, index-like names first, raw UTF-8."""
    return _stringify(value).encode()


def same(given: bytes, expected: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given, expected)


_JAVASCRIPT_WORDS = {True: "true", False: "false", None: "null"}
_PYTHON_WORDS = {True: "True", False: "False", None: "None"}


def _v1(api_key: str, body: Mapping[str, Json], words: Mapping[bool | None, str], keep_empty: bool) -> str:
    pairs = [
        f"{name}={_concatenated(body[name], words)}"
        for name in sorted(body)
        if keep_empty or body[name] not in (None, "")
    ]
    message = ("&".join(pairs) + api_key).encode(errors="surrogatepass")
    return hashlib.sha1(message, usedforsecurity=False).hexdigest().upper()  # the algorithm V1 asks for


def _concatenated(value: Json, words: Mapping[bool | None, str]) -> str:
    """A value as it looks when it is added to a text."""
    match value:
        case bool() | None:
            return words[value]
        case str():
            return value
        case int() | Decimal():
            return _number(value)
        case Mapping():
            return "[object Object]"
        case _:
            return ",".join("" if item is None else _concatenated(item, words) for item in value)


def _stringify(value: Json) -> str:
    match value:
        case bool() | None:
            return _JAVASCRIPT_WORDS[value]
        case str():
            return _text(value)
        case int() | Decimal():
            return _number(value)
        case Mapping():
            return "{" + ",".join(f"{_text(name)}:{_stringify(value[name])}" for name in _ordered(value)) + "}"
        case _:
            return "[" + ",".join(_stringify(item) for item in value) + "]"


def _text(value: str) -> str:
    quoted = json.dumps(value, ensure_ascii=False)
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found.group()):04x}", quoted)


def _ordered(names: Mapping[str, Json]) -> Sequence[str]:
    """JavaScript keeps the order of names, but array indices come first and ascend."""
    indices = [name for name in names if _ARRAY_INDEX.fullmatch(name) and int(name) < 2**32 - 1]
    return [*sorted(indices, key=int), *(name for name in names if name not in set(indices))]


def _number(value: int | Decimal) -> str:
    """The shortest text of the nearest double, with JavaScript's rule for exponents (below 1e-6, from 1e21)."""
    double = float(value)
    if double == 0:
        return "0"
    sign_, digits, exponent = Decimal(repr(double)).normalize().as_tuple()
    figures = "".join(map(str, digits))
    point = len(figures) + int(exponent)
    return ("-" if sign_ else "") + _placed(figures, point)


def _placed(figures: str, point: int) -> str:
    """`figures` with the decimal point after the first `point` of them."""
    if len(figures) <= point <= 21:
        return figures + "0" * (point - len(figures))
    if 0 < point <= 21:
        return f"{figures[:point]}.{figures[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + figures
    mantissa = figures[0] + (f".{figures[1:]}" if len(figures) > 1 else "")
    return f"{mantissa}e{'+' if point > 0 else '-'}{math.trunc(abs(point - 1))}"

"""JSON as the bank's JavaScript reads it, and numbers as it writes them.

A number keeps both its spelling and the double it stands for: what is signed is the double's text, whatever the
spelling was. Own choice: a repeated key is no JSON here, though JavaScript would take the last of them.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn


@dataclass(frozen=True, slots=True)
class Numeral:
    """A JSON number as it was spelled."""

    spelling: str

    @property
    def value(self) -> float:
        return float(self.spelling)

    @property
    def text(self) -> str:
        """What JavaScript makes of it. `ValueError` when it is beyond any double."""
        return javascript_text(self.value)


Json = str | bool | None | Numeral | Sequence["Json"] | Mapping[str, "Json"]


def parse(text: str) -> Json:
    """One JSON text; `ValueError` with a short reason otherwise."""
    try:
        parsed: Json = json.loads(
            text, parse_float=Numeral, parse_int=Numeral, parse_constant=_refuse, object_pairs_hook=_object
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        raise ValueError("not JSON") from None
    return parsed


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("repeated key")
    return result


def javascript_text(number: float) -> str:
    """Number to String of ECMAScript: shortest digits that round-trip, plain between 1e-6 and 1e21.

    The digits d1…dk and the point's place n (value 0.d1…dk × 10^n) are what decides the form.
    """
    if not math.isfinite(number):
        raise ValueError("number out of bounds")
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    digits, n = _shortest(abs(number))
    k = len(digits)
    if k <= n <= 21:
        return f"{sign}{digits}{'0' * (n - k)}"
    if 0 < n <= 21:
        return f"{sign}{digits[:n]}.{digits[n:]}"
    if -6 < n <= 0:
        return f"{sign}0.{'0' * -n}{digits}"
    mantissa = digits if k == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{sign}{mantissa}e{n - 1:+d}"


def _shortest(number: float) -> tuple[str, int]:
    """Digits without zeros at either end, and the point's place before them."""
    mantissa, _, exponent = repr(number).partition("e")
    whole, _, fraction = mantissa.partition(".")
    padded = whole + fraction
    digits = padded.lstrip("0")
    place = len(whole) - (len(padded) - len(digits)) + int(exponent or "0")
    return digits.rstrip("0"), place

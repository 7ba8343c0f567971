"""How each field of a signed text is spelled, so that no other set of fields gives the same text.

Numbers are written as JavaScript writes them (`number_text`).

Source: Crypto Capital End-User API v2.3, section "Operations".
"""

import math
import re
from decimal import Decimal

MAX_NONCE = 2**53 - 1
ACCOUNT_NUMBER = r"[0-9]{10}"
TRANSACTION_ID = r"[1-9][0-9]{0,19}"
CURRENCY = r"[A-Z]{3}"
AMOUNT = r"(?!-0\.00)-?(0|[1-9][0-9]{0,14})\.[0-9]{2}"
FREE_TEXT = r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{0,1000}"
_REFERENCE = r"CS-[A-Z0-9]{1,32}"
NARRATIVE = r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{0,200}"
MAX_NARRATIVE = 200
SIGNATURE = r"[A-Za-z0-9+/]{1,160}={0,2}"


class OperationError(ValueError):
    """An operation that would not be read as it was meant."""


def number_text(number: int | Decimal) -> str:
    """A JSON number as JavaScript's Number turns it into text; that is what both sides sign.

    The protocol defines this over binary doubles, so this is the one place where a number becomes a float.

    Raises:
        OperationError: Beyond the range of a double.
    """
    try:
        double = float(number)
    except OverflowError:
        raise OperationError("number out of range") from None
    if not math.isfinite(double):
        raise OperationError("number out of range")
    if double == 0:
        return "0"
    negative, figures, exponent = Decimal(repr(double)).normalize().as_tuple()
    digits = "".join(map(str, figures))
    point = len(digits) + int(exponent)
    return ("-" if negative else "") + _place_point(digits, point)


def _place_point(digits: str, point: int) -> str:
    """Significant digits whose value is 0.digits × 10^point, in JavaScript's spelling."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if count > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"


def reference_of(request_id: str) -> str:
    """What the narrative of a transfer begins with, so that its effect can be recognised (SAFETY M24)."""
    reference = f"CS-{request_id.upper()}"
    if not re.fullmatch(_REFERENCE, reference, re.ASCII):
        raise OperationError("a request's id has letters and digits only")
    return reference


def reference_in(narrative: str) -> str:
    """The reference a narrative begins with; empty when there is none."""
    first = narrative.split(" ", 1)[0]
    return first if re.fullmatch(_REFERENCE, first, re.ASCII) else ""

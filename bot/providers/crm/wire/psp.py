"""A payment's callback, as the PSP Open API words it: who may say it, what it says, what is answered. Pure.

The token stands in a header, and behind the sorted fields when they are hashed into `sign`. How a number is written
there is not said: as it stands in the body, or as JavaScript prints it.

Source: PSP Open API, pages Signature, Payment callback, Errors.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Annotated

import msgspec

from bot.errors import ReplyError
from bot.providers.crm.wire.grammar import Number, Text, fit

TOKEN_HEADER = "crm-pay-token"  # noqa: S105  # a header's name
_CURRENCY = re.compile(r"[A-Z0-9]{2,10}", re.ASCII)
_Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]


class Status(IntEnum):
    """What became of a payment."""

    FAILED = 0
    SUCCEEDED = 1
    PROCESSING = 2


class Refusal(StrEnum):
    """The documented types of a 400; the last is ours, for what is no callback at all."""

    TOKEN = "psp_token_invalid"  # noqa: S105  # a word of theirs
    MERCHANT = "deposit_method_not_found"
    NOT_PENDING = "payment_status_not_pending"
    EXISTS = "payment_request_exists"
    STATUS = "payment_status_not_allowed"
    AMOUNT = "payment_amount_not_allowed"
    CURRENCY = "payment_currency_not_allowed"
    UNREADABLE = "invalid_request"


class Callback(msgspec.Struct, frozen=True):
    """What the payment provider says; `time` is theirs, in milliseconds."""

    merchant_id: str
    order_no: _Name
    amount: Number
    currency: str
    time: Annotated[int, msgspec.Meta(ge=0, le=10**15)]
    status: int
    sign: str = ""
    transaction_id: Text | None = None
    user_id: Text | None = None


class _Literal(str):
    """A number as it stands in the body."""

    __slots__ = ()


def is_token(token: str, presented: list[str]) -> bool:
    """Whether there is one header, and the token in it."""
    return bool(token) and len(presented) == 1 and hmac.compare_digest(presented[0].encode(), token.encode())


def read(body: bytes, token: str, merchant_id: str) -> Callback | Refusal:
    """The callback, if it is signed, for this merchant, and says something that can be."""
    try:
        found = fit("callback", body, Callback)
    except ReplyError:
        return Refusal.UNREADABLE
    if not is_signed(body, token, found.sign):
        return Refusal.TOKEN
    if found.merchant_id != merchant_id:
        return Refusal.MERCHANT
    if found.status not in set(Status):
        return Refusal.STATUS
    if found.amount <= 0:
        return Refusal.AMOUNT
    return found if _CURRENCY.fullmatch(found.currency) else Refusal.CURRENCY


def is_signed(body: bytes, token: str, sign: str) -> bool:
    """Whether `sign` is that of the body's other fields, none of which may be a list or an object.

    Args:
        body: Found to be strict JSON.
    """
    fields = json.loads(body, parse_float=_Literal, parse_int=_Literal)
    if any(isinstance(value, list | dict) for value in fields.values()):
        return False
    as_it_stands, as_printed = (_sign(fields, token, printed=printed).encode() for printed in (False, True))
    return hmac.compare_digest(sign.encode(), as_it_stands) | hmac.compare_digest(sign.encode(), as_printed)


def _sign(fields: Mapping[str, str | bool | None], token: str, *, printed: bool) -> str:
    pairs = [
        f"{name}={_written(value, printed=printed)}"
        for name, value in sorted(fields.items())
        if name != "sign" and value not in (None, "")
    ]
    return hashlib.sha1(("&".join(pairs) + token).encode(), usedforsecurity=False).hexdigest().upper()


def _written(value: str | bool | None, *, printed: bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Literal) and printed:
        plain = f"{Decimal(value):f}"
        return (plain.rstrip("0").rstrip(".") if "." in plain else plain) or "0"
    return str(value)

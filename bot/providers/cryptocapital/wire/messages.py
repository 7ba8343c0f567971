"""Server → client, and what the bank may have signed of it.

    {"msg": "ack" | "err",                      "data": {nonce, …}}                           unsigned
    {"msg": "account" | "error" | "transfer",   "data": {key, nonce, rcpt, params, signed}}   signed

Source: Crypto Capital End-User API v2.3, section "Messages".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

import msgspec

from bot.network import strictjson
from bot.providers.cryptocapital.wire.grammar import (
    ACCOUNT_NUMBER,
    AMOUNT,
    CURRENCY,
    FREE_TEXT,
    MAX_NONCE,
    SIGNATURE,
    TRANSACTION_ID,
    number_text,
)

_MAX_REASON = 160


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """`ack`: the operation with this nonce is well-formed and accepted; nothing is done yet."""

    nonce: str


@dataclass(frozen=True, slots=True)
class Declined:
    """`err`: refused. `nonce` is None when the server could not even read one. Only the nonce is documented."""

    nonce: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Unfamiliar:
    """A message of a type this version does not know."""


class _Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What every signed message has. `nonce` is the server's own, not the one of a request."""

    key: str
    nonce: int
    rcpt: str
    signed: str = ""
    """Empty where it is missing, so that an unsigned message fails its own question and no other."""


class AccountParams(msgspec.Struct, frozen=True, rename="camel"):
    """Fields in the order in which they are signed; so in the next two."""

    account_number: str
    name: str
    currency: str
    balance: str
    available: str


class ErrorParams(msgspec.Struct, frozen=True):
    nonce: str
    """Of the operation that failed."""
    msg: str


class TransferParams(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    date: str
    send_account: str
    receive_account: str
    send_currency: str
    receive_currency: str
    send_amount: str
    receive_amount: str
    narrative: str | None = None


class AccountMessage(_Envelope, frozen=True, kw_only=True):
    label: ClassVar[str] = "ACCOUNT"
    params: AccountParams


class ErrorMessage(_Envelope, frozen=True, kw_only=True):
    label: ClassVar[str] = "ERROR"
    params: ErrorParams


class TransferMessage(_Envelope, frozen=True, kw_only=True):
    label: ClassVar[str] = "TRANSFER"
    params: TransferParams


Signed = AccountMessage | ErrorMessage | TransferMessage
Message = Acknowledged | Declined | Unfamiliar | Signed

_SIGNED_TYPES: dict[str, type[AccountMessage] | type[ErrorMessage] | type[TransferMessage]] = {
    "account": AccountMessage,
    "error": ErrorMessage,
    "transfer": TransferMessage,
}

_GRAMMAR: dict[str, tuple[str, ...]] = {
    AccountMessage.label: (ACCOUNT_NUMBER, FREE_TEXT, CURRENCY, AMOUNT, AMOUNT),
    ErrorMessage.label: (r"[0-9]{1,16}", FREE_TEXT),
    TransferMessage.label: (
        TRANSACTION_ID,
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
        *(ACCOUNT_NUMBER, ACCOUNT_NUMBER),
        *(CURRENCY, CURRENCY),
        *(AMOUNT, AMOUNT),
        FREE_TEXT,
    ),
}


def parse_frame(raw: str | bytes) -> Message:
    """One frame from the server.

    Raises:
        ValueError: Not JSON as SAFETY M62 wants it, or not in the documented shape. The frame is not quoted.
    """
    match strictjson.loads(raw):
        case {"msg": str(kind), "data": data}:
            return parse_message(kind, _opened(data))
        case _:
            raise ValueError("a frame without msg and data")


def _opened(data: strictjson.Json) -> strictjson.Json:
    """The message object, also where it arrives as JSON inside a string; other strings stay what they are."""
    if not isinstance(data, str):
        return data
    try:
        return strictjson.loads(data)
    except ValueError:
        return data


def parse_message(kind: str, data: strictjson.Json) -> Message:
    """A message object of the given type; `ValueError` as in `parse_frame`."""
    if kind == "ack":
        nonce = _nonce_of(data)
        if nonce is None:
            raise ValueError("ack without a nonce")
        return Acknowledged(nonce)
    if kind == "err":
        return Declined(_nonce_of(data), _reason_of(data))
    shape = _SIGNED_TYPES.get(kind)
    if shape is None:
        return Unfamiliar()
    try:
        return msgspec.convert(data, shape)
    except msgspec.ValidationError:
        raise ValueError(f"{kind} is not in the documented shape") from None


def _nonce_of(data: strictjson.Json) -> str | None:
    """A request's nonce as text, however it was sent, since it is compared as text."""
    nonce = data.get("nonce") if isinstance(data, Mapping) else None
    if isinstance(nonce, bool) or not isinstance(nonce, int | Decimal | str):
        return None
    return nonce if isinstance(nonce, str) else number_text(nonce)


def _reason_of(data: strictjson.Json) -> str:
    """Why, in the server's words. Where it stands is not documented, so four names are tried."""
    if isinstance(data, str):
        return readable(data)
    if isinstance(data, Mapping):
        for name in ("msg", "message", "error", "reason"):
            text = data.get(name)
            if isinstance(text, str):
                return readable(text)
    return ""


def readable(text: str) -> str:
    """A sentence from the other side as one short line without control or direction marks."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text[:_MAX_REASON])
    return " ".join(shown.split())


def check_grammar(message: Signed) -> None:
    """Whether each field can only be read in one way. To be called before verifying.

    Raises:
        ValueError: Names the type, never the content.
    """
    values = [value or "" for value in msgspec.structs.astuple(message.params)]
    fits = all(
        re.fullmatch(pattern, value, re.ASCII) for pattern, value in zip(_GRAMMAR[message.label], values, strict=True)
    )
    # In a transfer the nonce is followed by the id, digits by digits: milliseconds with 13 figures keep them apart.
    lowest, highest = (10**12, 10**13 - 1) if isinstance(message, TransferMessage) else (1, MAX_NONCE)
    if not (fits and lowest <= message.nonce <= highest and re.fullmatch(SIGNATURE, message.signed, re.ASCII)):
        raise ValueError(f"{message.label} with a field out of its grammar")


def signed_texts(message: Signed) -> tuple[str, ...]:
    """What the server may have signed: the documented text first, then what only a tolerant reader accepts.

    A transfer is documented with rcpt before nonce, the two others the other way round. Since that may be a slip in
    the documentation, a transfer has a second text.
    """
    fields = "".join(value or "" for value in msgspec.structs.astuple(message.params))
    nonce_first = f"{message.label}{message.key}{message.nonce}{message.rcpt}{fields}"
    if isinstance(message, TransferMessage):
        return f"{message.label}{message.key}{message.rcpt}{message.nonce}{fields}", nonce_first
    return (nonce_first,)

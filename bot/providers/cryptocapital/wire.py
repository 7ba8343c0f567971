"""Crypto Capital's messages: operations out, replies in, and the texts that are signed. Pure.

    client → server   {"op":  "account", "data": {apiVersion, key, nonce, params, signed}}
    server → client   {"msg": "ack" | "err",                      "data": {nonce, …}}                           unsigned
                      {"msg": "account" | "error" | "transfer",   "data": {key, nonce, rcpt, params, signed}}   signed

A text to sign is its fields written one after the other with nothing between them. So that no other set of fields
gives the same text, every field has a grammar, and `check_grammar` comes before any signature is looked at (SAFETY
M22, M23). Numbers in such a text are written as JavaScript writes them (`number_text`).

Source: Crypto Capital End-User API v2.3, sections "Native WebSocket", "Operations" and "Messages".
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

import msgspec

from bot.money import Currency, Money
from bot.network import strictjson

API_VERSION = 2
MAX_NONCE = 2**53 - 1
_MAX_REASON = 160


class Op(StrEnum):
    """What a client can ask. The value is the operation's name on the wire."""

    AUTH = "auth"
    PING = "ping"
    ACCOUNT = "account"
    STATEMENT = "statement"
    TRANSFER = "transfer"


_SIGNED_PARAMS: dict[Op, tuple[str, ...]] = {
    Op.AUTH: (),
    Op.PING: (),
    Op.ACCOUNT: ("accountNumber",),
    Op.STATEMENT: ("accountNumber",),  # the filters are not covered
    Op.TRANSFER: ("accountNumber", "beneficiary", "currency", "amount"),  # the narrative is not covered
}

ACCOUNT_NUMBER = r"[0-9]{10}"
TRANSACTION_ID = r"[1-9][0-9]{0,19}"
_CURRENCY = r"[A-Z]{3}"
_AMOUNT = r"(?!-0\.00)-?(0|[1-9][0-9]{0,14})\.[0-9]{2}"
_FREE_TEXT = r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{0,1000}"
_REFERENCE = r"CS-[A-Z0-9]{1,32}"
_NARRATIVE = r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{0,200}"
MAX_NARRATIVE = 200
_SIGNATURE = r"[A-Za-z0-9+/]{1,160}={0,2}"


class OperationError(ValueError):
    """An operation that would not be read as it was meant."""


# ------------------------------------------------------------------------------------------------------ client → server


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


def operation_text(op: Op, key: str, nonce: int | str, params: Mapping[str, str | int | Decimal] | None = None) -> str:
    """The text a client signs for `op`. Texts stand as they are, numbers as `number_text` writes them.

    Raises:
        OperationError: A signed parameter is missing.
    """
    given = params or {}
    try:
        values = [nonce, *(given[name] for name in _SIGNED_PARAMS[op])]
    except KeyError as missing:
        raise OperationError(f"{op} needs {missing}") from None
    texts = (value if isinstance(value, str) else number_text(value) for value in values)
    return f"{op.upper()}{key}{''.join(texts)}"


class _Operation(msgspec.Struct, frozen=True, rename="camel"):
    api_version: int
    key: str
    nonce: int
    params: Mapping[str, str | Decimal] | msgspec.UnsetType
    signed: str


class _Request(msgspec.Struct, frozen=True):
    op: Op
    data: _Operation


_ENCODER = msgspec.json.Encoder(decimal_format="number")


def build_operation(op: Op, key: str, nonce: int, params: Mapping[str, str | Decimal], signed: str) -> str:
    """One frame to send. `key` goes out letter for letter as it was signed, and so do numbers."""
    operation = _Operation(API_VERSION, key, nonce, params or msgspec.UNSET, signed)
    return _ENCODER.encode(_Request(op, operation)).decode()


def account_params(number: str) -> dict[str, str]:
    """What `account` asks about.

    Raises:
        OperationError: Not ten digits, so that the signed text could be read in another way.
    """
    if not re.fullmatch(ACCOUNT_NUMBER, number, re.ASCII):
        raise OperationError("an account number has ten digits")
    return {"accountNumber": number}


def statement_params(
    number: str, *, limit: int | None = None, since: datetime | None = None, transaction: str | None = None
) -> dict[str, str]:
    """What `statement` asks about: the newest `limit`, those `since` a moment (inclusive), one, or everything.

    Raises:
        OperationError: As `account_params`, or more than one filter, of which the documentation allows one.
    """
    if [limit, since, transaction].count(None) < 2:
        raise OperationError("a statement has one filter at most")
    params = account_params(number)
    if limit is not None:
        params["limit"] = str(limit)
    if transaction is not None:
        if not re.fullmatch(TRANSACTION_ID, transaction, re.ASCII):
            raise OperationError("a transaction's number has digits only")
        params["transactionId"] = transaction
    if since is not None:
        params["fromTime"] = str(int(since.timestamp()))
    return params


def transfer_params(source: str, target: str, amount: Money, narrative: str) -> dict[str, str | Decimal]:
    """What `transfer` moves. The amount goes out as the very text that is signed (SAFETY M22).

    Raises:
        OperationError: A field would leave room for another reading, or the amount would not arrive as it is.
    """
    for number in (source, target):
        account_params(number)
    if source == target:
        raise OperationError("a transfer needs two different accounts")
    if not re.fullmatch(_CURRENCY, amount.currency.code, re.ASCII):
        raise OperationError("a currency has three capital letters")
    if amount.amount <= 0 or amount.amount != amount.amount.quantize(Decimal("0.01")):
        raise OperationError("an amount is above nought and has two decimals at most")
    if not re.fullmatch(_NARRATIVE, narrative, re.ASCII):
        raise OperationError(f"a narrative has at most {MAX_NARRATIVE} characters and none that cannot be seen")
    number_sent = Decimal(number_text(amount.amount))
    if number_sent != amount.amount or str(number_sent) != number_text(amount.amount):
        raise OperationError("an amount of so many figures does not arrive as it is")
    return {
        "accountNumber": source,
        "beneficiary": target,
        "currency": amount.currency.code,
        "amount": number_sent,
        "narrative": narrative,
    }


# ------------------------------------------------------------------------------------------------------ server → client


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
    AccountMessage.label: (ACCOUNT_NUMBER, _FREE_TEXT, _CURRENCY, _AMOUNT, _AMOUNT),
    ErrorMessage.label: (r"[0-9]{1,16}", _FREE_TEXT),
    TransferMessage.label: (
        TRANSACTION_ID,
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
        *(ACCOUNT_NUMBER, ACCOUNT_NUMBER),
        *(_CURRENCY, _CURRENCY),
        *(_AMOUNT, _AMOUNT),
        _FREE_TEXT,
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
    if not (fits and lowest <= message.nonce <= highest and re.fullmatch(_SIGNATURE, message.signed, re.ASCII)):
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


@dataclass(frozen=True, slots=True)
class Holding:
    """What an `account` message says, once it is believed."""

    number: str
    name: str
    balance: Money
    available: Money


def parse_holding(params: AccountParams) -> Holding:
    """The numbers of a message that passed `check_grammar`; `ValueError` when they are out of bounds."""
    currency = Currency.of(params.currency)
    return Holding(
        params.account_number,
        params.name,
        Money.reading(Decimal(params.balance), currency),
        Money.reading(Decimal(params.available), currency),
    )


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a `transfer` message says, once it is believed."""

    id: str
    on: date
    source: str
    target: str
    sent: Money
    received: Money
    narrative: str


def parse_transfer(params: TransferParams) -> Transfer:
    """The facts of a message that passed `check_grammar`; `ValueError` for a date that is none."""
    return Transfer(
        params.id,
        date.fromisoformat(params.date),
        params.send_account,
        params.receive_account,
        Money.reading(Decimal(params.send_amount), Currency.of(params.send_currency)),
        Money.reading(Decimal(params.receive_amount), Currency.of(params.receive_currency)),
        params.narrative or "",
    )


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

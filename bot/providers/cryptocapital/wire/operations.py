"""Client → server: `{"op": "account", "data": {apiVersion, key, nonce, params, signed}}`, and the text that is signed.

Source: Crypto Capital End-User API v2.3, section "Operations".
"""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from bot.money import Money
from bot.providers.cryptocapital.wire.grammar import (
    ACCOUNT_NUMBER,
    CURRENCY,
    MAX_NARRATIVE,
    NARRATIVE,
    TRANSACTION_ID,
    OperationError,
    number_text,
)

API_VERSION = 2


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
    if not re.fullmatch(CURRENCY, amount.currency.code, re.ASCII):
        raise OperationError("a currency has three capital letters")
    if amount.amount <= 0 or amount.amount != amount.amount.quantize(Decimal("0.01")):
        raise OperationError("an amount is above nought and has two decimals at most")
    if not re.fullmatch(NARRATIVE, narrative, re.ASCII):
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

"""What a client sends: the operation object, its parameters and the text it signs.

The text is label, key, nonce and some of the parameters with nothing between them. The narrative and the filters of a
statement are never part of it. All checks here are of form; a `ValueError` carries the reason an `err` gives.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from bot.providers.cryptocapital.simulator.numerals import Json, Numeral
from bot.providers.cryptocapital.simulator.signatures import read_public_key

MAX_NONCE = 2**53 - 1
"""Beyond it two different nonces can be the same double."""
_MAX_TEXT = 4096
_INTEGER = re.compile(r"[0-9]{1,16}")
_NUMBER = re.compile(r"-?[0-9]{1,24}(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_FILTERS = ("limit", "transactionId", "fromTime")


class Op(StrEnum):
    AUTH = "auth"
    PING = "ping"
    ACCOUNT = "account"
    STATEMENT = "statement"
    TRANSFER = "transfer"


@dataclass(frozen=True, slots=True)
class Greeting:
    """auth and ping: nothing but who and when."""

    signed_part = ""


@dataclass(frozen=True, slots=True)
class AccountQuery:
    account: str

    @property
    def signed_part(self) -> str:
        return self.account


@dataclass(frozen=True, slots=True)
class StatementQuery:
    """At most one filter is set. `from_time` is in seconds since 1970, possibly with a fraction."""

    account: str
    limit: int | None = None
    transaction_id: int | None = None
    from_time: Decimal | None = None

    @property
    def signed_part(self) -> str:
        return self.account


@dataclass(frozen=True, slots=True)
class TransferOrder:
    """`amount_text` is what was signed, `amount` what it means."""

    account: str
    beneficiary: str
    currency: str
    amount_text: str
    amount: Decimal
    narrative: str

    @property
    def signed_part(self) -> str:
        return f"{self.account}{self.beneficiary}{self.currency}{self.amount_text}"


Act = Greeting | AccountQuery | StatementQuery | TransferOrder


@dataclass(frozen=True, slots=True)
class Operation:
    """One well-formed operation. `nonce_sent` is the nonce as it has to be echoed."""

    op: Op
    key: str
    nonce: int
    nonce_text: str
    nonce_sent: int | str
    signed: str
    act: Act

    @property
    def text(self) -> str:
        """What its signature has to cover."""
        return f"{self.op.value.upper()}{self.key}{self.nonce_text}{self.act.signed_part}"


def read_operation(op: Json, data: Json) -> Operation:
    """Check the form of one operation.

    Raises:
        ValueError: Unknown operation, another generation of the API, a field missing or badly typed, a key that is not
            a point of the curve, more than one filter.
    """
    if not isinstance(op, str) or op not in set(Op):
        raise ValueError("unknown operation")
    if not isinstance(data, Mapping):
        raise ValueError("data is not an object")
    version = data.get("apiVersion")
    if not isinstance(version, Numeral) or version.value != 2:
        raise ValueError("apiVersion is not 2")
    nonce, nonce_text = _nonce(data.get("nonce"))
    return Operation(
        op=Op(op),
        key=_key(data),
        nonce=nonce,
        nonce_text=nonce_text,
        nonce_sent=nonce_text if isinstance(data["nonce"], str) else nonce,
        signed=_text(data, "signed", empty=True),
        act=_act(Op(op), data.get("params")),
    )


def nonce_to_echo(data: Json) -> int | str | None:
    """The nonce of a malformed operation as far as it can be made out; `None` when it cannot."""
    if not isinstance(data, Mapping):
        return None
    sent = data.get("nonce")
    try:
        nonce, text = _nonce(sent)
    except ValueError:
        return None
    return text if isinstance(sent, str) else nonce


def _act(op: Op, params: Json) -> Act:
    if op in (Op.AUTH, Op.PING):
        return Greeting()
    if not isinstance(params, Mapping):
        raise ValueError("params is not an object")
    if op is Op.ACCOUNT:
        return AccountQuery(_text(params, "accountNumber"))
    return _statement(params) if op is Op.STATEMENT else _transfer(params)


def _statement(params: Mapping[str, Json]) -> StatementQuery:
    """`accountId` is the older name, which the documents still carry in one place."""
    given = [name for name in _FILTERS if params.get(name) is not None]
    if len(given) > 1:
        raise ValueError("more than one filter")
    older = "accountId" in params and "accountNumber" not in params
    return StatementQuery(
        account=_text(params, "accountId" if older else "accountNumber"),
        limit=_count(params, "limit"),
        transaction_id=_count(params, "transactionId"),
        from_time=_moment(params, "fromTime"),
    )


def _transfer(params: Mapping[str, Json]) -> TransferOrder:
    amount_text, amount = _amount(params.get("amount"))
    currency = _text(params, "currency")
    if not _CURRENCY.fullmatch(currency):
        raise ValueError("currency is not three capitals")
    narrative = "" if params.get("narrative") is None else _text(params, "narrative", empty=True)
    return TransferOrder(
        account=_text(params, "accountNumber"),
        beneficiary=_text(params, "beneficiary"),
        currency=currency,
        amount_text=amount_text,
        amount=amount,
        narrative=narrative,
    )


def _text(fields: Mapping[str, Json], name: str, *, empty: bool = False) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) > _MAX_TEXT or not (value or empty):
        raise ValueError(f"{name} is missing or not text")
    return check_encodable(value, name)


def check_encodable(value: str, name: str) -> str:
    """The text itself, unless half a surrogate pair keeps it from being UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} is not Unicode text") from None
    return value


def _key(data: Mapping[str, Json]) -> str:
    key = _text(data, "key")
    try:
        read_public_key(key)
    except ValueError:
        raise ValueError("key is not a public key") from None
    return key


def _nonce(sent: Json) -> tuple[int, str]:
    """Its value and the text that was signed: a string as spelled, a number as JavaScript writes it."""
    if isinstance(sent, Numeral):
        value = sent.value
        if value.is_integer() and 0 <= value <= MAX_NONCE:
            return int(value), sent.text
    elif isinstance(sent, str) and _INTEGER.fullmatch(sent) and int(sent) <= MAX_NONCE:
        return int(sent), sent
    raise ValueError("nonce is not an integer")


def _amount(sent: Json) -> tuple[str, Decimal]:
    """The text that was signed and its meaning; a string counts as spelled."""
    if isinstance(sent, Numeral):
        return sent.text, Decimal(sent.text)
    if isinstance(sent, str) and _NUMBER.fullmatch(sent):
        return sent, Decimal(sent)
    raise ValueError("amount is not a number")


def _count(params: Mapping[str, Json], name: str) -> int | None:
    moment = _moment(params, name)
    if moment is not None and moment != int(moment):
        raise ValueError(f"{name} is not a whole number")
    return None if moment is None else int(moment)


def _moment(params: Mapping[str, Json], name: str) -> Decimal | None:
    """A number at or above zero, given as number or as text; absent and null mean none."""
    sent = params.get(name)
    if sent is None:
        return None
    text = sent.text if isinstance(sent, Numeral) else sent
    if not isinstance(text, str) or not _NUMBER.fullmatch(text) or not 0 <= Decimal(text) <= MAX_NONCE:
        raise ValueError(f"{name} is not a number")
    return Decimal(text)

"""How Deriv is asked, how strictly a frame is read, and what a refusal means. Pure.

One JSON object a frame. A request's call is one of its keys, `req_id` comes back on the reply and on every later frame
of a stream; a reply has `msg_type`, the payload under that name, or `error` instead. `echo_req` repeats the request and
is dropped on arrival: it may hold what must not be seen (M33). Numbers are exact: the whole frame is read strictly
(M62) before it is typed.

Source: Deriv WebSocket API v3 schemas, error codes of the API guide.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, TypeVar

import msgspec

from bot.errors import (
    BusyError,
    CredentialRefusedError,
    FaultError,
    FieldsRefusedError,
    ProviderError,
    RefusedError,
    ReplyError,
    ScopeMissingError,
)
from bot.money import Currency, Money, check_number
from bot.network.strictjson import Json, loads

NAME = "deriv"
T = TypeVar("T")


class Call(StrEnum):
    """The calls this adapter makes."""

    PING = "ping"
    TIME = "time"
    WEBSITE_STATUS = "website_status"
    FORGET = "forget"
    FORGET_ALL = "forget_all"
    LOGOUT = "logout"
    AUTHORIZE = "authorize"
    GET_SETTINGS = "get_settings"
    GET_LIMITS = "get_limits"
    API_TOKEN = "api_token"  # noqa: S105  # a call
    APP_REGISTER = "app_register"
    VERIFY_EMAIL = "verify_email"
    RESIDENCE_LIST = "residence_list"
    STATES_LIST = "states_list"
    LANDING_COMPANY = "landing_company"
    LANDING_COMPANY_DETAILS = "landing_company_details"
    NEW_ACCOUNT_VIRTUAL = "new_account_virtual"
    NEW_ACCOUNT_REAL = "new_account_real"
    TOPUP_VIRTUAL = "topup_virtual"
    BALANCE = "balance"
    PORTFOLIO = "portfolio"
    STATEMENT = "statement"
    PROFIT_TABLE = "profit_table"
    TRANSACTION = "transaction"
    SELL_EXPIRED = "sell_expired"
    ACTIVE_SYMBOLS = "active_symbols"
    CONTRACTS_FOR = "contracts_for"
    TICKS = "ticks"
    TICKS_HISTORY = "ticks_history"
    PROPOSAL = "proposal"
    BUY = "buy"
    SELL = "sell"
    PROPOSAL_OPEN_CONTRACT = "proposal_open_contract"
    PAYMENTAGENT_LIST = "paymentagent_list"
    PAYMENTAGENT_DETAILS = "paymentagent_details"
    PAYMENTAGENT_TRANSFER = "paymentagent_transfer"
    PAYMENTAGENT_WITHDRAW = "paymentagent_withdraw"
    TRANSFER_BETWEEN_ACCOUNTS = "transfer_between_accounts"
    CASHIER = "cashier"


_READS = ("read", "trading_information")
SCOPES: Mapping[Call, tuple[str, ...]] = {
    Call.GET_SETTINGS: ("read",),
    Call.GET_LIMITS: ("read",),
    Call.API_TOKEN: ("admin",),
    Call.APP_REGISTER: ("admin",),
    Call.NEW_ACCOUNT_REAL: ("admin",),
    Call.TOPUP_VIRTUAL: ("trade",),
    Call.BALANCE: _READS,
    Call.PORTFOLIO: _READS,
    Call.STATEMENT: _READS,
    Call.PROFIT_TABLE: _READS,
    Call.TRANSACTION: _READS,
    Call.SELL_EXPIRED: ("trade",),
    Call.BUY: ("trade",),
    Call.SELL: ("trade",),
    Call.PROPOSAL_OPEN_CONTRACT: _READS,
    Call.PAYMENTAGENT_DETAILS: ("admin",),
    Call.PAYMENTAGENT_TRANSFER: ("payments",),
    Call.PAYMENTAGENT_WITHDRAW: ("payments",),
    Call.TRANSFER_BETWEEN_ACCOUNTS: ("payments",),
    Call.CASHIER: ("payments",),
}
"""What a token needs for a call, any one of those named. A call that is not here needs no login."""

_TAKES_A_CODE = {Call.NEW_ACCOUNT_VIRTUAL, Call.PAYMENTAGENT_WITHDRAW, Call.CASHIER}
"""Here `InvalidToken` is about the code from the mail, not about the login."""
_CREDENTIAL = {
    "InvalidToken",
    "AuthorizationRequired",
    "DisabledClient",
    "AccountDisabled",
    "SelfExclusion",
    "InvalidAppID",
    "BadSession",
}
_BUSY = {"RateLimit", "RateLimitExceeded", "Throttle"}
_FAULT = {
    "WrongResponse",
    "CallError",
    "InternalServerError",
    "Timeout",
    "SuspendedDueToLoad",
    "ServiceUnavailable",
    "SystemMaintenance",
}
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_ ]{0,63}", re.ASCII)  # "duplicate email" has a blank in it
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,49}", re.ASCII)
_REQ_ID = re.compile(r'"req_id"\s{0,8}:\s{0,8}([0-9]{1,18})(?![0-9.eE])', re.ASCII)
_PLAIN = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,18})?", re.ASCII)

Number = int | Decimal
Flag = Literal[0, 1]
Value = str | int | Decimal | Sequence["Value"] | Mapping[str, "Value"]


# -- requests ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """One question, without its number."""

    call: Call
    fields: Mapping[str, Value] = field(repr=False)
    """The call's own key among them. Some hold what must not be seen."""

    def of(self, loginid: str | None) -> "Request":
        """The same about another account, whose token the connection was given too; None: the token's own."""
        return self if loginid is None else replace(self, fields={**self.fields, "loginid": loginid})

    def streamed(self) -> "Request":
        """The same, and everything that becomes of it from now on."""
        return replace(self, fields={**self.fields, "subscribe": 1})

    def frame(self, req_id: int, passthrough: Mapping[str, Value] | None = None) -> str:
        """What is sent. `passthrough` comes back on the reply as it is."""
        said = {**self.fields, "req_id": req_id}
        if passthrough is not None:
            said["passthrough"] = passthrough
        if any(type(value) not in _AS_IT_IS for value in said.values()):
            said = {key: _plain(value) for key, value in said.items()}
        return _ENCODER.encode(said).decode()


_AS_IT_IS = (int, str)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def ask(call: Call, value: Value = 1, **fields: Value | None) -> Request:
    """A question; fields that are None are left out."""
    return Request(call, {call.value: value, **{key: given for key, given in fields.items() if given is not None}})


def _plain(value: Value) -> Value:
    """Numbers are written out, without an exponent."""
    if isinstance(value, Decimal):
        return Decimal(f"{value:f}")
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, str | int):
        return value
    return [_plain(inner) for inner in value]


# -- frames ------------------------------------------------------------------------------------------------------

Body = Mapping[str, Json]
"""A frame's top level without `echo_req`."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One frame, sorted: whose it is, and what it says or why that cannot be read."""

    req_id: int
    said: Body | ReplyError


def parse_frame(frame: str | bytes) -> Reply:
    """Read one frame strictly.

    A frame that breaks the rules but still names one question fails only that question.

    Raises:
        ReplyError: It cannot be told whose answer it is. Every request carries a `req_id`, so a reply without is wrong.
    """
    try:
        parsed = loads(frame)
    except ValueError:
        req_id = _named_question(frame)
        problem = ReplyError(NAME, "frame is not JSON as documented")
        if req_id is None:
            raise problem from None
        return Reply(req_id, problem)
    if not isinstance(parsed, dict):
        raise ReplyError(NAME, "frame is not an object")
    answered = parsed.get("req_id")
    if type(answered) is not int:
        raise ReplyError(NAME, "answer without req_id")
    parsed.pop("echo_req", None)
    return Reply(answered, parsed)


def _named_question(frame: str | bytes) -> int | None:
    """The one `req_id` an unreadable frame mentions; None for none or several."""
    text = frame if isinstance(frame, str) else frame.decode(errors="replace")
    named = {int(digits) for digits in _REQ_ID.findall(text)}
    return named.pop() if len(named) == 1 else None


def subscription_of(body: Body) -> str:
    """The id of the stream a frame belongs to, "" for none; before 2019 it stood in the payload only."""
    said = body.get("subscription")
    found = said.get("id") if isinstance(said, Mapping) else None
    if found is None:
        payload = body.get(str(body.get("msg_type")))
        found = payload.get("id") if isinstance(payload, Mapping) else None
    return found if isinstance(found, str) else ""


# -- refusals ----------------------------------------------------------------------------------------------------


def scope_of(call: Call) -> str:
    """What a token needs for it, in words; "" where it needs none."""
    return " or ".join(SCOPES.get(call, ()))


def refusal(call: Call, body: Body) -> ProviderError | None:
    """The error in a reply as one of ours, None when there is none. A payload beside an error counts for nothing."""
    if "error" not in body:
        return None
    error = body["error"]
    code = error.get("code") if isinstance(error, Mapping) else None
    if not isinstance(error, Mapping) or not isinstance(code, str) or not _CODE.fullmatch(code):
        return ReplyError(NAME, "error without a readable code")
    if code == "PermissionDenied" and call in SCOPES:
        return ScopeMissingError(NAME, code, scope_of(call))
    if code in _CREDENTIAL and not (code == "InvalidToken" and call in _TAKES_A_CODE):
        return CredentialRefusedError(NAME, code)
    if code in _BUSY:
        return BusyError(NAME, code)
    if code in _FAULT:
        return FaultError(NAME, code)
    fields = _fields_of(error.get("details"))
    return FieldsRefusedError(NAME, code, fields) if fields else RefusedError(NAME, code)


def _fields_of(details: Json) -> tuple[str, ...]:
    """The fields an error is about: the keys of `details`, or what stands under `field`, `fields`, `missing` there."""
    if not isinstance(details, Mapping):
        return ()
    listed: list[Json] = []
    for key in ("field", "fields", "missing"):
        inner = details.get(key)
        listed += list(inner) if isinstance(inner, Sequence) and not isinstance(inner, str) else [inner]
    named = [name for name in listed if isinstance(name, str)] or list(details)
    return tuple(name for name in named if _FIELD.fullmatch(name))


# -- payloads ----------------------------------------------------------------------------------------------------


def payload(call: Call, body: Body, kind: type[T], *, under: str | None = None) -> T:
    """What stands in a reply under `under` (the call's name), typed.

    Raises:
        ProviderError: The call was refused, or this is no answer to it.
    """
    refused = refusal(call, body)
    if refused is not None:
        raise refused
    key = under or call.value
    if body.get("msg_type") != key:
        raise ReplyError(NAME, f"answer to another call than {call}")
    return typed(body.get(key), kind)


def typed(said: Any, kind: type[T]) -> T:
    return msgspec.convert(said, kind, builtin_types=(Decimal,))  # a text is no number here


class documented:  # noqa: N801  # read as a word: `with documented(call):`
    """Whatever does not fit is a ReplyError that names the call and quotes nothing."""

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is not None and issubclass(kind, _UNFIT):
            raise ReplyError(NAME, f"{self._call} not as documented") from None


_UNFIT = (msgspec.ValidationError, ValueError, OverflowError, OSError)


def currency_of(code: str | None) -> Currency | None:
    """A currency; None before the client chose one, which is written as an empty text."""
    return Currency.of(code) if code else None


def money_of(amount: Number | None, currency: Currency | None) -> Money | None:
    return None if amount is None or currency is None else Money.reading(amount, currency)


def number_of(said: Number) -> Decimal:
    """A price or a size."""
    return check_number(said if isinstance(said, Decimal) else Decimal(said))


def number_or_none(said: Number | None) -> Decimal | None:
    return None if said is None else number_of(said)


def number_in(text: str) -> Decimal:
    """A number that is written as text: balances of transfers, prices of running candles."""
    if not _PLAIN.fullmatch(text):
        raise ValueError("not a plain number")
    return check_number(Decimal(text))


def number_said(said: Any) -> Decimal | None:
    """Where the documents have a text in one place and a number in another; None, or an empty text, is none at all."""
    if said is None or said == "":
        return None
    if isinstance(said, str):
        return number_in(said)
    if isinstance(said, bool) or not isinstance(said, int | Decimal):
        raise ValueError("not a number")
    return number_of(said)


def moment_of(epoch_seconds: int) -> datetime:
    return datetime.fromtimestamp(epoch_seconds, UTC)


def moment_or_none(epoch_seconds: int | None) -> datetime | None:
    return None if epoch_seconds is None else moment_of(epoch_seconds)


def epoch_of(moment: datetime) -> int:
    """Whole seconds, downwards."""
    return int(moment.timestamp() // 1)

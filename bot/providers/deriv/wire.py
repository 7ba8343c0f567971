"""Deriv's WebSocket API v3 in JSON: builds requests, reads replies. Pure.

One JSON object a frame. A request's call is one of its keys, `req_id` comes back on the reply; a reply has `msg_type`,
the payload under the call's name, or `error` instead. `echo_req` repeats the request and is dropped on arrival: it
may hold what must not be seen (M33). Numbers are exact: the whole frame is read strictly (M62) before it is typed.

Source: Deriv WebSocket API v3 schemas (`authorize`, `balance`, `portfolio`, `ping`), error codes of the API guide.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

import msgspec

from bot.errors import (
    BusyError,
    CredentialRefusedError,
    FaultError,
    ProviderError,
    RefusedError,
    ReplyError,
    ScopeMissingError,
)
from bot.money import Currency, Money
from bot.network.strictjson import Json, loads
from bot.providers.records import Account, Balance, Direction, Environment, Position, Power

NAME = "deriv"


class Call(StrEnum):
    """The calls this adapter makes."""

    AUTHORIZE = "authorize"
    BALANCE = "balance"
    PORTFOLIO = "portfolio"
    PING = "ping"


_SCOPES = {Call.BALANCE: "read or trading_information", Call.PORTFOLIO: "read or trading_information"}
_CREDENTIAL = {
    "InvalidToken",
    "AuthorizationRequired",
    "DisabledClient",
    "AccountDisabled",
    "SelfExclusion",
    "InvalidAppID",
    "BadSession",
}
_BUSY = {"RateLimit", "RateLimitExceeded"}
_FAULT = {
    "WrongResponse",
    "CallError",
    "InternalServerError",
    "Timeout",
    "SuspendedDueToLoad",
    "ServiceUnavailable",
    "SystemMaintenance",
}
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
_LOGIN = re.compile(r"[A-Za-z]{1,10}[0-9]{1,20}", re.ASCII)
_ACCOUNT = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{1,39}", re.ASCII)  # keys of `accounts` include MT5's
_REQ_ID = re.compile(r'"req_id"\s{0,8}:\s{0,8}([0-9]{1,18})(?![0-9.eE])', re.ASCII)

_RISES = {
    *("CALL", "CALLE", "CALLSPREAD", "VANILLALONGCALL", "RESETCALL", "LBFLOATCALL"),
    *("ASIANU", "RUNHIGH", "MULTUP", "TURBOSLONG"),
}
_FALLS = {
    *("PUT", "PUTE", "PUTSPREAD", "VANILLALONGPUT", "RESETPUT", "LBFLOATPUT"),
    *("ASIAND", "RUNLOW", "MULTDOWN", "TURBOSSHORT"),
}

Number = int | Decimal
Flag = Literal[0, 1]


# -- requests ----------------------------------------------------------------------------------------------------


def build_authorize(req_id: int, token: str) -> str:
    """Bind the connection to the token's account."""
    return _frame(Call.AUTHORIZE, token, req_id)


def build_balance(req_id: int, account: Literal["current", "all"]) -> str:
    """What the token's account holds, or all accounts of its person (OAuth tokens only)."""
    return _frame(Call.BALANCE, 1, req_id, account=account)


def build_portfolio(req_id: int) -> str:
    """The open contracts of the token's account."""
    return _frame(Call.PORTFOLIO, 1, req_id)


def build_ping(req_id: int) -> str:
    """A sign of life; the server hangs up after two minutes without one."""
    return _frame(Call.PING, 1, req_id)


def _frame(call: Call, value: str | int, req_id: int, **more: str) -> str:
    return msgspec.json.encode({call.value: value, **more, "req_id": req_id}).decode()


# -- frames ------------------------------------------------------------------------------------------------------

Body = Mapping[str, Json]
"""A reply's top level without `echo_req`."""


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
    if not isinstance(parsed, Mapping):
        raise ReplyError(NAME, "frame is not an object")
    answered = parsed.get("req_id")
    if not isinstance(answered, int) or isinstance(answered, bool):
        raise ReplyError(NAME, "answer without req_id")
    return Reply(answered, {key: value for key, value in parsed.items() if key != "echo_req"})


def _named_question(frame: str | bytes) -> int | None:
    """The one `req_id` an unreadable frame mentions; None for none or several."""
    text = frame if isinstance(frame, str) else frame.decode(errors="replace")
    named = {int(digits) for digits in _REQ_ID.findall(text)}
    return named.pop() if len(named) == 1 else None


def refusal(call: Call, body: Body) -> ProviderError | None:
    """The error in a reply as one of ours, None when there is none. A payload beside an error counts for nothing."""
    if "error" not in body:
        return None
    error = body["error"]
    code = error.get("code") if isinstance(error, Mapping) else None
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return ReplyError(NAME, "error without a readable code")
    if code == "PermissionDenied" and call in _SCOPES:
        return ScopeMissingError(NAME, code, _SCOPES[call])
    if code in _CREDENTIAL:
        return CredentialRefusedError(NAME, code)
    if code in _BUSY:
        return BusyError(NAME, code)
    return FaultError(NAME, code) if code in _FAULT else RefusedError(NAME, code)


def _payload(call: Call, body: Body, kind: type[Any]) -> Any:
    refused = refusal(call, body)
    if refused is not None:
        raise refused
    if body.get("msg_type") != call.value:
        raise ReplyError(NAME, f"answer to another call than {call}")
    return msgspec.convert(body.get(call.value), kind, builtin_types=(Decimal,))  # a text is no number here


@contextmanager
def _documented(call: Call) -> Iterator[None]:
    """Whatever does not fit is a ReplyError that names the call and quotes nothing."""
    try:
        yield
    except (msgspec.ValidationError, ValueError, OverflowError, OSError):
        raise ReplyError(NAME, f"{call} not as documented") from None


# -- authorize ---------------------------------------------------------------------------------------------------


class _Listed(msgspec.Struct):
    loginid: str
    currency: str = ""
    is_virtual: Flag | None = None
    account_type: str = ""


class _Authorize(msgspec.Struct):
    loginid: str
    currency: str = ""
    is_virtual: Flag | None = None
    account_list: list[_Listed] = []
    scopes: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """Whom the connection speaks for since `as_of`: the token's account, and all accounts of its person."""

    own: Account
    accounts: tuple[Account, ...]
    as_of: datetime
    powers: frozenset[Power] | None = None
    """What the token's scopes allow; None when the reply names none, as in 2016."""

    @property
    def environment(self) -> Environment:
        return self.own.environment

    @property
    def others(self) -> int:
        """How many accounts the person has besides the token's own."""
        return len(self.accounts) - 1


def parse_authorize(body: Body, as_of: datetime) -> Session:
    """The session; the account list may be missing, as it was in 2016.

    Raises:
        ProviderError: The token is not accepted, or the reply cannot be read.
    """
    with _documented(Call.AUTHORIZE):
        said: _Authorize = _payload(Call.AUTHORIZE, body, _Authorize)
        accounts = {entry.loginid: _account(entry) for entry in said.account_list}
        own = accounts[said.loginid] = _account(_own(said))
        return Session(own, tuple(accounts.values()), as_of, _powers(said.scopes))


_POWERS = {
    "read": Power.READ,
    "trading_information": Power.READ,
    "trade": Power.TRADE,
    "payments": Power.PAY_OUT,
    "admin": Power.MANAGE,
}


def _powers(scopes: list[str] | None) -> frozenset[Power] | None:
    """Scopes of a later day, which nobody here knows, are left out."""
    return None if scopes is None else frozenset(_POWERS[scope] for scope in scopes if scope in _POWERS)


def _own(said: _Authorize) -> _Listed:
    """The token's account: what the reply says of it, completed by its entry in the list."""
    listed = next((entry for entry in said.account_list if entry.loginid == said.loginid), _Listed(said.loginid))
    flags = {flag for flag in (said.is_virtual, listed.is_virtual) if flag is not None}
    if len(flags) > 1:
        raise ValueError("demo or real, but not both")
    return _Listed(said.loginid, said.currency, flags.pop() if flags else None, listed.account_type)


def _account(entry: _Listed) -> Account:
    if not _LOGIN.fullmatch(entry.loginid):
        raise ValueError("not a login id")
    virtual = entry.loginid.upper().startswith("VR") if entry.is_virtual is None else entry.is_virtual == 1
    environment = Environment.DEMO if virtual else Environment.LIVE
    name = "Demo" if virtual else "Real"
    return Account(entry.loginid, name, _currency(entry.currency), environment, entry.account_type)


def _currency(code: str) -> Currency | None:
    """A currency; None before the client chose one, which is written as an empty text."""
    return Currency.of(code) if code else None


# -- balance -----------------------------------------------------------------------------------------------------


class _Entry(msgspec.Struct):
    balance: Number
    currency: str
    demo_account: Flag
    status: Flag = 1
    type: str = ""


class _Balance(msgspec.Struct):
    balance: Number
    currency: str
    loginid: str
    accounts: dict[str, _Entry] = {}


@dataclass(frozen=True, slots=True)
class Balances:
    """What a `balance` reply says, and plain sentences about what it does not."""

    items: tuple[Balance, ...]
    notes: tuple[str, ...]


def parse_balance(body: Body, session: Session, as_of: datetime) -> Balances:
    """The balances in a reply, the token's own account among them whether `all` was asked or not.

    Raises:
        ProviderError: The call was refused, or the reply cannot be read; one wrong entry spoils it.
    """
    with _documented(Call.BALANCE):
        said: _Balance = _payload(Call.BALANCE, body, _Balance)
        if said.loginid != session.own.id:
            raise ValueError("the balance of another account")
        demo: Flag = 1 if session.environment is Environment.DEMO else 0
        entries = {said.loginid: _Entry(said.balance, said.currency, demo, type="deriv"), **said.accounts}
        if entries[said.loginid].demo_account != demo:
            raise ValueError("demo or real, but not both")
        found = [(_balance(key, entry, as_of), _remark(key, entry)) for key, entry in entries.items()]
    items = tuple(item for item, _ in found if item is not None)
    return Balances(items, tuple(note for _, note in found if note))


def _balance(login: str, entry: _Entry, as_of: datetime) -> Balance | None:
    if not _ACCOUNT.fullmatch(login):
        raise ValueError("not a login id")
    currency = _currency(entry.currency)
    if currency is None:
        if entry.balance != 0:
            raise ValueError("an amount without a currency")
        return None
    environment = Environment.DEMO if entry.demo_account else Environment.LIVE
    name = ("Demo" if entry.demo_account else "Real") + (" MT5" if entry.type == "mt5" else "")
    return Balance(login, name, Money.reading(entry.balance, currency), as_of, environment, kind=entry.type)


def _remark(login: str, entry: _Entry) -> str:
    if not entry.currency:
        return f"{login} has no currency yet."
    return "" if entry.status else f"{login} cannot be used at present."


# -- portfolio ---------------------------------------------------------------------------------------------------


class _Contract(msgspec.Struct):
    contract_id: int
    currency: str = ""
    buy_price: Number | None = None
    payout: Number | None = None
    contract_type: str = ""
    longcode: str = ""
    symbol: str = ""
    purchase_time: int | None = None
    expiry_time: int | None = None


class _Portfolio(msgspec.Struct):
    contracts: list[_Contract]


def parse_portfolio(body: Body, account: str, as_of: datetime) -> tuple[Position, ...]:
    """The open contracts. There is no price of the moment in this reply; expired ones stay listed until settled.

    Raises:
        ProviderError: The call was refused, or the reply cannot be read; one wrong entry spoils it.
    """
    with _documented(Call.PORTFOLIO):
        said: _Portfolio = _payload(Call.PORTFOLIO, body, _Portfolio)
        return tuple(_position(contract, account, as_of) for contract in said.contracts)


def _position(contract: _Contract, account: str, as_of: datetime) -> Position:
    currency = _currency(contract.currency)
    return Position(
        account,
        str(contract.contract_id),
        contract.symbol,
        contract.symbol,
        as_of,
        direction=_direction(contract.contract_type),
        opened_at=_moment(contract.purchase_time),
        expires_at=_moment(contract.expiry_time),
        price_paid=_money(contract.buy_price, currency),
        payout=_money(contract.payout or None, currency),  # 0 where the contract promises no fixed amount
        description=contract.longcode,
    )


def _direction(contract_type: str) -> Direction | None:
    """Which way it gains; None where it is about neither (digits, ranges, touches)."""
    if contract_type in _RISES:
        return Direction.LONG
    return Direction.SHORT if contract_type in _FALLS else None


def _money(amount: Number | None, currency: Currency | None) -> Money | None:
    return None if amount is None or currency is None else Money.reading(amount, currency)


def _moment(epoch_seconds: int | None) -> datetime | None:
    return None if epoch_seconds is None else datetime.fromtimestamp(epoch_seconds, UTC)

"""Capital.com's REST API as values: what is sent, and what a reply says. Pure.

A reply is parsed strictly (no NaN, no duplicate keys, exact numbers) and then fitted to the Structs below. They name
only the fields this house uses; what else arrives is left alone. Whatever does not fit is a `ReplyError` that says
where, and never what.

Source: Capital.com Public API reference, sections Session, Accounts, Positions. Where pages disagree: README.md.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from bot.errors import BusyError, CredentialRefusedError, FaultError, ProviderError, RefusedError, ReplyError
from bot.money import Currency, Money, check_number
from bot.network.strictjson import loads
from bot.providers.records import Account, Balance, Direction, Environment, Position

NAME = "capital"

_BASE = "/api/v1"
_JSON = {"Content-Type": "application/json"}
_CODE = re.compile(r"[A-Za-z0-9._-]{1,100}(?:: ?[0-9.]{1,20})?", re.ASCII)
_PLACE = re.compile(r"`(\$[^`]*)`$")
_JAVA_CLASS = re.compile(r"(?:java|javax|com|org)\..+|.+(?:Exception|Error)", re.ASCII)

Wire = TypeVar("Wire", bound=msgspec.Struct)
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Code = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9]{2,20}\Z")]
"""A currency; whatever fits is one that `Currency.of` takes."""
Name = Annotated[str, msgspec.Meta(max_length=200)]


class Number(Decimal):
    """A JSON number within our bounds: exact, finite; text that looks like a number is not one."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without the headers that prove who asks."""

    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """What the body needs said about it."""
        return _JSON if self.body is not None else {}


class EncryptionKey(msgspec.Struct, frozen=True, rename="camel"):
    """The server's public key for one login: base64 of a DER SubjectPublicKeyInfo, and its epoch milliseconds."""

    encryption_key: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    time_stamp: Annotated[int, msgspec.Meta(gt=0, lt=10**14)]


class LoginAccount(msgspec.Struct, frozen=True, rename="camel"):
    """An account as the login reply lists it."""

    account_id: Id
    account_name: Name


class LoginReply(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a successful login. The tokens are not in it; they are headers."""

    current_account_id: Id
    accounts: tuple[LoginAccount, ...]
    has_active_demo_accounts: bool | None = None
    has_active_live_accounts: bool | None = None

    @property
    def environment(self) -> Environment | None:
        """The only one in which this person has active accounts; None when they have both, or it is not told."""
        match (self.has_active_live_accounts, self.has_active_demo_accounts):
            case (True, False):
                return Environment.LIVE
            case (False, True):
                return Environment.DEMO
            case _:
                return None


class AccountBalance(msgspec.Struct, frozen=True, rename="camel"):
    """`balance` is cash and open profit together; `available` what no margin holds."""

    balance: Number
    profit_loss: Number
    available: Number


class AccountRow(msgspec.Struct, frozen=True, rename="camel"):
    """One account of `GET /accounts`."""

    account_id: Id
    account_name: Name
    account_type: Name
    status: Name
    currency: Code
    balance: AccountBalance


class _Accounts(msgspec.Struct, frozen=True):
    accounts: tuple[AccountRow, ...]


class _Deal(msgspec.Struct, frozen=True, rename="camel"):
    deal_id: Id
    direction: Literal["BUY", "SELL"]
    size: Number
    level: Number
    upl: Number
    currency: Code
    stop_level: Number | None = None
    profit_level: Number | None = None
    stop_distance: Number | None = None
    trailing_stop: bool | None = None
    guaranteed_stop: bool | None = None
    created_date_utc: datetime | None = msgspec.field(default=None, name="createdDateUTC")


class _Market(msgspec.Struct, frozen=True, rename="camel"):
    epic: Id
    instrument_name: Name
    bid: Number | None = None
    offer: Number | None = None


class _PositionRow(msgspec.Struct, frozen=True):
    position: _Deal
    market: _Market


class _Positions(msgspec.Struct, frozen=True):
    positions: tuple[_PositionRow, ...]


class _Failure(msgspec.Struct, frozen=True, rename="camel"):
    error_code: str


def build_encryption_key() -> Request:
    """Ask for the key that one login's password is encrypted with."""
    return Request("GET", f"{_BASE}/session/encryptionKey")


def build_login(identifier: str, password: str, *, encrypted: bool) -> Request:
    """Log in. `password` is the API key's own password, or its ciphertext when `encrypted`."""
    body = {"identifier": identifier, "password": password, "encryptedPassword": encrypted}
    return Request("POST", f"{_BASE}/session", msgspec.json.encode(body))


def build_logout() -> Request:
    """End the session; its tokens die."""
    return Request("DELETE", f"{_BASE}/session")


def build_accounts() -> Request:
    """Ask for all accounts of the user, with balances."""
    return Request("GET", f"{_BASE}/accounts")


def build_positions() -> Request:
    """Ask for the open positions of the session's active account."""
    return Request("GET", f"{_BASE}/positions")


def parse_encryption_key(body: bytes) -> EncryptionKey:
    """`ReplyError` when it is not one; whether the key itself is sound is for `auth` to find out."""
    return _fit("encryption key", body, EncryptionKey)


def parse_login(body: bytes) -> LoginReply:
    """Which account is active, and which there are."""
    return _fit("login", body, LoginReply)


def parse_accounts(body: bytes) -> tuple[AccountRow, ...]:
    """All accounts as the provider states them, in its order."""
    return _fit("accounts", body, _Accounts).accounts


def parse_positions(body: bytes, account: str, as_of: datetime) -> tuple[Position, ...]:
    """The open positions of `account`, which the reply itself does not name."""
    return tuple(_position(row, account, as_of) for row in _fit("positions", body, _Positions).positions)


def accounts_of(rows: Sequence[AccountRow], environment: Environment) -> tuple[Account, ...]:
    """Rows as the house's accounts."""
    return tuple(
        Account(row.account_id, row.account_name, Currency.of(row.currency), environment, row.account_type)
        for row in rows
    )


def balances_of(rows: Sequence[AccountRow], environment: Environment, as_of: datetime) -> tuple[Balance, ...]:
    """Rows as the house's balances, digit for digit."""
    return tuple(
        Balance(
            account=row.account_id,
            name=row.account_name,
            amount=_money(row.balance.balance, row.currency),
            as_of=as_of,
            environment=environment,
            available=_money(row.balance.available, row.currency),
            profit=_money(row.balance.profit_loss, row.currency),
            kind=row.account_type,
        )
        for row in rows
    )


def restrictions_of(rows: Sequence[AccountRow]) -> tuple[str, ...]:
    """A sentence for each account that Capital.com does not call enabled."""
    return tuple(
        f"Capital.com marks account {row.account_id} as {row.status.lower().replace('_', ' ')}."
        for row in rows
        if row.status != "ENABLED"
    )


def error_of(status: int, body: bytes, retry_after_seconds: float | None = None) -> ProviderError | None:
    """What an answer's status and `errorCode` mean; None for 200, the only status of success."""
    if status == 200:
        return None
    code = _code(body) or f"http {status}"
    if status == 429 or code == "error.too-many.requests":
        return BusyError(NAME, code, retry_after_seconds)
    if status >= 500 or code == "error.service.unavailable" or _JAVA_CLASS.fullmatch(code):
        return FaultError(NAME, code)
    if status in (401, 403) or code in _CREDENTIAL_CODES:
        return CredentialRefusedError(NAME, code, _CREDENTIAL_CODES.get(code, ""))
    if status >= 400:
        return RefusedError(NAME, code)
    return ReplyError(NAME, f"unexpected status {status}")


NOT_HERE = "error.null.accountId"
"""A good login that has no account in this environment: it belongs to the other one."""
_CREDENTIAL_CODES = {
    "error.null.api.key": "no API key arrived",
    "error.invalid.api.key": "the API key is unknown, expired, or made for the other environment",
    "error.invalid.details": "wrong identifier, or not the password that was chosen for this API key",
    NOT_HERE: "no account here: a live key was used on demo, or a demo key on live",
    "error.null.client.token": "no session",
    "error.invalid.session.token": "the session is over; another login with the same key may have ended it",
    "error.security.client-token-missing": "no session",
}
"""Codes about who asks, in whatever status they come; the last is the API's ancestor's, never yet seen here."""


def _position(row: _PositionRow, account: str, as_of: datetime) -> Position:
    deal, market = row.position, row.market
    long = deal.direction == "BUY"
    return Position(
        account=account,
        id=deal.deal_id,
        symbol=market.epic,
        name=market.instrument_name,
        as_of=as_of,
        direction=Direction.LONG if long else Direction.SHORT,
        size=Decimal(deal.size),
        size_unit="units",
        entry=Decimal(deal.level),
        now=_plain(market.bid if long else market.offer),  # the side it would be closed at
        profit=_money(deal.upl, deal.currency),
        stop=_plain(deal.stop_level),
        limit=_plain(deal.profit_level),
        opened_at=_utc(deal.created_date_utc),
        description=_stop_words(deal),
    )


def _stop_words(deal: _Deal) -> str:
    """What `stop` alone does not tell."""
    if deal.trailing_stop:
        return "trailing stop" if deal.stop_distance is None else f"trailing stop, {deal.stop_distance:f} away"
    return "guaranteed stop" if deal.guaranteed_stop else ""


def _money(number: Number, currency: str) -> Money:
    return Money.reading(Decimal(number), Currency.of(currency))


def _plain(number: Number | None) -> Decimal | None:
    return None if number is None else Decimal(number)


def _utc(moment: datetime | None) -> datetime | None:
    """Fields named …UTC carry no zone and mean UTC; their bare twins are local and never read."""
    if moment is None or moment.tzinfo is None:
        return None if moment is None else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def _code(body: bytes) -> str | None:
    """The `errorCode` when it looks like one; other text may be anything, so it is not passed on."""
    try:
        code = _fit("error", body, _Failure).error_code
    except ReplyError:
        return None
    return code if _CODE.fullmatch(code) else None


def _fit(what: str, body: bytes, shape: type[Wire]) -> Wire:
    try:
        return msgspec.convert(loads(body), shape, dec_hook=_number)
    except msgspec.ValidationError as error:
        place = _PLACE.search(str(error))
        raise ReplyError(NAME, f"{what}: not as documented at {place.group(1) if place else '$'}") from None
    except ValueError:
        raise ReplyError(NAME, f"{what}: not strict JSON") from None


def _number(kind: type, raw: Any) -> Number:
    if kind is Number and type(raw) in (int, Decimal):
        return Number(check_number(Decimal(raw)))
    raise ValueError("wrong type")

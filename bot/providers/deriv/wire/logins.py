"""Whom a connection speaks for: `authorize`, `logout`. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from bot.errors import ProviderError, RefusedError, ScopeMissingError
from bot.providers.deriv.wire.grammar import (
    NAME,
    SCOPES,
    Body,
    Call,
    Flag,
    Request,
    ask,
    currency_of,
    documented,
    payload,
    scope_of,
)
from bot.providers.records import Account, Environment, Power

_LOGIN = re.compile(r"[A-Za-z]{1,10}[0-9]{1,20}", re.ASCII)


def build_authorize(token: str, others: Sequence[str] = ()) -> Request:
    """Bind the connection to the token's account; `others` are up to 25 further tokens of the same person."""
    return ask(Call.AUTHORIZE, token, tokens=list(others) or None)


def build_logout() -> Request:
    """Make the connection nobody's. A session token ends with it for good."""
    return ask(Call.LOGOUT)


def parse_logout(body: Body) -> None:
    with documented(Call.LOGOUT):
        payload(Call.LOGOUT, body, Flag)  # type: ignore[arg-type]  # a Literal is a type to msgspec


class _Listed(msgspec.Struct):
    loginid: str
    currency: str = ""
    is_virtual: Flag | None = None
    account_type: str = ""
    currency_type: str = ""


class _Authorize(msgspec.Struct):
    loginid: str
    currency: str = ""
    is_virtual: Flag | None = None
    account_list: list[_Listed] = []
    scopes: list[str] | None = None
    email: str | None = None


_POWERS = {
    "read": Power.READ,
    "trading_information": Power.READ,
    "trade": Power.TRADE,
    "payments": Power.PAY_OUT,
    "admin": Power.MANAGE,
}


@dataclass(frozen=True, slots=True)
class Session:
    """Whom the connection speaks for since `as_of`: the token's account, and all accounts of its person."""

    own: Account
    accounts: tuple[Account, ...]
    as_of: datetime
    scopes: frozenset[str] | None = None
    """What the token may do; None when the reply names none, as in 2016."""
    email: str = field(default="", repr=False)
    in_coins: bool = False
    """Whether the token's account is kept in a crypto currency; False as well where that was not told."""

    @property
    def powers(self) -> frozenset[Power] | None:
        """What the scopes allow. Scopes of a later day, which nobody here knows, are left out."""
        return None if self.scopes is None else frozenset(_POWERS[one] for one in self.scopes if one in _POWERS)

    @property
    def environment(self) -> Environment:
        return self.own.environment

    @property
    def others(self) -> int:
        """How many accounts the person has besides the token's own."""
        return len(self.accounts) - 1

    def check(self, call: Call) -> None:
        """Known before it is asked.

        Raises:
            ScopeMissingError: The token lacks what the call needs.
        """
        if not self._allows(call):
            raise ScopeMissingError(NAME, "PermissionDenied", scope_of(call))

    def weighed(self, call: Call, refusal: ProviderError) -> ProviderError:
        """What a refusal means to this token: where it has the scope, it is the account that it does not speak for."""
        if isinstance(refusal, ScopeMissingError) and self.scopes is not None and self._allows(call):
            return RefusedError(NAME, refusal.code)
        return refusal

    def _allows(self, call: Call) -> bool:
        needed = SCOPES.get(call, ())
        return not needed or self.scopes is None or bool(self.scopes.intersection(needed))


def parse_authorize(body: Body, as_of: datetime) -> Session:
    """The session; the account list may be missing, as it was in 2016.

    Raises:
        ProviderError: The token is not accepted, or the reply cannot be read.
    """
    with documented(Call.AUTHORIZE):
        said = payload(Call.AUTHORIZE, body, _Authorize)
        accounts = {entry.loginid: _account(entry) for entry in said.account_list}
        own = accounts[said.loginid] = _account(_own(said))
        scopes = None if said.scopes is None else frozenset(said.scopes)
        in_coins = any(one.loginid == said.loginid and one.currency_type == "crypto" for one in said.account_list)
        return Session(own, tuple(accounts.values()), as_of, scopes, said.email or "", in_coins)


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
    return Account(entry.loginid, name, currency_of(entry.currency), environment, entry.account_type)

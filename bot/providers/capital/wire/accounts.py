"""Accounts, their preferences, more money for a demo. Pure. Source: reference, Accounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from bot.money import Currency
from bot.providers.capital.wire.grammar import BASE, Code, Id, Name, Number, Request, fit, money, told
from bot.providers.records import Account, Balance, Environment

_Group = Annotated[str, msgspec.Meta(pattern=r"\A[A-Z0-9_]{1,40}\Z")]
_Times = Annotated[int, msgspec.Meta(ge=1, le=10_000)]


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


class Leverage(msgspec.Struct, frozen=True):
    """Of one group of instruments: how many times one's own money may be dealt with."""

    current: _Times
    available: tuple[_Times, ...]


class Preferences(msgspec.Struct, frozen=True, rename="camel"):
    """How an account deals."""

    hedging_mode: bool
    """Whether opposite positions stand beside one another, instead of consuming one another."""
    leverages: dict[_Group, Leverage]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Preferences to be changed; what is left out stays."""

    leverages: Mapping[str, int]
    hedging: bool | None = None


class _ToppedUp(msgspec.Struct, frozen=True):
    successful: bool


def build_accounts() -> Request:
    """Ask for all accounts of the user, with balances."""
    return Request("GET", f"{BASE}/accounts")


def build_preferences() -> Request:
    return Request("GET", f"{BASE}/accounts/preferences")


def build_new_preferences(wanted: Wanted) -> Request:
    hedging = {} if wanted.hedging is None else {"hedgingMode": wanted.hedging}
    leverages = {"leverages": dict(wanted.leverages)} if wanted.leverages else {}
    return told("PUT", f"{BASE}/accounts/preferences", {**leverages, **hedging})


def build_top_up(amount: Decimal) -> Request:
    """Give the active demo account more money, or take some away."""
    return told("POST", f"{BASE}/accounts/topUp", {"amount": amount})


def parse_accounts(body: bytes) -> tuple[AccountRow, ...]:
    """All accounts as the provider states them, in its order."""
    return fit("accounts", body, _Accounts).accounts


def parse_preferences(body: bytes) -> Preferences:
    return fit("preferences", body, Preferences)


def parse_topped_up(body: bytes) -> bool:
    return fit("top-up", body, _ToppedUp).successful


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
            amount=money(row.balance.balance, row.currency),
            as_of=as_of,
            environment=environment,
            available=money(row.balance.available, row.currency),
            profit=money(row.balance.profit_loss, row.currency),
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

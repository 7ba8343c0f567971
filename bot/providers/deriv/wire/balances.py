"""What accounts hold: `balance`, once and as it changes. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import msgspec

from bot.money import Money
from bot.providers.deriv.wire.grammar import (
    Body,
    Call,
    Flag,
    Number,
    Request,
    ask,
    currency_of,
    documented,
    payload,
)
from bot.providers.deriv.wire.logins import Session
from bot.providers.records import Account, Balance, Environment

ALL = "all"
OWN = "current"
_ACCOUNT = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{1,39}", re.ASCII)  # keys of `accounts` include MT5's


def build_balance(account: str = OWN) -> Request:
    """What the token's account holds, or with `all` all accounts of its person (OAuth tokens only)."""
    return ask(Call.BALANCE, account=account)


class _Entry(msgspec.Struct):
    balance: Number
    currency: str
    demo_account: Flag
    status: Flag = 1
    type: str = ""


class _Total(msgspec.Struct):
    amount: Number
    currency: str = ""


class _Balance(msgspec.Struct):
    balance: Number
    currency: str
    loginid: str
    accounts: dict[str, _Entry] = {}
    total: dict[str, _Total] = {}


@dataclass(frozen=True, slots=True)
class Balances:
    """What a `balance` reply says, and plain sentences about what it does not."""

    items: tuple[Balance, ...]
    notes: tuple[str, ...]
    totals: tuple[str, ...] = ()
    """What Deriv itself says that it all comes to: a sentence, or none."""


def parse_balance(body: Body, asked: Account, as_of: datetime) -> Balances:
    """The balances in a reply, that of the account asked about among them whether `all` was asked or not.

    Raises:
        ProviderError: The call was refused, or the reply cannot be read; one wrong entry spoils it.
    """
    with documented(Call.BALANCE):
        said = payload(Call.BALANCE, body, _Balance)
        if said.loginid != asked.id:
            raise ValueError("the balance of another account")
        demo: Flag = 1 if asked.environment is Environment.DEMO else 0
        entries = {said.loginid: _Entry(said.balance, said.currency, demo, type="deriv"), **said.accounts}
        if entries[said.loginid].demo_account != demo:
            raise ValueError("demo or real, but not both")
        found = [(_balance(key, entry, as_of), _remark(key, entry)) for key, entry in entries.items()]
        totals = _totals(said)
    items = tuple(item for item, _ in found if item is not None)
    return Balances(items, tuple(note for _, note in found if note), totals)


def parse_balance_change(body: Body, session: Session, as_of: datetime) -> tuple[Balance, ...]:
    """A frame of the stream: the account that changed, and others or not."""
    with documented(Call.BALANCE):
        changed = payload(Call.BALANCE, body, _Balance).loginid
        for account in session.accounts:
            if account.id == changed:
                return parse_balance(body, account, as_of).items
        raise ValueError("the balance of a stranger")


_TOTALS = {"deriv": "real", "deriv_demo": "demo", "mt5": "real MT5", "mt5_demo": "demo MT5"}


def _totals(said: _Balance) -> tuple[str, ...]:
    """Nothing where there is nothing to add up."""
    found = [
        f"{Decimal(Money.reading(total.amount, currency).text()):,f} {currency} {_TOTALS[key]}"
        for key, total in said.total.items()
        if key in _TOTALS and total.amount and (currency := currency_of(total.currency)) is not None
    ]
    return (f"In all, as Deriv counts it: {', '.join(found)}.",) if found and len(said.accounts) > 1 else ()


def _balance(login: str, entry: _Entry, as_of: datetime) -> Balance | None:
    if not _ACCOUNT.fullmatch(login):
        raise ValueError("not a login id")
    currency = currency_of(entry.currency)
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

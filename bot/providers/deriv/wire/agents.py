"""Payment agents (`paymentagent_list`, `paymentagent_details`) and the web `cashier`. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from bot.errors import RefusedError
from bot.providers.deriv.wire.grammar import (
    NAME,
    Body,
    Call,
    Flag,
    Number,
    Request,
    ask,
    documented,
    number_said,
    payload,
)
from bot.secret import Secret


def build_paymentagent_list(country: str, currency: str | None = None) -> Request:
    """Those of a country, by its two letters."""
    return ask(Call.PAYMENTAGENT_LIST, country, currency=currency)


class _Phone(msgspec.Struct):
    phone_number: str = ""


class _Method(msgspec.Struct):
    payment_method: str = ""


class _Url(msgspec.Struct):
    url: str = ""


class _Agent(msgspec.Struct):
    paymentagent_loginid: str
    name: str
    currencies: str = ""
    deposit_commission: Any = None
    withdrawal_commission: Any = None
    email: str | None = None
    further_information: str | None = None
    summary: str | None = None
    max_withdrawal: Any = None
    min_withdrawal: Any = None
    phone_numbers: list[_Phone] = []
    supported_payment_methods: list[_Method] = []
    urls: list[_Url] = []
    telephone: str | None = None
    url: str | None = None
    supported_banks: str | None = None


class _Agents(msgspec.Struct, rename={"agents": "list"}):
    agents: list[_Agent]
    available_countries: list[list[str]] = []


@dataclass(frozen=True, slots=True)
class Agent:
    """Somebody who takes and gives money for Deriv accounts."""

    account: str
    name: str
    currencies: tuple[str, ...]
    least: Decimal | None
    """Of one withdrawal, in the account's currency."""
    most: Decimal | None
    deposit_commission: Decimal | None
    """In percent."""
    withdrawal_commission: Decimal | None
    methods: tuple[str, ...]
    phones: tuple[str, ...]
    urls: tuple[str, ...]
    email: str
    summary: str
    information: str


@dataclass(frozen=True, slots=True)
class Agents:
    """The agents of a country, and where else there are any."""

    items: tuple[Agent, ...]
    countries: tuple[tuple[str, str], ...]
    """Code and name."""


def parse_paymentagent_list(body: Body) -> Agents:
    """Both forms: before 2021 telephone, address and banks were plain texts."""
    with documented(Call.PAYMENTAGENT_LIST):
        said = payload(Call.PAYMENTAGENT_LIST, body, _Agents)
        countries = tuple((one[0], one[1]) for one in said.available_countries if len(one) == 2)
        return Agents(tuple(_agent(one) for one in said.agents), countries)


def _agent(said: _Agent) -> Agent:
    return Agent(
        said.paymentagent_loginid,
        said.name,
        _words(said.currencies),
        number_said(said.min_withdrawal),
        number_said(said.max_withdrawal),
        number_said(said.deposit_commission),
        number_said(said.withdrawal_commission),
        tuple(one.payment_method for one in said.supported_payment_methods) or _words(said.supported_banks),
        tuple(one.phone_number for one in said.phone_numbers) or _whole(said.telephone),
        tuple(one.url for one in said.urls) or _whole(said.url),
        said.email or "",
        said.summary or "",
        said.further_information or "",
    )


def build_paymentagent_details() -> Request:
    """The account's own profile as an agent."""
    return ask(Call.PAYMENTAGENT_DETAILS)


class _Details(msgspec.Struct):
    can_apply: Flag = 0
    status: str | None = None
    payment_agent_name: str | None = None
    currency_code: str | None = None
    commission_deposit: Number | None = None
    commission_withdrawal: Number | None = None
    max_withdrawal: Number | None = None
    min_withdrawal: Number | None = None
    target_country: str | None = None
    eligibilty_validation: list[str] = []


@dataclass(frozen=True, slots=True)
class OwnAgency:
    """The account as a payment agent."""

    can_apply: bool
    status: str
    """applied, verified, authorized, rejected, suspended; empty for who never applied."""
    name: str
    currency: str
    country: str
    least: Decimal | None
    most: Decimal | None
    deposit_commission: Decimal | None
    withdrawal_commission: Decimal | None
    obstacles: tuple[str, ...]
    """What stands against an application, in Deriv's words."""


def parse_paymentagent_details(body: Body) -> OwnAgency:
    with documented(Call.PAYMENTAGENT_DETAILS):
        said = payload(Call.PAYMENTAGENT_DETAILS, body, _Details)
        return OwnAgency(
            said.can_apply == 1,
            said.status or "",
            said.payment_agent_name or "",
            said.currency_code or "",
            said.target_country or "",
            number_said(said.min_withdrawal),
            number_said(said.max_withdrawal),
            number_said(said.commission_deposit),
            number_said(said.commission_withdrawal),
            tuple(said.eligibilty_validation),
        )


# -- cashier -----------------------------------------------------------------------------------------------------


class Counter(StrEnum):
    """What one wants at the cashier's."""

    DEPOSIT = "deposit"
    WITHDRAW = "withdraw"


def build_cashier(counter: Counter, code: Secret | None = None) -> Request:
    """The address of the web cashier. To withdraw needs a code from the mail (`Purpose.CASHIER`)."""
    return ask(Call.CASHIER, counter.value, verification_code=None if code is None else code.reveal())


def parse_cashier(body: Body) -> Secret:
    """The address: whoever opens it is logged in there.

    Raises:
        RefusedError: Something is to be done first; its code says what (`ASK_EMAIL_VERIFY` and the like).
    """
    with documented(Call.CASHIER):
        said = payload(Call.CASHIER, body, str)
        if said.startswith("ASK_"):  # as old servers said it, in the place of the address
            raise RefusedError(NAME, said[:64])
        if not said.startswith("https://"):
            raise ValueError("not an address")
        return Secret(said)


def build_crypto_deposit() -> Request:
    """Where to send coins, for an account of a crypto currency."""
    return ask(Call.CASHIER, Counter.DEPOSIT.value, provider="crypto", type="api")


class _Address(msgspec.Struct):
    address: str


class _Deposit(msgspec.Struct):
    deposit: _Address


def parse_crypto_deposit(body: Body) -> str:
    """The address on the chain."""
    with documented(Call.CASHIER):
        return payload(Call.CASHIER, body, _Deposit).deposit.address


def _words(said: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (said or "").split(",") if word.strip())


def _whole(said: str | None) -> tuple[str, ...]:
    return (said,) if said else ()

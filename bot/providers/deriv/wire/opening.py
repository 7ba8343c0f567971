"""Opening accounts: codes by mail, countries, who serves them, the accounts themselves, and more demo money. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from bot.money import Currency, Money
from bot.providers.deriv.wire.grammar import (
    Body,
    Call,
    Number,
    Request,
    ask,
    currency_of,
    documented,
    payload,
)
from bot.secret import Secret


class Purpose(StrEnum):
    """What a code from the mail is for. One code serves one purpose, once."""

    ACCOUNT_OPENING = "account_opening"
    PAYMENT_AGENT = "paymentagent_withdraw"
    CASHIER = "payment_withdraw"


def build_verify_email(address: str, purpose: Purpose, url_parameters: Mapping[str, str] | None = None) -> Request:
    """Have a code mailed. That it was taken says nothing about whether there is such an address."""
    return ask(Call.VERIFY_EMAIL, address, type=purpose.value, url_parameters=url_parameters)


def parse_verify_email(body: Body) -> bool:
    with documented(Call.VERIFY_EMAIL):
        return payload(Call.VERIFY_EMAIL, body, int) == 1


# -- where people live -------------------------------------------------------------------------------------------


def build_residence_list() -> Request:
    return ask(Call.RESIDENCE_LIST)


class _Residence(msgspec.Struct):
    value: str
    text: str
    phone_idd: str | None = None
    disabled: str | None = None
    tin_format: list[str] = []


@dataclass(frozen=True, slots=True)
class Residence:
    """A country people may live in."""

    code: str
    name: str
    dial_prefix: str
    can_sign_up: bool


def parse_residence_list(body: Body) -> tuple[Residence, ...]:
    with documented(Call.RESIDENCE_LIST):
        return tuple(
            Residence(one.value, one.text, one.phone_idd or "", not one.disabled)
            for one in payload(Call.RESIDENCE_LIST, body, list[_Residence])
        )


def build_states_list(country: str) -> Request:
    """The states of a country, by its two letters."""
    return ask(Call.STATES_LIST, country)


class _State(msgspec.Struct):
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class State:
    """A part of a country. `code` goes into `address_state`."""

    code: str
    name: str


def parse_states_list(body: Body) -> tuple[State, ...]:
    with documented(Call.STATES_LIST):
        return tuple(State(one.value, one.text) for one in payload(Call.STATES_LIST, body, list[_State]))


# -- who serves them ---------------------------------------------------------------------------------------------


def build_landing_company(country: str) -> Request:
    """Which companies serve a country."""
    return ask(Call.LANDING_COMPANY, country)


def build_landing_company_details(code: str) -> Request:
    """One company, by its short code."""
    return ask(Call.LANDING_COMPANY_DETAILS, code)


class _Requirements(msgspec.Struct):
    signup: list[str] = []
    withdrawal: list[str] = []


class _Company(msgspec.Struct):
    shortcode: str | None = None
    name: str | None = None
    country: str | None = None
    legal_allowed_currencies: list[str] = []
    legal_allowed_markets: list[str] = []
    legal_default_currency: str | None = None
    requirements: _Requirements | None = None


class _Country(msgspec.Struct):
    id: str = ""
    name: str = ""
    all_company: str | None = None
    virtual_company: str | None = None
    gaming_company: _Company | None = None
    financial_company: _Company | None = None
    minimum_age: int | None = None


@dataclass(frozen=True, slots=True)
class Company:
    """A legal entity that keeps accounts."""

    code: str
    name: str
    country: str
    currencies: tuple[str, ...]
    default_currency: str
    markets: tuple[str, ...]
    signup_fields: tuple[str, ...]
    """What `new_account_real` must be told, by Deriv's names of the fields."""
    withdrawal_fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """Who serves a country."""

    country: str
    name: str
    real: Company | None
    """Whose real account `new_account_real` opens."""
    virtual: str
    minimum_age: int | None


def parse_landing_company(body: Body) -> Service:
    with documented(Call.LANDING_COMPANY):
        said = payload(Call.LANDING_COMPANY, body, _Country)
        companies = [_company(one) for one in (said.gaming_company, said.financial_company) if one is not None]
        wanted = next((one for one in companies if one.code == said.all_company), None)
        real = wanted or (companies[0] if companies else None)
        return Service(said.id, said.name, real, said.virtual_company or "", said.minimum_age)


def parse_landing_company_details(body: Body) -> Company:
    with documented(Call.LANDING_COMPANY_DETAILS):
        return _company(payload(Call.LANDING_COMPANY_DETAILS, body, _Company))


def _company(said: _Company) -> Company:
    requirements = said.requirements or _Requirements()
    return Company(
        said.shortcode or "",
        said.name or said.shortcode or "",
        said.country or "",
        tuple(said.legal_allowed_currencies),
        said.legal_default_currency or "",
        tuple(said.legal_allowed_markets),
        tuple(requirements.signup),
        tuple(requirements.withdrawal),
    )


# -- accounts ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewUser:
    """What a person who has no account yet tells: the code came by mail."""

    code: Secret
    password: Secret
    residence: str


def build_new_account_virtual(user: NewUser | None = None, affiliate_token: str | None = None) -> Request:
    """Open a demo account, and with `user` the user too."""
    if user is None:
        return ask(Call.NEW_ACCOUNT_VIRTUAL, affiliate_token=affiliate_token, type="trading")
    return ask(
        Call.NEW_ACCOUNT_VIRTUAL,
        affiliate_token=affiliate_token,
        client_password=user.password.reveal(),
        residence=user.residence,
        type="trading",
        verification_code=user.code.reveal(),
    )


def build_new_account_real(
    fields: Mapping[str, str | int], currency: Currency | None = None, affiliate_token: str | None = None
) -> Request:
    """Open a real account with the company that serves the residence. `fields` are those it wants (`signup_fields`).

    On a session of a real account the personal ones are copied from there, and only the currency matters.
    """
    ours = {"affiliate_token": affiliate_token, "currency": None if currency is None else currency.code}
    return ask(Call.NEW_ACCOUNT_REAL, **{**fields, **{key: text for key, text in ours.items() if text is not None}})


class _Opened(msgspec.Struct):
    client_id: str
    oauth_token: str
    currency: str = ""
    balance: Number | None = None
    landing_company: str = ""
    refresh_token: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A new account, and a session token that is good for it at once."""

    account: str
    token: Secret
    currency: Currency | None
    company: str


def parse_new_account_virtual(body: Body) -> Opened:
    return _opened(Call.NEW_ACCOUNT_VIRTUAL, body)


def parse_new_account_real(body: Body) -> Opened:
    return _opened(Call.NEW_ACCOUNT_REAL, body)


def _opened(call: Call, body: Body) -> Opened:
    with documented(call):
        said = payload(call, body, _Opened)
        return Opened(said.client_id, Secret(said.oauth_token), currency_of(said.currency), said.landing_company)


def build_topup_virtual() -> Request:
    """Fill a demo account up again."""
    return ask(Call.TOPUP_VIRTUAL)


class _ToppedUp(msgspec.Struct):
    amount: Number
    currency: str


def parse_topup_virtual(body: Body) -> Money:
    """What was added."""
    with documented(Call.TOPUP_VIRTUAL):
        said = payload(Call.TOPUP_VIRTUAL, body, _ToppedUp)
        return Money.reading(said.amount, Currency.of(said.currency))

"""The user's own: `get_settings`, `get_limits`, `api_token`, `app_register`. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

import msgspec

from bot.money import Currency, Money
from bot.providers.deriv.wire.grammar import (
    Body,
    Call,
    Flag,
    Number,
    Request,
    ask,
    documented,
    money_of,
    number_of,
    payload,
)
from bot.secret import Secret


class Scope(StrEnum):
    """What a token, or an app, may do."""

    READ = "read"
    TRADE = "trade"
    TRADING_INFORMATION = "trading_information"
    PAYMENTS = "payments"
    ADMIN = "admin"


# -- settings ----------------------------------------------------------------------------------------------------


def build_get_settings() -> Request:
    return ask(Call.GET_SETTINGS)


class _Settings(msgspec.Struct):
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    salutation: str | None = None
    phone: str | None = None
    date_of_birth: int | None = None
    address_line_1: str | None = None
    address_line_2: str | None = None
    address_city: str | None = None
    address_state: str | None = None
    address_postcode: str | None = None
    country: str | None = None
    country_code: str | None = None
    residence: str | None = None
    citizen: str | None = None
    place_of_birth: str | None = None
    tax_residence: str | None = None
    client_tnc_status: str | None = None
    preferred_language: str | None = None
    immutable_fields: list[str] = []
    is_authenticated_payment_agent: Flag = 0
    allow_copiers: Flag = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """The user. Demo-only users have told little of themselves; what is personal stays out of every repr."""

    country: str
    country_code: str
    language: str
    terms_version: str
    """The terms the user has accepted; compare with `SiteStatus.terms_version`."""
    is_payment_agent: bool
    """Whether the account may credit others by `paymentagent_transfer`."""
    fixed: tuple[str, ...]
    """Fields the user cannot change any more."""
    told: Mapping[str, str] = field(repr=False)
    """What is personal, by Deriv's names of the fields; only what there is."""


_PERSONAL = (
    *("email", "first_name", "last_name", "salutation", "phone", "address_line_1", "address_line_2", "address_city"),
    *("address_state", "address_postcode", "residence", "citizen", "place_of_birth", "tax_residence"),
)


def parse_get_settings(body: Body) -> Profile:
    with documented(Call.GET_SETTINGS):
        said = payload(Call.GET_SETTINGS, body, _Settings)
        return Profile(
            said.country or "",
            said.country_code or "",
            said.preferred_language or "",
            said.client_tnc_status or "",
            said.is_authenticated_payment_agent == 1,
            tuple(said.immutable_fields),
            {name: text for name in _PERSONAL if (text := getattr(said, name))},
        )


# -- limits ------------------------------------------------------------------------------------------------------


def build_get_limits() -> Request:
    return ask(Call.GET_LIMITS)


class _Transfers(msgspec.Struct):
    allowed: Number | None = None
    available: Number | None = None


class _Market(msgspec.Struct):
    name: str = ""
    payout_limit: Number | None = None
    turnover_limit: Number | None = None


class _LimitsSaid(msgspec.Struct):
    account_balance: Number | None = None
    daily_transfers: dict[str, _Transfers] = {}
    daily_turnover: Number | None = None
    lifetime_limit: Number | None = None
    market_specific: dict[str, list[_Market]] = {}
    num_of_days: int | None = None
    num_of_days_limit: Number | None = None
    open_positions: int | None = None
    payout: Number | None = None
    remainder: Number | None = None
    withdrawal_for_x_days_monetary: Number | None = None
    withdrawal_since_inception_monetary: Number | None = None


@dataclass(frozen=True, slots=True)
class MarketLimit:
    """What may be staked on one market."""

    name: str
    payout: Money | None
    turnover: Money | None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the account may do. Withdrawal limits are absent where there are none, and for demo accounts."""

    balance: Money | None
    """The most it may hold."""
    turnover_a_day: Money | None
    open_positions: int | None
    payout: Money | None
    """Of all open contracts together."""
    withdrawn: Money | None
    """Since the account was opened."""
    withdrawable: Money | None
    """What may still be taken out."""
    withdrawable_ever: Money | None
    window_days: int | None
    window_limit: Money | None
    """What may be taken out within so many days."""
    window_withdrawn: Money | None
    transfers_a_day: Mapping[str, tuple[Decimal | None, Decimal | None]]
    """By kind: how many are allowed, and how many of them are left."""
    markets: tuple[MarketLimit, ...]


def parse_get_limits(body: Body, currency: Currency) -> Limits:
    with documented(Call.GET_LIMITS):
        said = payload(Call.GET_LIMITS, body, _LimitsSaid)
        return Limits(
            money_of(said.account_balance, currency),
            money_of(said.daily_turnover, currency),
            said.open_positions,
            money_of(said.payout, currency),
            money_of(said.withdrawal_since_inception_monetary, currency),
            money_of(said.remainder, currency),
            money_of(said.lifetime_limit, currency),
            said.num_of_days,
            money_of(said.num_of_days_limit, currency),
            money_of(said.withdrawal_for_x_days_monetary, currency),
            {kind: (_count(one.allowed), _count(one.available)) for kind, one in said.daily_transfers.items()},
            tuple(
                MarketLimit(
                    one.name or key, money_of(one.payout_limit, currency), money_of(one.turnover_limit, currency)
                )
                for key, listed in said.market_specific.items()
                for one in listed
            ),
        )


def _count(said: Number | None) -> Decimal | None:
    return None if said is None else number_of(said)


# -- tokens and apps ---------------------------------------------------------------------------------------------


def build_api_token(
    *,
    new: str | None = None,
    scopes: Sequence[Scope] = (),
    this_address_only: bool = False,
    delete: Secret | None = None,
) -> Request:
    """List the account's tokens; before that, make one called `new`, or delete one."""
    return ask(
        Call.API_TOKEN,
        new_token=new,
        new_token_scopes=[scope.value for scope in scopes] if new is not None else None,
        valid_for_current_ip_only=1 if this_address_only else None,
        delete_token=None if delete is None else delete.reveal(),
    )


class _Token(msgspec.Struct):
    display_name: str
    token: str
    scopes: list[str] = []
    last_used: str | None = None
    valid_for_ip: str | None = None


class _Tokens(msgspec.Struct):
    tokens: list[_Token] = []


@dataclass(frozen=True, slots=True)
class ApiToken:
    """One token of the account."""

    name: str
    token: Secret
    scopes: tuple[str, ...]
    last_used: str
    """In Deriv's words; empty if never."""
    bound_to_address: bool


def parse_api_token(body: Body) -> tuple[ApiToken, ...]:
    """All there are after it. A new one is found by its name: nothing else tells which it is."""
    with documented(Call.API_TOKEN):
        return tuple(
            ApiToken(
                one.display_name, Secret(one.token), tuple(one.scopes), one.last_used or "", bool(one.valid_for_ip)
            )
            for one in payload(Call.API_TOKEN, body, _Tokens).tokens
        )


def build_app_register(
    name: str, scopes: Sequence[Scope], *, redirect_uri: str | None = None, verification_uri: str | None = None
) -> Request:
    """Make an app known. The live service is expected to refuse: it takes no new ones."""
    return ask(
        Call.APP_REGISTER,
        name=name,
        scopes=[scope.value for scope in scopes],
        redirect_uri=redirect_uri,
        verification_uri=verification_uri,
    )


class _App(msgspec.Struct):
    app_id: int
    name: str
    redirect_uri: str = ""
    scopes: list[str] = []
    active: int = 1


@dataclass(frozen=True, slots=True)
class App:
    """A registered app."""

    id: int
    name: str
    redirect_uri: str
    scopes: tuple[str, ...]
    is_active: bool


def parse_app_register(body: Body) -> App:
    with documented(Call.APP_REGISTER):
        said = payload(Call.APP_REGISTER, body, _App)
        return App(said.app_id, said.name, said.redirect_uri, tuple(said.scopes), said.active == 1)

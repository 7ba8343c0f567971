"""The service itself: `ping`, `time`, `website_status`, and the end of streams: `forget`, `forget_all`. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from bot.providers.deriv.wire.grammar import (
    Body,
    Call,
    Flag,
    Number,
    Request,
    ask,
    documented,
    moment_of,
    number_of,
    number_or_none,
    payload,
)


class Stream(StrEnum):
    """Kinds of streams that can be ended all at once."""

    BALANCE = "balance"
    CANDLES = "candles"
    PROPOSAL = "proposal"
    CONTRACTS = "proposal_open_contract"
    TICKS = "ticks"
    TRANSACTION = "transaction"
    STATUS = "website_status"


def build_ping() -> Request:
    """A sign of life; the server hangs up after two minutes without one."""
    return ask(Call.PING)


def build_time() -> Request:
    return ask(Call.TIME)


def parse_time(body: Body) -> datetime:
    """What the server's clock shows."""
    with documented(Call.TIME):
        return moment_of(payload(Call.TIME, body, int))


def build_forget(subscription: str) -> Request:
    """End one stream. Frames that are under way still arrive."""
    return ask(Call.FORGET, subscription)


def parse_forget(body: Body) -> bool:
    """Whether there was such a stream."""
    with documented(Call.FORGET):
        return payload(Call.FORGET, body, int) == 1


def build_forget_all(*streams: Stream) -> Request:
    """End all streams of these kinds."""
    return ask(Call.FORGET_ALL, [stream.value for stream in streams])


def parse_forget_all(body: Body) -> tuple[str, ...]:
    """The ids of those that were ended."""
    with documented(Call.FORGET_ALL):
        return tuple(payload(Call.FORGET_ALL, body, list[str]))


def build_website_status() -> Request:
    """How the service is, and how often it lets itself be asked."""
    return ask(Call.WEBSITE_STATUS)


class _Limit(msgspec.Struct):
    applies_to: str = ""
    minutely: Number | None = None
    hourly: Number | None = None
    max: Number | None = None


class _Range(msgspec.Struct):
    min: Number | None = None
    max: Number | None = None


class _Transfers(msgspec.Struct):
    fees: dict[str, Number] = {}
    limits: _Range | None = None


class _Currency(msgspec.Struct):
    fractional_digits: Number | None = None
    is_suspended: Flag = 0
    is_deposit_suspended: Flag = 0
    is_withdrawal_suspended: Flag = 0
    name: str = ""
    type: str = ""
    transfer_between_accounts: _Transfers | None = None


class _Status(msgspec.Struct):
    api_call_limits: dict[str, _Limit] = {}
    clients_country: str | None = None
    currencies_config: dict[str, _Currency] = {}
    message: str = ""
    site_status: str | None = None
    supported_languages: list[str] = []
    terms_conditions_version: str | None = None


@dataclass(frozen=True, slots=True)
class CallLimit:
    """How often something may be asked for."""

    applies_to: str
    minutely: int | None
    hourly: int | None
    at_once: int | None


@dataclass(frozen=True, slots=True)
class CurrencyRules:
    """What may be done in one currency."""

    code: str
    name: str
    kind: str
    digits: int | None
    is_suspended: bool
    takes_deposits: bool
    pays_out: bool
    transfer_least: Decimal | None
    transfer_most: Decimal | None
    transfer_fees: Mapping[str, Decimal]
    """In percent, by the currency it becomes."""


@dataclass(frozen=True, slots=True)
class SiteStatus:
    """What the service says of itself. Of 2016 only limits, country, languages and terms are known."""

    status: str
    """up, down, updating; empty where it was not told."""
    message: str
    limits: tuple[CallLimit, ...]
    country: str
    languages: tuple[str, ...]
    terms_version: str
    currencies: tuple[CurrencyRules, ...]

    def rules_of(self, currency: str) -> CurrencyRules | None:
        return next((rules for rules in self.currencies if rules.code == currency), None)


def parse_website_status(body: Body) -> SiteStatus:
    with documented(Call.WEBSITE_STATUS):
        said = payload(Call.WEBSITE_STATUS, body, _Status)
        return SiteStatus(
            said.site_status or "",
            said.message,
            tuple(
                CallLimit(one.applies_to or key, _whole(one.minutely), _whole(one.hourly), _whole(one.max))
                for key, one in said.api_call_limits.items()
            ),
            said.clients_country or "",
            tuple(said.supported_languages),
            said.terms_conditions_version or "",
            tuple(_rules(code, one) for code, one in said.currencies_config.items()),
        )


def _rules(code: str, said: _Currency) -> CurrencyRules:
    transfers = said.transfer_between_accounts or _Transfers()
    limits = transfers.limits or _Range()
    return CurrencyRules(
        code,
        said.name or code,
        said.type,
        _whole(said.fractional_digits),
        said.is_suspended == 1,
        said.is_deposit_suspended == 0,
        said.is_withdrawal_suspended == 0,
        number_or_none(limits.min),
        number_or_none(limits.max),
        {other: number_of(fee) for other, fee in transfers.fees.items()},
    )


def _whole(said: Number | None) -> int | None:
    if said is None:
        return None
    if said != int(said):
        raise ValueError("not a whole number")
    return int(said)

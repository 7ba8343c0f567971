"""What a signed message says, once it is believed: accounts and transfers in the desk's own terms."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bot.money import Currency, Money
from bot.providers.cryptocapital.wire.messages import AccountParams, TransferParams


@dataclass(frozen=True, slots=True)
class Holding:
    """What an `account` message says, once it is believed."""

    number: str
    name: str
    balance: Money
    available: Money


def parse_holding(params: AccountParams) -> Holding:
    """The numbers of a message that passed `check_grammar`; `ValueError` when they are out of bounds."""
    currency = Currency.of(params.currency)
    return Holding(
        params.account_number,
        params.name,
        Money.reading(Decimal(params.balance), currency),
        Money.reading(Decimal(params.available), currency),
    )


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a `transfer` message says, once it is believed."""

    id: str
    on: date
    source: str
    target: str
    sent: Money
    received: Money
    narrative: str


def parse_transfer(params: TransferParams) -> Transfer:
    """The facts of a message that passed `check_grammar`; `ValueError` for a date that is none."""
    return Transfer(
        params.id,
        date.fromisoformat(params.date),
        params.send_account,
        params.receive_account,
        Money.reading(Decimal(params.send_amount), Currency.of(params.send_currency)),
        Money.reading(Decimal(params.receive_amount), Currency.of(params.receive_currency)),
        params.narrative or "",
    )

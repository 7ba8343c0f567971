"""Which account the words of an alert mean, where several could be."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from bot.alerts.sentences import parse
from bot.money import Currency, Money
from bot.operations.alert_subjects import called
from bot.providers.records import Balance, Environment


def _balance(account: str, name: str, currency: str = "USD") -> Balance:
    worth = Money(Decimal("5.00"), Currency(currency))
    return Balance(account, name, worth, datetime(2026, 3, 2, tzinfo=UTC), Environment.LIVE)


SHOWN = (
    _balance("1001", "Reserve"),
    _balance("1002", "Reserve Europe", "EUR"),
    _balance("1003", "Reserve Asia"),
    _balance("1004", "Treasury Operating"),
)


class Login:
    """One login that shows these accounts."""

    async def balances(self) -> Any:
        return SimpleNamespace(items=SHOWN)


@pytest.mark.parametrize(
    ("text", "accounts"),
    [
        ("balance reserve < 10", ["1001"]),  # so called: not those that only begin so
        ("balance reserve < 10 EUR", []),
        ("balance treas < 10", ["1004"]),
        ("balance reserve a < 10", ["1003"]),
        ("balance res < 10 EUR", ["1002"]),
        ("balance res < 10 USD", ["1001", "1003"]),  # a person picks
        ("balance operating < 10", []),
        ("transfer in treasury", ["1004"]),
    ],
)
async def test_an_account_is_meant_by_its_name_or_how_that_begins(text: str, accounts: list[str]) -> None:
    login: Any = Login()
    said = parse(text.split())
    _, found = await called(login, said, said.names)
    assert [one.subject.partition(" ")[0] for one in found] == accounts

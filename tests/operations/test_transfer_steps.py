"""Which account some word means, where several could be."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from bot.errors import NotFoundError
from bot.money import Currency, Money
from bot.operations.transfer_steps import Asking, Sketch, TransferSteps
from bot.providers.records import Balance, Environment


def _balance(account: str, name: str, currency: str = "USD") -> Balance:
    worth = Money(Decimal("5.00"), Currency(currency))
    return Balance(account, name, worth, datetime(2026, 3, 2, tzinfo=UTC), Environment.LIVE)


class Login:
    """One login that shows these accounts."""

    def __init__(self, *shown: Balance) -> None:
        self._shown = shown

    async def through(self, by: Any) -> list[Any]:
        return [SimpleNamespace(name="alpha/main")]

    async def accounts(self, connection: Any) -> tuple[Balance, ...]:
        return self._shown


async def meant(login: Any, word: str) -> str:
    somebody: Any = None
    sketch = Sketch(connection="alpha/main")
    return (await TransferSteps(login).answered(somebody, sketch, Asking.ACCOUNT, word)).account


async def test_a_number_means_its_account_whatever_another_is_called() -> None:
    login = Login(_balance("9120000001", "Operating"), _balance("9120000002", "9120000001"))
    assert await meant(login, "9120000001") == "9120000001"


async def test_an_account_that_holds_two_currencies_is_one_account() -> None:
    login = Login(_balance("9120000001", "Operating"), _balance("9120000001", "Operating", "EUR"))
    assert [await meant(login, word) for word in ("9120000001", "operating", "…0001")] == ["9120000001"] * 3


async def test_of_two_that_are_called_alike_none_is_taken() -> None:
    login = Login(_balance("9120000001", "Reserve"), _balance("9120000002", "Reserve"))
    with pytest.raises(NotFoundError):
        await meant(login, "Reserve")

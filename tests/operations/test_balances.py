"""What counts as one account when everything is summed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from bot.money import Currency, Money
from bot.operations.balances import Holding, counted_once, totals
from bot.operations.linked import Connection
from bot.operations.sheets import Answer
from bot.providers.records import Balance, Environment, Reading

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def _answer(name: str, held: Mapping[str, str] | None) -> Answer[Balance]:
    """What a connection says its accounts hold ("1 USD": "5.00"); None when it said nothing."""
    provider, label = name.split("/")
    connection = Connection(1, 1, provider, label, Environment.LIVE, NOW, frozenset())
    if held is None:
        return Answer(connection, None)
    items = []
    for account, amount in held.items():
        number, code = account.split()
        money = Money.reading(Decimal(amount), Currency(code))
        items.append(Balance(number, number, money, NOW, Environment.LIVE))
    return Answer(connection, Reading(tuple(items), NOW))


def _own(*answers: Answer[Balance]) -> list[str]:
    return [str(money) for money in totals(answers).get(Holding.OWN_LIVE, [])]


def test_the_same_number_at_another_provider_is_another_account() -> None:
    both = _answer("capital/main", {"1 USD": "5.00"}), _answer("crm/main", {"1 USD": "7.00"})
    assert _own(*both) == ["12.00 USD"]
    assert counted_once(both) == []


def test_an_account_with_two_currencies_counts_both_of_one_connection() -> None:
    held = {"1 USD": "5.00", "1 EUR": "3.00"}
    both = _answer("crm/a", held), _answer("crm/b", held)
    assert _own(*both) == ["3.00 EUR", "5.00 USD"]
    assert counted_once(both) == [("crm/b", "crm/a")]


def test_the_first_that_answered_is_the_one_that_counts() -> None:
    three = [
        _answer("crm/a", None),
        _answer("crm/b", {"1 USD": "5.00"}),
        _answer("crm/c", {"1 USD": "5.10", "2 USD": "1.00"}),
        _answer("crm/d", {"2 USD": "1.00", "1 USD": "5.20"}),
    ]
    assert _own(*three) == ["6.00 USD"]
    assert counted_once(three) == [("crm/c", "crm/b"), ("crm/d", "crm/c"), ("crm/d", "crm/b")]

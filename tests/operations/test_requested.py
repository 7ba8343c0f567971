"""Choosing among requests: every filter by itself, two together, and the words for them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot.errors import InputError
from bot.money import Currency, Money
from bot.operations.requested import Known, Selection, Source, parse

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def known(
    request_id: str,
    amount: str = "40.25 USD",
    hours: int = 1,
    client: str = "Ines",
    status: str | None = "pending",
    source: Source = Source.WEBHOOK,
    node: int = 1,
    method: str = "Bank wire",
) -> Known:
    number, _, code = amount.partition(" ")
    money = Money(Decimal(number), Currency.of(code)) if number else None
    asked = NOW - timedelta(hours=hours)
    return Known(request_id, source, asked, asked, True, "", status, node, "c/1", money, method, client, asked)


ALL = [
    known("a", "40.25 USD", hours=5),
    known("b", "900 USD", hours=1, client="Ben Ode"),
    known("c", "5 EUR", hours=30, source=Source.OPERATOR, method="SEPA transfer"),
    known("d", "", hours=2, status=None, node=0),
    known("e", "77 USD", hours=3, status="approved", node=2),
]


@pytest.mark.parametrize(
    ("words", "fitting"),
    [
        ("", "cadb"),
        ("all", "caedb"),
        ("approved", "e"),
        ("client ben ode", "b"),
        ("client C/1 over 6", "ab"),
        ("method sepa", "c"),
        ("source operator", "c"),
        ("all node 2", "e"),
        ("in usd", "ab"),
        ("over 40.25", "ab"),
        ("under 40.25", "ca"),
        ("over 6 under 899.99", "a"),
        ("older 2h", "cad"),
        ("older 1d", "c"),
        ("older 1801m", ""),
        ("by amount", "cbad"),
        ("by age", "cadb"),
    ],
)
def test_words_choose(words: str, fitting: str) -> None:
    assert "".join(one.request_id for one in parse(words.split()).of(ALL, NOW)) == fitting


@pytest.mark.parametrize(
    "words",
    [
        "",
        "all",
        "client Ben Ode over 6 older 2h by amount",
        "approved node 2 in USD under 5.50",
        "older 90m",
        "older 1d",
    ],
)
def test_a_selection_says_itself_in_the_same_words(words: str) -> None:
    chosen = parse(words.split())
    assert parse(chosen.words().split()) == chosen


@pytest.mark.parametrize(
    "words",
    [
        "soon",
        "over",
        "over 1,000",
        "over -1",
        "over 1e3",
        "under ١",
        "older 2",
        "older 2w",
        "node x",
        "in $",
        "by name",
    ],
)
def test_what_is_no_filter_is_refused_with_an_example(words: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(words.split())
    assert refused.value.example.startswith("/withdrawals ")


def test_an_order_or_a_state_alone_narrows_nothing() -> None:
    assert not Selection().narrows
    assert not parse(["all", "by", "amount"]).narrows
    assert parse(["all", "node", "2"]).narrows

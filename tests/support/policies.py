"""Cases, people and policies in few words."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from bot.access.model import Person, Role
from bot.approvals.policy.model import Act, Case, Policy
from bot.approvals.policy.reading import read
from bot.money import Currency, Money
from bot.providers.records import Environment

MONDAY_NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def somebody(number: int, *circles: str) -> Person:
    """A person who stands in these circles."""
    kinds = [circle.split("/") for circle in circles]
    return Person(
        number,
        f"Person {number}",
        frozenset(Role(name) for kind, name in kinds if kind == "role"),
        frozenset({1000 + number}),
        frozenset(name for kind, name in kinds if kind == "group"),
    )


OLGA = somebody(1, "role/operator")
TRANSFER = Case(
    act=Act.TRANSFER,
    provider="cryptocapital",
    environment=Environment.LIVE,
    connection="cryptocapital/main",
    source="1000001",
    beneficiary="Acme",
    amount=Money(Decimal("250.00"), Currency("USD")),
    at=MONDAY_NOON,
    requester=OLGA,
)
"""250 USD from Crypto Capital to Acme, on a Monday at noon in London, asked for by an operator."""


def money(text: str) -> Money:
    """`1000.00 USD`."""
    amount, _, code = text.partition(" ")
    return Money(Decimal(amount), Currency(code))


def costing(text: str, case: Case = TRANSFER) -> Case:
    """The same with another amount."""
    return replace(case, amount=money(text))


def at(text: str, case: Case = TRANSFER) -> Case:
    """The same at another time, written as `2026-03-02 23:30` in UTC."""
    return replace(case, at=datetime.fromisoformat(text).replace(tzinfo=UTC))


def ruled(*rules: str, more: str = "") -> Policy:
    """A policy with rules as they are written in a document; each gets a name (`rule 1`, …) unless it says one."""
    blocks = []
    for number, rule in enumerate(rules, 1):
        name = "" if rule.lstrip().startswith("name") else f'name = "rule {number}"\n'
        blocks.append(f"[[rules]]\n{name}{rule}\n")
    return read(more + "\n" + "\n".join(blocks))

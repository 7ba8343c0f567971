"""What there is, and what it comes to.

Totals never mix currencies, demo money with real, or clients' money with the desk's.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from bot.access.model import Person
from bot.clock import Clock
from bot.money import Currency, Money
from bot.operations.connections import Connections
from bot.operations.sheets import Answer, Sheet, Sheets
from bot.providers.base import Provider
from bot.providers.markets import ReckonsNights
from bot.providers.records import Balance, Environment, Position, Reading

ANSWER_SECONDS = 20.0


class Balances:
    """Balances and positions over the connections a person may see."""

    def __init__(self, connections: Connections, clock: Clock) -> None:
        self._sheets = Sheets(connections, clock, seconds=ANSWER_SECONDS)

    async def balances(self, person: Person, word: str | None = None) -> Sheet[Balance]:
        """Of the connections called `word`, or of all. `NotFoundError` when there is none of that name."""
        return await self._sheets.ask(await self._sheets.whom(person, word), lambda provider: provider.balances())

    async def positions(self, person: Person, word: str | None = None) -> Sheet[Position]:
        """The same for what is open."""
        return await self._sheets.ask(await self._sheets.whom(person, word), _with_nights)


async def _with_nights(provider: Provider) -> Reading[Position]:
    reading = await provider.positions()
    return await provider.with_nights(reading) if isinstance(provider, ReckonsNights) and reading.items else reading


class Holding(StrEnum):
    """Whose money, and whether it is real: sums never cross these lines."""

    OWN_LIVE = "own, live"
    CLIENTS_LIVE = "clients, live"
    OWN_DEMO = "own, demo"
    CLIENTS_DEMO = "clients, demo"


def holding_of(balance: Balance) -> Holding:
    """A balance with an owner is a client's: the desk looks after it, it is not the desk's."""
    demo = balance.environment is Environment.DEMO
    if balance.owner:
        return Holding.CLIENTS_DEMO if demo else Holding.CLIENTS_LIVE
    return Holding.OWN_DEMO if demo else Holding.OWN_LIVE


def totals(answers: Sequence[Answer[Balance]]) -> dict[Holding, list[Money]]:
    """Sums per currency in the order of their codes, within each kind of holding.

    An account that several connections show counts once, by provider and account number.
    """
    sums: dict[tuple[Holding, Currency], Money] = {}
    for balance in _each_once(answers):
        key = (holding_of(balance), balance.amount.currency)
        sums[key] = sums[key] + balance.amount if key in sums else balance.amount
    result: dict[Holding, list[Money]] = {}
    order = list(Holding)
    for (holding, _), money in sorted(sums.items(), key=lambda pair: (order.index(pair[0][0]), pair[0][1].code)):
        result.setdefault(holding, []).append(money)
    return result


def counted_once(answers: Sequence[Answer[Balance]]) -> list[tuple[str, str]]:
    """Pairs of connections (the later, the earlier) that show the same account."""
    first: dict[tuple[str, str], str] = {}
    pairs: dict[tuple[str, str], None] = {}
    for answer in answers:
        name = answer.connection.name
        for balance in answer.reading.items if answer.reading else ():
            earlier = first.setdefault((answer.connection.provider, balance.account), name)
            if earlier != name:
                pairs[name, earlier] = None
    return list(pairs)


def _each_once(answers: Sequence[Answer[Balance]]) -> Iterator[Balance]:
    first: dict[tuple[str, str], str] = {}
    for answer in answers:
        for balance in answer.reading.items if answer.reading else ():
            if first.setdefault((answer.connection.provider, balance.account), answer.connection.name) == (
                answer.connection.name
            ):
                yield balance

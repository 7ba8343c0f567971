"""All cases there can be, cut into the parts within which no rule can tell two of them apart. Pure.

Conditions are finite sets and intervals, so every part has a representative that can be written down: the names that
are mentioned and one that is not, an amount of each band, each hour at which something begins. A part is the set of the
rules that hold in it, as bits; parts of the several dimensions are intersected, and equal ones are one. That keeps the
number of parts small where the number of combinations is not, and loses none.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from itertools import product
from typing import TypeVar

from bot.approvals.model import Circle
from bot.approvals.policy.judging import holds_amount, holds_time
from bot.approvals.policy.model import Act, Scope
from bot.approvals.policy.signers import with_approver
from bot.errors import ConflictError
from bot.money import Currency, Money
from bot.providers.records import Environment

MOST_STEPS = 200_000
"""Beyond so many intersections nobody waits for the answer."""
ELSE = "\0"
"""Stands for any name that no rule mentions: none can mention this one."""
_OTHER_CURRENCY = Currency("OTHER0CURRENCY")


class TooManyPartsError(ConflictError):
    """The conditions are too entangled to be compared."""

    def __init__(self) -> None:
        super().__init__("too many different conditions to compare them all")


@dataclass(frozen=True, slots=True)
class Part:
    """Cases that all rules treat alike, by one of them. `ELSE` where a name is one that nothing mentions."""

    act: Act
    environment: Environment
    provider: str
    connection: str
    source: str
    beneficiary: str
    amount: Money | None
    weekday: int
    minute: int
    circles: frozenset[Circle]


Bits = int
"""One for each scope, the first lowest."""
Value = TypeVar("Value")
Further = TypeVar("Further")


def parts(scopes: Sequence[Scope]) -> list[tuple[Bits, Part]]:
    """Each set of scopes that hold together somewhere, with a case in which they do.

    Hours and weekdays are taken to be of one zone. `TooManyPartsError`.
    """
    acts = _merged((act, _bits(_among(act, scope.acts) for scope in scopes)) for act in Act)
    sides = _merged((one, _bits(_among(one, scope.environments) for scope in scopes)) for one in Environment)
    found = _crossed(acts, sides)
    where = _crossed(found, _merged(_places(scopes)))
    whence = _crossed(where, _merged(_named([scope.sources for scope in scopes])))
    whither = _crossed(whence, _merged(_named([scope.beneficiaries for scope in scopes])))
    what = _crossed(whither, _merged(_amounts(scopes)))
    when = _crossed(what, _merged(_times(scopes)))
    whose = _crossed(when, _circles(scopes))
    return [(bits, _part(*values)) for bits, values in whose.items()]


_Where = tuple[tuple[tuple[tuple[Act, Environment], tuple[str, str]], str], str]


def _part(rest: tuple[tuple[_Where, Money | None], tuple[int, int]], circles: frozenset[str]) -> Part:
    (where, amount), (weekday, minute) = rest
    (((act, environment), (provider, connection)), source), beneficiary = where
    return Part(act, environment, provider, connection, source, beneficiary, amount, weekday, minute, circles)


def _crossed(known: Mapping[Bits, Value], dimension: Mapping[Bits, Further]) -> dict[Bits, tuple[Value, Further]]:
    """What holds together when one more dimension is looked at."""
    if len(known) * len(dimension) > MOST_STEPS:
        raise TooManyPartsError
    crossed: dict[Bits, tuple[Value, Further]] = {}
    for (bits, values), (here, value) in product(known.items(), dimension.items()):
        crossed.setdefault(bits & here, (values, value))
    return crossed


def _among(value: str, wanted: frozenset[str]) -> bool:
    return not wanted or value in wanted


def _bits(holds: Iterable[bool]) -> Bits:
    return sum(1 << number for number, held in enumerate(holds) if held)


def _merged(values: Iterable[tuple[Value, Bits]]) -> dict[Bits, Value]:
    """The first value for each set of scopes that hold there."""
    merged: dict[Bits, Value] = {}
    for value, bits in values:
        merged.setdefault(bits, value)
    return merged


def _named(wanted: Sequence[frozenset[str]]) -> Iterator[tuple[str, Bits]]:
    for name in (*sorted(frozenset[str]().union(*wanted)), ELSE):
        yield name, _bits(_among(name, one) for one in wanted)


def _places(scopes: Sequence[Scope]) -> Iterator[tuple[tuple[str, str], Bits]]:
    """Provider and connection: the first is in the name of the second."""
    connections = sorted(frozenset[str]().union(*(scope.connections for scope in scopes)))
    providers = sorted(frozenset[str]().union(*(scope.providers for scope in scopes)))
    places = [(one.partition("/")[0], one) for one in connections]
    places += [(one, f"{one}/{ELSE}") for one in sorted({*providers, ELSE, *(provider for provider, _ in places)})]
    for provider, connection in places:
        yield (
            (provider, connection),
            _bits(_among(provider, scope.providers) and _among(connection, scope.connections) for scope in scopes),
        )


def _amounts(scopes: Sequence[Scope]) -> Iterator[tuple[Money | None, Bits]]:
    """No amount, and in each currency one of each band: bands are closed below, so an edge stands for what follows."""
    edges: dict[str, set[Decimal]] = {}
    for scope in scopes:
        for code in scope.currencies:
            ends = {edge for edge in (scope.at_least, scope.below) if edge}
            edges.setdefault(code, set()).update(ends)
    amounts = [amount for code in sorted(edges) for amount in _banded(Currency(code), sorted(edges[code]))]
    for amount in (*amounts, Money(Decimal(0), _OTHER_CURRENCY), None):
        yield amount, _bits(holds_amount(scope, amount) for scope in scopes)


def _banded(currency: Currency, edges: Sequence[Decimal]) -> Iterator[Money]:
    """Something below the first edge, and each edge."""
    unit = Decimal(1).scaleb(-currency.digits)
    yield Money((edges[0] / 2).quantize(unit, ROUND_DOWN) if edges else Decimal(100).quantize(unit), currency)
    for edge in edges:
        yield Money(edge, currency)


def _times(scopes: Sequence[Scope]) -> Iterator[tuple[tuple[int, int], Bits]]:
    edges = {edge for scope in scopes if scope.hours for edge in (scope.hours.start, scope.hours.until % (24 * 60))}
    for time in product(range(7), sorted({0, *edges})):
        yield time, _bits(holds_time(scope, *time) for scope in scopes)


def _circles(scopes: Sequence[Scope]) -> dict[Bits, frozenset[Circle]]:
    """Whoever asks stands in any set of the circles that are mentioned; who stands in a group is an approver."""
    found: dict[Bits, frozenset[Circle]] = {_bits(not scope.requesters for scope in scopes): frozenset()}
    steps = 0
    for circle in sorted(frozenset[Circle]().union(*(scope.requesters for scope in scopes))):
        stands_in = with_approver(circle)
        bits = _bits(not stands_in.isdisjoint(scope.requesters) for scope in scopes)
        steps += len(found)
        if steps > MOST_STEPS:
            raise TooManyPartsError
        for known, circles in list(found.items()):
            found.setdefault(known | bits, circles | stands_in)
    return found

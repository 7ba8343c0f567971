"""Who could still sign a request, in words. Pure."""

from collections.abc import Iterable, Sequence

from bot.access.model import Person
from bot.approvals.model import Circle, Rule, circles_of
from bot.approvals.policy.sentences import either


def helping(rule: Rule, signed: Sequence[Person], able: Iterable[Person]) -> list[Person]:
    """Of those who are able, whoever would bring it nearer: by filling an empty seat, or by letting others move."""
    missing = len(rule.missing(signed))
    return [person for person in able if len(rule.missing([*signed, person])) < missing]


def needed_in_words(rule: Rule, signed: Sequence[Person], able: Sequence[Person]) -> str:
    """`2 needed: Anna or Ben (approver), Cleo (group risk)`, `2 needed: Anna and Ben (approver)`, `2 needed: 2 of Anna,
    Ben or Cleo (approver)`; nothing when no seat is empty."""
    missing = rule.missing(signed)
    if not missing:
        return ""
    named: dict[Circle, list[Person]] = {circle: [] for circle in missing}
    seats = (*missing, *(seat.circle for seat in rule.seats))
    for person in helping(rule, signed, able):
        stands = circles_of(person)
        named.setdefault(next(circle for circle in seats if circle in stands), []).append(person)
    needed = _indispensable(rule, signed, able)
    parts = [
        f"{_so_many(people, missing.count(circle), needed)} ({_called(circle)})"
        for circle, people in named.items()
        if people
    ]
    parts += [f"nobody just now ({_called(circle)})" for circle in dict.fromkeys(rule.missing([*signed, *able]))]
    return f"{len(missing)} needed: {(' or ' if len(missing) == 1 else ', ').join(parts)}"


def _indispensable(rule: Rule, signed: Sequence[Person], able: Sequence[Person]) -> frozenset[int]:
    """Those of whom nobody can take the place (our ids)."""
    left = len(rule.missing([*signed, *able]))
    return frozenset(
        person.id
        for person in able
        if len(rule.missing([*signed, *(other for other in able if other.id != person.id)])) > left
    )


def _so_many(people: Sequence[Person], seats: int, needed: frozenset[int]) -> str:
    """`Anna and Ben` where it takes each of them, `2 of Anna, Ben or Cleo`, or `Anna or Ben`."""
    names = [person.name for person in people]
    if needed.issuperset(person.id for person in people):
        return either(names, "and")
    return f"{seats} of {either(names)}" if 1 < seats < len(names) else either(names)


def _called(circle: Circle) -> str:
    kind, _, name = circle.partition("/")
    return f"group {name}" if kind == "group" else name

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
    """`2 needed: Anna or Ben (approver), Cleo (group risk)`; nothing when no seat is empty."""
    missing = rule.missing(signed)
    if not missing:
        return ""
    named: dict[Circle, list[str]] = {circle: [] for circle in missing}
    seats = (*missing, *(seat.circle for seat in rule.seats))
    for person in helping(rule, signed, able):
        stands = circles_of(person)
        named.setdefault(next(circle for circle in seats if circle in stands), []).append(person.name)
    parts = [f"{either(names)} ({_called(circle)})" for circle, names in named.items() if names]
    parts += [f"nobody just now ({_called(circle)})" for circle in dict.fromkeys(rule.missing([*signed, *able]))]
    return f"{len(missing)} needed: {(' or ' if len(missing) == 1 else ', ').join(parts)}"


def _called(circle: Circle) -> str:
    kind, _, name = circle.partition("/")
    return f"group {name}" if kind == "group" else name

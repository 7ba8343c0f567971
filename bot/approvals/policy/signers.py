"""Seats held against seats: whose signatures satisfy whom. Pure."""

from collections.abc import Iterable, Sequence

from bot.access.model import Person, Role
from bot.approvals.model import Circle, Rule, Seat


def satisfies(new: Sequence[Seat], old: Sequence[Seat]) -> bool:
    """Whether any people who fill the new seats fill the old ones too.

    More people or more circles never hurt, so only the barest can fail: one person a seat who stands in its circle and,
    with a group, among the approvers.
    """
    chairs = [seat.circle for seat in new for _ in range(seat.count)]
    return not Rule(tuple(old)).missing(_bare(number, circle) for number, circle in enumerate(chairs))


def _bare(number: int, circle: str) -> Person:
    circles = [one.partition("/") for one in with_approver(circle)]
    roles = frozenset(Role(name) for kind, _, name in circles if kind == "role")
    groups = frozenset(name for kind, _, name in circles if kind == "group")
    return Person(number, "", roles, frozenset(), groups)


def joined(all_needs: Iterable[Sequence[Seat]]) -> tuple[Seat, ...]:
    """Seats that satisfy each of these, and none that could be left out."""
    needs = list(all_needs)
    most: dict[str, int] = {}
    for seats in needs:
        for circle in {seat.circle for seat in seats}:
            count = sum(seat.count for seat in seats if seat.circle == circle)
            most[circle] = max(count, most.get(circle, 0))
    # Groups last: somebody in a group is an approver as well, never the other way round.
    circles = sorted(most, key=lambda circle: (circle.startswith("group/"), circle))
    chairs = [Seat(circle) for circle in circles for _ in range(most[circle])]
    for chair in list(chairs):
        fewer = list(chairs)
        fewer.remove(chair)
        if all(satisfies(fewer, seats) for seats in needs):
            chairs = fewer
    return tuple(Seat(circle, chairs.count(Seat(circle))) for circle in circles if Seat(circle) in chairs)


def with_approver(circle: Circle) -> frozenset[Circle]:
    """The circles in which somebody stands for certain who stands in this one."""
    return frozenset({circle, "role/approver"}) if circle.startswith("group/") else frozenset({circle})

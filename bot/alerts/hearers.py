"""Who may hear of a firing: the people, groups and connections there are, as one transaction sees them."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from bot.access.model import Person, Right
from bot.access.records import group_now, people_in, person_in
from bot.alerts.model import Firing, Rule
from bot.store import Tables


class Linked(Protocol):
    """What is asked about a connection."""

    @property
    def name(self) -> str: ...

    def may_read(self, person: Person) -> bool: ...


Find = Callable[[Tables, int], Linked | None]
"""The connection with that number."""


@dataclass(frozen=True, slots=True)
class Hearer:
    """One chat that is told. Without a person it is a group."""

    chat: int
    person: Person | None
    thread: int | None = None
    """The topic of a group."""


class Desk:
    """Who there is, and which connections, as one transaction sees them: asked for once each."""

    def __init__(self, tables: Tables, find: Find, groups: Container[int]) -> None:
        self.tables = tables
        self._groups = groups
        self._find = find
        self._linked: dict[int, Linked | None] = {}
        self._persons: dict[int, Person | None] = {}

    @cached_property
    def people(self) -> Mapping[int, Person]:
        """Everybody, by their ids."""
        return {person.id: person for person in people_in(self.tables)}

    def person(self, number: int) -> Person | None:
        """One of them; the others are not read for it."""
        if number not in self._persons:
            self._persons[number] = person_in(self.tables, number)
        return self._persons[number]

    def linked(self, rule: Rule) -> Linked | None:
        return self.connection(rule.source.connection)

    def connection(self, number: int) -> Linked | None:
        if number and number not in self._linked:
            self._linked[number] = self._find(self.tables, number)
        return self._linked.get(number)

    def may_hear(self, person: Person, rule: Rule, audience: frozenset[int] | None = None) -> bool:
        """What is no connection's is for everybody here, unless it is the business of some."""
        if audience is not None and person.id not in audience:
            return False
        linked = self.linked(rule)
        return not rule.source.connection or (linked is not None and linked.may_read(person))

    def has(self, group: int) -> bool:
        """Whether it is a group of the desk, whatever its id was when the rule was set."""
        return group_now(self.tables, group) in self._groups

    def owner_of(self, chat: int) -> Person | None:
        """Whose private chat it is now."""
        return next((one for one in self.people.values() if chat in one.telegram_ids), None)


def hearers_of(desk: Desk, firing: Firing, owner: Person) -> list[Hearer]:
    """The target, as far as it may hear of it; the owner hears what goes to a group, too.

    Who may not tell others any more, or whose group is none of the desk's any more, is told alone.
    """
    rule, may_tell = firing.rule, owner.may(Right.ALERT)
    person = owner if rule.target.person is None or not may_tell else desk.person(rule.target.person)
    found = []
    if person is not None and desk.may_hear(person, rule, firing.audience):
        found += [Hearer(chat, person) for chat in sorted(person.telegram_ids)]
    if rule.target.chat is not None and may_tell and desk.has(rule.target.chat):
        found.append(Hearer(rule.target.chat, None, rule.target.thread))
    return found

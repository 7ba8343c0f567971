"""People, roles and rights, as plain records. Opens nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a person is at this desk; one may hold several, nobody holds one by default."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Right(StrEnum):
    """What a door may ask for. The value finishes the sentence "this needs the right to …"."""

    TALK = "talk to this bot"
    READ = "read balances and positions"
    LINK = "link provider logins"
    INVITE = "invite people"


RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.TALK, Right.READ}),
    Role.OPERATOR: frozenset({Right.TALK, Right.READ, Right.LINK}),
    Role.APPROVER: frozenset({Right.TALK, Right.READ}),
    Role.AUDITOR: frozenset({Right.TALK, Right.READ}),
    Role.ADMIN: frozenset({Right.TALK, Right.READ, Right.LINK, Right.INVITE}),
}


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the desk. `id` is ours; Telegram's numeric ids belong to it, never a username."""

    id: int
    name: str
    roles: frozenset[Role]
    telegram_ids: frozenset[int]

    def may(self, right: Right) -> bool:
        """Whether any of their roles gives `right`."""
        return any(right in RIGHTS[role] for role in self.roles)


@dataclass(frozen=True, slots=True)
class Invite:
    """An outstanding invitation, known only by the hash of its code."""

    code_hash: str
    role: Role
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Roster:
    """Everybody who counts right now: what the gate asks, without touching the disk."""

    by_telegram_id: Mapping[int, Person]
    groups: frozenset[int]
    invites: Mapping[str, Invite]

    def person(self, telegram_id: int) -> Person | None:
        """The active person with that Telegram id."""
        return self.by_telegram_id.get(telegram_id)

    @property
    def admins(self) -> tuple[Person, ...]:
        """Everybody with the admin role, once each."""
        people = {person.id: person for person in self.by_telegram_id.values() if Role.ADMIN in person.roles}
        return tuple(people.values())

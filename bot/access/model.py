"""People, roles and rights, as plain records. Opens nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a person is at this desk; one may hold several, nobody holds one by default."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMIN = "admin"

    @property
    def needs_second_admin(self) -> bool:
        """Whether one admin alone cannot hand it on."""
        return self in (Role.APPROVER, Role.ADMIN)


class Right(StrEnum):
    """One kind of act; each door asks for one. The value finishes the sentence "this needs the right to …"."""

    ENTER = "come in"
    """Everybody's whom the gate lets through, a person without a role and an invited one among them."""
    TALK = "talk to this bot"
    READ = "read balances and positions"
    ALERT = "set alerts for others"
    """One's own takes no more than reading."""
    ASK = "ask for money movements"
    LINK = "link provider logins"
    DECIDE = "decide on requests"
    FREEZE = "freeze the desk"
    SETTLE = "say what became of a request"
    READ_AUDIT = "read the audit log"
    SEE_PEOPLE = "see who is at the desk"
    INVITE = "invite people"
    PEOPLE = "change roles and suspend people"
    POLICY = "change the policy"


_EVERYBODY = frozenset({Right.TALK, Right.READ})
RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: _EVERYBODY,
    Role.OPERATOR: _EVERYBODY | {Right.ALERT, Right.ASK, Right.LINK, Right.FREEZE, Right.SETTLE},
    Role.APPROVER: _EVERYBODY | {Right.DECIDE, Right.FREEZE, Right.SETTLE},
    Role.AUDITOR: _EVERYBODY | {Right.READ_AUDIT, Right.SEE_PEOPLE},
    Role.ADMIN: _EVERYBODY
    | {
        Right.LINK,
        Right.DECIDE,
        Right.FREEZE,
        Right.SETTLE,
        Right.SEE_PEOPLE,
        Right.INVITE,
        Right.PEOPLE,
        Right.POLICY,
    },
}


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the desk. `id` is ours; Telegram's numeric ids belong to it, never a username."""

    id: int
    name: str
    roles: frozenset[Role]
    telegram_ids: frozenset[int]
    groups: frozenset[str] = frozenset()
    """The approver groups they sit in: none unless they are an approver."""

    def may(self, right: Right) -> bool:
        """Whether any of their roles gives `right`."""
        return right is Right.ENTER or any(right in RIGHTS[role] for role in self.roles)


@dataclass(frozen=True, slots=True)
class Profile:
    """A person, active or suspended, with what only those hear who look after people."""

    person: Person
    suspended: bool
    since: datetime
    via: Mapping[Role, int]
    """The chat that gave a role, for those a chat gave: who leaves it loses them."""


@dataclass(frozen=True, slots=True)
class Invite:
    """An outstanding invitation, known only by the hash of its code."""

    code_hash: str
    role: Role
    group: str | None
    via_chat: int | None
    created_by: int
    expires_at: datetime
    opened_by: int | None = None
    """The Telegram id that opened it last and was asked for a name."""
    offered_name: str = ""
    """The name that one was offered; empty when none would do."""


@dataclass(frozen=True, slots=True)
class AccountLink:
    """An outstanding link by which one more Telegram account becomes a person's, known only by its code's hash."""

    code_hash: str
    person_id: int
    created_by: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Roster:
    """Everybody who counts right now: what the gate asks, without touching the disk."""

    by_telegram_id: Mapping[int, Person]
    groups: frozenset[int]
    invites: Mapping[str, Invite]
    suspended: Mapping[int, Person] = field(default_factory=dict)
    """People who are suspended, by Telegram id: strangers to the gate, but their leaving a group still counts."""
    links: Mapping[str, AccountLink] = field(default_factory=dict)

    def person(self, telegram_id: int) -> Person | None:
        """The active person with that Telegram id."""
        return self.by_telegram_id.get(telegram_id)

    def joining(self, telegram_id: int) -> Invite | None:
        """The invitation this stranger has opened and not used yet; it may have expired since."""
        return next((one for one in self.invites.values() if one.opened_by == telegram_id), None)

    @property
    def people(self) -> tuple[Person, ...]:
        """Everybody, once each."""
        return tuple({person.id: person for person in self.by_telegram_id.values()}.values())

    @property
    def admins(self) -> tuple[Person, ...]:
        """Everybody with the admin role."""
        return tuple(person for person in self.people if Role.ADMIN in person.roles)

"""One linked login, and who may do what with it. Its row, too.

Its owner may do everything. Others see it when it is shared with them, and act through it when that was said as well:
nobody acts without the owner's delegation.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from bot.access.model import Person, Role
from bot.errors import NotAllowedError, NotFoundError
from bot.providers.base import Spec
from bot.providers.records import Environment, Findings, Power
from bot.providers.registry import PROVIDERS, provider_named
from bot.store import Tables
from bot.store.columns import at, moment
from bot.vault.service import Subject

_SELECT = (
    "SELECT connections.id, owner, provider, label, environment, persons.state = 'active', powers, untold, found,"
    " connections.created_at, tested_at, used_at, changed_at, leaked_at"
    " FROM connections JOIN persons ON persons.id = owner"
)


class Scope(StrEnum):
    """What a connection is shared for; who may act may read, too."""

    READ = "read"
    ACT = "act"


@dataclass(frozen=True, slots=True)
class Share:
    """Somebody with whom a connection is shared: everybody in a role, or one person by our own id."""

    party: Role | int
    scope: Scope = Scope.READ

    def covers(self, person: Person) -> bool:
        return self.party in person.roles if isinstance(self.party, Role) else self.party == person.id


@dataclass(frozen=True, slots=True)
class Connection:
    """One linked login."""

    id: int
    owner: int
    provider: str
    label: str
    environment: Environment
    created_at: datetime
    shares: frozenset[Share] = frozenset()
    powers: frozenset[Power] = frozenset()
    """What it can do, as it was found out last; empty when nobody has looked since this is kept."""
    untold: frozenset[Power] = frozenset()
    found: str = ""
    tested_at: datetime | None = None
    used_at: datetime | None = None
    """When somebody last asked it something; None for never."""
    changed_at: datetime | None = None
    """When its credential was last replaced; None for never."""
    leaked_at: datetime | None = None
    """Since when its credential counts as copied by somebody, and must be made anew at the provider; replacing it here
    says that it was."""
    owner_active: bool = True
    """Nothing is read or done through it while its owner is suspended."""

    @property
    def spec(self) -> Spec:
        return provider_named(self.provider)

    @property
    def name(self) -> str:
        """How a person addresses it without doubt, e.g. `capital/main`."""
        return f"{self.provider}/{self.label}"

    @property
    def secret_since(self) -> datetime:
        """Since when its credential is the one it is."""
        return self.changed_at or self.created_at

    @property
    def subject(self) -> Subject:
        """Under which name its fields are sealed."""
        return Subject(f"connection/{self.id}", self.owner, self.provider, self.label, self.environment.value)

    def may_read(self, person: Person) -> bool:
        """Its owner, whoever it is shared with, for whatever, and an auditor: they read everything."""
        return (
            person.id == self.owner
            or Role.AUDITOR in person.roles
            or any(share.covers(person) for share in self.shares)
        )

    def may_act(self, person: Person) -> bool:
        """Its owner, and whoever they let act through it. What the person's roles allow is another question."""
        return person.id == self.owner or any(
            share.scope is Scope.ACT and share.covers(person) for share in self.shares
        )

    def may_manage(self, person: Person) -> bool:
        """Whether this person may take it away, from all or from some: its owner may, and an admin."""
        return person.id == self.owner or Role.ADMIN in person.roles

    def check_manage(self, person: Person, doing: str) -> None:
        """`NotAllowedError` unless they may; `doing` as in "unlink"."""
        if not self.may_manage(person):
            raise NotAllowedError(f"{doing} a connection of somebody else")

    def check_own(self, person: Person, doing: str) -> None:
        """`NotAllowedError` unless it is theirs: an admin's word is not enough."""
        if person.id != self.owner:
            raise NotAllowedError(f"{doing} a connection of somebody else")


def read_all(tables: Tables) -> list[Connection]:
    """Every connection of a provider we know, by provider and label."""
    return _read(tables, "1 = 1 ORDER BY provider, label", "1 = 1")


def read_one(tables: Tables, number: int) -> Connection:
    """`NotFoundError` when it is gone."""
    found = find_one(tables, number)
    if found is None:
        raise NotFoundError("connection", str(number))
    return found


def find_one(tables: Tables, number: int) -> Connection | None:
    """None when it is gone."""
    return next(iter(_read(tables, "connections.id = ?", "connection_id = ?", number)), None)


def _read(tables: Tables, which: str, whose: str, *values: int) -> list[Connection]:
    """Args:
    which, whose: A condition on connections, and the same one on their shares.
    """
    shares: dict[int, set[Share]] = {}
    found = tables.conn.execute(f"SELECT connection_id, party, scope FROM shares WHERE {whose}", values)  # noqa: S608
    for number, party, scope in found:
        shares.setdefault(number, set()).add(Share(party_from(party), Scope(scope)))
    rows = tables.conn.execute(f"{_SELECT} WHERE {which}", values)
    return list(_connections(rows, shares))


def note_findings(tables: Tables, number: int, findings: Findings, now: datetime) -> None:
    """What a look at it found."""
    tables.conn.execute(
        "UPDATE connections SET powers = ?, untold = ?, found = ?, tested_at = ? WHERE id = ?",
        (_powers_column(findings.powers), _powers_column(findings.untold), findings.summary, at(now), number),
    )


def party_column(party: Role | int) -> str:
    """`role/viewer`, `person/7`."""
    return f"role/{party.value}" if isinstance(party, Role) else f"person/{party}"


def party_from(column: str) -> Role | int:
    kind, _, which = column.partition("/")
    return Role(which) if kind == "role" else int(which)


def _powers_column(powers: Iterable[Power]) -> str:
    return ", ".join(sorted(powers))


@lru_cache(maxsize=256)  # few differ, and each is read with every look at its connection
def _powers_from(column: str) -> frozenset[Power]:
    return frozenset(Power(word) for word in column.split(", ") if word)


def _connections(rows: Iterable[tuple[Any, ...]], shares: Mapping[int, set[Share]]) -> Iterable[Connection]:
    for number, owner, provider, label, environment, active, powers, untold, found, created_at, *moments in rows:
        if provider in PROVIDERS:
            tested_at, used_at, changed_at, leaked_at = (None if one is None else moment(one) for one in moments)
            yield Connection(
                number,
                owner,
                provider,
                label,
                Environment(environment),
                moment(created_at),
                frozenset(shares.get(number, ())),
                _powers_from(powers),
                _powers_from(untold),
                found,
                tested_at,
                used_at,
                changed_at,
                leaked_at,
                bool(active),
            )

"""Linked provider logins: linking, sharing, unlinking, and the one open session of each.

A credential is tried before it is kept. What is kept is sealed under its owner's key, in the transaction that writes
the connection, its audit row and the notice to the admins.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.access.model import Person, Right, Role, Roster
from bot.audit.service import Audit
from bot.clock import Clock
from bot.errors import ConflictError, InputError, NotAllowedError, NotFoundError, ProviderError, UnsupportedError
from bot.messages.outbox import Lane, Notice, Outbox
from bot.ports import Deed
from bot.providers.base import Lend, Login, LoginField, Provider, Spec, Surroundings
from bot.providers.records import Environment
from bot.providers.registry import PROVIDERS, provider_named
from bot.secret import Secret
from bot.store import Database, Tables
from bot.store.columns import at, moment
from bot.vault.service import Subject, Vault

LABEL = re.compile(r"[a-z0-9][a-z0-9_-]{0,23}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Connection:
    """One linked login."""

    id: int
    owner: int
    provider: str
    label: str
    environment: Environment
    created_at: datetime
    shared_with: frozenset[Role]

    @property
    def spec(self) -> Spec:
        return provider_named(self.provider)

    @property
    def name(self) -> str:
        """How a person addresses it without doubt, e.g. `capital/main`."""
        return f"{self.provider}/{self.label}"

    def visible_to(self, person: Person) -> bool:
        """Its owner, and whoever holds a role it is shared with."""
        return person.id == self.owner or bool(self.shared_with & person.roles)

    def unlinked_by(self, person: Person) -> bool:
        """Whether this person may unlink it: its owner may, and an admin."""
        return person.id == self.owner or Role.ADMIN in person.roles

    def check_unlink(self, person: Person) -> None:
        """`NotAllowedError` unless they may."""
        if not self.unlinked_by(person):
            raise NotAllowedError("unlink a connection of somebody else")

    @property
    def subject(self) -> Subject:
        """Under which name its fields are sealed."""
        return Subject(f"connection/{self.id}", self.owner, self.provider, self.label, self.environment.value)


@dataclass(slots=True)
class Health:
    """How talking to one connection went lately."""

    good_at: datetime | None = None
    bad_at: datetime | None = None
    trouble: ProviderError | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A login somebody wants to link."""

    provider: str
    label: str
    environment: Environment
    fields: Mapping[str, Secret]
    share: frozenset[Role] = frozenset()


class Connections:
    """All linked logins of the desk."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: Audit,
        outbox: Outbox,
        clock: Clock,
        settings: Mapping[str, Any],
    ) -> None:
        self._database = database
        self._vault = vault
        self._audit = audit
        self._outbox = outbox
        self._clock = clock
        self._settings = settings
        self._sessions: dict[int, Provider] = {}
        self.health: dict[int, Health] = {}

    async def everything(self) -> list[Connection]:
        """Every connection, by provider and label."""
        return await self._database.read(_read_all)

    async def visible_to(self, person: Person) -> list[Connection]:
        """What this person may see."""
        return [connection for connection in await self.everything() if connection.visible_to(person)]

    async def named(self, person: Person, word: str) -> list[Connection]:
        """Those this person may see under a label, a provider or `provider/label`.

        Raises:
            NotFoundError: None; `known` lists what there is.
        """
        visible = await self.visible_to(person)
        wanted = word.lower()
        found = [one for one in visible if wanted in (one.label, one.provider, one.name)]
        if not found:
            raise NotFoundError("connection", word, tuple(one.name for one in visible))
        return found

    async def try_out(self, wanted: Wanted) -> str:
        """Log in with a credential nobody has kept yet; say what was found. Leaves nothing behind."""
        check_fields(provider_named(wanted.provider), wanted.fields)
        provider = self._build(wanted.provider, wanted.environment, _lend_once(wanted.fields))
        try:
            return await provider.check()
        finally:
            await provider.close()

    async def check_free(self, provider: str, label: str) -> None:
        """`ConflictError` when that provider has a connection with this label."""
        if any(one.name == f"{provider}/{label}" for one in await self.everything()):
            raise ConflictError(f"there is a connection {provider}/{label} already")

    async def link(
        self, by: Person, wanted: Wanted, roster: Roster, *, telegram_id: int | None
    ) -> tuple[Connection, str]:
        """Try the credential, then keep it; `by` becomes its owner.

        Args:
            telegram_id: With which id the owner asked; None when it was done at the host's terminal in their name.
        Raises:
            NotAllowedError, InputError: Before anything is asked.
            ConflictError: That provider has a connection with this label.
            ProviderError: The credential was not accepted, or could not be tried; nothing was kept.
        """
        if not by.may(Right.LINK):
            raise NotAllowedError(Right.LINK)
        check_label(wanted.label)
        await self.check_free(wanted.provider, wanted.label)
        found = await self.try_out(wanted)

        def change(tables: Tables) -> int:
            number = self._insert(tables, by, wanted)
            connection = _read_one(tables, number)
            self._vault.keeping(connection.subject, wanted.fields)(tables)
            self._audit.record(tables, _deed("connection.linked", connection, by, telegram_id))
            self._tell_admins(tables, roster, by, telegram_id, f"linked {connection.name} ({connection.environment})")
            return number

        number = await self._database.write(change)
        return await self._database.read(lambda tables: _read_one(tables, number)), found

    async def unlink(self, by: Person, connection: Connection, roster: Roster, *, telegram_id: int | None) -> None:
        """Erase a connection and its sealed fields, and end its session. For its owner, for admins, and for the host.

        `telegram_id` as for `link`.
        """
        connection.check_unlink(by)

        def change(tables: Tables) -> None:
            if not tables.conn.execute("DELETE FROM connections WHERE id = ?", (connection.id,)).rowcount:
                raise ConflictError("it is gone already")
            self._vault.erasing(connection.subject.name)(tables)
            self._audit.record(tables, _deed("connection.unlinked", connection, by, telegram_id))
            self._tell_admins(tables, roster, by, telegram_id, f"unlinked {connection.name}")

        await self._database.write(change)
        self.health.pop(connection.id, None)
        session = self._sessions.pop(connection.id, None)
        if session is not None:
            await session.close()

    @asynccontextmanager
    async def session(self, connection: Connection) -> AsyncIterator[Provider]:
        """The open session of a connection; how it went is noted for /status."""
        provider = self._sessions.get(connection.id)
        if provider is None:
            lend = self._vault.lender(connection.subject)
            provider = self._build(connection.provider, connection.environment, lend)
            self._sessions[connection.id] = provider
        health = self.health.setdefault(connection.id, Health())
        try:
            yield provider
        except UnsupportedError:
            raise  # nothing was asked
        except ProviderError as error:
            health.bad_at, health.trouble = self._clock.now(), error
            raise
        health.good_at, health.trouble = self._clock.now(), None

    async def close(self) -> None:
        """Log out everywhere, side by side, within five seconds."""
        sessions, self._sessions = list(self._sessions.values()), {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.gather(*(session.close() for session in sessions))

    def _build(self, provider: str, environment: Environment, lend: Lend) -> Provider:
        spec = provider_named(provider)
        return spec.build(lend, Surroundings(environment, self._settings[provider], self._clock))

    def _insert(self, tables: Tables, by: Person, wanted: Wanted) -> int:
        now = at(self._clock.now())
        cursor = tables.conn.execute(
            "INSERT OR IGNORE INTO connections (owner, provider, label, environment, created_at, tested_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (by.id, wanted.provider, wanted.label, wanted.environment.value, now, now),
        )
        if cursor.rowcount != 1 or cursor.lastrowid is None:
            raise ConflictError(f"there is a connection {wanted.provider}/{wanted.label} already")
        roles = [(cursor.lastrowid, role.value) for role in wanted.share]
        tables.conn.executemany("INSERT INTO shares VALUES (?, ?)", roles)
        return cursor.lastrowid

    def _tell_admins(self, tables: Tables, roster: Roster, by: Person, telegram_id: int | None, what: str) -> None:
        """Every admin but the one who did it; what was done at the terminal, every one."""
        line = f"{by.name} {what}." if telegram_id is not None else f"At the host's terminal, for {by.name}: {what}."
        for admin in roster.admins:
            if admin.id != by.id or telegram_id is None:
                for number in admin.telegram_ids:
                    self._outbox.put(tables, Notice(Lane.SECURITY, number, "Connections changed", (line,)))


def _deed(action: str, connection: Connection, by: Person, telegram_id: int | None) -> Deed:
    """Who really did it: a person in the chat, or whoever sat at the host's terminal (nobody we know)."""
    details: dict[str, str | int] = {"environment": connection.environment.value}
    if telegram_id is None:
        return Deed(action, connection.name, details=details | {"via": "terminal", "for_person": by.id})
    return Deed(action, connection.name, by.id, telegram_id, details)


def check_label(label: str) -> None:
    """`InputError` unless it is a label a person can type without thinking."""
    if not LABEL.fullmatch(label) or label in PROVIDERS:
        raise InputError("a label is one short word of small letters, digits, - or _, and no provider's name", "main")


def check_fields(spec: Spec, fields: Mapping[str, Secret]) -> None:
    """`InputError` unless exactly the SPEC's fields are there and each has the right shape."""
    known = {field.key: field for field in spec.fields}
    if set(fields) != set(known):
        raise InputError(f"{spec.title} needs exactly: {', '.join(known)}", ", ".join(known))
    for key, value in fields.items():
        check_field(known[key], value.reveal())


def check_field(field: LoginField, text: str) -> None:
    """`InputError` unless the text has the field's shape."""
    if not re.fullmatch(field.pattern, text, re.ASCII | re.DOTALL):
        raise InputError(f"that does not look like the {field.title} ({field.hint}); send it again, or /cancel", "")


def _lend_once(fields: Mapping[str, Secret]) -> Lend:
    @asynccontextmanager
    async def lend() -> AsyncIterator[Login]:
        yield fields

    return lend


def _read_all(tables: Tables) -> list[Connection]:
    shares: dict[int, set[Role]] = {}
    for number, role in tables.conn.execute("SELECT connection_id, role FROM shares"):
        shares.setdefault(number, set()).add(Role(role))
    rows = tables.conn.execute(
        "SELECT id, owner, provider, label, environment, created_at FROM connections ORDER BY provider, label"
    )
    return list(_connections(rows, shares))


def _connections(rows: Iterable[tuple[Any, ...]], shares: Mapping[int, set[Role]]) -> Iterable[Connection]:
    for number, owner, provider, label, environment, created_at in rows:
        shared = frozenset(shares.get(number, ()))
        if provider in PROVIDERS:
            yield Connection(number, owner, provider, label, Environment(environment), moment(created_at), shared)


def _read_one(tables: Tables, number: int) -> Connection:
    for connection in _read_all(tables):
        if connection.id == number:
            return connection
    raise NotFoundError("connection", str(number))

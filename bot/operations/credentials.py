"""What becomes of provider logins: linked, given another credential, unlinked.

A credential is tried before it is kept, and what it can do is found out. What is kept is sealed under its owner's key,
in the transaction that writes the connection, its audit row and the notice to the admins.
"""

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from bot.access.model import Person, Right, Role, Roster
from bot.access.service import check_right, people_in
from bot.audit.service import Audit
from bot.clock import Clock
from bot.errors import (
    ConflictError,
    ConnectionLockedError,
    EnvironmentMismatchError,
    NotAllowedError,
    StoreError,
    UnsupportedError,
)
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.connections import Connections
from bot.operations.fields import check_fields, check_label
from bot.operations.linked import Connection, note_findings, party_column, read_one
from bot.ports import Deed
from bot.providers.base import Lend, Login, MadeKey, PublicKey
from bot.providers.records import Environment, Findings, Power
from bot.providers.registry import provider_named
from bot.secret import Secret
from bot.store import Database, Tables
from bot.store.columns import at
from bot.store.journal import empty_journal
from bot.vault.service import Vault

_MOVES_MONEY = frozenset({Power.PAY_OUT, Power.DECIDE})
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A login somebody wants to link."""

    provider: str
    label: str
    environment: Environment
    fields: Mapping[str, Secret]
    share: frozenset[Role] = frozenset()
    """Roles that may read it."""


Still = Callable[[Tables], None]
"""Raises, inside the keeping transaction, when what was asked for is not wanted any more."""


def _always(_: Tables) -> None:
    pass


class Credentials:
    """The verbs by which a connection comes, changes and goes."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: Audit,
        outbox: Outbox,
        connections: Connections,
        clock: Clock,
    ) -> None:
        self._database = database
        self._vault = vault
        self._audit = audit
        self._outbox = outbox
        self._connections = connections
        self._clock = clock

    async def try_out(self, wanted: Wanted) -> Findings:
        """Log in with a credential nobody has kept yet, and find out what it can do. Leaves nothing behind.

        Raises:
            EnvironmentMismatchError: It is a login of the other environment.
        """
        check_fields(provider_named(wanted.provider), wanted.fields)
        provider = self._connections.build(wanted.provider, wanted.environment, _lend_once(wanted.fields))
        try:
            findings = await provider.check()
        finally:
            await provider.close()
        if findings.environment not in (None, wanted.environment):
            found = wanted.environment.other
            raise EnvironmentMismatchError(wanted.provider, "environment", wanted=wanted.environment, found=found)
        return findings

    async def link(
        self, by: Person, wanted: Wanted, roster: Roster, *, telegram_id: int | None, still: Still = _always
    ) -> tuple[Connection, Findings]:
        """Try the credential, then keep it; `by` becomes its owner.

        Args:
            telegram_id: With which id the owner asked; None when it was done at the host's terminal in their name.
        Raises:
            NotAllowedError, InputError: Before anything is asked.
            ConflictError: That provider has a connection with this label.
            ProviderError: The credential was not accepted, or could not be tried; nothing was kept.
        """
        await self._check_wanted(by, wanted)
        findings = await self.try_out(wanted)
        return await self._keep(by, wanted, findings, roster, telegram_id, still), findings

    async def link_new_key(
        self, by: Person, wanted: Wanted, roster: Roster, *, telegram_id: int | None, still: Still = _always
    ) -> tuple[Connection, PublicKey]:
        """Make the key of a login here and keep it at once; `by` becomes its owner. `wanted` has the other fields.

        Nothing is tried: the provider hears of a key when it is registered. Otherwise as `link`.

        Raises:
            UnsupportedError: This provider's logins have no key that could be made here.
        """
        await self._check_wanted(by, wanted)
        spec = provider_named(wanted.provider)
        if spec.make_key is None:
            raise UnsupportedError(spec.name, "key of its own")
        made = spec.make_key()
        whole = replace(wanted, fields={**wanted.fields, **made.fields})
        check_fields(spec, whole.fields)
        found = f"a key made here, fingerprint {made.public.fingerprint}; no account answers to it yet"
        findings = Findings(found, powers=made.powers)
        connection = await self._keep(by, whole, findings, roster, telegram_id, still, made)
        return connection, made.public

    async def _check_wanted(self, by: Person, wanted: Wanted) -> None:
        if not by.may(Right.LINK):
            raise NotAllowedError(Right.LINK)
        check_label(wanted.label)
        await self._connections.check_free(wanted.provider, wanted.label)

    async def _keep(
        self,
        by: Person,
        wanted: Wanted,
        findings: Findings,
        roster: Roster,
        telegram_id: int | None,
        still: Still,
        made: MadeKey | None = None,
    ) -> Connection:
        def change(tables: Tables) -> Connection:
            check_right(tables, by, Right.LINK)  # trying takes its time; much can happen meanwhile
            still(tables)
            number = self._insert(tables, by, wanted)
            note_findings(tables, number, findings, self._clock.now())
            connection = read_one(tables, number)
            self._vault.keeping(connection.subject, wanted.fields)(tables)
            deed = _deed("connection.linked", connection, by, telegram_id)
            if made is not None:
                deed = replace(deed, details={**deed.details, "new_key": made.public.fingerprint})
            self._audit.record(tables, deed)
            with_what = " with a key made here" if made is not None else ""
            what = f"linked {connection.name} ({connection.environment}){with_what}."
            self._tell(tables, roster.admins, by, telegram_id, what)
            self._warn_of_powers(tables, connection, findings, by)
            return connection

        return await self._database.write(change)

    async def replace(
        self,
        by: Person,
        connection: Connection,
        fields: Mapping[str, Secret],
        roster: Roster,
        *,
        telegram_id: int | None,
        still: Still = _always,
    ) -> Findings:
        """Try another credential of the same connection, then keep it instead of the old one. For its owner.

        The old one is erased, and whoever asks next is logged in with the new one. Otherwise as `link`.

        Raises:
            ConnectionLockedError: What is under a passphrase is replaced while it is open.
        """
        connection.check_own(by, "replace the credential of")
        if not by.may(Right.LINK):
            raise NotAllowedError(Right.LINK)
        if self._connections.is_locked(connection):
            raise ConnectionLockedError(connection.name)
        findings = await self.try_out(Wanted(connection.provider, connection.label, connection.environment, fields))

        def change(tables: Tables) -> None:
            check_right(tables, by, Right.LINK)  # trying takes its time; much can happen meanwhile
            still(tables)
            there = tables.conn.execute(
                "UPDATE connections SET changed_at = ?, leaked_at = NULL WHERE id = ?",
                (at(self._clock.now()), connection.id),
            )
            if not there.rowcount:
                raise ConflictError("it is gone already")
            note_findings(tables, connection.id, findings, self._clock.now())
            self._vault.keeping(connection.subject, fields)(tables)
            self._audit.record(tables, _deed("connection.replaced", connection, by, telegram_id))
            self._tell(tables, roster.admins, by, telegram_id, f"gave {connection.name} a new credential.")
            self._warn_of_powers(tables, connection, findings, by)

        await self._database.write(change)
        await self._start_anew(connection)
        return findings

    async def unlink(self, by: Person, connection: Connection, roster: Roster, *, telegram_id: int | None) -> None:
        """Erase a connection and its sealed fields, and end its session. For its owner, for admins, and for the host.

        Its owner is told, too, when somebody else did it. `telegram_id` as for `link`.
        """
        connection.check_manage(by, "unlink")

        def change(tables: Tables) -> None:
            if not tables.conn.execute("DELETE FROM connections WHERE id = ?", (connection.id,)).rowcount:
                raise ConflictError("it is gone already")
            self._vault.erasing(connection.subject.name)(tables)
            self._audit.record(tables, _deed("connection.unlinked", connection, by, telegram_id))
            concerned = [one for one in roster.people if one in roster.admins or one.id == connection.owner]
            what = f"unlinked {connection.name}; its credential is erased."
            self._tell(tables, concerned, by, telegram_id, what, connection.spec.revoke)

        await self._database.write(change)
        await self._start_anew(connection)

    async def _start_anew(self, connection: Connection) -> None:
        """Nothing of the old credential stays: no session, no memory of how it went, no copy in the journal."""
        await self._connections.forget(connection)
        try:
            emptied = await self._database.read(empty_journal)
        except StoreError:
            emptied = False
        if not emptied:
            _log.warning("what was erased stays in the journal for a while", extra={"connection": connection.name})

    def _insert(self, tables: Tables, by: Person, wanted: Wanted) -> int:
        now = at(self._clock.now())
        cursor = tables.conn.execute(
            "INSERT OR IGNORE INTO connections (owner, provider, label, environment, created_at, tested_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (by.id, wanted.provider, wanted.label, wanted.environment.value, now, now),
        )
        if cursor.rowcount != 1 or cursor.lastrowid is None:
            raise ConflictError(f"there is a connection {wanted.provider}/{wanted.label} already")
        roles = [(cursor.lastrowid, party_column(role)) for role in wanted.share]
        tables.conn.executemany("INSERT INTO shares VALUES (?, ?, 'read')", roles)
        return cursor.lastrowid

    def _warn_of_powers(self, tables: Tables, connection: Connection, findings: Findings, by: Person) -> None:
        """A login that can move money out is everybody's business who could stop it; admins hear of each login.

        Nothing is frozen for it: what leaves through it takes the same signatures as through any other, and a desk
        that is frozen whenever somebody links a login learns to thaw without looking.
        """
        if _MOVES_MONEY.isdisjoint(findings.powers):
            return
        line = f"{by.name} linked it, or gave it a new login: {connection.name} ({connection.environment})."
        step = f"Not as it should be? /freeze {connection.provider} stops everything there."
        for person in people_in(tables):
            if person.id == by.id or Role.ADMIN in person.roles or not person.may(Right.FREEZE):
                continue
            for number in person.telegram_ids:
                title = "A login that can move money"
                self._outbox.put(tables, Notice(Lane.SECURITY, number, title, (line,), next_step=step))

    def _tell(
        self, tables: Tables, people: Iterable[Person], by: Person, telegram_id: int | None, what: str, more: str = ""
    ) -> None:
        """Each of them, but not whoever did it in the chat."""
        first = f"{by.name} {what}" if telegram_id is not None else f"At the host's terminal, for {by.name}: {what}"
        lines = (first, more) if more else (first,)
        for person in people:
            if person.id != by.id or telegram_id is None:
                for number in person.telegram_ids:
                    self._outbox.put(tables, Notice(Lane.SECURITY, number, "Connections changed", lines))


def _deed(action: str, connection: Connection, by: Person, telegram_id: int | None) -> Deed:
    """Who really did it: a person in the chat, or whoever sat at the host's terminal (nobody we know)."""
    details: dict[str, str | int] = {"environment": connection.environment.value}
    if telegram_id is None:
        return Deed(action, connection.name, details=details | {"via": "terminal", "for_person": by.id})
    return Deed(action, connection.name, by.id, telegram_id, details)


def _lend_once(fields: Mapping[str, Secret]) -> Lend:
    @asynccontextmanager
    async def lend() -> AsyncIterator[Login]:
        yield fields

    return lend

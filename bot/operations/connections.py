"""Linked provider logins: linking, replacing, unlinking, and the one open session of each.

A credential is tried before it is kept, and what it can do is found out. What is kept is sealed under its owner's key,
in the transaction that writes the connection, its audit row and the notice to the admins.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bot.access.model import Person, Right, Role, Roster
from bot.access.service import check_right, people_in
from bot.audit.service import Audit
from bot.clock import Clock
from bot.errors import (
    ConflictError,
    ConnectionLockedError,
    CountersignError,
    EnvironmentMismatchError,
    NotAllowedError,
    NotFoundError,
    OwnerSuspendedError,
    ProviderError,
    RecordUnreadableError,
    ReplyError,
    SilentError,
    StoreError,
    UnsupportedError,
)
from bot.messages.outbox import Lane, Notice, Outbox
from bot.operations.fields import check_fields, check_label
from bot.operations.linked import Connection, note_findings, party_column, read_all, read_one
from bot.ports import Deed
from bot.providers.base import Lend, Login, MadeKey, Oddity, Provider, PublicKey, Surroundings
from bot.providers.nonces import PROCESS_NONCES, Nonces
from bot.providers.records import Environment, Findings, Power
from bot.providers.registry import provider_named
from bot.secret import Secret
from bot.store import Database, Tables
from bot.store.columns import at
from bot.store.journal import empty_journal
from bot.vault.service import Vault

NOTED_ANEW_AFTER = timedelta(days=1)
"""A look that found nothing new is written down this seldom."""
_MOVES_MONEY = frozenset({Power.PAY_OUT, Power.DECIDE})
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Health:
    """How talking to one connection went lately."""

    good_at: datetime | None = None
    bad_at: datetime | None = None
    trouble: ProviderError | None = None
    oddities: Counter[Oddity] = field(default_factory=Counter)
    """What was met since the start that nobody had asked about."""


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
        nonces: Nonces = PROCESS_NONCES,
    ) -> None:
        self._database = database
        self._vault = vault
        self._audit = audit
        self._outbox = outbox
        self._clock = clock
        self._settings = settings
        self._nonces = nonces
        self._sessions: dict[int, Provider] = {}
        self._used: dict[int, datetime] = {}
        """Uses that are not written yet."""
        self.health: dict[int, Health] = {}

    # which there are

    async def everything(self) -> list[Connection]:
        """Every connection, by provider and label."""
        return [self._as_used(one) for one in await self._database.read(read_all)]

    async def visible_to(self, person: Person) -> list[Connection]:
        """What this person may read."""
        return [connection for connection in await self.everything() if connection.may_read(person)]

    async def manageable_by(self, person: Person) -> list[Connection]:
        """What this person may read, and what they may take away; an admin every one."""
        return [one for one in await self.everything() if one.may_read(person) or one.may_manage(person)]

    async def named(self, person: Person, word: str, *, to_manage: bool = False) -> list[Connection]:
        """Those this person may read (or `to_manage`) under a label, a provider or `provider/label`.

        Raises:
            NotFoundError: None; `known` lists what there is.
        """
        visible = await (self.manageable_by(person) if to_manage else self.visible_to(person))
        wanted = word.lower()
        found = [one for one in visible if wanted in (one.label, one.provider, one.name)]
        if not found:
            raise NotFoundError("connection", word, tuple(one.name for one in visible))
        return found

    async def numbered(self, number: int) -> Connection:
        """One by its id. `NotFoundError` when it is gone."""
        return await self._database.read(lambda tables: read_one(tables, number))

    async def check_free(self, provider: str, label: str) -> None:
        """`ConflictError` when that provider has a connection with this label."""
        if any(one.name == f"{provider}/{label}" for one in await self.everything()):
            raise ConflictError(f"there is a connection {provider}/{label} already")

    def is_locked(self, connection: Connection) -> bool:
        """Whether it waits for its owner's passphrase."""
        return self._vault.is_locked(connection.subject)

    # what becomes of them

    async def try_out(self, wanted: Wanted) -> Findings:
        """Log in with a credential nobody has kept yet, and find out what it can do. Leaves nothing behind.

        Raises:
            EnvironmentMismatchError: It is a login of the other environment.
        """
        check_fields(provider_named(wanted.provider), wanted.fields)
        provider = self._build(wanted.provider, wanted.environment, _lend_once(wanted.fields))
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
        if not by.may(Right.LINK):
            raise NotAllowedError(Right.LINK)
        check_label(wanted.label)
        await self.check_free(wanted.provider, wanted.label)
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
        if not by.may(Right.LINK):
            raise NotAllowedError(Right.LINK)
        check_label(wanted.label)
        await self.check_free(wanted.provider, wanted.label)
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
        if self.is_locked(connection):
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
        self._used.pop(connection.id, None)
        await self._start_anew(connection)

    async def _start_anew(self, connection: Connection) -> None:
        """Nothing of the old credential stays: no session, no memory of how it went, no copy in the journal."""
        self.health.pop(connection.id, None)
        await self.end_session(connection)
        try:
            emptied = await self._database.read(empty_journal)
        except StoreError:
            emptied = False
        if not emptied:
            _log.warning("what was erased stays in the journal for a while", extra={"connection": connection.name})

    # talking to them

    async def end_session(self, connection: Connection) -> None:
        """Log out, if there is a session: the next question logs in anew."""
        session = self._sessions.pop(connection.id, None)
        if session is not None:
            await session.close()

    @asynccontextmanager
    async def session(self, connection: Connection, *, seconds: float | None = None) -> AsyncIterator[Provider]:
        """The open session of a connection, for a block that uses it; how it went is noted for /status.

        Args:
            seconds: How long the block may take; what takes longer is a `SilentError`.
        Raises:
            ConnectionLockedError: It waits for its owner's passphrase; nobody is asked anything.
            OwnerSuspendedError: It rests; likewise.
            RecordUnreadableError: It is gone.
            ProviderError: As the adapter says. Its slip is a `ReplyError`, so that it costs its own line only.
        """
        async with self._talking(connection, seconds) as provider:
            self._used[connection.id] = self._clock.now()
            yield provider

    @asynccontextmanager
    async def standing(self, connection: Connection) -> AsyncIterator[Provider]:
        """The open session, for work that nobody asked for: it counts as no use. Raises as `session`."""
        async with self._talking(connection, None) as provider:
            yield provider

    async def look(self, connection: Connection, *, seconds: float | None = None) -> Findings:
        """Find out anew whether a login works and what it can do; nobody uses it for that. Raises as `session`."""
        async with self._talking(connection, seconds) as provider:
            findings = await provider.check()
        now, tested_at = self._clock.now(), connection.tested_at
        known = (connection.found, connection.powers, connection.untold)
        news = known != (findings.summary, findings.powers, findings.untold)
        if news or tested_at is None or now - tested_at > NOTED_ANEW_AFTER:
            await self._database.write(lambda tables: note_findings(tables, connection.id, findings, now))
        return findings

    @asynccontextmanager
    async def _talking(self, connection: Connection, seconds: float | None) -> AsyncIterator[Provider]:
        if not connection.owner_active:
            raise OwnerSuspendedError(connection.name)
        if self.is_locked(connection):
            raise ConnectionLockedError(connection.name)
        if connection.id not in self._sessions:
            await self._check_still(connection)
        provider = self._sessions.get(connection.id) or self._open(connection)
        with self._noting(connection):
            try:
                async with asyncio.timeout(seconds):
                    yield provider
            except TimeoutError:
                raise SilentError(connection.provider, f"no answer in {seconds or 0:.0f} s") from None

    async def _check_still(self, connection: Connection) -> None:
        """A record may have been read before its owner was suspended, and that ended the session there was.

        Raises:
            OwnerSuspendedError, RecordUnreadableError: It rests by now, or is gone.
        """
        question = "SELECT persons.state FROM connections JOIN persons ON persons.id = owner WHERE connections.id = ?"
        row = await self._database.read(lambda tables: tables.conn.execute(question, (connection.id,)).fetchone())
        if row is None:
            raise RecordUnreadableError(f"{connection.provider} {connection.label}")
        if row[0] != "active":
            raise OwnerSuspendedError(connection.name)

    def _open(self, connection: Connection) -> Provider:
        odd = self.health.setdefault(connection.id, Health()).oddities
        lend = self._vault.lender(connection.subject)
        provider = self._build(connection.provider, connection.environment, lend, lambda oddity: odd.update([oddity]))
        self._sessions[connection.id] = provider
        return provider

    @contextlib.contextmanager
    def _noting(self, connection: Connection) -> Iterator[None]:
        """How the block went, for /status."""
        health = self.health.setdefault(connection.id, Health())
        try:
            yield
        except UnsupportedError:
            raise  # nothing was asked
        except ProviderError as error:
            health.bad_at, health.trouble = self._clock.now(), error
            raise
        except CountersignError:
            raise  # ours, not the adapter's
        except Exception as slip:  # it costs its own line, not the answer of all  # noqa: BLE001
            _log.exception("adapter slipped", extra={"connection": connection.name})
            trouble = ReplyError(connection.provider, type(slip).__name__)
            health.bad_at, health.trouble = self._clock.now(), trouble
            raise trouble from None
        health.good_at, health.trouble = self._clock.now(), None

    def answered(self, connection: Connection) -> None:
        """It gave a sign of life by itself: whatever went wrong before is over."""
        health = self.health.setdefault(connection.id, Health())
        health.good_at, health.trouble = self._clock.now(), None

    async def write_uses(self) -> None:
        """Keep when each was used last. Work for the clock: no question waits for it."""
        used, self._used = self._used, {}
        if not used:
            return
        rows = [(at(moment), number) for number, moment in used.items()]
        try:
            await self._database.write(
                lambda tables: tables.conn.executemany("UPDATE connections SET used_at = ? WHERE id = ?", rows)
            )
        except StoreError:
            self._used = used | self._used
            raise

    async def close(self) -> None:
        """Log out everywhere, side by side, within five seconds."""
        sessions, self._sessions = list(self._sessions.values()), {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.gather(*(session.close() for session in sessions))
        with contextlib.suppress(StoreError):
            await self.write_uses()

    def _as_used(self, connection: Connection) -> Connection:
        used_at = self._used.get(connection.id)
        return connection if used_at is None else replace(connection, used_at=used_at)

    def _build(
        self, provider: str, environment: Environment, lend: Lend, report: Callable[[Oddity], None] = lambda _: None
    ) -> Provider:
        spec = provider_named(provider)
        return spec.build(lend, Surroundings(environment, self._settings[provider], self._clock, self._nonces, report))

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

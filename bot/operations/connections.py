"""Linked provider logins: which there are, and the one open session of each."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bot.access.model import Person
from bot.clock import Clock
from bot.errors import (
    BusyError,
    ConflictError,
    ConnectionLockedError,
    CountersignError,
    NotFoundError,
    OwnerSuspendedError,
    ProviderError,
    RecordUnreadableError,
    ReplyError,
    SilentError,
    StoreError,
    UnsupportedError,
)
from bot.network.leaving import is_held_up
from bot.operations.linked import Connection, note_findings, read_all, read_one
from bot.providers.base import Lend, Oddity, Provider, Surroundings
from bot.providers.nonces import Nonces
from bot.providers.records import Environment, Findings
from bot.providers.registry import provider_named
from bot.store import Database
from bot.store.columns import at
from bot.vault.service import Vault

NOTED_ANEW_AFTER = timedelta(days=1)
"""A look that found nothing new is written down this seldom."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Health:
    """How talking to one connection went lately."""

    good_at: datetime | None = None
    bad_at: datetime | None = None
    bad_since: datetime | None = None
    """When it went wrong for the first time after it had gone well; of an answer that it is asked too often, never."""
    trouble: ProviderError | None = None
    oddities: Counter[Oddity] = field(default_factory=Counter)
    """What was met since the start that nobody had asked about."""

    def went_well(self, now: datetime) -> None:
        self.good_at, self.bad_since, self.trouble = now, None, None

    def went_wrong(self, now: datetime, trouble: ProviderError) -> None:
        if isinstance(trouble, BusyError):
            self.bad_since = None
        elif self.bad_since is None:
            self.bad_since = now
        self.bad_at, self.trouble = now, trouble


class Connections:
    """All linked logins of the desk."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        clock: Clock,
        settings: Mapping[str, Any],
        nonces: Nonces,
    ) -> None:
        self._database = database
        self._vault = vault
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

    # talking to them

    def build(
        self, provider: str, environment: Environment, lend: Lend, report: Callable[[Oddity], None] = lambda _: None
    ) -> Provider:
        """An adapter of no connection's session; whoever has it built closes it."""
        spec = provider_named(provider)
        return spec.build(lend, Surroundings(environment, self._settings[provider], self._clock, self._nonces, report))

    async def forget(self, connection: Connection) -> None:
        """Its credential is another one, or none: no session stays, and no memory of how it went."""
        self.health.pop(connection.id, None)
        await self.end_session(connection)

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
        provider = await self.opened(connection)
        with self._noting(connection):
            try:
                async with asyncio.timeout(seconds):
                    yield provider
            except TimeoutError:
                raise SilentError(connection.provider, f"no answer in {seconds or 0:.0f} s") from None

    async def opened(self, connection: Connection) -> Provider:
        """The open session, of which nothing is asked: that it is there is no sign of life.

        Raises:
            ConnectionLockedError, OwnerSuspendedError, RecordUnreadableError: As `session`.
        """
        if not connection.owner_active:
            raise OwnerSuspendedError(connection.name)
        if self.is_locked(connection):
            raise ConnectionLockedError(connection.name)
        if connection.id not in self._sessions:
            await self._check_still(connection)
        return self._sessions.get(connection.id) or self._open(connection)

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
        provider = self.build(connection.provider, connection.environment, lend, lambda oddity: odd.update([oddity]))
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
            if not is_held_up(error):
                health.went_wrong(self._clock.now(), error)
            raise
        except CountersignError:
            raise  # ours, not the adapter's
        except Exception as slip:  # it costs its own line, not the answer of all  # noqa: BLE001
            _log.exception("adapter slipped", extra={"connection": connection.name})
            trouble = ReplyError(connection.provider, type(slip).__name__)
            health.went_wrong(self._clock.now(), trouble)
            raise trouble from None
        health.went_well(self._clock.now())

    def answered(self, connection: Connection) -> None:
        """It gave a sign of life by itself: whatever went wrong before is over."""
        health = self.health.setdefault(connection.id, Health())
        health.went_well(self._clock.now())

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

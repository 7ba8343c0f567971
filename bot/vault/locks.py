"""What its owner has put under a passphrase (SAFETY 4.6).

A person has one passphrase and, under it, one data key; a locked connection's fields are sealed with that one. It is
open from `unlock` until a restart, `forget`, or the person's suspension. Stretching a passphrase takes a fifth of a
second and much memory: it is done in a thread, one at a time.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bot.clock import Clock
from bot.errors import ConflictError, PassphraseError
from bot.secret import Secret
from bot.store import Database, Tables
from bot.store.journal import empty_journal
from bot.vault.datakeys import Unlocked, generation
from bot.vault.passphrase import as_column, from_column, new_stretching, normal, stretch
from bot.vault.records import Safe, Subject, protected_subjects
from bot.vault.wrapping import DataKey, Mode, Wrapped

_log = logging.getLogger(__name__)
WRONG_TRIES = 5
WRONG_WITHIN = timedelta(minutes=15)
"""After so many wrong passphrases within so long, nothing is tried until the first of them is that old."""
Along = Callable[[Tables], None]
"""What else changes in the same transaction."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A data key, and its row as the current generation would wrap it."""

    key: DataKey
    row: Wrapped
    renewed: Wrapped


class Locks:
    """Who has locked what, and who has given their passphrase."""

    def __init__(self, database: Database, safe: Safe, clock: Clock) -> None:
        self._database = database
        self._safe = safe
        self._clock = clock
        self._stretching = asyncio.Lock()
        self._wrong: dict[int, list[datetime]] = {}
        self._protected: frozenset[str] = frozenset()

    async def refresh(self) -> None:
        """Note what is under a passphrase: once at the start, and after each change made here."""
        self._protected = await self._database.read(protected_subjects)

    def is_protected(self, subject: Subject) -> bool:
        """Whether it is under its owner's passphrase."""
        return subject.name in self._protected

    def is_locked(self, subject: Subject) -> bool:
        """Whether it is, and the passphrase is not there."""
        return self.is_protected(subject) and subject.person_id not in self._safe.data_keys.unlocked

    def unlocked_since(self, person_id: int) -> datetime | None:
        """When the person last gave their passphrase."""
        unlocked = self._safe.data_keys.unlocked.get(person_id)
        return None if unlocked is None else unlocked.since

    def forget(self, person_id: int) -> bool:
        """Forget an open key; answers whether there was one."""
        return self._safe.data_keys.unlocked.pop(person_id, None) is not None

    async def has_passphrase(self, person_id: int) -> bool:
        """Whether the person has set one."""
        return await self._row_of(person_id) is not None

    async def choose(self, person_id: int, passphrase: Secret) -> Wrapped:
        """A fresh key under a new passphrase, for `protect`. It lies nowhere yet, and shows nothing of the passphrase.

        Raises:
            PassphraseError: Too short.
        """
        chosen, how = normal(passphrase), new_stretching()
        kek_id = await self._database.read(generation)

        def make() -> Wrapped:
            by = self._safe.data_keys.wrapping.user_key(person_id, kek_id, stretch(how, chosen))
            return self._safe.data_keys.wrapping.new(person_id, kek_id, by, Mode.PASSPHRASE, as_column(how))[1]

        async with self._stretching:
            return await asyncio.to_thread(make)

    async def protect(self, subject: Subject, passphrase: Secret, chosen: Wrapped | None, along: Along) -> None:
        """Seal a subject's fields under its owner's passphrase; it is unlocked from then on.

        Args:
            chosen: What `choose` made of a new passphrase; None when the owner has one already.
        Raises:
            PassphraseError: Not the same passphrase.
            ConflictError: The owner has got, or lost, a passphrase meanwhile.
        """
        opened = await self._opened(await self._row_of(subject.person_id), chosen, subject.person_id, passphrase)

        def change(tables: Tables) -> None:
            there = self._safe.data_keys.protected(tables, subject.person_id)
            if there is None and chosen is not None:
                self._safe.data_keys.insert(tables, opened.row)
            elif there is None or there.id != opened.row.id:
                raise ConflictError("your passphrase has changed meanwhile; begin again")
            for field, value in self._safe.take_all(tables, subject).items():
                self._safe.data_keys.count_use(tables, opened.key)
                self._safe.put(tables, subject, field, value, opened.key)
            along(tables)

        await self._database.write(change)
        self._remember(subject.person_id, opened.key)
        await self.refresh()
        if not await self._database.read(empty_journal):
            _log.warning("what was sealed without the passphrase stays in the journal for a while")

    async def unprotect(self, subject: Subject, passphrase: Secret, along: Along) -> None:
        """Seal a subject's fields without a passphrase again. The owner's last one takes the passphrase with it.

        Raises:
            PassphraseError: Not the passphrase.
        """
        opened = await self._opened(await self._row_of(subject.person_id), None, subject.person_id, passphrase)

        def change(tables: Tables) -> None:
            data_keys = self._safe.data_keys
            for field, value in self._safe.take_all(tables, subject, opened.key).items():
                key = data_keys.for_new_record(tables, subject.person_id)
                self._safe.put(tables, subject, field, value, key)
            data_keys.forget_protected(tables, subject.person_id)
            along(tables)

        await self._database.write(change)
        await self.refresh()

    async def unlock(self, person_id: int, passphrase: Secret, along: Along) -> None:
        """Open what the person has locked. Its key moves to the current generation, if it lags behind.

        Args:
            along: Refuses, by raising, when the person may not (any more).
        Raises:
            PassphraseError: Not the passphrase, or too many wrong ones lately.
            ConflictError: The person has none.
        """
        opened = await self._opened(await self._row_of(person_id), None, person_id, passphrase)

        def change(tables: Tables) -> None:
            self._safe.data_keys.replace(tables, opened.row, opened.renewed)
            along(tables)

        await self._database.write(change)
        self._remember(person_id, opened.key)

    def _remember(self, person_id: int, key: DataKey) -> None:
        self._safe.data_keys.unlocked[person_id] = Unlocked(key, self._clock.now())

    async def _row_of(self, person_id: int) -> Wrapped | None:
        return await self._database.read(lambda tables: self._safe.data_keys.protected(tables, person_id))

    async def _opened(
        self, there: Wrapped | None, chosen: Wrapped | None, person_id: int, passphrase: Secret
    ) -> _Opened:
        """The passphrase tried on the key that is there, or else on the one just chosen."""
        row = there or chosen
        if row is None:
            raise ConflictError("nothing of yours is under a passphrase")
        kek_id = await self._database.read(generation)
        async with self._stretching:
            self._check_tries(person_id)
            try:
                return await asyncio.to_thread(self._try, row, kek_id, passphrase)
            except ValueError:
                if there is None:
                    raise PassphraseError("the two are not the same") from None
                self._wrong.setdefault(person_id, []).append(self._clock.now())
                raise PassphraseError("that is not the passphrase") from None

    def _try(self, row: Wrapped, kek_id: int, passphrase: Secret) -> _Opened:
        """`ValueError` when it does not open. In a thread of its own."""
        by, by_then = self._user_keys(row, kek_id, passphrase)
        wrapping = self._safe.data_keys.wrapping
        return _Opened(wrapping.open(row, by), row, wrapping.renew(row, by, kek_id, by_then))

    def _user_keys(self, row: Wrapped, kek_id: int, passphrase: Secret) -> tuple[AESGCM, AESGCM]:
        """What wraps the row's key, and what would under generation `kek_id`."""
        stretched = stretch(from_column(row.kdf), normal(passphrase))
        wrapping = self._safe.data_keys.wrapping
        return (
            wrapping.user_key(row.person_id, row.kek_id, stretched),
            wrapping.user_key(row.person_id, kek_id, stretched),
        )

    def _check_tries(self, person_id: int) -> None:
        since = self._clock.now() - WRONG_WITHIN
        lately = [moment for moment in self._wrong.pop(person_id, ()) if moment > since]
        if lately:
            self._wrong[person_id] = lately
        if len(lately) >= WRONG_TRIES:
            minutes = -((since - lately[0]) // timedelta(minutes=1))
            raise PassphraseError(f"that was wrong too often: wait {minutes} min")

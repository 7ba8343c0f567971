"""The vault: seals what people hand over, and lends it for one block at a time.

Each person has a data key that seals their records; it lies wrapped by a key that grows from the master key. What its
owner has put under a passphrase stays sealed until they give it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from pathlib import Path

from bot.clock import Clock, SystemClock
from bot.errors import RecordUnreadableError
from bot.secret import Secret
from bot.store import Database, Tables
from bot.store.file import peek
from bot.vault.datakeys import DataKeys
from bot.vault.install import keys_of
from bot.vault.keys import KeyTree, MasterKey
from bot.vault.locks import Locks
from bot.vault.records import Safe
from bot.vault.records import Subject as Subject
from bot.vault.wrapping import Wrapping

Lender = Callable[[], AbstractAsyncContextManager[Mapping[str, Secret]]]


class Vault:
    """Seals, lends, erases."""

    def __init__(self, database: Database, keys: KeyTree, install_id: str, clock: Clock) -> None:
        self._database = database
        self.safe = Safe(DataKeys(Wrapping(keys, install_id), clock), install_id, clock)
        self.locks = Locks(database, self.safe, clock)

    async def keep(self, subject: Subject, fields: Mapping[str, Secret]) -> None:
        """Seal `fields` for `subject`, each replacing its earlier record."""
        await self._database.write(self.keeping(subject, fields))

    def keeping(self, subject: Subject, fields: Mapping[str, Secret]) -> Callable[[Tables], None]:
        """The same as a change, to share a transaction with the rows it belongs to."""

        def change(tables: Tables) -> None:
            for field, value in fields.items():
                self.safe.put(tables, subject, field, value)

        return change

    async def open(self, subject: Subject) -> dict[str, Secret]:
        """All fields of `subject`.

        Raises:
            RecordUnreadableError: A record is damaged, or belongs to something else; named. Others still open.
            ConnectionLockedError: Its owner has put it under a passphrase that nobody has given since the start.
        """
        return await self._database.read(lambda tables: self.safe.take_all(tables, subject))

    def lender(self, subject: Subject) -> Lender:
        """What an adapter is handed: `async with lend() as login` opens the fields for one block."""

        @asynccontextmanager
        async def lend() -> AsyncIterator[Mapping[str, Secret]]:
            fields = await self.open(subject)
            if not fields:
                raise RecordUnreadableError(f"{subject.provider} {subject.label}")  # erased meanwhile, or lost
            try:
                yield fields
            finally:
                fields.clear()

        return lend

    def erasing(self, subject_name: str) -> Callable[[Tables], None]:
        """A change that erases every record of a subject (the file is in secure_delete mode)."""

        def change(tables: Tables) -> None:
            self.safe.erase(tables, subject_name)

        return change

    def erasing_any(self, tables: Tables, subject_name: str) -> bool:
        """Erase every record of a subject inside the caller's transaction; answers whether there was one."""
        return self.safe.erase(tables, subject_name)

    def erase(self, subject_name: str) -> Awaitable[None]:
        """Erase every record of a subject."""
        return self._database.write(self.erasing(subject_name))

    async def survey(self) -> list[RecordUnreadableError]:
        """Everything that does not open right now, by name; what waits for a passphrase is among it."""
        return await self._database.read(self.safe.survey)

    def is_locked(self, subject: Subject) -> bool:
        """Whether its owner's passphrase is needed and not there. Asks no disk."""
        return self.locks.is_locked(subject)

    def unlocked_since(self, person_id: int) -> datetime | None:
        """When the person last gave their passphrase; None when that has been forgotten since.

        Reading needs no more than that; an act asks for one given lately (SAFETY 4.6).
        """
        return self.locks.unlocked_since(person_id)

    def forget(self, person_id: int) -> bool:
        """Drop every key of this person that is held open; answers whether there was one. At once, asks no disk."""
        return self.locks.forget(person_id)


def unreadable(master: MasterKey, path: Path) -> list[RecordUnreadableError]:
    """The same of a closed database, without changing it. One from before this version is not looked at."""

    def look(tables: Tables) -> list[RecordUnreadableError]:
        found = keys_of(master, tables)
        if found is None or "kdf" not in tables["data_keys"].columns_dict:
            return []
        keys, install_id = found
        clock = SystemClock()
        return Safe(DataKeys(Wrapping(keys, install_id), clock), install_id, clock).survey(tables)

    return peek(path, look) or []

"""Making a backup: a whole copy of the database while the desk works, sealed, under the name it was asked for.

The copy lies in the data directory for as long as it takes to seal it. The file has its name once it is whole and on
disk, and the audit row is there before.

Then it is opened again, whole, and compared with what was copied. When that fits and every record in the copy opens,
the generations of the wrapping key that wrap nothing any more, neither here nor in the copy, are dropped (SAFETY 4.5).
"""

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from bot.audit.service import Audit
from bot.clock import Clock
from bot.errors import (
    BackupUnreadableError,
    ConflictError,
    ConnectionLockedError,
    StartRefusedError,
    StoreFullError,
)
from bot.ports import Deed
from bot.store import Database, Tables
from bot.store.file import inspect, peek, synced
from bot.vault.archive import CHUNK, FORMAT, FRAME, LONGEST_HEADER, SALT_BYTES, Header, opened, sealed
from bot.vault.datakeys import left_behind
from bot.vault.install import drop_generations
from bot.vault.keys import KeyTree
from bot.vault.service import Vault

EX_CANTCREAT = 73
ROOM_TO_WORK = 200_000_000
"""Bytes that a backup leaves free on the disk of the data directory."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made."""

    path: Path
    size: int
    """Bytes of the file."""
    key: str
    """The fingerprint of the master key that opens it."""
    dropped: tuple[int, ...] = ()
    """Generations of the wrapping key that were dropped, because this is a verified copy without them."""


class Backups:
    """Makes them. `via`: at whose word, for the audit log."""

    def __init__(
        self, database: Database, keys: KeyTree, vault: Vault, audit: Audit, clock: Clock, *, via: str = "terminal"
    ) -> None:
        self._via = via
        self._database = database
        self._keys = keys
        self._vault = vault
        self._audit = audit
        self._clock = clock

    async def make(self, path: Path) -> Backup:
        """Write a backup to `path`, for its owner only.

        Raises:
            ConflictError: There is a file of that name, or a backup is being made.
            StartRefusedError: It cannot be written there.
            StoreError: The database could not be copied, or that would leave the desk without room to work.
        """
        _check_free(path)
        try:
            await in_thread(lambda _: _check_room(self._database.path, path.parent))
            async with self._database.copied() as copy:
                return await self._sealed(copy, path)
        except OSError as error:
            raise StartRefusedError(f"{path}: {error.strerror}. No backup was made.", EX_CANTCREAT) from None

    async def _sealed(self, copy: Path, path: Path) -> Backup:
        part = path.with_name(f"{path.name}.part")
        try:
            await in_thread(lambda _: inspect(copy))
            header = await self._header(await in_thread(lambda _: copy.stat().st_size))
            size = await in_thread(partial(_seal, copy, part, self._keys.backup, header))
            made = Backup(path, size, header.key)
            await self._database.write(partial(self._note, made))
            await asyncio.to_thread(path.hardlink_to, part)  # unlike a rename it never replaces what is there
            synced(path.parent)
            return replace(made, dropped=await self._dropped(copy, path))
        finally:
            part.unlink(missing_ok=True)

    async def _dropped(self, copy: Path, path: Path) -> tuple[int, ...]:
        """Drop what nothing needs any more, if this backup can be relied on; answers which generations."""
        left = set(await in_thread(lambda _: peek(copy, left_behind)) or ())
        if not left or not await in_thread(lambda _: self._is_reliable(copy, path)):
            return ()

        def change(tables: Tables) -> tuple[int, ...]:
            dropped = tuple(kek_id for kek_id in left_behind(tables) if kek_id in left)
            if dropped:
                drop_generations(tables, dropped)
                details = {"generations": " ".join(map(str, dropped)), "backup": path.name}
                self._audit.record(tables, Deed("key.generations_dropped", "key", details=details))
            return dropped

        dropped = await self._database.write(change)
        self._keys.forget(dropped)
        return dropped

    def _is_reliable(self, copy: Path, path: Path) -> bool:
        """Whether the file opens and holds exactly the copy, and every record in that opens or waits for its owner."""
        with path.open("rb") as file, copy.open("rb") as text:
            line = file.readline(LONGEST_HEADER)
            try:
                for chunk in opened(self._keys.backup, line, pieces(file.read, FRAME)):
                    if chunk != text.read(len(chunk)):
                        return False
            except BackupUnreadableError:
                return False
            if text.read(1):
                return False
        troubles = peek(copy, self._vault.safe.survey) or []
        return all(isinstance(trouble, ConnectionLockedError) for trouble in troubles)

    async def _header(self, size: int) -> Header:
        meta = await self._database.read(lambda tables: {row["key"]: row["value"] for row in tables["meta"].rows})
        return Header(
            format=FORMAT,
            made_at=self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            key=self._keys.fingerprint,
            install=meta["install_id"],
            install_salt=meta["install_salt"],
            size=size,
            salt=os.urandom(SALT_BYTES).hex(),
        )

    def _note(self, made: Backup, tables: Tables) -> None:
        details: dict[str, str | int] = {"via": self._via, "bytes": made.size, "key": made.key}
        self._audit.record(tables, Deed("backup.made", f"backup/{made.path.name}", details=details))


def _check_free(path: Path) -> None:
    if os.path.lexists(path):
        raise ConflictError(f"{path} is there already")


def _check_room(database: Path, target: Path) -> None:
    """The copy lies beside the database for a while; on the same disk the backup does, too (R42)."""
    files = (database, database.with_name(f"{database.name}-wal"))
    size = sum(path.stat().st_size for path in files if path.exists())
    here, there = database.stat().st_dev, target.stat().st_dev
    needed = size * (2 if here == there else 1) + ROOM_TO_WORK
    free = shutil.disk_usage(database.parent).free
    if free < needed:
        raise StoreFullError(f"{free} bytes are free, {needed} are needed for a copy")


def _seal(copy: Path, part: Path, key: bytes, header: Header, unwanted: threading.Event) -> int:
    """Write the sealed file; answers how many bytes it has."""
    part.unlink(missing_ok=True)  # of a process that was killed
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file, copy.open("rb") as text:
        for piece in sealed(key, header, pieces(text.read, CHUNK)):
            if unwanted.is_set():
                break
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def pieces(read: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    """What `read` gives, `size` bytes in each piece but the last."""
    while piece := read(size):
        yield piece


async def in_thread(work: Callable[[threading.Event], Result]) -> Result:
    """Run `work` beside the loop; whoever stops waiting sets its event, and waits until it has ended."""
    unwanted = threading.Event()
    task = asyncio.ensure_future(asyncio.to_thread(work, unwanted))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        unwanted.set()
        await asyncio.wait({task})
        task.exception()  # that it was given up is no news
        raise

"""The data keys in their table: which one seals a person's records, and which are open.

A key that needs a passphrase is open in memory only, from `unlock` until a restart.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bot.clock import Clock
from bot.errors import ConflictError
from bot.store import Tables
from bot.store.columns import at
from bot.vault.wrapping import DataKey, Mode, Wrapped, Wrapping

DATA_KEY_USES: Final = 1 << 24
"""After so many records a person gets a fresh data key (SAFETY 4.4)."""
SEED_BYTES: Final = 32
_GENERATION = "kek_id"
"""The row of `meta` with the generation that wraps new data keys; without it, the first."""
_ROWS = "SELECT id, person_id, kek_id, mode, wrapped, kdf FROM data_keys"


class StillLockedError(Exception):
    """A data key waits for its owner's passphrase. Never leaves the vault."""


@dataclass(frozen=True, slots=True)
class Unlocked:
    """A person's passphrase key, open since they gave the passphrase."""

    key: DataKey
    since: datetime


class DataKeys:
    """The `data_keys` table, and what of it is unlocked."""

    def __init__(self, wrapping: Wrapping, clock: Clock) -> None:
        self.wrapping = wrapping
        self.unlocked: dict[int, Unlocked] = {}
        """By person. In memory only."""
        self._clock = clock

    def for_new_record(self, tables: Tables, person_id: int) -> DataKey:
        """The person's current data key, one use counted; made when there is none or it is used up."""
        row = tables.conn.execute(
            "SELECT id FROM data_keys WHERE person_id = ? AND mode = 'kek' AND NOT retired AND uses < ?"
            " ORDER BY created_at DESC LIMIT 1",
            (person_id, DATA_KEY_USES),
        ).fetchone()
        if row is None:
            kek_id = generation(tables)
            key, wrapped = self.wrapping.new(person_id, kek_id, self.wrapping.kek(kek_id))
            self.insert(tables, wrapped)
            return key
        key = self.open(tables, bytes.fromhex(row[0]), person_id)
        self.count_use(tables, key)
        return key

    def open(self, tables: Tables, key_id: bytes, person_id: int) -> DataKey:
        """One data key of that person.

        Raises:
            ValueError: There is none, or it does not unwrap.
            StillLockedError: It needs a passphrase nobody has given.
        """
        row = tables.conn.execute(f"{_ROWS} WHERE id = ? AND person_id = ?", (key_id.hex(), person_id)).fetchone()
        if row is None:
            raise ValueError("no such data key for this person")
        wrapped = _wrapped(row)
        if wrapped.mode is Mode.KEK:
            return self.wrapping.open(wrapped, self.wrapping.kek(wrapped.kek_id))
        unlocked = self.unlocked.get(person_id)
        if unlocked is None or unlocked.key.id != key_id:
            raise StillLockedError
        return unlocked.key

    @staticmethod
    def count_use(tables: Tables, key: DataKey) -> None:
        """`ConflictError` when it has sealed as much as one key may."""
        counted = tables.conn.execute(
            "UPDATE data_keys SET uses = uses + 1 WHERE id = ? AND uses < ?", (key.id.hex(), DATA_KEY_USES)
        ).rowcount
        if not counted:
            raise ConflictError("the key under this passphrase is used up; take the passphrase off and set one anew")

    def insert(self, tables: Tables, row: Wrapped) -> None:
        """A new key's row; its first use is counted."""
        tables.table("data_keys").insert(
            {
                "id": row.id.hex(),
                "person_id": row.person_id,
                "kek_id": row.kek_id,
                "mode": row.mode.value,
                "wrapped": row.wrapped,
                "kdf": row.kdf,
                "uses": 1,
                "created_at": at(self._clock.now()),
            }
        )

    @staticmethod
    def replace(tables: Tables, row: Wrapped, renewed: Wrapped) -> None:
        """Write a key as it is wrapped now, if nobody did meanwhile."""
        tables.conn.execute(
            "UPDATE data_keys SET kek_id = ?, wrapped = ? WHERE id = ? AND kek_id = ?",
            (renewed.kek_id, renewed.wrapped, row.id.hex(), row.kek_id),
        )

    @staticmethod
    def protected(tables: Tables, person_id: int) -> Wrapped | None:
        """The key under the person's passphrase."""
        row = tables.conn.execute(f"{_ROWS} WHERE person_id = ? AND mode = 'passphrase'", (person_id,)).fetchone()
        return None if row is None else _wrapped(row)

    @staticmethod
    def find(tables: Tables, key_id: str) -> Wrapped:
        """One row, whosever. `ValueError` when it is gone, or nobody here has written it."""
        row = tables.conn.execute(f"{_ROWS} WHERE id = ?", (key_id,)).fetchone()
        if row is None:
            raise ValueError("no such data key")
        return _wrapped(row)

    @staticmethod
    def outdated(tables: Tables, mode: Mode) -> list[str]:
        """The ids of keys that another generation wraps."""
        rows = tables.conn.execute(
            "SELECT id FROM data_keys WHERE mode = ? AND kek_id != ? ORDER BY person_id, id", (mode, generation(tables))
        )
        return [key_id for (key_id,) in rows]

    @staticmethod
    def forget_protected(tables: Tables, person_id: int) -> None:
        """An erased secret leaves no key behind: the person's next passphrase may be another one."""
        tables.conn.execute(
            "DELETE FROM data_keys WHERE mode = 'passphrase' AND person_id = ? AND id NOT IN"
            " (SELECT lower(hex(substr(record, 3, 8))) FROM sealed WHERE person_id = ?)",
            (person_id, person_id),
        )

    @staticmethod
    def retire(tables: Tables) -> int:
        """From now on these seal nothing new. Answers how many."""
        return tables.conn.execute("UPDATE data_keys SET retired = 1 WHERE mode = 'kek' AND NOT retired").rowcount

    @staticmethod
    def forget_retired(tables: Tables) -> None:
        """Those that no record names any more."""
        tables.conn.execute(
            "DELETE FROM data_keys WHERE retired AND id NOT IN (SELECT lower(hex(substr(record, 3, 8))) FROM sealed)"
        )


def generation(tables: Tables) -> int:
    """Which generation wraps new data keys."""
    row = tables.conn.execute("SELECT value FROM meta WHERE key = ?", (_GENERATION,)).fetchone()
    return int(row[0]) if row else 1


def next_generation(tables: Tables) -> tuple[int, bytes]:
    """From now on a new one does; answers which, and its seed."""
    new, seed = generation(tables) + 1, os.urandom(SEED_BYTES)
    tables.conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_GENERATION, str(new)))
    tables.conn.execute("INSERT INTO key_generations VALUES (?, ?)", (new, seed))
    return new, seed


def left_behind(tables: Tables) -> list[int]:
    """The generations that wrap nothing any more. None while a rotation is under way."""
    if tables.conn.execute("SELECT 1 FROM meta WHERE key LIKE 'rotating_%'").fetchone() is not None:
        return []
    rows = tables.conn.execute(
        "SELECT id FROM key_generations WHERE id != ? AND id NOT IN (SELECT kek_id FROM data_keys) ORDER BY id",
        (generation(tables),),
    )
    return [kek_id for (kek_id,) in rows]


def _wrapped(row: tuple[str, int, int, str, bytes, str | None]) -> Wrapped:
    """`ValueError` for a row that nobody here has written."""
    key_id, person_id, kek_id, mode, wrapped, kdf = row
    return Wrapped(bytes.fromhex(key_id), person_id, kek_id, Mode(mode), wrapped, kdf)

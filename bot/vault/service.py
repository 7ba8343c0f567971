"""The vault: seals what people hand over, and lends it for one block at a time.

Each person has a data key (32 random bytes) that seals their records; it lies wrapped by a key derived from the master
key. A record is one field of one credential. Replacing a field writes a new record under a new id, version and nonce.
"""

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.clock import Clock
from bot.errors import KeyTextError, RecordUnreadableError, StartRefusedError, StoreDamagedError, WrongKeyError
from bot.ids import short_id
from bot.secret import Secret
from bot.store import Database, Tables
from bot.store.columns import at
from bot.store.database import peek
from bot.vault.envelope import KEY_ID_BYTES, NONCE_BYTES, Belonging, key_id_of, seal, unseal, with_lengths
from bot.vault.keys import KEY_BYTES, KeyTree, MasterKey, fingerprint_of

DATA_KEY_USES: Final = 1 << 24
"""After so many records a person gets a fresh data key (SAFETY 4.4)."""
Lender = Callable[[], AbstractAsyncContextManager[Mapping[str, Secret]]]
_HEX = re.compile(r"(?:[0-9a-f]{2}){16,32}")
_KEK = 1
_MODE = "kek"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a set of sealed fields is for: a connection, or a half-finished draft of one."""

    name: str
    """Unique, e.g. `connection/7`."""
    person_id: int
    provider: str
    label: str
    environment: str


def read_key_file(path: Path) -> MasterKey:
    """The master key from its file. `KeyTextError` names the path."""
    try:
        return MasterKey.from_text(path.read_text(encoding="ascii", errors="replace"))
    except KeyTextError as error:
        raise KeyTextError(f"{path}: {error.reason}") from None


def check_key(master: MasterKey, path: Path) -> None:
    """Compare the key with the database at `path` before anything is opened for writing.

    Raises:
        WrongKeyError: The database belongs to another key; both fingerprints are in it. Nothing was changed.
        StartRefusedError: Sealed records without a check value: never initialised over.
    """
    found = peek(path, _identity)
    if found is None or found == ("", "", ""):
        return
    install_id, salt, check_value = found
    got = KeyTree(master, install_id, bytes.fromhex(salt))
    if got.check_value.hex() != check_value:
        raise WrongKeyError(fingerprint_of(bytes.fromhex(check_value)), got.fingerprint)


def _identity(tables: Tables) -> tuple[str, str, str]:
    if "meta" not in tables.table_names():
        return "", "", ""
    meta = {row["key"]: row["value"] for row in tables["meta"].rows}
    if "key_check" not in meta:
        names = set(tables.table_names())
        if any(name in names and tables[name].count for name in ("sealed", "data_keys")):
            raise StartRefusedError("the database holds sealed records but no key check value; nothing was changed", 78)
        return "", "", ""
    if not meta.get("install_id") or not all(
        _HEX.fullmatch(meta.get(key, "")) for key in ("install_salt", "key_check")
    ):
        raise StoreDamagedError("it does not say whose it is")
    return meta["install_id"], meta["install_salt"], meta["key_check"]


async def grow_keys(master: MasterKey, database: Database) -> KeyTree:
    """The key tree of this install. A new database gets its id, salt and check value here, once."""
    fresh = {"install_id": short_id(16), "install_salt": os.urandom(32).hex(), "epoch": "1"}

    def settle(tables: Tables) -> KeyTree:
        meta = {row["key"]: row["value"] for row in tables["meta"].rows}
        if "key_check" not in meta:
            meta |= fresh
            keys = KeyTree(master, meta["install_id"], bytes.fromhex(meta["install_salt"]))
            rows = fresh | {"key_check": keys.check_value.hex()}
            tables.table("meta").insert_all(({"key": key, "value": value} for key, value in rows.items()), pk="key")
            return keys
        keys = KeyTree(master, meta["install_id"], bytes.fromhex(meta["install_salt"]))
        if keys.check_value.hex() != meta["key_check"]:
            raise WrongKeyError(fingerprint_of(bytes.fromhex(meta["key_check"])), keys.fingerprint)
        return keys

    return await database.write(settle)


class Vault:
    """Seals, lends, erases."""

    def __init__(self, database: Database, keys: KeyTree, install_id: str, clock: Clock) -> None:
        self._database = database
        self._keys = keys
        self._install_id = install_id
        self._clock = clock

    async def keep(self, subject: Subject, fields: Mapping[str, Secret]) -> None:
        """Seal `fields` for `subject`, each replacing its earlier record."""
        await self._database.write(self.keeping(subject, fields))

    def keeping(self, subject: Subject, fields: Mapping[str, Secret]) -> Callable[[Tables], None]:
        """The same as a change, to share a transaction with the rows it belongs to."""

        def change(tables: Tables) -> None:
            for field, value in fields.items():
                self._seal_one(tables, subject, field, value)

        return change

    async def open(self, subject: Subject) -> dict[str, Secret]:
        """All fields of `subject`.

        Raises:
            RecordUnreadableError: A record is damaged, or belongs to something else; named. Others still open.
        """
        return await self._database.read(lambda tables: self._open_all(tables, subject))

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
            tables.conn.execute("DELETE FROM sealed WHERE subject = ?", (subject_name,))

        return change

    def erase(self, subject_name: str) -> Awaitable[None]:
        """Erase every record of a subject."""
        return self._database.write(self.erasing(subject_name))

    def _seal_one(self, tables: Tables, subject: Subject, field: str, value: Secret) -> None:
        row = tables.conn.execute(
            "SELECT version FROM sealed WHERE subject = ? AND field = ?", (subject.name, field)
        ).fetchone()
        version = (row[0] if row else 0) + 1
        key_id, key = self._data_key(tables, subject.person_id)
        record_id = short_id(16)
        belonging = self._belonging(subject, field, record_id, version)
        record = seal(key, key_id, os.urandom(NONCE_BYTES), value.reveal().encode(), belonging.as_data())
        tables.conn.execute("DELETE FROM sealed WHERE subject = ? AND field = ?", (subject.name, field))
        tables.table("sealed").insert(
            {
                "id": record_id,
                "subject": subject.name,
                "person_id": subject.person_id,
                "provider": subject.provider,
                "label": subject.label,
                "field": field,
                "environment": subject.environment,
                "version": version,
                "record": record,
                "created_at": at(self._clock.now()),
            }
        )

    def _open_all(self, tables: Tables, subject: Subject) -> dict[str, Secret]:
        rows = list(
            tables.conn.execute("SELECT id, field, version, record FROM sealed WHERE subject = ?", (subject.name,))
        )
        opened = {}
        for record_id, field, version, record in rows:
            belonging = self._belonging(subject, field, record_id, version)
            try:
                key = self._unwrap(tables, key_id_of(record), subject.person_id)
                opened[field] = Secret(unseal(key, record, belonging.as_data()).decode())
            except ValueError:
                raise RecordUnreadableError(f"{subject.provider} {subject.label}, {field}") from None
        return opened

    def _belonging(self, subject: Subject, field: str, record_id: str, version: int) -> Belonging:
        return Belonging(
            self._install_id,
            subject.person_id,
            subject.provider,
            subject.label,
            field,
            subject.environment,
            record_id,
            version,
        )

    def _data_key(self, tables: Tables, person_id: int) -> tuple[bytes, bytes]:
        """The person's current data key (id, key), one use counted; made when there is none or it is used up."""
        row = tables.conn.execute(
            "SELECT id FROM data_keys WHERE person_id = ? AND uses < ? ORDER BY created_at DESC LIMIT 1",
            (person_id, DATA_KEY_USES),
        ).fetchone()
        if row is None:
            return self._new_data_key(tables, person_id)
        tables.conn.execute("UPDATE data_keys SET uses = uses + 1 WHERE id = ?", row)
        key_id = bytes.fromhex(row[0])
        return key_id, self._unwrap(tables, key_id, person_id)

    def _new_data_key(self, tables: Tables, person_id: int) -> tuple[bytes, bytes]:
        key_id, key = os.urandom(KEY_ID_BYTES), os.urandom(KEY_BYTES)
        kek_name = _KEK.to_bytes(KEY_ID_BYTES, "big")
        wrapped = seal(
            self._keys.kek(_KEK), kek_name, os.urandom(NONCE_BYTES), key, self._wrapping(person_id, key_id, _KEK)
        )
        tables.table("data_keys").insert(
            {
                "id": key_id.hex(),
                "person_id": person_id,
                "kek_id": _KEK,
                "mode": _MODE,
                "wrapped": wrapped,
                "uses": 1,
                "created_at": at(self._clock.now()),
            }
        )
        return key_id, key

    def _unwrap(self, tables: Tables, key_id: bytes, person_id: int) -> bytes:
        row = tables.conn.execute(
            "SELECT wrapped, kek_id FROM data_keys WHERE id = ? AND person_id = ?", (key_id.hex(), person_id)
        ).fetchone()
        if row is None:
            raise ValueError("no such data key for this person")
        wrapped, kek_id = row
        if key_id_of(wrapped) != kek_id.to_bytes(KEY_ID_BYTES, "big"):
            raise ValueError("wrapped by another key than it says")
        return unseal(self._keys.kek(kek_id), wrapped, self._wrapping(person_id, key_id, kek_id))

    def _wrapping(self, person_id: int, key_id: bytes, kek_id: int) -> bytes:
        return with_lengths("countersign/dek", self._install_id, str(person_id), key_id.hex(), str(kek_id), _MODE)

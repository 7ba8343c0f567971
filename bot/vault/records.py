"""The sealed records in their table. A record is one field of one credential.

Every verb runs inside a read or a change of the caller's. Replacing a field writes a new record under a new id, version
and nonce; the old row is erased with it.
"""

import os
from dataclasses import dataclass, replace

from bot.clock import Clock
from bot.errors import ConnectionLockedError, RecordUnreadableError
from bot.ids import short_id
from bot.secret import Secret
from bot.store import Tables
from bot.store.columns import at
from bot.vault.datakeys import DataKeys, StillLockedError
from bot.vault.envelope import NONCE_BYTES, Belonging, key_id_of, seal, unseal
from bot.vault.wrapping import DataKey

_ROWS = "SELECT id, subject, person_id, provider, label, environment, field, version, record FROM sealed"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a set of sealed fields is for: a connection, or a half-finished draft of one."""

    name: str
    """Unique, e.g. `connection/7`."""
    person_id: int
    provider: str
    label: str
    environment: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """One record as it lies in its row."""

    id: str
    subject: Subject
    field: str
    version: int
    record: bytes


class Safe:
    """The `sealed` table."""

    def __init__(self, data_keys: DataKeys, install_id: str, clock: Clock) -> None:
        self.data_keys = data_keys
        self._install_id = install_id
        self._clock = clock

    def put(self, tables: Tables, subject: Subject, field: str, value: Secret, key: DataKey | None = None) -> None:
        """Seal one field. Without `key` it stays under a passphrase when its subject is under one.

        Raises:
            ConnectionLockedError: Nobody has given that passphrase.
        """
        there = rows_of(tables, subject.name)
        version = 1 + max((each.version for each in there if each.field == field), default=0)
        key = key or self._key_for(tables, subject, there)
        record_id = short_id(16)
        data = self._belonging(subject, record_id, field, version)
        record = seal(key.cipher, key.id, os.urandom(NONCE_BYTES), value.reveal().encode(), data)
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

    def take(self, tables: Tables, sealed: Sealed, key: DataKey | None = None) -> Secret:
        """Open one record, with `key` where that is the one it names.

        Raises:
            RecordUnreadableError: It is damaged, or belongs to something else; named.
            ConnectionLockedError: Its key waits for a passphrase.
        """
        return self._taken(tables, sealed, key)[0]

    def take_all(self, tables: Tables, subject: Subject, key: DataKey | None = None) -> dict[str, Secret]:
        """All fields of a subject, whatever its rows say whose they are."""
        found: dict[str, Secret] = {}
        for each in rows_of(tables, subject.name):
            found[each.field], key = self._taken(tables, replace(each, subject=subject), key)
        return found

    def _taken(self, tables: Tables, sealed: Sealed, key: DataKey | None) -> tuple[Secret, DataKey]:
        """As `take`, and the key it took: the next record mostly names the same one."""
        subject = sealed.subject
        data = self._belonging(subject, sealed.id, sealed.field, sealed.version)
        try:
            key_id = key_id_of(sealed.record)
            if key is None or key.id != key_id:
                key = self.data_keys.open(tables, key_id, subject.person_id)
            return Secret(unseal(key.cipher, sealed.record, data).decode()), key
        except StillLockedError:
            raise ConnectionLockedError(f"{subject.provider}/{subject.label}") from None
        except ValueError:
            raise RecordUnreadableError(f"{subject.provider} {subject.label}, {sealed.field}") from None

    def erase(self, tables: Tables, subject_name: str) -> bool:
        """Every record of a subject (the file is in secure_delete mode); answers whether there was one."""
        gone = tables.conn.execute("DELETE FROM sealed WHERE subject = ? RETURNING person_id", (subject_name,))
        owners = {row[0] for row in gone.fetchall()}
        for person_id in owners:
            self.data_keys.forget_protected(tables, person_id)
        return bool(owners)

    def survey(self, tables: Tables) -> list[RecordUnreadableError]:
        """Try every record. What does not open, by name; the locked ones are among them."""
        return [error for each in rows_of(tables) if (error := self._trouble(tables, each)) is not None]

    def _trouble(self, tables: Tables, sealed: Sealed) -> RecordUnreadableError | None:
        try:
            self.take(tables, sealed)
        except RecordUnreadableError as error:
            return error
        return None

    def _key_for(self, tables: Tables, subject: Subject, there: list[Sealed]) -> DataKey:
        protected = self.data_keys.protected(tables, subject.person_id)
        if protected is None or not any(each.record[2:10] == protected.id for each in there):
            return self.data_keys.for_new_record(tables, subject.person_id)
        try:
            key = self.data_keys.open(tables, protected.id, subject.person_id)
        except StillLockedError:
            raise ConnectionLockedError(f"{subject.provider}/{subject.label}") from None
        self.data_keys.count_use(tables, key)
        return key

    def _belonging(self, subject: Subject, record_id: str, field: str, version: int) -> bytes:
        return Belonging(
            self._install_id,
            subject.person_id,
            subject.provider,
            subject.label,
            field,
            subject.environment,
            record_id,
            version,
        ).as_data()


def rows_of(tables: Tables, subject_name: str | None = None) -> list[Sealed]:
    """The records of one subject, or of all."""
    if subject_name is None:
        rows = tables.conn.execute(f"{_ROWS} ORDER BY provider, label, field")
    else:
        rows = tables.conn.execute(f"{_ROWS} WHERE subject = ?", (subject_name,))
    return [_sealed(row) for row in rows]


def row_of(tables: Tables, record_id: str) -> Sealed | None:
    """One record."""
    row = tables.conn.execute(f"{_ROWS} WHERE id = ?", (record_id,)).fetchone()
    return None if row is None else _sealed(row)


def protected_subjects(tables: Tables) -> frozenset[str]:
    """The names of subjects that are under a passphrase."""
    rows = tables.conn.execute(
        "SELECT DISTINCT subject FROM sealed WHERE lower(hex(substr(record, 3, 8))) IN"
        " (SELECT id FROM data_keys WHERE mode = 'passphrase')"
    )
    return frozenset(name for (name,) in rows)


def _sealed(row: tuple[str, str, int, str, str, str, str, int, bytes]) -> Sealed:
    record_id, name, person_id, provider, label, environment, field, version, record = row
    return Sealed(record_id, Subject(name, person_id, provider, label, environment), field, version, record)

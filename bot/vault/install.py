"""Whose database it is: the install's id, its salt, and the value that tells its key from every other (SAFETY 4.7)."""

import hmac
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from bot.errors import StartRefusedError, StoreDamagedError, WrongKeyError
from bot.ids import short_id
from bot.store import Database, Tables
from bot.store.file import peek
from bot.vault.datakeys import SEED_BYTES, next_generation
from bot.vault.envelope import KEY_ID_BYTES, NONCE_BYTES, seal, unseal, with_lengths
from bot.vault.keys import Earlier, KeyTree, MasterKey, fingerprint_of

_DATA = ("sealed", "data_keys", "audit", "persons")
"""Tables that are empty only where no key was ever used."""
KEY_CHECK_BEFORE = "key_check_before"
_EARLIER, _EARLIER_BEFORE = "earlier_master", "earlier_before"
"""Rows of `meta`: the master key before this one, sealed, and the first generation that does not grow from it."""
_HEX = re.compile(r"(?:[0-9a-f]{2}){16,32}")


def check_key(master: MasterKey, path: Path) -> None:
    """Compare the key with the database at `path` before anything is opened for writing.

    Raises:
        WrongKeyError: The database belongs to another key; both fingerprints are in it. Nothing was changed.
        StartRefusedError: Sealed records without a check value: never initialised over.
    """
    peek(path, lambda tables: keys_of(master, tables))


def keys_of(master: MasterKey, tables: Tables) -> tuple[KeyTree, str] | None:
    """The key tree and the id of the install these tables belong to; None when they are nobody's yet.

    Raises:
        WrongKeyError, StartRefusedError, StoreDamagedError: As `check_key`.
    """
    install_id, salt, check_value = _identity(tables)
    if not check_value:
        return None
    keys = KeyTree(master, install_id, bytes.fromhex(salt))
    if keys.check_value.hex() != check_value:
        fingerprint = fingerprint_of(bytes.fromhex(check_value))
        if hmac.compare_digest(keys.check_value.hex(), _meta(tables, KEY_CHECK_BEFORE)):
            reason = (
                f"This master key ({keys.fingerprint}) was exchanged for another one (fingerprint {fingerprint}): name "
                "that one under [key] in the configuration. Nothing was changed."
            )
            raise StartRefusedError(reason, 78)
        raise WrongKeyError(fingerprint, keys.fingerprint)
    _learn(keys, tables)
    return keys, install_id


def keep_earlier(tables: Tables, keys: KeyTree, to: KeyTree, before: int, days: Mapping[int, bytes]) -> None:
    """From now on the database belongs to the master key of `to`. What is still needed of the one before is sealed
    under it: that master key until nothing is wrapped by it any more, and the keys of these days of the audit log."""
    rows = {
        "key_check": to.check_value.hex(),
        KEY_CHECK_BEFORE: keys.check_value.hex(),
        _EARLIER: _seal(to, _EARLIER, keys.master.to_text().encode()).hex(),
        _EARLIER_BEFORE: str(before),
    }
    tables.table("meta").upsert_all(({"key": key, "value": value} for key, value in rows.items()), pk="key")
    tables.conn.executemany(
        "INSERT OR REPLACE INTO audit_keys VALUES (?, ?)",
        [(day, _seal(to, f"audit/{day}", key)) for day, key in days.items()],
    )
    _learn(to, tables)


def keys_instead(master: MasterKey, tables: Tables) -> tuple[KeyTree, str]:
    """The tree of a key that is to take the place of a lost one, and the lost one's fingerprint.

    Raises:
        StartRefusedError: Nothing is lost: the key fits, or there was none yet, or it was exchanged for another one.
    """
    try:
        found = keys_of(master, tables)
    except WrongKeyError as error:
        install_id, salt, _ = _identity(tables)
        return KeyTree(master, install_id, bytes.fromhex(salt)), error.expected
    if found is None:
        raise StartRefusedError(
            "The database is nobody's yet: the first start takes this key. Nothing was changed.", 78
        )
    raise StartRefusedError(
        f"The master key under [key] (fingerprint {found[0].fingerprint}) fits this database: nothing is lost. "
        "Nothing was changed.",
        78,
    )


def take_over(tables: Tables, keys: KeyTree) -> None:
    """From now on the database belongs to these keys. What was sealed or wrapped under any before them is erased."""
    rows = {KEY_CHECK_BEFORE: _meta(tables, "key_check"), "key_check": keys.check_value.hex()}
    for table in ("sealed", "data_keys", "audit_keys"):
        tables.conn.execute(f"DELETE FROM {table}")  # noqa: S608  # these three
    tables.conn.execute("DELETE FROM meta WHERE key IN (?, ?) OR key LIKE 'rotating_%'", (_EARLIER, _EARLIER_BEFORE))
    now, _ = next_generation(tables)
    tables.conn.execute("DELETE FROM key_generations WHERE id != ?", (now,))
    tables.table("meta").upsert_all(({"key": key, "value": value} for key, value in rows.items()), pk="key")


def has_earlier(tables: Tables) -> bool:
    """Whether an earlier master key is still needed."""
    return _meta(tables, _EARLIER) != ""


def drop_generations(tables: Tables, kek_ids: Iterable[int]) -> None:
    """Erase their seeds, and the earlier master key when nothing that is kept grows from it."""
    tables.conn.executemany("DELETE FROM key_generations WHERE id = ?", [(kek_id,) for kek_id in kek_ids])
    (lowest,) = tables.conn.execute("SELECT coalesce(min(id), 1) FROM key_generations").fetchone()
    if has_earlier(tables) and lowest >= int(_meta(tables, _EARLIER_BEFORE)):
        tables.conn.execute("DELETE FROM meta WHERE key IN (?, ?)", (_EARLIER, _EARLIER_BEFORE))


def _learn(keys: KeyTree, tables: Tables) -> None:
    """What the tables hold of the keys. One from before this version holds nothing."""
    if "key_generations" not in tables.table_names():
        return
    seeds = dict(tables.conn.execute("SELECT id, seed FROM key_generations").fetchall())
    try:
        days = {
            day: _unseal(keys, f"audit/{day}", sealed)
            for day, sealed in tables.conn.execute("SELECT day, sealed FROM audit_keys").fetchall()
        }
        text = _meta(tables, _EARLIER)
        earlier = None
        if text:
            master = MasterKey.from_text(_unseal(keys, _EARLIER, bytes.fromhex(text)).decode())
            earlier = Earlier(master, int(_meta(tables, _EARLIER_BEFORE)))
    except ValueError:
        raise StoreDamagedError("what it keeps of an earlier master key does not open") from None
    keys.learn(seeds, earlier, days)


def _seal(keys: KeyTree, name: str, plain: bytes) -> bytes:
    return seal(
        keys.keeper, bytes(KEY_ID_BYTES), os.urandom(NONCE_BYTES), plain, with_lengths("countersign/kept", name)
    )


def _unseal(keys: KeyTree, name: str, sealed: bytes) -> bytes:
    return unseal(keys.keeper, sealed, with_lengths("countersign/kept", name))


def _meta(tables: Tables, key: str) -> str:
    row = tables.conn.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return "" if row is None else str(row[0])


def _identity(tables: Tables) -> tuple[str, str, str]:
    if "meta" not in tables.table_names():
        return "", "", ""
    meta = dict(tables.conn.execute("SELECT key, value FROM meta").fetchall())
    if "key_check" not in meta:
        names = set(tables.table_names())
        if any(name in names and tables[name].count for name in _DATA):
            raise StartRefusedError("the database holds data but no key check value; nothing was changed", 78)
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
        found = keys_of(master, tables)
        if found is not None:
            return found[0]
        keys = KeyTree(master, fresh["install_id"], bytes.fromhex(fresh["install_salt"]))
        rows = fresh | {"key_check": keys.check_value.hex()}
        tables.table("meta").upsert_all(({"key": key, "value": value} for key, value in rows.items()), pk="key")
        tables.conn.execute("INSERT INTO key_generations VALUES (1, ?)", (os.urandom(SEED_BYTES),))
        _learn(keys, tables)
        return keys

    return await database.write(settle)

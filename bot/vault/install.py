"""Whose database it is: the install's id, its salt, and the value that tells its key from every other (SAFETY 4.7)."""

import os
import re
from pathlib import Path

from bot.errors import StartRefusedError, StoreDamagedError, WrongKeyError
from bot.ids import short_id
from bot.store import Database, Tables
from bot.store.database import peek
from bot.vault.keys import KeyTree, MasterKey, fingerprint_of

_DATA = ("sealed", "data_keys", "audit", "persons")
"""Tables that are empty only where no key was ever used."""
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
        raise WrongKeyError(fingerprint_of(bytes.fromhex(check_value)), keys.fingerprint)
    return keys, install_id


def _identity(tables: Tables) -> tuple[str, str, str]:
    if "meta" not in tables.table_names():
        return "", "", ""
    meta = {row["key"]: row["value"] for row in tables["meta"].rows}
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
        return keys

    return await database.write(settle)

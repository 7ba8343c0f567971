"""Exchanging the master key for another one (SAFETY 4.5).

One transaction makes the database the other key's: from then on it opens with that one alone, and a start with the one
before is told so. What is sealed by master keys themselves is sealed anew there: updates that wait, and what the CRM
has told. The data keys are wrapped by a new generation, which grows from the other key; they follow one by one, as in
every rotation, and until the last of them has, the key before is loaded as well, sealed under the other. It is dropped
with the generations that grew from it (`backups`). Days of the audit log keep the keys they were written with.

The bot must not run meanwhile: what it holds grows from the key before. Buttons from before are dead.
"""

from datetime import UTC, datetime

from bot.clock import Clock
from bot.errors import ConflictError, StoreDamagedError
from bot.ports import Deed, Recorder
from bot.store import Database, Tables
from bot.vault.datakeys import generation, next_generation
from bot.vault.install import has_earlier, keep_earlier
from bot.vault.keys import KeyTree, MasterKey
from bot.vault.rotation import DATA_KEYS, WRAPPING, is_marked, mark
from bot.vault.signing import UpdateSealer

_DAY_MILLIS = 86_400_000
_SEALED_BY_MASTER = (("inbox", "update_id", 1), ("crm_events", "id", -1))
"""Table, number of a row, and that number's sign in what a body belongs to."""


async def move(database: Database, keys: KeyTree, to: MasterKey, audit: Recorder, clock: Clock) -> None:
    """Make the database the other key's, and begin the rotation that ends with nothing being wrapped by this one.

    Raises:
        ConflictError: It is the same key, or something of an earlier exchange or rotation is not at its end.
    """

    def change(tables: Tables) -> None:
        meta = {row["key"]: row["value"] for row in tables["meta"].rows}
        other = KeyTree(to, meta["install_id"], bytes.fromhex(meta["install_salt"]))
        if other.check_value == keys.check_value:
            raise ConflictError("that is the master key the desk has; nothing was changed")
        if is_marked(tables, WRAPPING) or is_marked(tables, DATA_KEYS):
            raise ConflictError("a rotation was interrupted: finish that first (countersign key check names it)")
        if has_earlier(tables):
            raise ConflictError(
                "the key before this one is still needed: every passphrase must have been given once (/unlock) and a "
                "backup made (countersign backup) before the next exchange"
            )
        _seal_anew(
            tables, UpdateSealer(keys, meta["install_id"], clock), UpdateSealer(other, meta["install_id"], clock)
        )
        before = generation(tables)
        now, _ = next_generation(tables)
        mark(tables, WRAPPING)
        details: dict[str, str | int] = {
            "from_key": keys.fingerprint,
            "to_key": other.fingerprint,
            "from": before,
            "to": now,
        }
        audit.record(tables, Deed("key.exchanged", "key", details=details))
        days = {day: keys.audit_key(day) for day in _days(tables)}
        keep_earlier(tables, keys, other, now, days)

    await database.write(change)


def _seal_anew(tables: Tables, before: UpdateSealer, then: UpdateSealer) -> None:
    for table, number, sign in _SEALED_BY_MASTER:
        rows = tables.conn.execute(f"SELECT {number}, body FROM {table} WHERE body IS NOT NULL").fetchall()  # noqa: S608
        for row, body in rows:
            try:
                plain = before.unseal(body, sign * row)
            except ValueError:
                raise StoreDamagedError(f"row {row} of {table} does not open") from None
            tables.conn.execute(f"UPDATE {table} SET body = ? WHERE {number} = ?", (then.seal(plain, sign * row), row))  # noqa: S608


def _days(tables: Tables) -> list[int]:
    """Every day of the audit log, `yyyymmdd`."""
    rows = tables.conn.execute(f"SELECT DISTINCT at / {_DAY_MILLIS} FROM audit").fetchall()  # noqa: S608
    dates = [datetime.fromtimestamp(day * _DAY_MILLIS / 1000, UTC) for (day,) in rows]
    return [int(f"{date:%Y%m%d}") for date in dates]

"""The audit log: one row for each change, in the change's own transaction.

A row's hash covers its fields (each behind its length) and the row before; its MAC covers the hash with a key that is
not in the database. If the row cannot be written, the change does not happen. Details are canonical JSON and never hold
a secret.
"""

import hashlib
import hmac
from collections.abc import Callable

from bot.clock import Clock
from bot.ports import Deed
from bot.store import Tables
from bot.store.columns import at, packed

_FIRST = bytes(32)


class Audit:
    """Writes and checks the chain."""

    def __init__(self, clock: Clock, code: Callable[[bytes], bytes], epoch: int) -> None:
        """`code` makes the MAC of a row's hash; the vault's keys bring it."""
        self._clock = clock
        self._code = code
        self._epoch = epoch

    def record(self, tables: Tables, deed: Deed) -> None:
        """Append `deed` inside the caller's transaction."""
        row = tables.conn.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
        seq, prev = (row[0] + 1, row[1]) if row else (1, _FIRST)
        values = (
            seq,
            at(self._clock.now()),
            self._epoch,
            deed.person_id,
            deed.telegram_id,
            deed.action,
            deed.object,
            packed(dict(deed.details)),
        )
        hashed = _hash(values, prev)
        tables.conn.execute(
            "INSERT INTO audit (seq, at, epoch, person_id, telegram_id, action, object, details, prev, hash, mac)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, prev, hashed, self._code(hashed)),
        )

    def first_bad(self, tables: Tables) -> int | None:
        """The first row that does not fit the chain, or None when all do. A cut tail shows only against an anchor."""
        prev, expected = _FIRST, 1
        for row in tables.conn.execute(
            "SELECT seq, at, epoch, person_id, telegram_id, action, object, details, prev, hash, mac"
            " FROM audit ORDER BY seq"
        ):
            hashed = _hash(row[:8], prev)
            whole = row[0] == expected and row[8] == prev and row[9] == hashed
            if not whole or not hmac.compare_digest(row[10], self._code(hashed)):
                return int(row[0])
            prev, expected = hashed, expected + 1
        return None


def _hash(values: tuple[object, ...], prev: bytes) -> bytes:
    digest = hashlib.sha256()
    for value in values:
        encoded = b"\x00" if value is None else b"\x01" + str(value).encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    digest.update(prev)
    return digest.digest()

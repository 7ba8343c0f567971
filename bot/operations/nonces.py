"""Nonces that outlive the process: a row for each key, on disk before the number is used (SAFETY M20)."""

from bot.store import Database, Tables


class StoredNonces:
    """Fits `bot.providers.nonces.Nonces`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def allocate(self, key_id: str, now_ms: int) -> int:
        """max(last + 1, `now_ms`, what a restored database may have forgotten)."""
        return await self._database.write(lambda tables: _raise(tables, key_id, now_ms, step=1))

    async def pass_over(self, key_id: str, nonce: int) -> None:
        await self._database.write(lambda tables: _raise(tables, key_id, nonce, step=0))


def _raise(tables: Tables, key_id: str, lowest: int, *, step: int) -> int:
    """The row of one key, `step` above its last and no lower than `lowest` or the floor a restored backup has set."""
    found = tables.conn.execute(
        "INSERT INTO nonces (key_id, last) VALUES (:key, max(:lowest, :floor))"
        " ON CONFLICT (key_id) DO UPDATE SET last = max(last + :step, :lowest, :floor) RETURNING last",
        {"key": key_id, "lowest": lowest, "floor": _floor(tables), "step": step},
    ).fetchone()
    return int(found[0])


def _floor(tables: Tables) -> int:
    row = tables.conn.execute("SELECT value FROM meta WHERE key = 'nonce_floor'").fetchone()
    return int(row[0]) if row is not None else 0

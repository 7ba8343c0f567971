"""Where the configuration's policy is not that of the desk. Looked at with the database closed."""

from pathlib import Path

from bot.store import Tables
from bot.store.database import peek


def policy_differing(database: Path, document: str) -> list[str]:
    """In sentences. The configuration's document seeds a desk that has none, and no other."""

    def look(tables: Tables) -> tuple[int, str] | None:
        if "policies" not in tables.table_names():
            return None
        row = tables.conn.execute(
            "SELECT version, document FROM policies WHERE called_off_at IS NULL ORDER BY version DESC LIMIT 1"
        ).fetchone()
        return None if row is None else (row[0], row[1])

    found = peek(database, look)
    if found is None or found[1] == document:
        return []
    return [_DIFFERING.format(found[0])]


_DIFFERING = (
    "the desk's policy (version {}) is not the configuration's; the configuration seeds a desk without one only, so "
    "what the desk has counts (/policy file gives it, /policy propose changes it)"
)

"""What SQLite keeps beside the file until it has copied it over: a copy of what was written, erased rows among it."""

from bot.store.tables import Tables


def empty_journal(tables: Tables) -> bool:
    """Bring the file up to date and cut the journal to nothing; answers whether it is empty now.

    In a read of its own, outside any transaction. While the database is being copied it may stay as it is.
    """
    busy, _, _ = tables.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy

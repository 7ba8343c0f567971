"""The only owner of the SQLite file."""

from bot.store.database import Database, Tables

__all__ = ["Database", "Tables"]

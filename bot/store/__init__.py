"""The only owner of the SQLite file."""

from bot.store.database import Database
from bot.store.tables import Tables

__all__ = ["Database", "Tables"]

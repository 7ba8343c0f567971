"""What a read or a change gets: the tables of one connection."""

import sqlite3
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils


class Tables:
    """SQL goes through `.conn`; whatever else is asked for is sqlite-utils.

    That is imported when it is first used: a start that finds the schema as it should be asks by SQL alone.
    """

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.conn = conn

    @cached_property
    def library(self) -> "sqlite_utils.Database":
        """The same connection, as sqlite-utils has it."""
        import sqlite_utils

        return sqlite_utils.Database(self.conn)

    def table(self, name: str) -> "sqlite_utils.db.Table":
        return self.library.table(name)

    def __getitem__(self, name: str) -> "sqlite_utils.db.Table":
        return self.library.table(name)

    def table_names(self) -> list[str]:
        return [name for (name,) in self.conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]

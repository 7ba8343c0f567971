"""How a change is written down: SQL, each statement ending its line."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def run(tables: "Database", script: str) -> None:
    """One statement at a time: `executescript` would end the transaction that the change is made in."""
    for statement in script.split(";\n"):
        if statement.strip():
            tables.conn.execute(statement)

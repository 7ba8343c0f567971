"""How a change is written down: SQL, each statement ending its line."""

import sqlite_utils


def run(tables: sqlite_utils.Database, script: str) -> None:
    """One statement at a time: `executescript` would end the transaction that the change is made in."""
    for statement in script.split(";\n"):
        if statement.strip():
            tables.conn.execute(statement)

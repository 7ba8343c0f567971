"""Whether there is anything at all in a table."""

from collections.abc import Callable

from bot.store.tables import Tables


def any_in(*names: str) -> Callable[[Tables], bool]:
    """Whether one of these tables has a row; the names are those of the schema, or queries in brackets."""
    query = " OR ".join(f"EXISTS (SELECT 1 FROM {name})" for name in names)  # noqa: S608  # names of ours
    return lambda tables: bool(tables.conn.execute(f"SELECT {query}").fetchone()[0])

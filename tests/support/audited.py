"""A watch over the database: which changes left no row in the audit log, in their own transaction.

Triggers of the connection's own (nothing is left in the file) note every table that a change touched. What may change
without a row is listed here by hand, each with its reason; a table of neither list fails the test that compares them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from bot.store import Database, Tables
from bot.wiring import House

UNAUDITED: Mapping[str, str] = {
    "_sqlite_migrations": "which steps of the schema are done; the program's version says the same",
    "sqlite_sequence": "SQLite's own",
    "audit": "the log itself",
    "inbox": "updates on their way in; what one causes is recorded where it is caused",
    "outbox": "messages on their way out; what they tell of is recorded",
    "outbox_files": "likewise",
    "bursts": "cards that count messages on their way out",
    "schedule_runs": "which slots have come; nothing was decided",
    "chat_pauses": "chats that are to be left alone for a moment",
    "pages": "words for the second channel; what they tell of is recorded",
    "cards": "what was shown, with buttons; what a tap causes is recorded",
    "drafts": "forms half filled in; they have no effect before they are handed in",
    "entry_links": "ways to such a form, for ten minutes; what is handed in through one is recorded",
    "data_keys": "how records are sealed; a rotation and a passphrase are recorded when they begin and end",
    "nonces": "numbers that were given out; what is sent with one is recorded",
    "registrations": "who asked how to register a key; nothing changed",
    "streams": "how far each stream has been told; nothing was decided",
    "outages": "when nothing was heard; nothing was decided",
    "number_misses": "single wrong numbers; each is recorded with what it was picked for",
    "cases": "what a request is to the limits; the request is recorded",
    "answers": "what the provider answered, word for word; what follows from it is recorded",
    "sightings": "what looking at the provider showed; what follows from it is recorded",
    "crm_events": "what the CRM told by itself; a reason to read, and nothing was decided",
    "crm_withdrawals": "what was read of it; a person who adds a request is recorded",
    "alert_states": "how rules stand; a person who sets, changes or removes one is recorded",
    "alert_values": "what was heard last; nothing was decided",
    "alert_firings": "what was told of rules; who acknowledges is recorded",
    "alert_positions": "what was open when somebody looked last",
    "factor_failures": "single wrong codes; the lock they lead to is recorded",
}
"""Tables whose changes need no row, and why."""

AUDITED = (
    "persons",
    "telegram_ids",
    "roles",
    "approver_groups",
    "invites",
    "connections",
    "shares",
    "sealed",
    "requests",
    "rates",
    "votes",
    "sendings",
    "policies",
    "beneficiaries",
    "freezes",
    "delegations",
    "remarks",
    "files",
    "quiet_hours",
    "schedules",
    "factors",
    "group_moves",
    "crm_payments",
    "account_links",
    "alert_rules",
    "key_generations",
    "audit_keys",
    "meta",
)
"""Tables whose changes are recorded; the exceptions within them are below."""

COLUMNS_APART: Mapping[str, Mapping[str, str]] = {
    "crm_payments": {
        "times": "the same was said again; that it was said is recorded",
        "last_at": "likewise",
    },
    "connections": {
        "used_at": "when it was last asked; nothing was decided",
        "tested_at": "when it was last tried",
        "found": "what trying it showed",
        "powers": "what it was found to be able to do",
        "untold": "what it may be able to do, too",
    },
    "schedules": {"next_at": "when it is looked at again; reckoned from what is recorded"},
    "invites": {
        "opened_by": "who came to the door with the code; that they came in is recorded",
        "opened_at": "likewise",
        "offered_name": "likewise",
    },
    "factors": {
        "last_step": "which code was used last; what it was used for is recorded",
        "enrolling_until": "a factor being set up; it counts for nothing before its first code, which is recorded",
    },
}
"""Columns that may change alone, and why."""

ROWS_APART: Mapping[str, tuple[str, str]] = {
    "meta": (
        "{row}.key NOT IN ('epoch', 'install_id', 'install_salt', 'key_check', 'kek_id', 'nonce_floor')",
        "the program's own notes, such as how the last run ended",
    ),
    "factors": ("{row}.active_since IS NULL", "likewise being set up"),
    "sealed": ("{row}.subject NOT LIKE 'connection/%'", "what was typed into a form that is not handed in yet"),
}
"""Rows that may come, change and go without one, and why."""


@dataclass
class Watch:
    """What was seen."""

    unaudited: list[str] = field(default_factory=list)
    """Each change that touched an audited table and left no row: where it was written, and what it touched."""

    @property
    def by_the_program(self) -> list[str]:
        """The same without what tests do behind its back."""
        return [each for each in self.unaudited if not each.startswith("tests.")]

    touched: set[str] = field(default_factory=set)
    """Audited tables that changed at all, as `insert persons`."""


@contextmanager
def watching(database: Database) -> Iterator[Watch]:
    """Look at every change through this database, for the length of the block."""
    watch, write = Watch(), database.write
    ready: list[bool] = []

    def watched(change: Callable[[Tables], Any]) -> Awaitable[Any]:
        def looked_at(tables: Tables) -> Any:
            if not ready:
                _lay_wires(tables)
                ready.append(True)
            tables.conn.execute("DELETE FROM temp.noticed")
            before = _rows(tables)
            result = change(tables)
            noticed = {what for (what,) in tables.conn.execute("SELECT DISTINCT what FROM temp.noticed")}
            watch.touched |= noticed
            if noticed and _rows(tables) == before:
                watch.unaudited.append(f"{change.__module__}.{change.__qualname__}: {', '.join(sorted(noticed))}")
            return result

        return write(looked_at)

    database.write = watched  # type: ignore[method-assign]
    try:
        yield watch
    finally:
        database.write = write  # type: ignore[method-assign]


@asynccontextmanager
async def recorded(opening: AbstractAsyncContextManager[House]) -> AsyncIterator[House]:
    """The same house; a change of its own that leaves no row in the log fails the test that made it."""
    async with opening as rooms:
        with watching(rooms.database) as watch:
            yield rooms
        assert watch.by_the_program == [], "changed, and not recorded"


def _rows(tables: Tables) -> int:
    (last,) = tables.conn.execute("SELECT coalesce(max(seq), 0) FROM audit").fetchone()
    return int(last)


def _lay_wires(tables: Tables) -> None:
    tables.conn.execute("CREATE TEMP TABLE noticed (what TEXT)")
    for table in AUDITED:
        columns = [column.name for column in tables[table].columns if column.name not in COLUMNS_APART.get(table, ())]
        changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
        for verb, row, when in (("insert", "NEW", "1"), ("update", "NEW", changed), ("delete", "OLD", "1")):
            apart = ROWS_APART.get(table)
            counts = f"NOT ({apart[0].format(row=row)}) AND ({when})" if apart else when
            tables.conn.execute(
                f"CREATE TEMP TRIGGER watch_{table}_{verb} AFTER {verb.upper()} ON main.{table} WHEN {counts}"  # noqa: S608
                f" BEGIN INSERT INTO noticed VALUES ('{verb} {table}'); END"
            )

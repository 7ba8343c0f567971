"""What is heard from providers, and what was said to them last."""

from typing import TYPE_CHECKING

from bot.store.migrations.script import run

if TYPE_CHECKING:
    from sqlite_utils import Database


def m004_money_that_moves(tables: "Database") -> None:
    run(
        tables,
        """
CREATE TABLE nonces (
    key_id TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE feeds (
    connection_id INTEGER PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    caught_up_at INTEGER NOT NULL
) STRICT;
CREATE TABLE feed_entries (
    connection_id INTEGER NOT NULL REFERENCES feeds (connection_id) ON DELETE CASCADE,
    entry_id TEXT NOT NULL,
    day TEXT NOT NULL,
    PRIMARY KEY (connection_id, entry_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE registrations (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    account TEXT NOT NULL,
    chat_id INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    PRIMARY KEY (connection_id, account, chat_id)
) STRICT, WITHOUT ROWID;
""",
    )


def m005_requests_of_clients(tables: "Database") -> None:
    run(
        tables,
        """
CREATE TABLE crm_events (
    id INTEGER PRIMARY KEY,
    event TEXT NOT NULL,
    request_id TEXT NOT NULL,
    status TEXT NOT NULL,
    body BLOB NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    times INTEGER NOT NULL DEFAULT 1,
    UNIQUE (event, request_id, status)
) STRICT;
CREATE INDEX crm_events_of ON crm_events (request_id);
CREATE TABLE crm_withdrawals (
    request_id TEXT PRIMARY KEY,
    source TEXT NOT NULL CHECK (source IN ('webhook', 'operator')),
    noticed_at INTEGER NOT NULL,
    unread INTEGER NOT NULL DEFAULT 1 CHECK (unread >= 0),
    confirmed_at INTEGER,
    is_read INTEGER NOT NULL DEFAULT 0 CHECK (is_read IN (0, 1)),
    trouble TEXT NOT NULL DEFAULT '',
    status TEXT,
    node INTEGER,
    account TEXT,
    amount TEXT,
    currency TEXT,
    method TEXT,
    client TEXT,
    asked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX crm_withdrawals_unread ON crm_withdrawals (noticed_at) WHERE unread > 0;
""",
    )


def m006_report_source(tables: "Database") -> None:
    """A third way to hear of a request: the table is made anew, as it is but for the list of ways."""
    (made,) = tables.conn.execute("SELECT sql FROM sqlite_master WHERE name = 'crm_withdrawals'").fetchone()
    indexes = tables.conn.execute(
        "SELECT sql FROM sqlite_master WHERE tbl_name = 'crm_withdrawals' AND type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    run(tables, "ALTER TABLE crm_withdrawals RENAME TO crm_withdrawals_before")
    run(tables, made.replace("'operator')", "'operator', 'report')"))
    run(tables, "INSERT INTO crm_withdrawals SELECT * FROM crm_withdrawals_before;\nDROP TABLE crm_withdrawals_before")
    for (index,) in indexes:
        tables.conn.execute(index)


def m007_payments_told(tables: "Database") -> None:
    run(
        tables,
        """
CREATE TABLE crm_payments (
    order_no TEXT PRIMARY KEY,
    status INTEGER NOT NULL CHECK (status IN (0, 1, 2)),
    amount TEXT NOT NULL,
    currency TEXT NOT NULL,
    transaction_id TEXT UNIQUE,
    client TEXT NOT NULL,
    contradicted INTEGER NOT NULL DEFAULT 0 CHECK (contradicted IN (0, 1)),
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    times INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;
""",
    )


def m013_streams(tables: "Database") -> None:
    """What is followed at each provider and how far it was told, and when nothing was heard."""
    run(
        tables,
        """
CREATE TABLE streams (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    topic TEXT NOT NULL,
    name TEXT NOT NULL,
    told_at INTEGER,
    listened_until INTEGER,
    price TEXT,
    low TEXT,
    high TEXT,
    keys TEXT,
    PRIMARY KEY (connection_id, topic, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE outages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    since INTEGER NOT NULL,
    until INTEGER
) STRICT;
CREATE UNIQUE INDEX outages_open ON outages (connection_id) WHERE until IS NULL;
""",
    )


def m020_feeds(tables: "Database") -> None:
    """Feeds of arriving money are streams among the others: how far each was told, with the lines it told last."""
    run(
        tables,
        """
INSERT OR IGNORE INTO streams (connection_id, topic, name) SELECT connection_id, 'entry', '' FROM feeds;
UPDATE streams SET told_at = feeds.caught_up_at, listened_until = feeds.caught_up_at,
    keys = (
        SELECT group_concat(day || '/' || entry_id, char(10)) FROM feed_entries
        WHERE feed_entries.connection_id = feeds.connection_id
    )
FROM feeds
WHERE feeds.connection_id = streams.connection_id AND topic = 'entry' AND name = '' AND told_at IS NULL;
DROP TABLE feed_entries;
DROP TABLE feeds;
""",
    )

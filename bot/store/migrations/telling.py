"""What people are told, and when."""

from typing import TYPE_CHECKING

from bot.store.migrations.script import run

if TYPE_CHECKING:
    from sqlite_utils import Database


def m012_delivery(tables: "Database") -> None:
    """Bursts on one card, chats to be left alone, quiet hours, files to be sent, and the second channel's pages."""
    run(
        tables,
        """
ALTER TABLE outbox ADD COLUMN is_grouped INTEGER NOT NULL DEFAULT 0 CHECK (is_grouped IN (0, 1));
ALTER TABLE outbox ADD COLUMN burst INTEGER;
ALTER TABLE outbox ADD COLUMN rang_at INTEGER;
CREATE INDEX outbox_by_chat ON outbox (chat_id, lane, id, not_before, is_grouped) WHERE state = 'waiting';
CREATE INDEX outbox_of_burst ON outbox (burst, state, trouble) WHERE burst IS NOT NULL;
CREATE INDEX outbox_rang ON outbox (chat_id, rang_at) WHERE rang_at IS NOT NULL;
CREATE TABLE outbox_files (
    outbox_id INTEGER PRIMARY KEY REFERENCES outbox (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE bursts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chat_id INTEGER NOT NULL,
    message_id INTEGER,
    opened_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX bursts_of ON bursts (chat_id, id);
CREATE TABLE chat_pauses (
    chat_id INTEGER PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT;
CREATE TABLE quiet_hours (
    person_id INTEGER PRIMARY KEY REFERENCES persons (id),
    from_minute INTEGER CHECK (from_minute BETWEEN 0 AND 1439),
    until_minute INTEGER CHECK (until_minute BETWEEN 0 AND 1439),
    zone TEXT NOT NULL,
    hourly INTEGER CHECK (hourly >= 0)
) STRICT;
CREATE TABLE pages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    dedupe TEXT NOT NULL,
    way TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    ended_at INTEGER,
    trouble TEXT NOT NULL DEFAULT '',
    UNIQUE (dedupe, way)
) STRICT;
CREATE INDEX pages_left ON pages (not_before) WHERE ended_at IS NULL;
""",
    )


def m014_alerts(tables: "Database") -> None:
    """Rules as people set them, how each stands, the values they look at, and each time that one came."""
    run(
        tables,
        """
CREATE TABLE alert_rules (
    id TEXT PRIMARY KEY,
    owner INTEGER NOT NULL REFERENCES persons (id),
    connection_id INTEGER NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX alert_rules_of ON alert_rules (owner);
CREATE TABLE alert_states (
    rule_id TEXT PRIMARY KEY REFERENCES alert_rules (id) ON DELETE CASCADE,
    phase TEXT NOT NULL CHECK (phase IN ('new', 'armed', 'held', 'done')),
    side TEXT NOT NULL,
    since INTEGER,
    reference TEXT,
    told_at INTEGER,
    times INTEGER NOT NULL,
    muted_until INTEGER,
    muted_while_held INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE alert_values (
    connection_id INTEGER NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    value TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (connection_id, what, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE alert_firings (
    id TEXT PRIMARY KEY,
    rule_id TEXT NOT NULL,
    bucket TEXT NOT NULL,
    direction TEXT NOT NULL,
    severity TEXT NOT NULL,
    happened_at INTEGER NOT NULL,
    told_at INTEGER NOT NULL,
    is_quiet INTEGER NOT NULL,
    body TEXT NOT NULL,
    acknowledged_by INTEGER REFERENCES persons (id),
    acknowledged_at INTEGER,
    resolved_at INTEGER,
    escalated_at INTEGER,
    UNIQUE (rule_id, bucket, direction)
) STRICT;
CREATE INDEX alert_firings_open ON alert_firings (rule_id) WHERE resolved_at IS NULL AND is_quiet = 0;
CREATE INDEX alert_firings_unseen ON alert_firings (told_at)
    WHERE severity = 'critical' AND acknowledged_at IS NULL AND escalated_at IS NULL AND is_quiet = 0;
CREATE TABLE alert_positions (
    connection_id INTEGER NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (connection_id, id)
) STRICT, WITHOUT ROWID;
""",
    )


def m015_schedules(tables: "Database") -> None:
    """What is told by the clock; each slot of each schedule has one row, which comes before its run."""
    run(
        tables,
        """
CREATE TABLE schedules (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person_id INTEGER NOT NULL REFERENCES persons (id),
    telegram_id INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('balances', 'positions', 'statement')),
    connection TEXT,
    cron TEXT NOT NULL,
    zone TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    is_paused INTEGER NOT NULL DEFAULT 0 CHECK (is_paused IN (0, 1)),
    next_at INTEGER NOT NULL
) STRICT;
CREATE INDEX schedules_next ON schedules (next_at) WHERE is_paused = 0;
CREATE INDEX schedules_of ON schedules (person_id);
CREATE TABLE schedule_runs (
    schedule_id INTEGER NOT NULL REFERENCES schedules (id) ON DELETE CASCADE,
    slot TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('begun', 'done', 'missed', 'failed')),
    begun_at INTEGER NOT NULL,
    ended_at INTEGER,
    trouble TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (schedule_id, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedule_runs_begun ON schedule_runs (due_at) WHERE state = 'begun';
""",
    )


def m017_schedule_places(tables: "Database") -> None:
    """The group, and its topic, that is told when something has come by the clock."""
    run(
        tables,
        """
ALTER TABLE schedules ADD COLUMN group_id INTEGER;
ALTER TABLE schedules ADD COLUMN thread_id INTEGER
""",
    )


def m018_alert_steps(tables: "Database") -> None:
    """How many steps an alert that nobody acknowledged has gone; what went the only one there was has gone it."""
    run(
        tables,
        """
ALTER TABLE alert_firings ADD COLUMN steps INTEGER NOT NULL DEFAULT 0;
UPDATE alert_firings SET steps = 1 WHERE escalated_at IS NOT NULL;
DROP INDEX alert_firings_unseen;
CREATE INDEX alert_firings_unseen ON alert_firings (severity, told_at) WHERE acknowledged_at IS NULL AND is_quiet = 0
""",
    )


def m022_profit_currencies(tables: "Database") -> None:
    """Profits are added up by currency: rules about more than one position name theirs in what they look at."""
    run(
        tables,
        """
UPDATE alert_rules SET subject = iif(subject = '', 'all', subject) || ' ' || (body ->> 'currency')
WHERE what = 'profit' AND body ->> 'currency' != '' AND instr(subject, ' ') = 0 AND NOT EXISTS
    (SELECT 1 FROM alert_positions AS known
     WHERE known.connection_id = alert_rules.connection_id AND known.id = alert_rules.subject AND known.id != '')
""",
    )


def m023_one_way_to_look(tables: "Database") -> None:
    """What waits is looked for chat by chat: nothing asks for the next rows of all of them any more."""
    run(tables, "DROP INDEX outbox_waiting")

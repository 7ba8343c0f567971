"""The tables that a desk begins with."""

from typing import TYPE_CHECKING

from bot.store.migrations.script import run

if TYPE_CHECKING:
    from sqlite_utils import Database


def m001_the_house(tables: "Database") -> None:
    run(
        tables,
        """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE persons (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'suspended')),
    created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE telegram_ids (
    telegram_id INTEGER PRIMARY KEY,
    person_id INTEGER NOT NULL REFERENCES persons (id)
) STRICT;
CREATE INDEX telegram_ids_of ON telegram_ids (person_id);
CREATE TABLE roles (
    person_id INTEGER NOT NULL REFERENCES persons (id),
    role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'approver', 'auditor', 'admin')),
    PRIMARY KEY (person_id, role)
) STRICT, WITHOUT ROWID;
CREATE TABLE invites (
    code_hash TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    created_by INTEGER NOT NULL REFERENCES persons (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_by INTEGER REFERENCES persons (id),
    used_at INTEGER
) STRICT;

CREATE TABLE connections (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL REFERENCES persons (id),
    provider TEXT NOT NULL,
    label TEXT NOT NULL COLLATE NOCASE,
    environment TEXT NOT NULL CHECK (environment IN ('live', 'demo')),
    created_at INTEGER NOT NULL,
    tested_at INTEGER NOT NULL,
    UNIQUE (provider, label)
) STRICT;
CREATE TABLE shares (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    PRIMARY KEY (connection_id, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE data_keys (
    id TEXT PRIMARY KEY,
    person_id INTEGER NOT NULL REFERENCES persons (id),
    kek_id INTEGER NOT NULL,
    mode TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    uses INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX data_keys_of ON data_keys (person_id);
CREATE TABLE sealed (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    person_id INTEGER NOT NULL REFERENCES persons (id),
    provider TEXT NOT NULL,
    label TEXT NOT NULL,
    field TEXT NOT NULL,
    environment TEXT NOT NULL,
    version INTEGER NOT NULL,
    record BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (subject, field)
) STRICT;

CREATE TABLE inbox (
    update_id INTEGER PRIMARY KEY,
    origin TEXT,
    chat_id INTEGER NOT NULL,
    body BLOB,
    received_at INTEGER NOT NULL,
    done_at INTEGER
) STRICT;
CREATE UNIQUE INDEX inbox_origin ON inbox (origin) WHERE origin IS NOT NULL;
CREATE INDEX inbox_unfinished ON inbox (update_id) WHERE done_at IS NULL;

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    dedupe TEXT UNIQUE,
    lane INTEGER NOT NULL,
    chat_id INTEGER NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dead')),
    tries INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    sent_at INTEGER,
    message_id INTEGER,
    trouble TEXT
) STRICT;
CREATE INDEX outbox_waiting ON outbox (lane, id) WHERE state = 'waiting';

CREATE TABLE cards (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    person_id INTEGER NOT NULL REFERENCES persons (id),
    chat_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE TABLE drafts (
    person_id INTEGER PRIMARY KEY REFERENCES persons (id),
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    person_id INTEGER,
    telegram_id INTEGER,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    details TEXT NOT NULL,
    prev BLOB NOT NULL,
    hash BLOB NOT NULL,
    mac BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_grows BEFORE INSERT ON audit WHEN NEW.seq <= (SELECT max(seq) FROM audit)
    BEGIN SELECT RAISE(ABORT, 'audit rows are appended'); END;
CREATE TRIGGER audit_is_final BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows are final'); END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows stay'); END;
""",
    )


def m002_groups_that_moved(tables: "Database") -> None:
    run(
        tables,
        """
CREATE TABLE group_moves (
    old_id INTEGER PRIMARY KEY,
    new_id INTEGER NOT NULL CHECK (new_id != old_id),
    moved_at INTEGER NOT NULL
) STRICT;
""",
    )

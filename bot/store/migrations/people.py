"""People: their invites, votes, second factors and keys, and what the log says of them."""

from typing import TYPE_CHECKING

from bot.store.migrations.script import run

if TYPE_CHECKING:
    from sqlite_utils import Database


def m003_vault_and_people(tables: "Database") -> None:
    run(
        tables,
        """
ALTER TABLE roles ADD COLUMN via_chat INTEGER;
CREATE TABLE approver_groups (
    person_id INTEGER NOT NULL REFERENCES persons (id),
    name TEXT NOT NULL,
    via_chat INTEGER,
    PRIMARY KEY (person_id, name)
) STRICT, WITHOUT ROWID;
ALTER TABLE invites ADD COLUMN approver_group TEXT;
ALTER TABLE invites ADD COLUMN via_chat INTEGER;
ALTER TABLE invites ADD COLUMN opened_by INTEGER;
ALTER TABLE invites ADD COLUMN opened_at INTEGER;
ALTER TABLE invites ADD COLUMN offered_name TEXT;

CREATE TABLE requests (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    parameters TEXT NOT NULL,
    hash TEXT NOT NULL,
    rule TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'held', 'sending', 'acked', 'unknown', 'succeeded',
        'failed', 'denied', 'expired', 'cancelled', 'settled_by_hand')),
    version INTEGER NOT NULL,
    asked_by INTEGER NOT NULL REFERENCES persons (id),
    asked_in TEXT UNIQUE,
    asked_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    settled_at INTEGER,
    outcome TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX requests_pending ON requests (asked_at) WHERE state = 'pending';
CREATE TRIGGER requests_keep_what_was_asked BEFORE UPDATE OF id, kind, parameters, hash, asked_by, asked_at ON requests
    BEGIN SELECT RAISE(ABORT, 'what was asked for never changes'); END;
CREATE TRIGGER requests_end BEFORE UPDATE ON requests
    WHEN OLD.state IN ('succeeded', 'failed', 'denied', 'expired', 'cancelled', 'settled_by_hand')
    BEGIN SELECT RAISE(ABORT, 'an ended request never changes'); END;
CREATE TRIGGER requests_stay BEFORE DELETE ON requests BEGIN SELECT RAISE(ABORT, 'requests stay'); END;
CREATE TABLE votes (
    request_id TEXT NOT NULL REFERENCES requests (id),
    person_id INTEGER NOT NULL REFERENCES persons (id),
    telegram_id INTEGER NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('approve', 'deny')),
    hash TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (request_id, person_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER votes_are_final BEFORE UPDATE ON votes BEGIN SELECT RAISE(ABORT, 'votes are final'); END;
CREATE TRIGGER votes_stay BEFORE DELETE ON votes BEGIN SELECT RAISE(ABORT, 'votes stay'); END;

ALTER TABLE shares RENAME TO shares_by_role;
CREATE TABLE shares (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    party TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('read', 'act')),
    PRIMARY KEY (connection_id, party)
) STRICT, WITHOUT ROWID;
INSERT INTO shares SELECT connection_id, 'role/' || role, 'read' FROM shares_by_role;
DROP TABLE shares_by_role;
ALTER TABLE connections ADD COLUMN found TEXT NOT NULL DEFAULT '';
ALTER TABLE connections ADD COLUMN powers TEXT NOT NULL DEFAULT '';
ALTER TABLE connections ADD COLUMN untold TEXT NOT NULL DEFAULT '';
ALTER TABLE connections ADD COLUMN used_at INTEGER;
ALTER TABLE connections ADD COLUMN changed_at INTEGER;

ALTER TABLE data_keys ADD COLUMN kdf TEXT;
ALTER TABLE data_keys ADD COLUMN retired INTEGER NOT NULL DEFAULT 0 CHECK (retired IN (0, 1));

CREATE INDEX audit_of ON audit (object, at);

CREATE TABLE factors (
    person_id INTEGER PRIMARY KEY REFERENCES persons (id),
    active_since INTEGER,
    last_step INTEGER NOT NULL DEFAULT 0,
    locked_until INTEGER,
    enrolling_until INTEGER
) STRICT;
CREATE TABLE factor_failures (
    person_id INTEGER NOT NULL REFERENCES factors (person_id) ON DELETE CASCADE,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX factor_failures_of ON factor_failures (person_id);

CREATE TABLE entry_links (
    token_hash TEXT PRIMARY KEY,
    person_id INTEGER NOT NULL REFERENCES persons (id),
    purpose TEXT NOT NULL,
    body TEXT NOT NULL,
    code_hash TEXT,
    wrong_codes INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT;
""",
    )


def m008_second_signatures(tables: "Database") -> None:
    run(
        tables,
        """
ALTER TABLE factors ADD COLUMN waiting TEXT REFERENCES requests (id);
ALTER TABLE connections ADD COLUMN leaked_at INTEGER;
CREATE TABLE account_links (
    code_hash TEXT PRIMARY KEY,
    person_id INTEGER NOT NULL REFERENCES persons (id),
    created_by INTEGER NOT NULL REFERENCES persons (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_by INTEGER,
    used_at INTEGER
) STRICT;
CREATE TABLE key_generations (
    id INTEGER PRIMARY KEY,
    seed BLOB NOT NULL
) STRICT;
INSERT INTO key_generations SELECT kek_id, x'' FROM data_keys
    UNION SELECT coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'kek_id'), 1), x''
    FROM meta WHERE key = 'key_check';
CREATE TABLE audit_keys (
    day INTEGER PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;
""",
    )


def m011_named_in_the_log(tables: "Database") -> None:
    """What the log is asked about a person: what they did, and the rows in whose details they are named."""
    run(
        tables,
        """
CREATE INDEX audit_by ON audit (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX audit_for ON audit (CASE WHEN json_valid(details) THEN json_extract(details, '$.for_person') END)
    WHERE instr(details, '"for_person":');
""",
    )

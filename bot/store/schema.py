"""The tables, as a list of migrations that only ever grows.

Times are epoch milliseconds. A closed set of words is a CHECK. A row that must happen once has a unique index.
"""

import sqlite_utils
from sqlite_utils import Migrations

MIGRATIONS = Migrations("countersign")


def known_names() -> set[str]:
    """Names of the migrations this program knows."""
    return {migration.name for migration in MIGRATIONS._migrations}


def _run(tables: sqlite_utils.Database, script: str) -> None:
    for statement in script.split(";\n"):
        if statement.strip():
            tables.conn.execute(statement)


@MIGRATIONS()
def m001_the_house(tables: sqlite_utils.Database) -> None:
    _run(
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


@MIGRATIONS()
def m002_groups_that_moved(tables: sqlite_utils.Database) -> None:
    _run(
        tables,
        """
CREATE TABLE group_moves (
    old_id INTEGER PRIMARY KEY,
    new_id INTEGER NOT NULL CHECK (new_id != old_id),
    moved_at INTEGER NOT NULL
) STRICT;
""",
    )


@MIGRATIONS()
def m003_vault_and_people(tables: sqlite_utils.Database) -> None:
    _run(
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


@MIGRATIONS()
def m004_money_that_moves(tables: sqlite_utils.Database) -> None:
    _run(
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


@MIGRATIONS()
def m005_requests_of_clients(tables: sqlite_utils.Database) -> None:
    _run(
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


@MIGRATIONS()
def m006_report_source(tables: sqlite_utils.Database) -> None:
    """A third way to hear of a request: the table is made anew, as it is but for the list of ways."""
    (made,) = tables.conn.execute("SELECT sql FROM sqlite_master WHERE name = 'crm_withdrawals'").fetchone()
    indexes = tables.conn.execute(
        "SELECT sql FROM sqlite_master WHERE tbl_name = 'crm_withdrawals' AND type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    _run(tables, "ALTER TABLE crm_withdrawals RENAME TO crm_withdrawals_before")
    _run(tables, made.replace("'operator')", "'operator', 'report')"))
    _run(tables, "INSERT INTO crm_withdrawals SELECT * FROM crm_withdrawals_before;\nDROP TABLE crm_withdrawals_before")
    for (index,) in indexes:
        tables.conn.execute(index)


@MIGRATIONS()
def m007_payments_told(tables: sqlite_utils.Database) -> None:
    _run(
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


@MIGRATIONS()
def m008_second_signatures(tables: sqlite_utils.Database) -> None:
    _run(
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


@MIGRATIONS()
def m009_money_decided(tables: sqlite_utils.Database) -> None:
    _run(
        tables,
        """
ALTER TABLE requests ADD COLUMN connection_id INTEGER;
ALTER TABLE requests ADD COLUMN amount TEXT;
ALTER TABLE requests ADD COLUMN currency TEXT;
ALTER TABLE requests ADD COLUMN same TEXT;
ALTER TABLE requests ADD COLUMN blocks TEXT;
ALTER TABLE requests ADD COLUMN counts INTEGER NOT NULL DEFAULT 1 CHECK (counts IN (0, 1));
ALTER TABLE requests ADD COLUMN number INTEGER;
ALTER TABLE requests ADD COLUMN held_until INTEGER;
ALTER TABLE requests ADD COLUMN asked_in_chat INTEGER;
CREATE UNIQUE INDEX requests_one_alike ON requests (blocks) WHERE blocks IS NOT NULL;
CREATE INDEX requests_on_the_way ON requests (state) WHERE state IN ('approved', 'held', 'sending', 'acked', 'unknown');
CREATE INDEX requests_asked ON requests (asked_at);
CREATE TRIGGER requests_keep_what_is_at_stake
    BEFORE UPDATE OF rule, connection_id, amount, currency, same, number, asked_in, asked_in_chat ON requests
    BEGIN SELECT RAISE(ABORT, 'what was asked for never changes'); END;

ALTER TABLE votes ADD COLUMN proof INTEGER NOT NULL DEFAULT 0;
ALTER TABLE votes ADD COLUMN shown TEXT NOT NULL DEFAULT '';
ALTER TABLE votes ADD COLUMN message_id INTEGER;
CREATE TABLE number_misses (
    request_id TEXT NOT NULL REFERENCES requests (id),
    person_id INTEGER NOT NULL REFERENCES persons (id),
    at INTEGER NOT NULL,
    PRIMARY KEY (request_id, person_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE policies (
    version INTEGER PRIMARY KEY,
    document TEXT NOT NULL,
    in_force_from INTEGER NOT NULL,
    request_id TEXT REFERENCES requests (id),
    called_off_at INTEGER
) STRICT;
CREATE TABLE beneficiaries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL,
    account TEXT NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    currency TEXT,
    request_id TEXT REFERENCES requests (id),
    added_at INTEGER NOT NULL,
    usable_from INTEGER NOT NULL,
    removed_at INTEGER,
    removed_by INTEGER REFERENCES persons (id)
) STRICT;
CREATE UNIQUE INDEX beneficiaries_listed ON beneficiaries (provider, account) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX beneficiaries_named ON beneficiaries (provider, name) WHERE removed_at IS NULL;
CREATE TABLE cases (
    request_id TEXT PRIMARY KEY REFERENCES requests (id),
    act TEXT NOT NULL,
    provider TEXT NOT NULL,
    environment TEXT NOT NULL,
    connection TEXT NOT NULL,
    source TEXT NOT NULL,
    beneficiary TEXT NOT NULL,
    amount TEXT,
    currency TEXT,
    at INTEGER NOT NULL,
    person_id INTEGER NOT NULL REFERENCES persons (id),
    circles TEXT NOT NULL,
    policy INTEGER NOT NULL,
    tier TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX cases_since ON cases (currency, at);
CREATE TRIGGER cases_are_final BEFORE UPDATE ON cases BEGIN SELECT RAISE(ABORT, 'cases are final'); END;
CREATE TRIGGER cases_stay BEFORE DELETE ON cases BEGIN SELECT RAISE(ABORT, 'cases stay'); END;

CREATE TABLE sendings (
    request_id TEXT NOT NULL REFERENCES requests (id),
    attempt INTEGER NOT NULL CHECK (attempt IN (1, 2)),
    connection_id INTEGER NOT NULL,
    reference TEXT NOT NULL,
    nonce INTEGER,
    wire BLOB NOT NULL,
    prepared_at INTEGER NOT NULL,
    begun_at INTEGER NOT NULL,
    outcome TEXT,
    receipt TEXT NOT NULL DEFAULT '',
    code TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    ended_at INTEGER,
    PRIMARY KEY (request_id, attempt)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER sendings_keep_what_was_sent
    BEFORE UPDATE OF request_id, attempt, connection_id, reference, nonce, wire, prepared_at, begun_at ON sendings
    BEGIN SELECT RAISE(ABORT, 'what was sent never changes'); END;
CREATE TRIGGER sendings_stay BEFORE DELETE ON sendings BEGIN SELECT RAISE(ABORT, 'sendings stay'); END;
CREATE TABLE sightings (
    request_id TEXT NOT NULL REFERENCES requests (id),
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    reference TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    differing TEXT NOT NULL DEFAULT '',
    alike TEXT NOT NULL DEFAULT '',
    absent INTEGER NOT NULL DEFAULT 0 CHECK (absent IN (0, 1)),
    answered_later INTEGER NOT NULL DEFAULT 0 CHECK (answered_later IN (0, 1)),
    balance TEXT,
    PRIMARY KEY (request_id, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE freezes (
    scope TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    person_id INTEGER REFERENCES persons (id),
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE delegations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person_id INTEGER NOT NULL REFERENCES persons (id),
    delegate_id INTEGER NOT NULL REFERENCES persons (id),
    from_at INTEGER NOT NULL,
    until_at INTEGER NOT NULL CHECK (until_at > from_at),
    ended_at INTEGER,
    CHECK (person_id != delegate_id)
) STRICT;
CREATE TABLE remarks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL REFERENCES requests (id),
    person_id INTEGER NOT NULL REFERENCES persons (id),
    at INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX remarks_on ON remarks (request_id);
CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL REFERENCES requests (id),
    person_id INTEGER NOT NULL REFERENCES persons (id),
    at INTEGER NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX files_of ON files (request_id);
""",
    )


@MIGRATIONS()
def m010_cards_of_requests(tables: sqlite_utils.Database) -> None:
    _run(
        tables,
        """
CREATE INDEX cards_about_requests ON cards (json_extract(body, '$.request'), kind)
    WHERE json_extract(body, '$.request') IS NOT NULL;
""",
    )


@MIGRATIONS()
def m011_named_in_the_log(tables: sqlite_utils.Database) -> None:
    """What the log is asked about a person: what they did, and the rows in whose details they are named."""
    _run(
        tables,
        """
CREATE INDEX audit_by ON audit (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX audit_for ON audit (CASE WHEN json_valid(details) THEN json_extract(details, '$.for_person') END)
    WHERE instr(details, '"for_person":');
""",
    )


@MIGRATIONS()
def m012_delivery(tables: sqlite_utils.Database) -> None:
    """Bursts on one card, chats to be left alone, quiet hours, files to be sent, and the second channel's pages."""
    _run(
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


@MIGRATIONS()
def m013_streams(tables: sqlite_utils.Database) -> None:
    """What is followed at each provider and how far it was told, and when nothing was heard."""
    _run(
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


@MIGRATIONS()
def m014_alerts(tables: sqlite_utils.Database) -> None:
    """Rules as people set them, how each stands, the values they look at, and each time that one came."""
    _run(
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


@MIGRATIONS()
def m015_schedules(tables: sqlite_utils.Database) -> None:
    """What is told by the clock; each slot of each schedule has one row, which comes before its run."""
    _run(
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


@MIGRATIONS()
def m016_answers(tables: sqlite_utils.Database) -> None:
    """What a provider answered to a sending, and to the look that settled it."""
    _run(
        tables,
        """
CREATE TABLE answers (
    request_id TEXT NOT NULL REFERENCES requests (id),
    at INTEGER NOT NULL,
    asked TEXT NOT NULL CHECK (asked IN ('sent', 'looked')),
    body TEXT NOT NULL,
    PRIMARY KEY (request_id, at, asked)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER answers_are_final BEFORE UPDATE ON answers BEGIN SELECT RAISE(ABORT, 'answers are final'); END;
CREATE TRIGGER answers_stay BEFORE DELETE ON answers BEGIN SELECT RAISE(ABORT, 'answers stay'); END;
""",
    )


@MIGRATIONS()
def m017_feeds(tables: sqlite_utils.Database) -> None:
    """Feeds of arriving money are streams among the others: how far each was told, with the lines it told last."""
    _run(
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

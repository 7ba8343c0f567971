"""Money: what was decided, what was sent, and what was answered."""

from typing import TYPE_CHECKING

from bot.store.migrations.script import run

if TYPE_CHECKING:
    from sqlite_utils import Database


def m009_money_decided(tables: "Database") -> None:
    run(
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


def m010_cards_of_requests(tables: "Database") -> None:
    run(
        tables,
        """
CREATE INDEX cards_about_requests ON cards (json_extract(body, '$.request'), kind)
    WHERE json_extract(body, '$.request') IS NOT NULL;
""",
    )


def m016_answers(tables: "Database") -> None:
    """What a provider answered to a sending, and to the look that settled it."""
    run(
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


def m019_rates(tables: "Database") -> None:
    """What one currency is worth in another, for limits that count every currency."""
    run(
        tables,
        """
CREATE TABLE rates (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    base TEXT NOT NULL,
    quote TEXT NOT NULL,
    rate TEXT NOT NULL,
    at INTEGER NOT NULL,
    request_id TEXT NOT NULL UNIQUE REFERENCES requests (id)
) STRICT;
CREATE INDEX rates_of ON rates (base, quote, at);
CREATE INDEX rates_since ON rates (at);
CREATE TRIGGER rates_are_final BEFORE UPDATE ON rates BEGIN SELECT RAISE(ABORT, 'rates are final'); END;
CREATE TRIGGER rates_stay BEFORE DELETE ON rates BEGIN SELECT RAISE(ABORT, 'rates stay'); END;
CREATE INDEX cases_at ON cases (at);
""",
    )


def m021_first_payments(tables: "Database") -> None:
    """Whether something has arrived at a beneficiary is asked before each payment, and answered without a scan."""
    run(
        tables,
        """
CREATE INDEX requests_paid ON requests (json_extract(parameters, '$.target'))
    WHERE kind = 'transfer' AND state = 'succeeded';
""",
    )

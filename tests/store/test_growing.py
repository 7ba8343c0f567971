"""A database of an earlier version, brought up to date: what it held is still there."""

import hashlib
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.operations.watch.marks import marks_of
from bot.providers.news import Mark
from bot.providers.streams import Subject, Topic
from bot.store import Tables
from bot.store.schema import known_names, migrations

LINKED = (
    "INSERT INTO connections (id, owner, provider, label, environment, created_at, tested_at)"
    " VALUES (?, 7, 'cryptocapital', ?, 'live', 0, 0)"
)
ROW = "INSERT INTO crm_withdrawals (request_id, source, noticed_at, unread, client) VALUES (?, ?, 5, 2, 'Ann')"


def test_the_list_of_requests_takes_a_third_source_and_keeps_what_it_held(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.sqlite", isolation_level=None)) as connection:
        tables = Tables(connection)
        migrations().apply(tables.library, stop_before="m006_report_source")
        connection.execute(ROW, ("b7c8d9e0", "webhook"))
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(ROW, ("c7c8d9e0", "report"))
        before = connection.execute("SELECT * FROM crm_withdrawals").fetchall()
        columns = [column.name for column in tables["crm_withdrawals"].columns]
        migrations().apply(tables.library)
        assert connection.execute("SELECT * FROM crm_withdrawals").fetchall() == before
        assert [column.name for column in tables["crm_withdrawals"].columns] == columns
        assert [index.name for index in tables["crm_withdrawals"].indexes if index.origin == "c"] == [
            "crm_withdrawals_unread"
        ]
        connection.execute(ROW, ("c7c8d9e0", "report"))
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(ROW, ("d7c8d9e0", "hearsay"))
        assert [name for name in tables.table_names() if name.endswith("_before")] == []


def test_what_was_released_is_made_as_it_was(tmp_path: Path) -> None:
    """A desk that ran it has those tables already: what they should be instead takes a step of its own."""
    released, digest = "m016_answers", "b19ce67a14b316d804619d1f61cd6ae4a7a6ee32d3da62840598630feb11f880"
    with closing(sqlite3.connect(tmp_path / "new.sqlite", isolation_level=None)) as connection:
        migrations().apply(Tables(connection).library, stop_before={name for name in known_names() if name > released})
        made = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT GLOB '*sqlite_*' ORDER BY name"
        ).fetchall()
    text = "".join(f"{name}: {' '.join(sql.split())}\n" for name, sql in made)
    assert hashlib.sha256(text.encode()).hexdigest() == digest


def test_the_steps_are_taken_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "new.sqlite", isolation_level=None)) as connection:
        migrations().apply(Tables(connection).library)
        taken = [name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id")]
    assert [int(name[1:4]) for name in taken] == list(range(1, len(taken) + 1))


def test_feeds_of_arriving_money_go_on_as_streams_where_they_were(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.sqlite", isolation_level=None)) as connection:
        tables = Tables(connection)
        migrations().apply(tables.library, stop_before="m020_feeds")
        connection.execute("INSERT INTO persons VALUES (7, 'Olga', 'active', 0)")
        for number in (1, 2, 3):
            connection.execute(LINKED, (number, f"login {number}"))
        for number in (1, 2):
            connection.execute("INSERT INTO feeds VALUES (?, ?)", (number, 1_770_000_000_000))
        connection.execute("INSERT INTO feed_entries VALUES (1, '9120004471/4795', '2026-02-01')")
        connection.execute("INSERT INTO feed_entries VALUES (1, '9120004471/4801', '2026-02-02')")
        polled = (
            "INSERT INTO streams (connection_id, topic, name, told_at, listened_until) VALUES (2, 'entry', '', 5, 6)"
        )
        connection.execute(polled)
        migrations().apply(tables.library)
        assert marks_of(tables, 1) == {
            Subject(Topic.ENTRY): Mark(
                datetime(2026, 2, 2, 2, 40, tzinfo=UTC),
                datetime(2026, 2, 2, 2, 40, tzinfo=UTC),
                keys=("2026-02-01/9120004471/4795", "2026-02-02/9120004471/4801"),
            )
        }
        (polled_mark,) = marks_of(tables, 2).values()
        assert polled_mark.until.timestamp() == 0.006
        assert marks_of(tables, 3) == {}

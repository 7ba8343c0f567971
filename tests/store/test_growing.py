"""A database of an earlier version, brought up to date: what it held is still there."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.store import Tables
from bot.store.schema import MIGRATIONS

ROW = "INSERT INTO crm_withdrawals (request_id, source, noticed_at, unread, client) VALUES (?, ?, 5, 2, 'Ann')"


def test_the_list_of_requests_takes_a_third_source_and_keeps_what_it_held(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.sqlite", isolation_level=None)) as connection:
        tables = Tables(connection)
        MIGRATIONS.apply(tables, stop_before="m006_report_source")
        connection.execute(ROW, ("b7c8d9e0", "webhook"))
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(ROW, ("c7c8d9e0", "report"))
        before = connection.execute("SELECT * FROM crm_withdrawals").fetchall()
        columns = [column.name for column in tables["crm_withdrawals"].columns]
        MIGRATIONS.apply(tables)
        assert connection.execute("SELECT * FROM crm_withdrawals").fetchall() == before
        assert [column.name for column in tables["crm_withdrawals"].columns] == columns
        assert [index.name for index in tables["crm_withdrawals"].indexes if index.origin == "c"] == [
            "crm_withdrawals_unread"
        ]
        connection.execute(ROW, ("c7c8d9e0", "report"))
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(ROW, ("d7c8d9e0", "hearsay"))
        assert [name for name in tables.table_names() if name.endswith("_before")] == []

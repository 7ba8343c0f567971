"""Rules about profits that were set before profits were added up by currency."""

from pathlib import Path

import sqlite_utils

from bot.store.migrations.telling import m014_alerts, m022_profit_currencies


def test_a_rule_about_more_than_one_position_names_its_currency(tmp_path: Path) -> None:
    tables = sqlite_utils.Database(tmp_path / "desk.sqlite")
    tables.conn.execute("CREATE TABLE persons (id INTEGER PRIMARY KEY)")
    tables.conn.execute("CREATE TABLE connections (id INTEGER PRIMARY KEY)")
    m014_alerts(tables)
    tables.conn.execute("PRAGMA foreign_keys = OFF")
    tables.conn.execute("INSERT INTO alert_positions VALUES (1, '77', '{}')")
    for number, subject, what in (("a", "", "profit"), ("b", "GOLD", "profit"), ("c", "77", "profit"), ("d", "", "x")):
        tables.conn.execute(
            'INSERT INTO alert_rules VALUES (?, 1, 1, ?, ?, \'{"currency": "USD"}\', 0)', (number, what, subject)
        )
    m022_profit_currencies(tables)
    rows = tables.conn.execute("SELECT id, subject FROM alert_rules ORDER BY id").fetchall()
    tables.close()
    assert rows == [("a", "all USD"), ("b", "GOLD USD"), ("c", "77"), ("d", "")]

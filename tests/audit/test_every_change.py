"""Nothing changes without a row in the log: every table is watched, or is on a list with the reason why not (G19)."""

import pytest

from bot.store import Database, Tables
from tests.support.audited import AUDITED, COLUMNS_APART, ROWS_APART, UNAUDITED, watching


async def test_of_every_table_it_is_decided_whether_its_changes_are_recorded(database: Database) -> None:
    tables = await database.read(lambda tables: tables.table_names())
    assert sorted(tables) == sorted([*UNAUDITED, *AUDITED])
    assert all(UNAUDITED.values())


async def test_what_is_excepted_is_there_and_has_a_reason(database: Database) -> None:
    for table, columns in COLUMNS_APART.items():
        assert table in AUDITED
        there = await database.read(lambda tables, table=table: {column.name for column in tables[table].columns})
        assert set(columns) <= there
        assert all(columns.values())
    for table, (_, reason) in ROWS_APART.items():
        assert table in AUDITED
        assert reason


def insert_a_person(tables: Tables) -> None:
    tables.conn.execute("INSERT INTO persons VALUES (1, 'Anna', 'active', 0)")


def link_something(tables: Tables) -> None:
    insert_a_person(tables)
    tables.conn.execute(
        "INSERT INTO connections (id, owner, provider, label, environment, created_at, tested_at)"
        " VALUES (1, 1, 'crm', 'main', 'live', 0, 0)"
    )


async def test_the_watch_sees_a_change_without_a_row(database: Database) -> None:
    with watching(database) as watch:
        await database.write(insert_a_person)
        await database.write(lambda tables: tables.conn.execute("UPDATE persons SET state = 'suspended'"))
        await database.write(lambda tables: tables.conn.execute("DELETE FROM persons"))
    assert [seen.rpartition(": ")[2] for seen in watch.unaudited] == [
        "insert persons",
        "update persons",
        "delete persons",
    ]
    assert watch.unaudited[0].startswith(f"{__name__}.insert_a_person: ")


async def test_the_watch_is_content_with_a_row_in_the_same_transaction_and_with_no_other(database: Database) -> None:
    def note(tables: Tables) -> None:
        tables.conn.execute(
            "INSERT INTO audit SELECT coalesce(max(seq), 0) + 1, 0, 1, 1, 1, 'x', 'y', '{}', x'', x'', x'' FROM audit"
        )

    def both(tables: Tables) -> None:
        insert_a_person(tables)
        note(tables)

    with watching(database) as watch:
        await database.write(both)
        await database.write(lambda tables: tables.conn.execute("DELETE FROM persons"))
        await database.write(note)
    assert len(watch.unaudited) == 1
    assert watch.touched == {"insert persons", "delete persons"}


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO drafts VALUES (1, 'x', '{}', 0)",
        "UPDATE connections SET used_at = 5, tested_at = 6",
        "UPDATE persons SET name = name",
        "INSERT INTO meta VALUES ('clean_stop', '5')",
    ],
)
async def test_the_watch_lets_pass_what_is_on_a_list(database: Database, change: str) -> None:
    await database.write(link_something)
    with watching(database) as watch:
        await database.write(lambda tables: tables.conn.execute(change))
    assert watch.unaudited == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE connections SET used_at = 5, label = 'other'",
        "INSERT INTO meta VALUES ('epoch', '5')",
        "INSERT INTO shares VALUES (1, 'role/viewer', 'act')",
    ],
)
async def test_and_nothing_that_comes_with_it(database: Database, change: str) -> None:
    await database.write(link_something)
    with watching(database) as watch:
        await database.write(lambda tables: tables.conn.execute(change))
    assert len(watch.unaudited) == 1

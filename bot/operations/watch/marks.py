"""The desired state of the streams, as rows: what is followed for each connection, and how far it was told."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from bot.providers.news import Mark
from bot.providers.streams import Subject, Topic
from bot.store import Tables
from bot.store.columns import at, moment, packed


def marks_of(tables: Tables, connection: int) -> dict[Subject, Mark]:
    """How far those subjects were told that told anything yet."""
    rows = tables.conn.execute(
        "SELECT topic, name, told_at, listened_until, price, low, high, keys FROM streams"
        " WHERE connection_id = ? AND told_at IS NOT NULL",
        (connection,),
    )
    return {Subject(Topic(topic), name): _mark(*columns) for topic, name, *columns in rows}


def _mark(told_at: int, until: int, price: str | None, low: str | None, high: str | None, keys: str | None) -> Mark:
    lines = tuple(keys.split("\n")) if keys else ()
    return Mark(moment(told_at), moment(until), _number(price), _number(low), _number(high), lines)


def wanting(connection: int, subjects: Iterable[Subject]) -> Callable[[Tables], None]:
    """From now on these are followed; of what is not, it is forgotten how far it was told."""
    wanted = sorted(subjects)

    def change(tables: Tables) -> None:
        tables.conn.execute(
            "DELETE FROM streams WHERE connection_id = ?"
            " AND json_array(topic, name) NOT IN (SELECT value FROM json_each(?))",
            (connection, packed([packed([one.topic.value, one.name]) for one in wanted])),
        )
        tables.conn.executemany(
            "INSERT OR IGNORE INTO streams (connection_id, topic, name) SELECT id, ?, ? FROM connections WHERE id = ?",
            [(one.topic.value, one.name, connection) for one in wanted],
        )

    return change


def keeping(connection: int, marks: Mapping[Subject, Mark]) -> Callable[[Tables], None]:
    """How far they were told. Of what is not wished any more, nothing is kept."""
    rows = [
        (
            at(mark.at),
            at(mark.until),
            _text(mark.price),
            _text(mark.low),
            _text(mark.high),
            "\n".join(mark.keys),
            connection,
            subject.topic.value,
            subject.name,
        )
        for subject, mark in marks.items()
    ]

    def change(tables: Tables) -> None:
        tables.conn.executemany(
            "UPDATE streams SET told_at = ?, listened_until = ?, price = ?, low = ?, high = ?, keys = ?"
            " WHERE connection_id = ? AND topic = ? AND name = ?",
            rows,
        )

    return change


def streams_in(tables: Tables) -> dict[int, tuple[int, datetime | None, datetime | None]]:
    """By connection: how much of it is followed, when that told anything last, since when it is known to be silent."""
    rows = tables.conn.execute(
        "SELECT connection_id, count(*), max(told_at),"
        " (SELECT min(since) FROM outages WHERE outages.connection_id = streams.connection_id AND until IS NULL)"
        " FROM streams GROUP BY connection_id"
    ).fetchall()
    return {
        connection: (count, None if told_at is None else moment(told_at), None if since is None else moment(since))
        for connection, count, told_at, since in rows
    }


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)

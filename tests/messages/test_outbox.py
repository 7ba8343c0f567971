"""What is to be told waits in its lane until it has been told, once."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.errors import StoreError
from bot.messages.cards import Cards
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox, Queued
from bot.store import Database, Tables
from tests.support.clock import HandClock
from tests.support.waiting import due


@pytest.fixture
def outbox(database: Database, clock: HandClock) -> Outbox:
    return Outbox(database, clock)


def notice(title: str, lane: Lane = Lane.EVENTS, chat: int = 7, dedupe: str | None = None) -> Notice:
    return Notice(lane, chat, title, ("a line", "</b>\u202e & 'another'"), dedupe)


async def put(database: Database, outbox: Outbox, *notices: Notice) -> None:
    def change(tables: Tables) -> None:
        for one in notices:
            outbox.put(tables, one)

    await database.write(change)


async def titles(outbox: Outbox, limit: int = 20) -> list[str]:
    return [row.notice.title for row in await due(outbox, limit)]


async def first(outbox: Outbox) -> Queued:
    return (await due(outbox))[0]


async def test_a_notice_comes_out_as_it_went_in(outbox: Outbox, database: Database, clock: HandClock) -> None:
    await put(database, outbox, notice("Linked", Lane.SECURITY, -100_5, "k"))
    (row,) = await due(outbox)
    assert row.notice == Notice(Lane.SECURITY, -100_5, "Linked", ("a line", "</b>\u202e & 'another'"))
    assert (row.tries, row.created_at) == (0, 1772442000000)


async def test_a_row_comes_with_the_card_of_its_buttons_as_it_is_by_then(
    outbox: Outbox, database: Database, clock: HandClock
) -> None:
    await database.write(lambda tables: tables.conn.execute("INSERT INTO persons VALUES (7, 'Olga', 'active', 0)"))
    cards = Cards(database, clock)
    made = await cards.make("alert", 7, 7, {"alert": "a"})
    await put(database, outbox, replace(notice("Gold"), card=made.id, choices=((("Acknowledge", 1),),)))
    await cards.advance(made, {"alert": "b"})
    (head,) = await outbox.heads()
    assert head.row is not None
    assert head.row.card == await cards.find(made.id)
    assert head.row.card is not None
    assert (head.row.card.version, head.row.card.body) == (2, {"alert": "b"})
    await database.write(lambda tables: tables.conn.execute("DELETE FROM cards"))
    assert (await first(outbox)).card is None


async def test_lanes_go_before_age_and_age_within_a_lane(outbox: Outbox, database: Database) -> None:
    await put(
        database,
        outbox,
        notice("price", Lane.PRICES),
        notice("event 1", Lane.EVENTS),
        notice("decision 1", Lane.DECISIONS),
        notice("security", Lane.SECURITY),
        notice("event 2", Lane.EVENTS),
        notice("decision 2", Lane.DECISIONS),
    )
    assert await titles(outbox) == ["decision 1", "decision 2", "security", "event 1", "event 2", "price"]
    assert await titles(outbox, 2) == ["decision 1", "decision 2"]


async def test_ten_thousand_prices_do_not_stand_before_one_decision(outbox: Outbox, database: Database) -> None:
    await put(database, outbox, *(notice(f"p{number}", Lane.PRICES) for number in range(10_000)))
    await put(database, outbox, notice("approve?", Lane.DECISIONS))
    assert (await titles(outbox))[0] == "approve?"


async def test_the_same_fact_is_queued_once_even_after_it_was_sent(outbox: Outbox, database: Database) -> None:
    await put(
        database, outbox, notice("one", dedupe="rule/7/up"), notice("two", dedupe="rule/7/up"), notice("x"), notice("x")
    )
    assert await titles(outbox) == ["one", "x", "x"]
    await outbox.sent(await first(outbox), 55)
    await put(database, outbox, notice("three", dedupe="rule/7/up"))
    assert await titles(outbox) == ["x", "x"]


async def test_a_notice_shares_the_fate_of_the_change_it_belongs_to(outbox: Outbox, database: Database) -> None:
    def change(tables: Tables) -> None:
        outbox.put(tables, notice("never"))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await database.write(change)
    assert await titles(outbox) == []


async def test_what_was_sent_is_marked_with_its_message_and_not_sent_again(outbox: Outbox, database: Database) -> None:
    await put(database, outbox, notice("a"))
    row = await first(outbox)
    await outbox.sent(row, 4711)
    assert await due(outbox) == []
    await outbox.later(row, 0, "late answer")  # of a second sender that lost
    await outbox.give_up(row, "late answer")
    marks = "SELECT state, tries, message_id, trouble FROM outbox"
    assert await database.read(lambda tables: tables.conn.execute(marks).fetchall()) == [("sent", 1, 4711, None)]
    assert await outbox.depth() == {"waiting": 0, "dead": 0}


async def test_a_database_that_refuses_the_mark_leaves_the_row_waiting(
    outbox: Outbox, database: Database, clock: HandClock
) -> None:
    await put(database, outbox, notice("a"))
    row = await first(outbox)
    await database.close()
    with pytest.raises(StoreError):
        await outbox.sent(row, 1)
    again = await Database.open(database.path)
    assert await titles(Outbox(again, clock)) == ["a"]  # told twice rather than never
    await again.close()


async def test_later_means_not_before_then_for_the_whole_chat_and_nobody_else(
    outbox: Outbox, database: Database, clock: HandClock
) -> None:
    await put(database, outbox, notice("a"), notice("b"), notice("elsewhere", chat=8))
    await outbox.later(await first(outbox), 7.5, "told to wait")
    assert await titles(outbox) == ["elsewhere"]
    await clock.move(7.4)
    assert await titles(outbox) == ["elsewhere"]
    await clock.move(0.1)
    assert await titles(outbox) == ["a", "b", "elsewhere"]
    assert [row.tries for row in await due(outbox)] == [1, 0, 0]


async def test_a_shorter_wait_does_not_shorten_a_longer_one(
    outbox: Outbox, database: Database, clock: HandClock
) -> None:
    await put(database, outbox, notice("a"), notice("b"))
    a, b = await due(outbox)
    await outbox.later(a, 30, "told to wait")
    await outbox.later(b, 1, "told to wait")
    await clock.move(29)
    assert await titles(outbox) == []
    await clock.move(1)
    assert await titles(outbox) == ["a", "b"]


async def test_trouble_on_the_line_uses_up_time_only(outbox: Outbox, database: Database) -> None:
    await put(database, outbox, notice("a"))
    for _ in range(50):
        await outbox.later(await first(outbox), 0, "TimedOut")
    assert (await first(outbox)).tries == 50


async def test_after_eight_tries_by_its_own_fault_a_row_is_dead_and_the_others_go_on(
    outbox: Outbox, database: Database
) -> None:
    await put(database, outbox, notice("poison"), notice("fine"))
    for _ in range(8):
        row = await first(outbox)
        assert row.notice.title == "poison"
        await outbox.later(row, 0, "BadRequest", own_fault=True)
    assert await titles(outbox) == ["fine"]
    assert await outbox.depth() == {"waiting": 1, "dead": 1}


async def test_after_a_day_a_row_is_dead_at_its_next_failure(
    outbox: Outbox, database: Database, clock: HandClock
) -> None:
    await put(database, outbox, notice("old"))
    await clock.move(timedelta(hours=24).total_seconds())
    await outbox.later(await first(outbox), 1, "TimedOut")
    assert await outbox.depth() == {"waiting": 1, "dead": 0}
    await clock.move(1)
    await outbox.later(await first(outbox), 1, "TimedOut")
    assert await outbox.depth() == {"waiting": 0, "dead": 1}


async def test_giving_up_says_why(outbox: Outbox, database: Database) -> None:
    await put(database, outbox, notice("a"))
    await outbox.give_up(await first(outbox), "Forbidden")
    marks = "SELECT state, trouble, sent_at FROM outbox"
    assert await database.read(lambda tables: tables.conn.execute(marks).fetchall()) == [("dead", "Forbidden", None)]


async def test_a_chat_that_takes_nothing_is_given_up_whole_and_somebody_is_told(
    outbox: Outbox, database: Database
) -> None:
    await put(database, outbox, notice("a"), notice("b"), notice("elsewhere", chat=8))
    await outbox.unreachable(await first(outbox), "Forbidden", [notice("7 is not reached", Lane.SECURITY, chat=9)])
    assert await titles(outbox) == ["7 is not reached", "elsewhere"]
    assert await outbox.depth() == {"waiting": 2, "dead": 2}


async def test_only_what_was_sent_long_ago_is_forgotten(outbox: Outbox, database: Database, clock: HandClock) -> None:
    await put(database, outbox, notice("sent"), notice("dead"), notice("waiting"))
    sent, dead, _ = await due(outbox)
    await outbox.sent(sent, 1)
    await outbox.give_up(dead, "Forbidden")
    await clock.move(timedelta(days=14).total_seconds())
    assert await outbox.prune() == 0
    await clock.move(1)
    assert await outbox.prune() == 1
    assert await outbox.depth() == {"waiting": 1, "dead": 1}
    await clock.move(timedelta(days=46).total_seconds())
    assert await outbox.prune() == 1
    assert await outbox.depth() == {"waiting": 1, "dead": 0}


async def test_two_who_mark_at_once_count_one_try(outbox: Outbox, database: Database) -> None:
    await put(database, outbox, notice("a"))
    row = await first(outbox)
    await asyncio.gather(*(outbox.sent(row, number) for number in (1, 2, 3)))
    assert await database.read(lambda tables: tables.conn.execute("SELECT tries FROM outbox").fetchall()) == [(1,)]


async def test_a_group_that_moved_is_reached_where_it_is_now(
    outbox: Outbox, database: Database, clock: HandClock
) -> None:
    """Twice moved; whoever still has its first id written down reaches it, and what was to be left alone still is."""
    await put(database, outbox, notice("waits", chat=-1))
    await outbox.pause(-1, 30)

    def move(tables: Tables) -> None:
        tables.conn.execute("INSERT INTO group_moves VALUES (-1, -2, 0), (-2, -3, 0)")
        outbox.redirecting(-1, -2)(tables)
        outbox.redirecting(-2, -3)(tables)

    await database.write(move)
    await put(database, outbox, notice("comes later", chat=-1))
    assert await outbox.paused() == {-3: 30.0}
    assert await outbox.heads() == []
    await clock.move(31)
    assert {row.notice.chat_id for row in await due(outbox)} == {-3}


async def test_of_each_chat_the_first_goes_by_lane_and_then_by_age(outbox: Outbox, database: Database) -> None:
    await put(
        database,
        outbox,
        notice("event", Lane.EVENTS, chat=9),
        notice("price", Lane.PRICES, chat=3),
        notice("price too", Lane.PRICES, chat=1),
        notice("decision", Lane.DECISIONS, chat=3),
        notice("security", Lane.SECURITY, chat=5),
        notice("security too", Lane.SECURITY, chat=2),
    )
    heads = await outbox.heads()
    assert [(head.lane, head.chat_id) for head in heads] == [
        (Lane.DECISIONS, 3),
        (Lane.SECURITY, 5),
        (Lane.SECURITY, 2),
        (Lane.EVENTS, 9),
        (Lane.PRICES, 1),
    ]
    assert [head.chat_id for head in await outbox.heads(busy=[3, 5], hushed=[1, 2])] == [2, 9]

"""What came from Telegram is kept once, handed out until it is dealt with, and then forgotten in good time."""

import asyncio
import itertools
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from bot.errors import StoreError, StoreFullError
from bot.messages.inbox import MARK_SECONDS, Inbox, Incoming
from bot.store import Database, Tables
from tests.support.clock import HandClock

DAY = 86_400.0


def message(update_id: int, number: int | None = None, chat: int = 7, body: bytes = b"{}") -> Incoming:
    return Incoming(update_id, chat, body, f"m/{chat}/{number if number is not None else update_id}")


@pytest.fixture
def inbox(database: Database, clock: HandClock) -> Inbox:
    return Inbox(database, clock)


async def a_moment(clock: HandClock) -> None:
    """As long as marks may wait; whoever slept goes on."""
    for _ in range(5):
        await asyncio.sleep(0)
    await clock.move(MARK_SECONDS)


async def settled(inbox: Inbox, clock: HandClock) -> None:
    """Until no mark is waiting any more."""
    async with asyncio.timeout(5):
        while inbox._marking is not None and not inbox._marking.done():
            await a_moment(clock)
            await asyncio.sleep(0.001)


async def leave_room(database: Database, pages: int) -> None:
    """The disk has room for so many more pages."""

    def limit(tables: Tables) -> None:
        used = tables.conn.execute("PRAGMA page_count").fetchone()[0]
        tables.conn.execute(f"PRAGMA max_page_count = {used + pages}").fetchone()

    await database.read(limit)


async def test_a_batch_is_kept_in_order_and_handed_out_again_after_a_restart(
    inbox: Inbox, database: Database, clock: HandClock
) -> None:
    batch = [message(3, body=b"\x00\xff raw"), message(1), message(2, chat=8)]
    assert await inbox.keep(batch) == batch
    assert await inbox.waiting() == 3
    assert await Inbox(database, clock).unfinished() == [batch[1], batch[2], batch[0]]
    assert await inbox.keep([]) == []


async def test_the_same_update_never_counts_twice_in_one_batch_in_the_next_or_when_done(
    inbox: Inbox, clock: HandClock
) -> None:
    assert await inbox.keep([message(1), message(1)]) == [message(1)]
    assert await inbox.keep([message(1), message(2)]) == [message(2)]
    inbox.finish(1)
    inbox.finish(2)
    await inbox.flush()
    assert await inbox.keep([message(1), message(2)]) == []
    assert await inbox.waiting() == 0
    await settled(inbox, clock)


async def test_the_same_message_or_tap_under_another_update_id_never_counts_twice(inbox: Inbox) -> None:
    tap = Incoming(10, 7, b"{}", "c/4711")
    assert await inbox.keep([message(1, 55), tap]) == [message(1, 55), tap]
    assert await inbox.keep([message(2, 55), Incoming(11, 7, b"{}", "c/4711"), message(3, 56)]) == [message(3, 56)]
    assert await inbox.keep([message(4, 55, chat=8)]) == [message(4, 55, chat=8)]


async def test_what_stands_for_nothing_may_repeat(inbox: Inbox) -> None:
    edits = [Incoming(1, 7, b"a"), Incoming(2, 7, b"b")]
    assert await inbox.keep(edits) == edits


async def test_a_lower_id_than_all_before_is_an_update_like_any_other(inbox: Inbox, clock: HandClock) -> None:
    await inbox.keep([message(900_000_001), message(900_000_002)])
    await clock.move(8 * DAY)
    later = [message(12), message(13)]
    assert await inbox.keep(later) == later
    assert [item.update_id for item in await inbox.unfinished()] == [900_000_001, 900_000_002, 12, 13]


async def test_a_row_that_was_handled_loses_its_text_and_is_not_handed_out(
    inbox: Inbox, database: Database, clock: HandClock
) -> None:
    await inbox.keep([message(1, body=b"canary-text"), message(2, body=b"other")])
    inbox.finish(1)
    await inbox.flush()
    assert await inbox.unfinished() == [message(2, body=b"other")]
    bodies = await database.read(lambda tables: tables.conn.execute("SELECT body, done_at FROM inbox").fetchall())
    assert bodies == [(None, 1772442000000), (b"other", None)]
    await settled(inbox, clock)


async def test_a_mark_is_written_by_itself_after_a_moment(inbox: Inbox, clock: HandClock) -> None:
    await inbox.keep([message(1)])
    inbox.finish(1)
    assert await inbox.unfinished() == [message(1)]  # not on disk yet
    assert await inbox.waiting() == 0  # but handled
    await settled(inbox, clock)
    assert await inbox.unfinished() == []
    assert await inbox.waiting() == 0


async def test_a_mark_made_while_marks_are_being_written_is_written_too(
    inbox: Inbox, database: Database, clock: HandClock
) -> None:
    """The writing of the first mark is held up; the second comes meanwhile; nothing else ever comes."""
    go = threading.Event()
    await inbox.keep([message(1), message(2)])
    held = asyncio.ensure_future(database.read(lambda _: go.wait(5)))
    inbox.finish(1)
    await a_moment(clock)
    for _ in range(5):
        await asyncio.sleep(0)
    assert inbox._finished == []  # on its way
    inbox.finish(2)
    go.set()
    await held
    await settled(inbox, clock)
    assert await inbox.unfinished() == []


async def test_marks_go_with_the_next_batch(inbox: Inbox, clock: HandClock) -> None:
    await inbox.keep([message(1)])
    inbox.finish(1)
    await inbox.keep([message(2)])
    assert [item.update_id for item in await inbox.unfinished()] == [2]
    await settled(inbox, clock)


async def test_f48_a_full_disk_keeps_nothing_of_the_batch_and_loses_no_mark(
    inbox: Inbox, database: Database, clock: HandClock
) -> None:
    await inbox.keep([message(1)])
    inbox.finish(1)
    await leave_room(database, 0)
    big = [message(2), message(3, body=b"x" * 200_000)]
    with pytest.raises(StoreFullError):
        await inbox.keep(big)
    assert [item.update_id for item in await inbox.unfinished()] == [1]
    await leave_room(database, 1_000_000)
    assert await inbox.keep(big) == big  # offered again
    assert [item.update_id for item in await inbox.unfinished()] == [2, 3]
    await settled(inbox, clock)


async def test_an_id_no_column_can_hold_keeps_nothing_and_loses_no_mark(inbox: Inbox, clock: HandClock) -> None:
    await inbox.keep([message(1)])
    inbox.finish(1)
    with pytest.raises((StoreError, OverflowError)):
        await inbox.keep([message(2), message(1 << 70)])
    await inbox.flush()
    assert await inbox.unfinished() == []
    await settled(inbox, clock)


async def test_a_database_that_is_gone_keeps_the_marks_in_memory(
    inbox: Inbox, database: Database, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    await inbox.keep([message(1)])
    inbox.finish(1)
    await database.close()
    await settled(inbox, clock)
    assert inbox._finished == [1]
    assert caplog.messages == ["marks not written, kept for the next batch"]


async def test_what_was_handled_is_remembered_for_14_days(inbox: Inbox, clock: HandClock) -> None:
    await inbox.keep([message(1), message(2)])
    inbox.finish(1)
    await inbox.flush()
    await settled(inbox, clock)
    await clock.move(14 * DAY)
    assert await inbox.prune() == 0
    assert await inbox.keep([message(1)]) == []
    await clock.move(1)
    assert await inbox.prune() == 1
    assert [item.update_id for item in await inbox.unfinished()] == [2]  # however old, it was not handled
    assert await inbox.keep([message(1)]) == [message(1)]


async def test_many_batches_side_by_side_keep_each_update_once(inbox: Inbox) -> None:
    batches = [[message(number) for number in range(start, start + 20)] for start in range(0, 100, 5)]
    kept = await asyncio.gather(*(inbox.keep(batch) for batch in batches))
    ids = [item.update_id for item in itertools.chain.from_iterable(kept)]
    assert sorted(ids) == list(range(115))


async def test_what_was_kept_survives_kill_9_and_comes_out_once(tmp_path: Path, clock: HandClock) -> None:
    script = """
import asyncio, os, signal, sys
from pathlib import Path
from bot.clock import SystemClock
from bot.messages.inbox import Inbox, Incoming
from bot.store import Database
async def main():
    inbox = Inbox(await Database.open(Path(sys.argv[1])), SystemClock())
    await inbox.keep([Incoming(1, 7, b"one", "m/7/1"), Incoming(2, 7, b"two", "m/7/2")])
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    path = tmp_path / "db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, os.fspath(path), cwd=Path(__file__).parents[2]
    )
    assert await asyncio.wait_for(process.wait(), 20) == -signal.SIGKILL
    database = await Database.open(path)
    inbox = Inbox(database, clock)
    assert [item.body for item in await inbox.unfinished()] == [b"one", b"two"]
    assert await inbox.keep([message(1), message(2), message(3)]) == [message(3)]  # Telegram offers them again
    await database.close()

"""The file's one owner: what was answered is on disk, what failed took nothing along, what is damaged is left alone."""

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bot.errors import StoreBusyError, StoreDamagedError, StoreError, StoreFullError, StoreNewerError
from bot.store import Database, Tables
from bot.store.file import peek


class Change:
    """A change that writes one row through sqlite-utils, as the rooms do, and fails afterwards if told to."""

    def __init__(self, key: str, value: str, failure: BaseException | None = None) -> None:
        self.key, self.value, self.failure = key, value, failure

    def __call__(self, tables: Tables) -> str:
        tables.table("meta").insert({"key": self.key, "value": self.value})
        if self.failure is not None:
            raise self.failure
        return self.key


class Twice:
    """A change of two rows."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def __call__(self, tables: Tables) -> str:
        for key in self.keys:
            tables.conn.execute("INSERT INTO meta VALUES (?, 'x')", (key,))
        return self.keys[0]


def note(key: str, value: str = "x") -> Change:
    return Change(key, value)


def keys(tables: Tables) -> list[str]:
    return [row[0] for row in tables.conn.execute("SELECT key FROM meta ORDER BY key")]


class Blocker:
    """A read that holds the database's thread until let go, so that changes pile up behind it."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, _: Tables) -> None:
        self.go.wait(5)


@contextmanager
def another_program(path: Path, begin: str) -> Iterator[None]:
    """Another process holds the database for the length of the block."""
    script = (
        "import sqlite3,sys; c=sqlite3.connect(sys.argv[1],isolation_level=None); c.execute(sys.argv[2]);"
        "print('held',flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path), begin], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield
        finally:
            process.kill()


async def test_a_change_is_seen_by_the_next_read_and_its_result_comes_back(database: Database) -> None:
    assert await database.write(note("a")) == "a"
    assert await database.read(keys) == ["a"]


async def test_the_settings_that_keep_data_safe_are_on(database: Database) -> None:
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
        "mmap_size": 0,
        "busy_timeout": 5000,
    }
    found = await database.read(
        lambda tables: {name: tables.conn.execute(f"PRAGMA {name}").fetchone() for name in wanted}
    )
    assert {name: row[0] if row else 0 for name, row in found.items()} == wanted
    assert stat.S_IMODE(database.path.stat().st_mode) == 0o600
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        await database.write(lambda tables: tables.conn.execute("INSERT INTO telegram_ids VALUES (1, 99)"))


async def test_a_failing_change_changes_nothing_and_its_asker_gets_the_error(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        await database.write(Change("a", "x", ZeroDivisionError()))
    await database.write(note("b"))
    with pytest.raises(StoreError, match="UNIQUE"):
        await database.write(note("b"))
    assert await database.read(keys) == ["b"]


async def test_changes_that_wait_together_share_a_commit_and_one_that_fails_takes_nothing_of_the_others(
    database: Database,
) -> None:
    changes = [
        note("a"),
        Change("b", "x", ZeroDivisionError("own error")),
        note("c"),
        Twice("f", "a"),  # the second is there already: the table refuses, and the first goes too
        Change("d", "x", KeyboardInterrupt()),
        note("e"),
    ]
    results = await together(database, changes)

    assert [type(result).__name__ if isinstance(result, BaseException) else result for result in results] == [
        "a",
        "ZeroDivisionError",
        "c",
        "StoreError",
        "KeyboardInterrupt",
        "e",
    ]
    assert await database.read(keys) == ["a", "c", "e"]


async def together(database: Database, changes: Sequence[Change | Twice]) -> list[object]:
    """Queue all `changes` while the thread is held, then let it go."""
    blocker = Blocker()
    held = asyncio.ensure_future(database.read(blocker))
    waiting = [asyncio.ensure_future(database.write(change)) for change in changes]
    blocker.go.set()
    await held
    return list(await asyncio.gather(*waiting, return_exceptions=True))


async def test_two_hundred_waiting_changes_need_few_commits(database: Database) -> None:
    def log_size(_: Tables) -> int:
        return database.path.with_name(database.path.name + "-wal").stat().st_size

    before = await database.read(log_size)
    alone = [await database.write(note(f"alone{number}")) for number in range(4)]
    one_by_one = (await database.read(log_size) - before) / len(alone)
    middle = await database.read(log_size)
    await together(database, [note(f"k{number:03}") for number in range(200)])
    side_by_side = (await database.read(log_size) - middle) / 200
    assert len(await database.read(keys)) == 204
    assert side_by_side < one_by_one / 10  # each commit writes its pages anew


async def test_reads_and_changes_keep_the_order_in_which_they_were_asked(database: Database) -> None:
    seen = await asyncio.gather(
        database.write(note("a")),
        database.read(keys),
        database.write(note("b")),
        database.write(note("c")),
        database.read(keys),
        database.write(note("d")),
        database.read(keys),
    )
    assert seen == ["a", ["a"], "b", "c", ["a", "b", "c"], "d", ["a", "b", "c", "d"]]


async def test_a_check_and_its_write_are_one_step(database: Database) -> None:
    """Twenty take from a purse of ten; each looks first."""

    def take(tables: Tables) -> bool:
        (left,) = tables.conn.execute("SELECT value FROM meta WHERE key = 'purse'").fetchone()
        if int(left) == 0:
            return False
        tables.conn.execute("UPDATE meta SET value = ? WHERE key = 'purse'", (str(int(left) - 1),))
        return True

    await database.write(note("purse", "10"))
    taken = await asyncio.gather(*(database.write(take) for _ in range(20)))
    assert sum(taken) == 10


async def test_an_asker_who_gave_up_disturbs_nobody(database: Database) -> None:
    blocker = Blocker()
    held = asyncio.ensure_future(database.read(blocker))
    gone = asyncio.ensure_future(database.write(note("gone")))
    stays = asyncio.ensure_future(database.write(note("stays")))
    gone.cancel()
    blocker.go.set()
    await held
    assert await stays == "stays"
    assert await database.read(keys) == ["gone", "stays"]  # it was asked, so it happened


async def test_after_close_nothing_is_taken_and_everything_asked_before_was_done(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "db")
    asked = [asyncio.ensure_future(database.write(note(f"k{number}"))) for number in range(5)]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*asked) == ["k0", "k1", "k2", "k3", "k4"]
    with pytest.raises(StoreError, match="closed"):
        await asyncio.wait_for(database.read(keys), 2)
    await database.close()
    assert os.listdir(tmp_path) == ["db"]


async def test_a_change_asked_while_closing_is_refused_and_not_left_hanging(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "db")
    blocker = Blocker()
    held = asyncio.ensure_future(database.read(blocker))
    closing_down = asyncio.ensure_future(database.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreError, match="closed"):
        await asyncio.wait_for(database.write(note("late")), 2)
    blocker.go.set()
    await asyncio.gather(held, closing_down)


async def test_what_was_answered_survives_kill_9(tmp_path: Path) -> None:
    script = """
import asyncio, sys
from pathlib import Path
from bot.store import Database
async def main():
    database = await Database.open(Path(sys.argv[1]))
    for number in range(10_000):
        await database.write(lambda t: t.conn.execute("INSERT INTO meta VALUES (?, 'x')", (f"k{number:05}",)))
        print(number, flush=True)
asyncio.run(main())
"""
    path = tmp_path / "db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(path), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    answered = -1
    while answered < 20:
        answered = int(await asyncio.wait_for(process.stdout.readline(), 20))
    process.send_signal(signal.SIGKILL)
    rest = (await process.stdout.read()).split()
    await process.wait()
    answered = int(rest[-1]) if rest else answered

    found = peek(path, keys)
    assert found is not None
    assert len(found) in (answered + 1, answered + 2)
    database = await Database.open(path)
    assert await database.read(keys) == found == [f"k{number:05}" for number in range(len(found))]
    await database.close()


async def test_f47_while_another_program_holds_the_file_changes_are_busy_and_reads_go_on(database: Database) -> None:
    await database.write(note("a"))
    await database.read(lambda tables: tables.conn.execute("PRAGMA busy_timeout = 50").fetchone())
    with another_program(database.path, "BEGIN EXCLUSIVE"):
        with pytest.raises(StoreBusyError):
            await database.write(note("b"))
        assert await database.read(keys) == ["a"]
    assert await database.write(note("c")) == "c"
    assert await database.read(keys) == ["a", "c"]


async def test_f47_who_comes_after_somebody_waited_in_vain_does_not_wait_as_long_again(database: Database) -> None:
    """Or ten who come one after the other, each with a read before its change, would wait for a minute."""
    await database.read(lambda tables: tables.conn.execute("PRAGMA busy_timeout = 500").fetchone())
    with another_program(database.path, "BEGIN EXCLUSIVE"):
        for _ in range(3):
            with pytest.raises(StoreBusyError):
                await database.write(note("in vain"))
            assert await database.read(_patience) == 20
    assert await database.write(note("a")) == "a"
    assert await database.read(_patience) == 500
    assert await database.read(keys) == ["a"]


async def test_a_change_does_not_even_look_before_it_may_write(database: Database) -> None:
    looked = []
    await database.read(lambda tables: tables.conn.execute("PRAGMA busy_timeout = 50").fetchone())
    with another_program(database.path, "BEGIN IMMEDIATE"), pytest.raises(StoreBusyError):
        await database.write(lambda tables: looked.append(keys(tables)))
    assert looked == []


async def test_f48_a_full_disk_refuses_whole_changes_and_recovers_without_a_restart(database: Database) -> None:
    await database.write(note("before"))
    pages = await database.read(lambda tables: tables.conn.execute("PRAGMA page_count").fetchone()[0])
    await database.read(lambda tables: tables.conn.execute(f"PRAGMA max_page_count = {pages}").fetchone())

    with pytest.raises(StoreFullError):
        await database.write(note("big", "x" * 100_000))
    small, *big = await together(database, [note("small1"), note("big1", "x" * 100_000), note("big2", "x" * 100_000)])
    assert [type(result) for result in big] == [StoreFullError, StoreFullError]
    kept = ["before"] if isinstance(small, StoreError) else ["before", "small1"]
    assert await database.read(keys) == kept  # told the truth about the small one, whichever it was

    await database.read(lambda tables: tables.conn.execute("PRAGMA max_page_count = 100000").fetchone())
    assert await database.write(note("big", "x" * 100_000)) == "big"
    assert await database.read(lambda tables: tables.conn.execute("PRAGMA integrity_check").fetchone()[0]) == "ok"


async def test_a_stretched_journal_is_not_grown_by_any_change_and_holds_nothing_itself(database: Database) -> None:
    await database.write(note("before"))
    before = await database.read(lambda tables: (tables.table_names(), _cache(tables)))
    await database.stretch_journal()
    journal = database.path.with_name(f"{database.path.name}-wal")
    stretched = journal.stat().st_size
    assert stretched > 4_000_000
    for number in range(20):
        await database.write(note(str(number), "x" * 50_000))
    assert journal.stat().st_size == stretched
    assert await database.read(lambda tables: (tables.table_names(), _cache(tables))) == before
    assert len(await database.read(keys)) == 21


async def test_where_there_is_no_room_the_journal_stays_as_it_is(database: Database) -> None:
    await database.write(note("before"))
    await database.read(lambda tables: tables.conn.execute("PRAGMA max_page_count=1").fetchone())  # no more than it has
    journal = database.path.with_name(f"{database.path.name}-wal")
    length = journal.stat().st_size
    await database.stretch_journal()
    assert journal.stat().st_size == length
    await database.read(lambda tables: tables.conn.execute("PRAGMA max_page_count=1000000").fetchone())
    await database.write(note("after"))
    assert await database.read(keys) == ["after", "before"]


async def test_f47_while_another_program_holds_the_file_nobody_waits_for_a_longer_journal(database: Database) -> None:
    before = await database.read(lambda tables: (_cache(tables), _patience(tables)))
    assert before[1] == 5000
    with another_program(database.path, "BEGIN EXCLUSIVE"):
        async with asyncio.timeout(2):
            await database.stretch_journal()
    assert await database.read(lambda tables: (_cache(tables), _patience(tables))) == before
    await database.write(note("after"))


def _patience(tables: Tables) -> int:
    return int(tables.conn.execute("PRAGMA busy_timeout").fetchone()[0])


def _cache(tables: Tables) -> int:
    return int(tables.conn.execute("PRAGMA cache_size").fetchone()[0])


async def test_a_transaction_that_was_left_open_is_closed_and_the_thread_lives(database: Database) -> None:
    def cuts_its_own_branch(tables: Tables) -> None:
        tables.conn.execute("COMMIT")

    with pytest.raises(StoreError):
        await database.write(cuts_its_own_branch)
    assert await database.write(note("after")) == "after"


async def _closed_with_rows(path: Path) -> None:
    database = await Database.open(path)
    await database.write(
        lambda tables: tables.table("meta").insert_all({"key": f"k{n}", "value": "v" * 200} for n in range(200))
    )
    await database.close()


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('countersign', 'm999_from_the_future', '2030-01-01')"
        )
        connection.commit()


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _emptied(path: Path) -> None:
    os.truncate(path, 0)


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, but somebody's notes " * 500)


def _flipped_header(path: Path) -> None:
    _flip(path, 3)


def _flipped_page(path: Path) -> None:
    """The header of a b-tree page in the middle: its kind, and how many cells it has."""
    page = int.from_bytes(path.read_bytes()[16:18], "big")
    for number in range(1, path.stat().st_size // page):
        if path.read_bytes()[number * page] == 13:
            _flip(path, number * page)
            _flip(path, number * page + 3)


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x40
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [_newer, _truncated, _emptied, _garbage, _flipped_header, _flipped_page])
async def test_f49_a_damaged_newer_or_empty_file_is_refused_and_not_touched(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "db"
    await _closed_with_rows(path)
    damage(path)  # type: ignore[operator]
    before = path.read_bytes()

    for _ in range(2):
        with pytest.raises(StoreNewerError if damage is _newer else StoreDamagedError) as caught:
            await Database.open(path)
        if damage is _newer:
            assert "m999_from_the_future" in str(caught.value)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["db"]


async def test_a_new_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "db"
    (tmp_path / "db.new").write_bytes(b"left behind by a crash")
    (tmp_path / "db.new-wal").write_bytes(b"this too")
    database = await Database.open(path)
    assert await database.read(keys) == []
    await database.close()
    assert os.listdir(tmp_path) == ["db"]


async def test_a_file_of_this_version_opens_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "with space & 100%25 #sign?"
    await _closed_with_rows(path)
    for _ in range(2):
        database = await Database.open(path)
        assert len(await database.read(keys)) == 200
        await database.close()
    assert os.listdir(tmp_path) == [path.name]


async def test_a_folder_that_is_not_there_is_a_refusal_of_ours(tmp_path: Path) -> None:
    with pytest.raises(StoreFullError):
        await Database.open(tmp_path / "none" / "db")


async def test_peeking_changes_nothing_and_needs_a_file(tmp_path: Path) -> None:
    path = tmp_path / "db"
    assert peek(path, keys) is None
    assert not path.exists()
    await _closed_with_rows(path)
    before = path.read_bytes()
    assert len(peek(path, keys) or []) == 200
    with pytest.raises(StoreError):
        peek(path, lambda tables: tables.conn.execute("DELETE FROM meta"))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["db"]


async def test_hostile_text_is_stored_as_it_is_and_the_schema_stays(database: Database) -> None:
    """F33."""

    def schema(tables: Tables) -> list[tuple[str, ...]]:
        return tables.conn.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()

    before = await database.read(schema)
    texts = [
        "'; DROP TABLE meta;--",
        '"',
        "%",
        "_",
        "\\",
        "a\x00b",
        "\u202e</b>",
        "💶",
        "' OR 1=1",
        "x'); DELETE FROM meta;--",
    ]
    for number, text in enumerate(texts):
        await database.write(note(f"{number}{text}", text))
    assert (
        await database.read(
            lambda tables: [row[0] for row in tables.conn.execute("SELECT value FROM meta ORDER BY rowid")]
        )
        == texts
    )
    assert await database.read(schema) == before


async def test_a_word_outside_a_closed_set_is_refused_by_the_table_itself(database: Database) -> None:
    for statement in (
        "INSERT INTO persons (name, state, created_at) VALUES ('x', 'odd', 0)",
        "INSERT INTO outbox (lane, chat_id, body, state, not_before, created_at) VALUES (0, 1, '', 'lost', 0, 0)",
        "INSERT INTO meta VALUES ('k', NULL)",
        "INSERT INTO inbox (update_id, chat_id, received_at) VALUES ('x', 1, 0)",
    ):
        with pytest.raises(StoreError):
            await database.write(lambda tables, statement=statement: tables.conn.execute(statement))

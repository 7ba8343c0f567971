"""F47 and F48: money while the database refuses.

Nothing is sent without its row, what is known of what was sent is held until there is room for it, and it all goes on
without a restart.
"""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

from bot.approvals.model import State
from bot.errors import StoreBusyError, StoreFullError
from bot.operations.moving.records import answers_of
from bot.operations.moving.spill import Spill
from bot.store import Database, Tables
from tests.support.chatting import Chat
from tests.support.moving import MoneyDesk, money_desk

SENDS = "INSERT ON sendings"
ENDS = "UPDATE ON sendings"


@pytest.fixture
async def bank(tmp_path: Path, chat: Chat) -> AsyncIterator[MoneyDesk]:
    async with money_desk(tmp_path, chat, "cryptocapital") as opened:
        yield opened


@asynccontextmanager
async def full(database: Database, when: str) -> AsyncIterator[None]:
    """The disk has no room for what is written at such an event, as if this were the row that does not fit any more."""

    def begins(tables: Tables) -> None:
        (pages,) = tables.conn.execute("PRAGMA page_count").fetchone()
        tables.conn.execute(f"PRAGMA max_page_count = {pages}").fetchone()
        tables.conn.execute(
            f"CREATE TEMP TRIGGER no_room BEFORE {when}"  # noqa: S608  # words of this test
            " BEGIN INSERT INTO meta VALUES ('heavy', printf('%.*c', 4000000, 'x')); END"
        )

    def is_over(tables: Tables) -> None:
        tables.conn.execute("PRAGMA max_page_count = 1000000").fetchone()
        tables.conn.execute("DROP TRIGGER no_room")

    await database.read(begins)
    try:
        yield
    finally:
        await database.read(is_over)


def spilled(bank: MoneyDesk) -> Path:
    path = bank.rooms.database.path
    return path.with_name(f"{path.name}-evidence")


@contextmanager
def held(database: Database) -> Iterator[None]:
    """Somebody else is writing all the time."""
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def refused(caplog: pytest.LogCaptureFixture, told: str, times: int) -> None:
    """Until this was told so often of something that could not be written."""
    async with asyncio.timeout(20):
        while caplog.messages.count(told) < times:
            await asyncio.sleep(0.01)  # what is waited for is a line in the log


@pytest.mark.parametrize("row", ["INSERT ON votes", "INSERT ON audit"])
async def test_f48_a_signature_that_cannot_be_written_is_none_and_may_be_given_again(bank: MoneyDesk, row: str) -> None:
    request = await bank.wants()
    async with full(bank.rooms.database, row):
        with pytest.raises(StoreFullError):
            await bank.approves(request)
        assert await bank.rows("SELECT * FROM votes") == []
        assert await bank.state(request) is State.PENDING
    await bank.approves(request)
    await bank.becomes(request, State.SUCCEEDED)
    assert (await bank.paid(), await bank.money_calls()) == (1, 1)
    assert await bank.rooms.database.read(bank.rooms.audit.first_bad) is None


async def test_f48_what_cannot_be_written_down_is_not_sent_and_goes_when_there_is_room(
    bank: MoneyDesk, caplog: pytest.LogCaptureFixture
) -> None:
    async with full(bank.rooms.database, SENDS):
        request = await bank.gets()
        await refused(caplog, "not sent: the database refuses", 1)
        bank.later(5)
        await refused(caplog, "not sent: the database refuses", 2)
        assert (await bank.state(request), await bank.money_calls()) == (State.APPROVED, 0)
    bank.later(5)
    await bank.becomes(request, State.SUCCEEDED)
    assert (await bank.paid(), await bank.money_calls()) == (1, 1)


async def test_f48_an_answer_for_which_there_is_no_room_is_held_until_there_is(
    bank: MoneyDesk, caplog: pytest.LogCaptureFixture
) -> None:
    async with full(bank.rooms.database, ENDS):
        request = await bank.gets()
        await refused(caplog, "what became of a request is not stored yet", 2)
        assert (await bank.state(request), await bank.paid()) == (State.SENDING, 1)
        (line,) = spilled(bank).read_text().splitlines()
        assert json.loads(line)["request"] == request.id
        assert json.loads(line)["said"][0].startswith("succeeded ")
        assert spilled(bank).stat().st_mode & 0o777 == 0o600
    await bank.in_time_becomes(request, State.SUCCEEDED)
    assert (await bank.paid(), await bank.money_calls(), await bank.outcomes()) == (1, 1, ["succeeded"])


async def test_r43_what_was_spilled_of_a_sending_that_a_crash_cut_short_is_among_its_answers(
    bank: MoneyDesk, caplog: pytest.LogCaptureFixture
) -> None:
    database = bank.rooms.database
    async with full(database, ENDS):
        request = await bank.gets()
        await refused(caplog, "what became of a request is not stored yet", 1)
        with spilled(bank).open("a") as file:
            file.write('{"request": "nobody", "at": 5, "said": ["x"]}\n{"requ\n' + "[" * 100_000 + "\n")
            file.write(json.dumps({"request": request.id, "at": 5, "said": ["\ud83d"]}))
        spill = Spill(spilled(bank), bank.rooms.clock)
        await database.write(spill.take_in)
        (said,) = await database.read(lambda tables: answers_of(tables, request.id))
        assert said.body.startswith("succeeded ")
    await bank.in_time_becomes(request, State.SUCCEEDED)
    await database.write(spill.take_in)
    # its own answer is there by now
    assert len(await database.read(lambda tables: answers_of(tables, request.id))) == 2


async def test_f47_while_another_program_holds_the_database_nothing_is_signed_or_sent_and_answers_are_held(
    bank: MoneyDesk, caplog: pytest.LogCaptureFixture
) -> None:
    database = bank.rooms.database
    await database.read(lambda tables: tables.conn.execute("PRAGMA busy_timeout = 50").fetchone())
    first, second = await bank.wants("10.00"), await bank.wants("11.00")
    await bank.suffers("delay", seconds=1.0)
    await bank.approves(first)
    await bank.becomes(first, State.SENDING)
    with held(database):
        with pytest.raises(StoreBusyError):
            await bank.approves(second)
        await refused(caplog, "what became of a request is not stored yet", 1)
        assert (await bank.state(first), await bank.state(second)) == (State.SENDING, State.PENDING)
        assert (await bank.paid(), await bank.money_calls()) == (1, 1)
    await bank.in_time_becomes(first, State.SUCCEEDED)
    await bank.approves(second)
    await bank.in_time_becomes(second, State.SUCCEEDED)
    assert (await bank.paid(), await bank.money_calls()) == (2, 2)
    assert await bank.outcomes() == ["succeeded", "succeeded"]

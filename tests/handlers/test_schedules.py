"""Digests and statements come by the clock, with a picture or a file, to those who asked for them and may read."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.access.model import Person
from bot.config import BackupConfig
from bot.money import Currency, Money
from bot.operations.schedules.chores import chores
from bot.operations.schedules.model import Run
from bot.operations.sheets import Answer, Sheet
from bot.providers.records import Entry, Environment, Reading, Way
from handlers.digests import Digests
from tests.support.chatting import (
    ADAM,
    OLGA,
    VERA,
    Chat,
    Desk,
    Message,
    at_work_with,
    texts,
    until,
)
from tests.support.desk import GROUP

NAMES = ("capital", "cryptocapital")


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    async with at_work_with(tmp_path, chat, *NAMES) as found:
        await found.link("capital", environment=Environment.DEMO)
        await found.link("cryptocapital")
        yield found


def soon(desk: Desk, minutes: int = 2, zone: str = "UTC") -> str:
    """The time of day in some minutes, there."""
    return f"{(desk.clock.now() + timedelta(minutes=minutes)).astimezone(ZoneInfo(zone)):%H:%M}"


async def passes(desk: Desk, **time: float) -> None:
    """Time passes, and whoever looks at the clock looks."""
    desk.clock.ahead += timedelta(**time)
    await Digests(desk.work.desk).look()


async def comes(desk: Desk, person: int, count: int) -> list[Message]:
    """The first that were said to them, when there are so many."""
    await until(lambda: len(desk.chat.from_bot(person)) >= count)
    return desk.chat.from_bot(person)[:count]


async def test_balances_come_with_a_picture_and_nobody_passes_them_on(desk: Desk) -> None:
    made = await desk.said(OLGA, f"/digest balances daily {soon(desk, zone='Asia/Tokyo')} Asia/Tokyo")
    assert re.search(r"1 · balances, daily \d\d:\d\d \(Asia/Tokyo\)\n    next \w{3} [\d-]{10} \d\d:\d\d JST, ", made)
    assert re.search(r", \d{4}-\d\d-\d\d \d\d:\d\d UTC\n", made)
    await passes(desk, minutes=1)
    assert len(desk.chat.from_bot(OLGA)) == 1
    await passes(desk, minutes=2)
    _, text, picture = await comes(desk, OLGA, 3)
    assert text["text"].startswith("Balances, daily ")
    assert "Capital.com capital/main · DEMO" in text["text"]
    assert "Late:" not in text["text"]
    assert picture["photo"]
    assert text["has_protected_content"]
    assert picture["has_protected_content"]
    await passes(desk, minutes=5)
    assert len(desk.chat.from_bot(OLGA)) == 3


async def test_positions_of_one_connection(desk: Desk) -> None:
    await desk.said(VERA, f"/digest positions daily {soon(desk)} capital")
    await passes(desk, minutes=3)
    text = (await comes(desk, VERA, 2))[1]
    assert text["text"].startswith("Positions of capital, daily ")
    assert "Crypto Capital" not in text["text"]


async def test_a_statement_is_a_file_of_the_day(desk: Desk) -> None:
    await desk.said(OLGA, f"/digest statement daily {soon(desk)} cryptocapital")
    await passes(desk, minutes=3)
    (message,) = (await comes(desk, OLGA, 2))[-1:]
    assert message["caption"].startswith("Statement of cryptocapital, daily ")
    assert re.fullmatch(r"statement-\d{4}-\d\d-\d\d\.csv", message["document"]["file_name"])
    content = desk.chat.simulator.world.files[message["document"]["file_id"]].content.decode()
    head = "connection,account,day,way,amount,currency,other account,narrative,number"
    assert content.splitlines()[0] == head
    count = len(content.splitlines()) - 1
    day = message["document"]["file_name"].removeprefix("statement-").removesuffix(".csv")
    assert f"{count} {'entry' if count == 1 else 'entries'} of {day}" in message["caption"]


@pytest.mark.parametrize(
    ("slot", "first", "expected"),
    [
        ("2026-03-04T23:55", None, ["late on the 4th", "the 4th"]),
        ("2026-03-05T00:05", None, ["late on the 4th", "the 4th"]),
        ("2026-03-04T23:55", "2026-03-03T23:55", ["the 3rd", "late on the 4th", "the 4th"]),
    ],
)
async def test_a_statement_that_is_late_is_of_its_own_days(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, slot: str, first: str | None, expected: list[str]
) -> None:
    await desk.said(OLGA, "/digest statement daily 23:55 cryptocapital Asia/Tokyo")
    ((schedule, _),) = await desk.rooms.schedules.of(desk.person(OLGA))
    ask = desk.rooms.statements.statement

    async def told(person: Person, word: str | None, *, since: datetime) -> Sheet[Entry]:
        """What there is; as few as the provider may, with whole days of its own."""
        sheet = await ask(person, word, since=since)
        there = [
            entry(2, "the 2nd"),
            entry(3, "the 3rd"),
            entry(4, "late on the 4th", at=datetime(2026, 3, 4, 14, 59, tzinfo=UTC)),
        ]
        there += [
            entry(4, "the 4th"),
            entry(4, "early on the 5th", at=datetime(2026, 3, 4, 15, 1, tzinfo=UTC)),
            entry(5, "the 5th"),
        ]
        items = tuple(one for one in there if one.on >= since.astimezone(ZoneInfo("Asia/Tokyo")).date())
        reading = Reading(items, sheet.asked_at)
        return Sheet((Answer(sheet.answers[0].connection, reading),), sheet.asked_at)

    monkeypatch.setattr(desk.rooms.statements, "statement", told)
    due_at = datetime(2026, 3, 4, 14, 55, tzinfo=UTC)
    since = None if first is None else datetime.fromisoformat(first)
    run = Run(schedule, datetime.fromisoformat(slot), due_at, True, 0 if first is None else 1, since)
    (notice,) = await Digests(desk.work.desk)._written(run, desk.person(OLGA))
    assert notice.file is not None
    assert notice.file.name == "statement-2026-03-04.csv"
    assert [line.split(",")[7] for line in notice.file.body.decode().splitlines()[1:]] == expected


def entry(day: int, narrative: str, at: datetime | None = None) -> Entry:
    amount = Money(Decimal(5), Currency("USD"))
    return Entry("9120000001", narrative, date(2026, 3, day), Way.IN, amount, "", narrative, at=at)


async def test_after_a_day_away_one_comes_late_and_says_so(desk: Desk) -> None:
    await desk.said(OLGA, f"/digest balances daily {soon(desk)} capital")
    await passes(desk, days=2, hours=2)
    text = (await comes(desk, OLGA, 2))[1]["text"]
    late = r"Late: this was due at [\d-]{10} \d\d:\d\d UTC, 1 h 5\d min ago\. It stands for 2 before it, too\."
    assert re.search(late, text.replace("\u2060", ""))


async def test_after_days_away_a_statement_is_of_all_of_them(desk: Desk) -> None:
    await desk.said(OLGA, f"/digest statement daily {soon(desk)} cryptocapital")
    await passes(desk, days=2, hours=2)
    caption = (await comes(desk, OLGA, 2))[1]["caption"].replace("\u2060", "")
    days = re.search(r"of (\d{4}-\d\d-\d\d) to (\d{4}-\d\d-\d\d)", caption)
    assert days is not None
    assert date.fromisoformat(days[2]) - date.fromisoformat(days[1]) == timedelta(days=2)


async def test_what_is_wrong_with_one_is_told_and_the_next_comes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """F50: a job that raises takes no other with it."""
    await desk.said(OLGA, f"/digest balances daily {soon(desk)}")
    await desk.said(VERA, f"/digest positions daily {soon(desk)}")

    async def slip(*_: Any) -> Any:
        raise RuntimeError("a slip")

    with monkeypatch.context() as patch:
        patch.setattr(desk.rooms.balances, "balances", slip)
        await passes(desk, minutes=3)
    (told,) = (await comes(desk, OLGA, 2))[-1:]
    assert "It could not be written, by a fault of mine" in told["text"]
    assert (await comes(desk, VERA, 2))[-1]["text"].startswith("Positions")
    assert desk.rooms.pulse.incidents == 1
    await passes(desk, days=1)
    await until(lambda: any("Capital.com" in text for text in texts(desk.chat.from_bot(OLGA))))


async def test_a_database_that_refuses_the_end_gets_it_again(desk: Desk) -> None:
    await desk.said(OLGA, f"/digest balances daily {soon(desk)} capital")
    await desk.rooms.database.write(
        lambda tables: tables.conn.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE OF state ON schedule_runs WHEN NEW.state = 'done'"
            " BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    )
    digests = Digests(desk.work.desk)
    desk.clock.ahead += timedelta(minutes=3)
    await digests.look()
    await desk.rooms.database.write(lambda tables: tables.conn.execute("DROP TRIGGER refuse"))
    assert len(desk.chat.from_bot(OLGA)) == 1
    await digests.look()
    assert (await comes(desk, OLGA, 2))[1]["text"].startswith("Balances of capital")


async def test_who_was_suspended_gets_nothing_more(desk: Desk) -> None:
    await desk.said(VERA, f"/digest balances daily {soon(desk)}")
    await desk.said(ADAM, "/suspend Vera")
    before = len(desk.chat.from_bot(VERA))
    await passes(desk, minutes=3)
    ends = await desk.rooms.database.read(
        lambda tables: tables.conn.execute("SELECT state, trouble FROM schedule_runs").fetchall()
    )
    assert ends == [("missed", "nobody there")]
    assert len(desk.chat.from_bot(VERA)) == before


async def test_a_group_hears_that_it_came_and_nothing_that_is_in_it(desk: Desk) -> None:
    await desk.said(OLGA, f"/digest statement daily {soon(desk)} cryptocapital")
    await desk.says(OLGA, "/schedule 1 here", GROUP)
    assert "the group Desk hears that it came" in await desk.said(OLGA, "/schedule")
    await desk.chat.faults({"action": "status", "match": {"path": "getChat"}, "status": 502, "body": {"ok": False}})
    assert f"the group …{str(GROUP)[-4:]} hears that it came" in await desk.said(OLGA, "/schedule")
    before = len(desk.chat.from_bot(GROUP))
    await passes(desk, minutes=3)
    await until(lambda: len(desk.chat.from_bot(GROUP)) > before)
    told = desk.chat.from_bot(GROUP)[-1]
    title, who, ask = told["text"].replace("\u2060", "").splitlines()
    assert title.startswith("Statement, daily ")
    assert (who, ask) == ("Olga has it privately.", "/statement tells yours, privately.")
    assert "document" not in told
    await until(lambda: any("document" in one for one in desk.chat.from_bot(OLGA)))
    await desk.says(OLGA, "/schedule 1 here")
    assert "hears" not in (await desk.said(OLGA, "/schedule")).partition("/schedule")[0]


async def test_a_group_hears_nothing_of_whoever_may_not_tell_it(desk: Desk) -> None:
    await desk.said(VERA, f"/digest balances daily {soon(desk)}")
    await desk.says(VERA, "/schedule 1 here", GROUP)
    assert "right to set alerts for others" in texts(desk.chat.from_bot(VERA))[-1]
    await desk.rooms.database.write(
        lambda tables: tables.conn.execute("UPDATE schedules SET group_id = ?", (GROUP,))  # as one who lost that right
    )
    before = len(desk.chat.from_bot(GROUP))
    await passes(desk, minutes=3)
    await until(lambda: any(text.startswith("Balances") for text in texts(desk.chat.from_bot(VERA))))
    assert len(desk.chat.from_bot(GROUP)) == before


async def test_a_connection_that_has_gone_is_told_in_its_stead(desk: Desk) -> None:
    await desk.said(OLGA, f"/digest balances daily {soon(desk)} capital")
    (connection,) = await desk.rooms.connections.named(desk.person(OLGA), "capital")
    await desk.rooms.credentials.unlink(desk.person(OLGA), connection, desk.rooms.access.roster, telegram_id=OLGA)
    await passes(desk, minutes=3)
    await until(lambda: any(text.startswith("Balances of capital") for text in texts(desk.chat.from_bot(OLGA))))


async def test_they_are_listed_rested_and_removed(desk: Desk) -> None:
    assert (await desk.said(OLGA, "/schedule")).startswith("You get nothing by the clock.")
    await desk.said(OLGA, "/digest balances weekly mon 08:00 capital")
    await desk.said(VERA, "/digest positions monthly 1 09:00")
    listed = await desk.said(OLGA, "/schedule")
    assert re.search(
        r"1 · balances of capital, weekly mon 08:00 \(UTC\)\n    next Mon [\d-]{10} 08:00 UTC$", listed, re.M
    )
    assert "positions" not in listed
    assert "    paused" in await desk.said(OLGA, "/schedule 1 pause")
    assert "    next Mon " in await desk.said(OLGA, "/schedule 1 resume")
    assert "no schedule" in (await desk.said(OLGA, "/schedule 2 remove")).lower()
    assert (await desk.said(OLGA, "/schedule 1 remove")).startswith("You get nothing by the clock.")


async def test_by_buttons_alone_one_is_made_rested_and_removed(desk: Desk) -> None:
    (asked,) = await desk.says(OLGA, "/digest")
    (when,) = await desk.taps(OLGA, asked, "Positions…")
    (made,) = await desk.taps(OLGA, when, "Daily 07:30")
    assert made["text"].startswith("1 · positions, daily 07:30 (UTC)\n    next ")
    (listed,) = await desk.taps(OLGA, made, "All of mine")
    (rested,) = await desk.taps(OLGA, listed, "Pause 1")
    assert "    paused" in rested["text"]
    (goes_on,) = await desk.taps(OLGA, rested, "Resume 1")
    assert "    next " in goes_on["text"]
    (removed,) = await desk.taps(OLGA, goes_on, "Remove 1")
    assert removed["text"].startswith("You get nothing by the clock.")
    (asked,) = await desk.taps(OLGA, removed, "Another…")
    (when,) = await desk.taps(OLGA, asked, "Balances…")
    (typed,) = await desk.taps(OLGA, when, "Another time…")
    assert typed["text"].startswith("When?")
    assert (await desk.said(OLGA, "weekly fri 17:00 Europe/Zurich")).startswith(
        "2 · balances, weekly fri 17:00 (Europe/Zurich)"
    )


async def test_who_looks_after_the_desk_sees_what_it_does_by_the_clock_and_others_do_not(desk: Desk) -> None:
    assert "The desk's own" not in await desk.said(OLGA, "/schedule")
    listed = await desk.said(ADAM, "/schedule")
    assert re.search(r"word about keys: weekly mon 07:00 \(UTC\)\n    next Mon [\d-]{10} 07:00 UTC\n", listed)
    assert "anchor of the audit log: every hour" in listed
    assert "backup" not in listed


def test_a_desk_with_backups_says_when_the_next_one_is_made() -> None:
    backup, now = BackupConfig(Path("/nowhere"), 2, 45, 7), datetime(2026, 7, 1, 12, tzinfo=UTC)
    first = chores(backup, "Europe/Zurich", now)[0]
    assert (first.name, first.next_at) == ("backup", datetime(2026, 7, 2, 0, 45, tzinfo=UTC))


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("everything daily 07:30", "Say what: balances, positions, statement; then when"),
        ("balance sometimes", "Say how often, and at what time"),
        ("balances daily 24:00", "That is no time of day"),
        ("balances cron */5 * * * *", "Once an hour is the most"),
        ("balances daily 07:30 a b", "One connection and one time zone at most"),
        ("balances daily 07:30 nothere", "There is no connection"),
    ],
)
async def test_what_cannot_be_read_is_answered_with_an_example(desk: Desk, words: str, answer: str) -> None:
    assert (await desk.said(OLGA, f"/digest {words}")).startswith(answer)

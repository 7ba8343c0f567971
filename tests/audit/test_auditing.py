"""What is asked of the log: by person, request and day; pages and files of it; and its head, remembered outside."""

import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.audit.export import Format
from bot.audit.model import Anchor, Selection
from bot.errors import ConflictError, InputError, NotFoundError
from bot.operations import auditing
from bot.ports import Deed
from bot.store import Tables
from bot.wiring import House
from tests.support.clock import HandClock
from tests.support.desk import opened, write_desk
from tests.support.waiting import due

ANNA, BERT, OTHER_BERT, ZOE = 11, 12, 13, 14
MEMBERS = (
    (ANNA, "Anna", ["auditor"]),
    (BERT, "Bert Small", ["viewer"]),
    (OTHER_BERT, "Bert Tall", ["viewer"]),
    (ZOE, "Zoë", ["viewer"]),
)
CHAT = -1_005
ZURICH = '\n[audit]\nanchor_file = "anchors/heads"\nchat = -1005'


@pytest.fixture
async def house(tmp_path: Path, clock: HandClock) -> AsyncIterator[House]:
    """A desk in Zurich with anchors; it is the 2nd of March, ten in the morning there."""
    config = write_desk(tmp_path, members=MEMBERS, more=ZURICH)
    config.write_text(config.read_text().replace('data_dir = "data"', 'data_dir = "data"\ntime_zone = "Europe/Zurich"'))
    (tmp_path / "anchors").mkdir()
    async with opened(config, clock) as rooms:
        yield rooms


def number_of(house: House, telegram_id: int) -> int:
    person = house.access.roster.person(telegram_id)
    assert person is not None
    return person.id


async def done(house: House, *deeds: Deed) -> None:
    def change(tables: Tables) -> None:
        for deed in deeds:
            house.audit.record(tables, deed)

    await house.database.write(change)


async def told(house: House) -> list[tuple[int, str, list[str]]]:
    """Chat, title and lines of what waits to be sent."""
    return [(row.notice.chat_id, row.notice.title, list(row.notice.lines)) for row in await due(house.outbox, 100)]


# Which rows


@pytest.mark.parametrize("words", [["Anna"], ["anna"], ["11"]])
async def test_a_person_is_found_by_name_or_telegram_id(house: House, words: list[str]) -> None:
    assert await house.auditing.select(words) == Selection(person_id=number_of(house, ANNA))


async def test_a_person_is_found_by_number_by_a_word_of_the_name_and_by_the_whole(house: House) -> None:
    tall = number_of(house, OTHER_BERT)
    for words in ([str(tall)], ["tall"], ["Bert", "Tall"]):
        assert await house.auditing.select(words) == Selection(person_id=tall)
    assert await house.auditing.select(["ZOË"]) == Selection(person_id=number_of(house, ZOE))


async def test_of_two_with_that_name_the_number_is_asked_for(house: House) -> None:
    with pytest.raises(ConflictError) as caught:
        await house.auditing.select(["bert"])
    assert f"Bert Small is {number_of(house, BERT)}" in caught.value.reason


@pytest.mark.parametrize("words", [["Nobody"], ["999"], ["9" * 40]])
async def test_a_stranger_is_not_found(house: House, words: list[str]) -> None:
    with pytest.raises(NotFoundError) as caught:
        await house.auditing.select(words)
    assert "Anna" in caught.value.known


@pytest.mark.parametrize(
    ("word", "since", "until"),
    [
        ("today", datetime(2026, 3, 1, 23, tzinfo=UTC), datetime(2026, 3, 2, 23, tzinfo=UTC)),
        ("Yesterday", datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 1, 23, tzinfo=UTC)),
        ("2026-03-29", datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)),  # 23 hours long
    ],
)
async def test_a_day_is_one_of_the_desks_time_zone(house: House, word: str, since: datetime, until: datetime) -> None:
    assert await house.auditing.select([word]) == Selection(since=since, until=until)
    of_anna = await house.auditing.select(["Anna", word])
    assert of_anna == Selection(person_id=number_of(house, ANNA), since=since, until=until)


@pytest.mark.parametrize("words", [["2026-13-01"], ["9999-12-31"], ["request"], ["request", "a", "b"]])
async def test_what_cannot_be_read_is_answered_with_a_right_example(house: House, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        await house.auditing.select(words)
    assert caught.value.example.startswith("/audit ")


async def test_a_request_is_found_by_its_id(house: House) -> None:
    await done(house, Deed("request.asked", "request/abc"), Deed("request.asked", "request/abcd"))
    page = await house.auditing.page(await house.auditing.select(["request", "ABC"]))
    assert [row.object for row in page.rows] == ["request/abc"]


async def test_of_a_person_there_is_what_they_did_and_what_was_done_to_them(house: House) -> None:
    anna, zoe = number_of(house, ANNA), number_of(house, ZOE)
    await done(house, Deed("a.done", "x", anna), Deed("b.done", f"person/{anna}", zoe), Deed("c.done", "x", zoe))
    page = await house.auditing.page(Selection(person_id=anna))
    assert [row.action for row in page.rows] == ["b.done", "a.done", "person.seeded"]


async def test_pages_go_down_and_up_again_and_new_rows_move_nothing(house: House) -> None:
    await done(house, *(Deed("x.done", str(number)) for number in range(1, 41)))
    mine = Selection(since=house.clock.now())

    def objects(page: auditing.Page) -> list[str]:
        return [row.object for row in page.rows if row.action == "x.done"]

    first = await house.auditing.page(mine)
    assert (objects(first), first.newer, first.older) == ([str(n) for n in range(40, 25, -1)], False, True)
    await done(house, Deed("x.done", "41"))
    second = await house.auditing.page(mine, below=first.rows[-1].seq)
    assert (objects(second), second.newer, second.older) == ([str(n) for n in range(25, 10, -1)], True, True)
    third = await house.auditing.page(mine, below=second.rows[-1].seq)
    assert (objects(third)[:10], third.newer, third.older) == ([str(n) for n in range(10, 0, -1)], True, False)
    again = await house.auditing.page(mine, above=second.rows[0].seq)
    assert (objects(again), again.newer, again.older) == ([str(n) for n in range(40, 25, -1)], True, True)


# Files


async def test_a_file_holds_what_was_selected_and_that_it_was_made_is_a_row(house: House) -> None:
    anna = house.access.roster.person(ANNA)
    assert anna is not None
    await done(house, Deed("x.done", "request/abc", anna.id, ANNA), Deed("x.done", "request/other"))
    selection = Selection(object="request/abc")
    file = await house.auditing.export(anna, selection, Format.JSONL, telegram_id=ANNA)
    lines = file.content.decode().splitlines()
    assert [json.loads(line)["person"] for line in lines] == ["Anna"]
    assert (file.name, file.rows) == ("audit-2026-03-02-100000.jsonl", 1)

    (newest,) = (await house.auditing.page(Selection())).rows[:1]
    assert (newest.action, newest.person_id, newest.telegram_id) == ("audit.exported", anna.id, ANNA)
    assert newest.details == {"format": "jsonl", "object": "request/abc", "rows": 1}


async def test_too_much_for_a_chat_and_nothing_at_all_are_no_files_and_no_rows(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = house.access.roster.person(ANNA)
    assert anna is not None
    monkeypatch.setattr(auditing, "MOST_ROWS_OF_A_FILE", 3)
    before = await house.database.read(house.audit.last)
    with pytest.raises(ConflictError, match="more than 3 rows"):
        await house.auditing.export(anna, Selection(), Format.CSV, telegram_id=ANNA)
    with pytest.raises(ConflictError, match="nothing"):
        await house.auditing.export(anna, Selection(object="none"), Format.CSV, telegram_id=ANNA)
    assert await house.database.read(house.audit.last) == before


async def test_at_the_host_all_rows_come_in_their_order_but_the_one_about_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "_READ_AT_ONCE", 4)
    await done(house, *(Deed("x.done", str(number)) for number in range(10)))
    before = await house.database.read(house.audit.last)
    lines = [line async for line in house.auditing.export_at_host(Selection(), Format.JSONL)]
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, before + 1))
    (newest,) = (await house.auditing.page(Selection())).rows[:1]
    assert (newest.action, newest.person_id, newest.details) == (
        "audit.exported",
        None,
        {"format": "jsonl", "via": "terminal"},
    )


# The head, outside


async def test_each_time_the_head_is_a_line_of_the_file_and_fits(house: House, tmp_path: Path) -> None:
    await house.anchoring.anchor()
    await done(house, Deed("x.done", "y"))
    await house.anchoring.anchor()
    head = await house.database.read(house.audit.head)
    assert head is not None
    lines = (tmp_path / "anchors" / "heads").read_text().splitlines()
    assert lines[1] == f"2026-03-02T09:00:00Z {head.seq} {head.hash.hex()} 1"
    assert len(lines) == 2
    found = await house.auditing.verify([Anchor(head.seq, head.hash, 1)])
    assert (found.is_whole, found.anchors, found.head) == (True, 1, head)


async def test_once_a_day_the_head_is_posted_and_signed(house: House, clock: HandClock) -> None:
    head = await house.database.read(house.audit.head)
    assert head is not None
    await house.anchoring.anchor()
    await done(house, Deed("x.done", "y"))
    await clock.move(13 * 3600)  # 23:00 in Zurich, the same day
    await house.anchoring.anchor()
    ((chat, title, lines),) = await told(house)
    assert (chat, title) == (CHAT, "Audit log, daily head")
    assert lines[0] == f"{head.seq}:{head.hash.hex()}:1"
    assert lines[1].startswith(f"On 2026-03-02 the audit log ends with row {head.seq}.")
    assert lines[-1] == "— bot daily head"
    await clock.move(3600)
    await house.anchoring.anchor()
    assert [lines[1][:13] for _, _, lines in await told(house)] == ["On 2026-03-02", "On 2026-03-03"]


async def test_a_file_that_cannot_be_written_is_told_to_the_admins_once_a_day_and_stops_nothing(
    house: House, tmp_path: Path, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "anchors").rmdir()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await house.anchoring.anchor()
    warnings = [(chat, lines) for chat, title, lines in await told(house) if title == "Audit log not anchored"]
    ((chat, lines),) = warnings
    assert chat == 1001
    assert "No such file or directory" in lines[0]
    assert str(tmp_path) not in " ".join(lines)
    assert "anchor not written" in caplog.text
    assert "Audit log, daily head" in [title for _, title, _ in await told(house)]

    await clock.move(24 * 3600)
    await house.anchoring.anchor()
    assert len([title for _, title, _ in await told(house) if title == "Audit log not anchored"]) == 2


async def test_a_file_taken_away_from_an_older_log_is_told_and_recorded(
    house: House, tmp_path: Path, clock: HandClock
) -> None:
    await house.anchoring.anchor()
    await clock.move(3600)
    await house.anchoring.anchor()
    assert "Anchor file begun anew" not in [title for _, title, _ in await told(house)]

    (tmp_path / "anchors" / "heads").unlink()
    for _ in range(2):
        await house.anchoring.anchor()
    ((chat, lines),) = [(chat, lines) for chat, title, lines in await told(house) if title == "Anchor file begun anew"]
    assert chat == 1001
    assert "so a new one begins with row 5" in lines[0]
    page = await house.auditing.page(Selection())
    assert [row.details for row in page.rows if row.action == "audit.anchors_begun"] == [{"at": 5}]


async def meddled(house: House, statement: str) -> None:
    def change(tables: Tables) -> None:
        for (trigger,) in tables.conn.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            tables.conn.execute(f"DROP TRIGGER {trigger}")
        tables.conn.execute(statement)

    await house.database.write(change)


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM audit WHERE seq > 4", "UPDATE audit SET hash = zeroblob(32) WHERE seq = 6"],
    ids=["the end is cut off", "a row is another one"],
)
async def test_a_log_that_does_not_fit_its_last_anchor_is_told_at_the_next_one(house: House, statement: str) -> None:
    await done(house, Deed("x.done", "y"))
    for _ in range(2):
        await house.anchoring.anchor()
    assert "Audit log changed" not in [title for _, title, _ in await told(house)]

    await meddled(house, statement)
    await house.anchoring.anchor()
    ((chat, lines),) = [(chat, lines) for chat, title, lines in await told(house) if title == "Audit log changed"]
    assert chat == 1001
    assert lines[0].startswith("Row 6 of the audit log is gone, or not what it was")
    frozen, misfit = (await house.auditing.page(Selection())).rows[:2]
    assert (frozen.action, misfit.action) == ("freeze.begun", "audit.anchor_misfit")
    (freeze,) = await house.money.thawing.freezes()
    assert freeze.reason == "row 6 of the audit log is not what it was when it was last written to the anchor file"


async def test_an_end_cut_off_as_far_as_before_a_restore_is_told_too(house: House, tmp_path: Path) -> None:
    (tmp_path / "anchors" / "heads").write_text(f"2026-03-02T08:00:00Z 3 {'ab' * 32} 7\n")
    await house.anchoring.anchor()
    assert "Audit log changed" in [title for _, title, _ in await told(house)]


async def test_the_last_anchor_of_before_a_restore_proves_nothing(house: House, tmp_path: Path) -> None:
    (tmp_path / "anchors" / "heads").write_text(f"2026-03-02T08:00:00Z 400 {'ab' * 32} 0\n2026-03-02T08:\n")
    await house.anchoring.anchor()
    assert "Audit log changed" not in [title for _, title, _ in await told(house)]


async def test_without_places_to_remember_it_nothing_is_written_or_told(tmp_path: Path, clock: HandClock) -> None:
    async with opened(write_desk(tmp_path), clock) as rooms:
        await rooms.anchoring.anchor()
        assert await told(rooms) == []


async def test_a_log_that_does_not_pass_its_examination_freezes_the_desk_once(house: House) -> None:
    await done(house, Deed("x.done", "y"), Deed("x.done", "z"))
    await house.auditing.verify()
    assert await house.money.thawing.freezes() == []

    await meddled(house, "UPDATE audit SET object = 'w' WHERE seq = 6")
    await house.auditing.verify()
    (freeze,) = await house.money.thawing.freezes()
    assert (freeze.scope, freeze.reason) == ("desk", "the audit log does not pass its examination, first at row 6")

    await house.database.write(lambda tables: tables.conn.execute("DELETE FROM freezes"))
    await house.auditing.verify()
    assert await house.money.thawing.freezes() == []  # whoever thawed it has seen that

"""A backup each day, by the clock: once, made up when it was missed, and told when it cannot be made."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.operations.nightly import Nightly
from bot.wiring import House
from tests.support.clock import HandClock
from tests.support.desk import ADMIN, loaded, opened, write_desk
from tests.support.waiting import due

DAY = timedelta(days=1).total_seconds()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups"


@pytest.fixture
async def house(tmp_path: Path, folder: Path, clock: HandClock) -> AsyncIterator[House]:
    config = write_desk(tmp_path, more='[backup]\nfolder = "backups"\nat = "09:30"\nkeep = 2')
    async with opened(config, clock) as rooms:
        await nightly(rooms).make_when_due()
        yield rooms


def nightly(house: House) -> Nightly:
    assert house.nightly is not None
    return house.nightly


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_each_day_has_one_and_the_newest_stay(house: House, folder: Path, clock: HandClock) -> None:
    (folder / "countersign-by-hand.backup").touch()
    assert not await nightly(house).make_when_due()
    await clock.move(1800)
    assert await nightly(house).make_when_due()
    assert not await nightly(house).make_when_due()
    assert names(folder) == ["countersign-2026-03-02.backup", "countersign-by-hand.backup"]
    for _ in range(3):
        await clock.move(DAY)
        assert await nightly(house).make_when_due()
    assert names(folder) == [
        "countersign-2026-03-04.backup",
        "countersign-2026-03-05.backup",
        "countersign-by-hand.backup",
    ]
    made = await house.database.read(
        lambda tables: tables.conn.execute(
            "SELECT json_extract(details, '$.via') FROM audit WHERE action = 'backup.made'"
        ).fetchall()
    )
    assert made == [("clock",)] * 4


async def test_days_that_were_missed_are_made_up_by_one(house: House, folder: Path, clock: HandClock) -> None:
    await clock.move(4 * DAY)
    assert await nightly(house).make_when_due()
    assert not await nightly(house).make_when_due()
    assert names(folder) == ["countersign-2026-03-05.backup"]


async def test_one_that_cannot_be_made_is_told_once_and_tried_again(
    house: House, folder: Path, clock: HandClock
) -> None:
    await clock.move(1800)
    gone = await asyncio.to_thread(folder.rename, folder.with_name("elsewhere"))
    for _ in range(3):
        assert not await nightly(house).make_when_due()
    (row,) = await due(house.outbox)
    assert (row.notice.chat_id, row.notice.title) == (ADMIN, "No backup")
    assert "The backup of 2026-03-02 could not be made: " in row.notice.lines[0]
    await asyncio.to_thread(gone.rename, folder)
    assert await nightly(house).make_when_due()


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ('folder = "nowhere"', "backup.folder"),
        ('folder = "backups"\nat = "24:00"', "backup.at"),
        ('folder = "backups"\nkeep = 0', "backup.keep"),
    ],
)
def test_what_cannot_work_is_a_problem_before_it_is_night(tmp_path: Path, folder: Path, lines: str, path: str) -> None:
    config = write_desk(tmp_path, more=f"[backup]\n{lines}")
    with pytest.raises(ConfigError) as refused:
        loaded(config)
    assert [one.path for one in refused.value.problems] == [path]

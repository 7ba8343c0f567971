"""Two hundred ways to meddle with the file, by somebody who can write it and knows how rows are hashed. All are found.

They lack the master key. What cuts the end off shows against an anchor; everything else shows by itself.
"""

import hashlib
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.audit.model import Anchor, Verdict
from bot.audit.service import Audit
from bot.ports import Deed
from bot.store import Database, Tables
from bot.vault.keys import KeyTree, MasterKey
from tests.support.clock import HandClock

ROWS = 60
COLUMNS = ("seq", "at", "epoch", "person_id", "telegram_id", "action", "object", "details", "prev", "hash", "mac")
EDITS = 200
KEYS = KeyTree(MasterKey(bytes(range(32))), "install", bytes(32))
Row = list[Any]


@pytest.fixture
async def log(tmp_path: Path, clock: HandClock) -> Path:
    """Sixty rows of five days, with a restore among them, whole and closed."""
    path = tmp_path / "countersign.sqlite"
    database = await Database.open(path)
    for number in range(1, ROWS + 1):
        audit = Audit(clock, KEYS.audit_code, epoch=1 if number < 40 else 1_772_000_000)
        action = "backup.restored" if number == 40 else "thing.done"
        deed = Deed(action, f"thing/{number}", number % 4 or None, 1000 + number, {"n": number, "text": f"ä{number}"})
        await database.write(lambda tables, audit=audit, deed=deed: audit.record(tables, deed))
        await clock.move(2 * 3600)
    await database.close()
    return path


def reckoned(row: Row, prev: bytes) -> bytes:
    """The hash of a row as the documentation says it, written a second time: the meddler knows that, too."""
    whole = b""
    for value in row[:8]:
        text = b"\x00" if value is None else b"\x01" + (value if isinstance(value, str) else repr(value)).encode()
        whole += len(text).to_bytes(4, "big") + text
    return hashlib.sha256(whole + prev).digest()


def chained(rows: list[Row], first: int) -> None:
    """From the row at that index on, make every hash fit again; the codes stay what they were."""
    for index in range(first, len(rows)):
        prev = rows[index - 1][9] if index else bytes(32)
        rows[index][8], rows[index][9] = prev, reckoned(rows[index], prev)


def other(value: Any, chance: random.Random) -> Any:
    """Something else of the same kind."""
    if isinstance(value, bytes):
        flipped = bytearray(value)
        flipped[chance.randrange(len(value))] ^= 1 << chance.randrange(8)
        return bytes(flipped)
    if isinstance(value, str):
        at = chance.randrange(len(value) + 1)
        return value[:at] + chance.choice(" x'0ä") + value[at:]
    return chance.choice((7, 10**15)) if value is None else value + chance.choice((-1, 1, 10**6))


def edit_a_column(rows: list[Row], chance: random.Random) -> None:
    row, column = chance.choice(rows), chance.randrange(1, len(COLUMNS))
    row[column] = other(row[column], chance)


def edit_and_make_the_hashes_fit(rows: list[Row], chance: random.Random) -> None:
    index, column = chance.randrange(len(rows)), chance.randrange(1, 8)
    rows[index][column] = other(rows[index][column], chance)
    chained(rows, index)


def make_nothing_of_a_value(rows: list[Row], chance: random.Random) -> None:
    row = chance.choice([row for row in rows if row[3] is not None])
    row[chance.choice((3, 4))] = None


def delete_a_row(rows: list[Row], chance: random.Random) -> None:
    del rows[chance.randrange(len(rows) - 1)]


def delete_a_row_and_close_the_gap(rows: list[Row], chance: random.Random) -> None:
    index = chance.randrange(len(rows) - 1)
    del rows[index]
    for number, row in enumerate(rows, 1):
        row[0] = number
    chained(rows, index)


def insert_a_row(rows: list[Row], chance: random.Random) -> None:
    index = chance.randrange(len(rows))
    new = list(rows[index])
    new[5], new[6] = "money.moved", "nowhere"
    rows.insert(index, new)
    for number, row in enumerate(rows, 1):
        row[0] = number
    chained(rows, index)


def append_a_row(rows: list[Row], chance: random.Random) -> None:
    new = list(rows[-1])
    new[0], new[5], new[10] = len(rows) + 1, "money.moved", rows[chance.randrange(len(rows))][10]
    rows.append(new)
    chained(rows, len(rows) - 1)


def swap_two_rows(rows: list[Row], chance: random.Random) -> None:
    one, two = chance.sample(range(len(rows)), 2)
    rows[one][1:], rows[two][1:] = rows[two][1:], rows[one][1:]


def shuffle_some_rows(rows: list[Row], chance: random.Random) -> None:
    first = chance.randrange(len(rows) - 6)
    numbers = [row[0] for row in rows[first : first + 6]]
    mixed = numbers[1:] + numbers[:1]
    for row, number in zip(rows[first : first + 6], mixed, strict=True):
        row[0] = number
    rows.sort(key=lambda row: row[0])


def cut_the_tail(rows: list[Row], chance: random.Random) -> None:
    del rows[-chance.randint(1, 30) :]


def cut_the_tail_and_write_another(rows: list[Row], chance: random.Random) -> None:
    cut = chance.randint(1, 10)
    del rows[-cut:]
    for _ in range(cut):
        append_a_row(rows, chance)


def cut_the_head(rows: list[Row], chance: random.Random) -> None:
    del rows[: chance.randint(1, 30)]
    rows[0][8] = bytes(32)


def take_the_code_of_another_row(rows: list[Row], chance: random.Random) -> None:
    one, two = chance.sample(rows, 2)
    one[10] = two[10]


def take_the_key_of_another_day(rows: list[Row], chance: random.Random) -> None:
    """Somebody has got hold of one day's key, and writes another day with it."""
    index = chance.randrange(24, len(rows))
    rows[index][5] = "money.moved"
    chained(rows, index)
    for row in rows[index:]:
        row[10] = KEYS.audit_code(row[9], 20260302)


def pretend_a_restore(rows: list[Row], chance: random.Random) -> None:
    """So that the anchors of what follows would be excused."""
    index = chance.randrange(len(rows) - 1)
    rows[index][2], rows[index][5] = 1_900_000_000, "backup.restored"
    chained(rows, index)
    del rows[index + 1 :]


def jump_to_another_epoch(rows: list[Row], chance: random.Random) -> None:
    index = chance.randrange(len(rows))
    for row in rows[index:]:
        row[2] += 1
    chained(rows, index)


MEDDLINGS: tuple[Callable[[list[Row], random.Random], None], ...] = (
    edit_a_column,
    edit_and_make_the_hashes_fit,
    make_nothing_of_a_value,
    delete_a_row,
    delete_a_row_and_close_the_gap,
    insert_a_row,
    append_a_row,
    swap_two_rows,
    shuffle_some_rows,
    cut_the_tail,
    cut_the_tail_and_write_another,
    cut_the_head,
    take_the_code_of_another_row,
    take_the_key_of_another_day,
    pretend_a_restore,
    jump_to_another_epoch,
)


def meddled(path: Path, meddle: Callable[[list[Row]], None], clock: HandClock, *anchors: Anchor) -> Verdict:
    """The verdict on a copy of the file in which somebody has been."""
    copy = path.with_name("copy.sqlite")
    shutil.copyfile(path, copy)
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        before = [list(row) for row in connection.execute("SELECT * FROM audit ORDER BY seq")]
        rows = [list(row) for row in before]
        meddle(rows)
        changed = [row for row in rows if row not in before]
        numbers = {row[0] for row in rows}
        gone = [(row[0],) for row in before if row[0] not in numbers]
        connection.executemany("DELETE FROM audit WHERE seq = ?", gone)
        marks = ", ".join("?" * len(COLUMNS))
        connection.executemany(f"INSERT OR REPLACE INTO audit VALUES ({marks})", changed)  # noqa: S608  # marks only
        return Audit(clock, KEYS.audit_code, epoch=1).verdict(Tables(connection), anchors)


def head(path: Path) -> Anchor:
    with closing(sqlite3.connect(path)) as connection:
        return Anchor(*connection.execute("SELECT seq, hash, epoch FROM audit ORDER BY seq DESC LIMIT 1").fetchone())


def test_an_untouched_copy_is_whole(log: Path, clock: HandClock) -> None:
    found = meddled(log, lambda rows: None, clock, head(log))
    assert (found.is_whole, found.rows, found.anchors) == (True, ROWS, 1)


def test_two_hundred_random_meddlings_are_found_two_hundred_times(log: Path, clock: HandClock) -> None:
    anchor, found = head(log), Counter[str]()
    for number in range(EDITS):
        meddle, chance = MEDDLINGS[number % len(MEDDLINGS)], random.Random(number)
        verdict = meddled(log, lambda rows, meddle=meddle, chance=chance: meddle(rows, chance), clock, anchor)
        assert not verdict.is_whole, f"{meddle.__name__} with the seed {number} was not found"
        found[meddle.__name__] += 1
    assert found.total() == EDITS
    assert len(found) == len(MEDDLINGS)


@pytest.mark.parametrize("meddle", [meddle for meddle in MEDDLINGS if meddle is not cut_the_tail])
def test_what_does_not_cut_the_tail_is_found_without_an_anchor(
    log: Path, clock: HandClock, meddle: Callable[[list[Row], random.Random], None]
) -> None:
    for seed in range(5):
        assert not meddled(log, lambda rows, seed=seed: meddle(rows, random.Random(seed)), clock).is_whole


def test_the_first_bad_row_is_the_first_that_was_touched(log: Path, clock: HandClock) -> None:
    for index in range(0, ROWS, 7):

        def forge(rows: list[Row], index: int = index) -> None:
            rows[index][6] = "nowhere"
            chained(rows, index)

        assert meddled(log, forge, clock).flaws[0].seq == index + 1

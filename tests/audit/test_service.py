"""The audit log: no row, no change; and no row edited unseen."""

import hashlib
import hmac
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from bot.audit.service import Audit
from bot.errors import StoreError
from bot.ports import Deed
from bot.store import Database, Tables
from tests.support.clock import HandClock

KEY = b"k" * 32
COLUMNS = ("seq", "at", "epoch", "person_id", "telegram_id", "action", "object", "details", "prev", "hash", "mac")


def code(hashed: bytes) -> bytes:
    return hmac.digest(KEY, hashed, "sha256")


@pytest.fixture
def audit(clock: HandClock) -> Audit:
    return Audit(clock, code, epoch=1)


@pytest.fixture
async def ten(audit: Audit, database: Database, clock: HandClock) -> Database:
    """A log of ten rows."""
    for number in range(1, 11):
        deed = Deed("thing.done", f"thing/{number}", number % 3 or None, 1000 + number, {"n": number, "text": "ä'\"\n"})
        await database.write(lambda tables, deed=deed: audit.record(tables, deed))
        await clock.move(1)
    return database


async def rows(database: Database) -> list[tuple[Any, ...]]:
    return await database.read(lambda tables: tables.conn.execute("SELECT * FROM audit ORDER BY seq").fetchall())


async def unguarded(database: Database, meddle: Callable[[Tables], object]) -> None:
    """What somebody does who can write the file and knows to take the triggers away first."""

    def change(tables: Tables) -> None:
        for (name,) in tables.conn.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            tables.conn.execute(f"DROP TRIGGER {name}")
        meddle(tables)

    await database.write(change)


def frozen_hash(values: list[object], prev: bytes) -> bytes:
    """The same reckoning, written a second time."""
    whole = b""
    for value in values:
        text = b"\x00" if value is None else b"\x01" + (value if isinstance(value, str) else repr(value)).encode()
        whole += bytes([0, 0, len(text) >> 8, len(text) & 255]) + text
    return hashlib.sha256(whole + prev).digest()


async def test_a_row_says_who_did_what_when_and_is_chained_to_the_one_before(audit: Audit, database: Database) -> None:
    await database.write(
        lambda tables: audit.record(tables, Deed("person.joined", "person/3", 3, 77, {"role": "viewer"}))
    )
    await database.write(lambda tables: audit.record(tables, Deed("day.began", "desk")))
    first, second = await rows(database)

    at = 1772442000000  # 2026-03-02T09:00:00Z
    assert first[:8] == (1, at, 1, 3, 77, "person.joined", "person/3", '{"role":"viewer"}')
    assert second[:8] == (2, at, 1, None, None, "day.began", "desk", "{}")
    assert first[8] == bytes(32)
    assert first[9] == second[8] == frozen_hash(list(first[:8]), bytes(32))
    assert second[9] == frozen_hash(list(second[:8]), first[9])
    assert second[10] == hmac.new(KEY, second[9], hashlib.sha256).digest()
    assert await database.read(audit.first_bad) is None


async def test_details_are_canonical_json(audit: Audit, database: Database) -> None:
    await database.write(lambda tables: audit.record(tables, Deed("x", "y", details={"b": 2, "a": "ü\n"})))
    ((*_, details, _, _, _),) = await rows(database)
    assert details == '{"a":"ü\\n","b":2}'
    assert json.loads(details) == {"a": "ü\n", "b": 2}


async def test_a_change_whose_row_fails_does_not_happen_and_a_row_whose_change_fails_neither(
    audit: Audit, database: Database
) -> None:
    def fails_after(tables: Tables) -> None:
        audit.record(tables, Deed("x", "y"))
        raise RuntimeError

    def row_fails(tables: Tables) -> None:
        tables.conn.execute("INSERT INTO meta VALUES ('changed', 'yes')")
        audit.record(tables, Deed("x", None))  # type: ignore[arg-type]

    with pytest.raises(RuntimeError):
        await database.write(fails_after)
    with pytest.raises(StoreError, match="NOT NULL"):
        await database.write(row_fails)
    assert await rows(database) == []
    assert await database.read(lambda tables: tables["meta"].count) == 0


async def test_an_empty_log_and_an_untouched_one_are_whole(audit: Audit, database: Database, ten: Database) -> None:
    assert await ten.read(audit.first_bad) is None
    assert len(await rows(ten)) == 10


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET action = 'other' WHERE seq = 5",
        "UPDATE audit SET at = at",
        "DELETE FROM audit WHERE seq = 5",
        "DELETE FROM audit",
        "REPLACE INTO audit SELECT * FROM audit WHERE seq = 5",
        "INSERT OR IGNORE INTO audit SELECT * FROM audit WHERE seq = 5",
        "INSERT INTO audit SELECT 0, at, 1, 1, 1, 'x', object, details, prev, hash, mac FROM audit WHERE seq = 5",
    ],
)
async def test_the_table_itself_refuses_to_be_edited(audit: Audit, ten: Database, statement: str) -> None:
    before = await rows(ten)
    with pytest.raises(StoreError, match=r"audit rows (are final|stay|are appended)"):
        await ten.write(lambda tables: tables.conn.execute(statement))
    assert await rows(ten) == before


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", 0),
        ("epoch", 2),
        ("person_id", 99),
        ("person_id", None),
        ("telegram_id", 99),
        ("telegram_id", None),
        ("action", "thing.undone"),
        ("action", ""),
        ("object", "thing/99"),
        ("details", "{}"),
        ("prev", bytes(32)),
        ("hash", bytes(32)),
        ("mac", bytes(32)),
        ("mac", b""),
        ("seq", 100),
    ],
)
async def test_every_edited_column_is_found_at_its_row(audit: Audit, ten: Database, column: str, value: object) -> None:
    statement = f"UPDATE audit SET {column} = ? WHERE seq = 5"  # noqa: S608  # a column of the list above
    await unguarded(ten, lambda tables: tables.conn.execute(statement, (value,)))
    assert await ten.read(audit.first_bad) == (6 if column == "seq" else 5)


async def test_a_hundred_random_meddlings_are_found_a_hundred_times(audit: Audit, ten: Database) -> None:
    chance = random.Random(7)
    before = await rows(ten)
    for _ in range(100):
        seq, index = chance.randint(1, 10), chance.randrange(1, len(COLUMNS))
        old = before[seq - 1][index]
        new: object
        if isinstance(old, bytes):
            flipped = bytearray(old)
            flipped[chance.randrange(len(old))] ^= 1 << chance.randrange(8)
            new = bytes(flipped)
        elif isinstance(old, str):
            new = old + chance.choice(" x'0")
        else:
            new = (old or 0) + chance.choice((-1, 1, 10**6))
        statement = f"UPDATE audit SET {COLUMNS[index]} = ? WHERE seq = ?"  # noqa: S608  # likewise
        await unguarded(ten, lambda tables, s=statement, v=(new, seq): tables.conn.execute(s, v))
        assert await ten.read(audit.first_bad) == seq
        await ten.write(lambda tables, s=statement, v=(old, seq): tables.conn.execute(s, v))
    assert await ten.read(audit.first_bad) is None


async def test_a_row_taken_out_added_or_swapped_is_found(audit: Audit, ten: Database) -> None:
    before = await rows(ten)

    async def restored() -> None:
        def change(tables: Tables) -> None:
            tables.conn.execute("DELETE FROM audit")
            tables.conn.executemany("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", before)

        await unguarded(ten, change)

    for seq in (1, 4, 9):
        await unguarded(ten, lambda tables, seq=seq: tables.conn.execute("DELETE FROM audit WHERE seq = ?", (seq,)))
        assert await ten.read(audit.first_bad) == seq + 1
        await restored()

    def swap(tables: Tables) -> None:
        for old, new in ((3, 99), (4, 3), (99, 4)):
            tables.conn.execute("UPDATE audit SET seq = ? WHERE seq = ?", (new, old))

    await unguarded(ten, swap)
    assert await ten.read(audit.first_bad) == 3
    await restored()
    assert await ten.read(audit.first_bad) is None


async def test_a_chain_forged_whole_without_the_key_is_found_by_its_codes(
    audit: Audit, ten: Database, clock: HandClock
) -> None:
    forger = Audit(clock, lambda hashed: hmac.digest(b"guess", hashed, "sha256"), epoch=1)
    await unguarded(ten, lambda tables: tables.conn.execute("DELETE FROM audit WHERE seq > 6"))
    await ten.write(lambda tables: forger.record(tables, Deed("money.moved", "nowhere")))
    assert await ten.read(forger.first_bad) == 1
    assert await ten.read(audit.first_bad) == 7


async def test_a_cut_tail_alone_does_not_show(audit: Audit, ten: Database) -> None:
    """So says the documentation; anchors will. This test is to be turned round on that day."""
    await unguarded(ten, lambda tables: tables.conn.execute("DELETE FROM audit WHERE seq > 6"))
    assert await ten.read(audit.first_bad) is None


async def test_fields_cannot_be_shifted_from_one_to_the_next(audit: Audit, ten: Database) -> None:
    shift = "UPDATE audit SET action = 'thing.donething', object = '/5' WHERE seq = 5"
    await unguarded(ten, lambda tables: tables.conn.execute(shift))
    assert await ten.read(audit.first_bad) == 5

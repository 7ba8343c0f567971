"""The audit log: no row, no change; and no row edited unseen."""

import hashlib
import hmac
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.audit.model import Anchor, Flaw, Wrong
from bot.audit.service import Audit
from bot.errors import StoreError
from bot.ports import Deed
from bot.secret import Secret
from bot.store import Database, Tables
from tests.support.clock import HandClock

KEY = b"k" * 32
COLUMNS = ("seq", "at", "epoch", "person_id", "telegram_id", "action", "object", "details", "prev", "hash", "mac")


def code(hashed: bytes, generation: int) -> bytes:
    return hmac.digest(KEY + str(generation).encode(), hashed, "sha256")


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
    assert second[10] == hmac.new(KEY + b"20260302", second[9], hashlib.sha256).digest()
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
        audit.record(tables, Deed("x", "y", telegram_id="none"))  # type: ignore[arg-type]

    with pytest.raises(RuntimeError):
        await database.write(fails_after)
    with pytest.raises(StoreError, match="TEXT value in INTEGER column"):
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
    forger = Audit(clock, lambda hashed, _: hmac.digest(b"guess", hashed, "sha256"), epoch=1)
    await unguarded(ten, lambda tables: tables.conn.execute("DELETE FROM audit WHERE seq > 6"))
    await ten.write(lambda tables: forger.record(tables, Deed("money.moved", "nowhere")))
    assert await ten.read(forger.first_bad) == 1
    assert await ten.read(audit.first_bad) == 7


async def test_a_cut_tail_shows_against_an_anchor_and_not_without(audit: Audit, ten: Database) -> None:
    head = await ten.read(audit.head)
    assert head is not None
    await unguarded(ten, lambda tables: tables.conn.execute("DELETE FROM audit WHERE seq > 6"))
    assert await ten.read(audit.first_bad) is None
    found = await ten.read(lambda tables: audit.verdict(tables, [Anchor(head.seq, head.hash)]))
    assert found.flaws == (Flaw(10, Wrong.CUT, last=6),)


async def test_fields_cannot_be_shifted_from_one_to_the_next(audit: Audit, ten: Database) -> None:
    shift = "UPDATE audit SET action = 'thing.donething', object = '/5' WHERE seq = 5"
    await unguarded(ten, lambda tables: tables.conn.execute(shift))
    assert await ten.read(audit.first_bad) == 5


async def test_each_day_has_a_key_of_its_own(audit: Audit, database: Database, clock: HandClock) -> None:
    clock.moment = datetime(2026, 3, 2, 23, 59, 59, 999_000, tzinfo=UTC)
    await database.write(lambda tables: audit.record(tables, Deed("x.done", "late")))
    await clock.move(0.001)
    await database.write(lambda tables: audit.record(tables, Deed("x.done", "early")))
    late, early = await rows(database)
    assert late[10] == hmac.digest(KEY + b"20260302", late[9], "sha256")
    assert early[10] == hmac.digest(KEY + b"20260303", early[9], "sha256")
    assert await database.read(audit.first_bad) is None

    other_day = hmac.digest(KEY + b"20260302", early[9], "sha256")
    await unguarded(
        database, lambda tables: tables.conn.execute("UPDATE audit SET mac = ? WHERE seq = 2", (other_day,))
    )
    found = await database.read(audit.verdict)
    assert found.flaws == (Flaw(2, Wrong.FORGED, last=1),)


async def test_one_meddling_is_one_flaw_with_its_row(audit: Audit, ten: Database) -> None:
    await unguarded(ten, lambda tables: tables.conn.execute("UPDATE audit SET object = 'x' WHERE seq IN (3, 7)"))
    await ten.write(lambda tables: tables.conn.execute("DELETE FROM audit WHERE seq IN (9, 10)"))
    found = await ten.read(audit.verdict)
    assert found.flaws == (Flaw(3, Wrong.CHANGED, last=2), Flaw(7, Wrong.CHANGED, last=6))
    assert (found.rows, found.flaw_count, found.is_whole) == (8, 2, False)


async def test_of_many_flaws_twenty_are_named_and_all_counted(audit: Audit, database: Database) -> None:
    def write(tables: Tables) -> None:
        for number in range(30):
            audit.record(tables, Deed("x.done", f"thing/{number}"))

    await database.write(write)
    await unguarded(database, lambda tables: tables.conn.execute("UPDATE audit SET object = 'x'"))
    found = await database.read(audit.verdict)
    assert (len(found.flaws), found.flaw_count, found.flaws[0].seq) == (20, 30, 1)


async def test_an_epoch_changes_with_a_restore_only(audit: Audit, ten: Database, clock: HandClock) -> None:
    restored, later = Audit(clock, code, epoch=7), Audit(clock, code, epoch=8)
    await ten.write(lambda tables: restored.record(tables, Deed("backup.restored", "desk")))
    await ten.write(lambda tables: restored.record(tables, Deed("x.done", "y")))
    assert await ten.read(audit.first_bad) is None
    await ten.write(lambda tables: later.record(tables, Deed("x.done", "y")))
    assert (await ten.read(audit.verdict)).flaws == (Flaw(13, Wrong.EPOCH, last=12),)


async def test_an_epoch_never_goes_back_not_even_by_a_restore(audit: Audit, ten: Database, clock: HandClock) -> None:
    for epoch in (3, 2):
        restored = Audit(clock, code, epoch=epoch)
        await ten.write(lambda tables, restored=restored: restored.record(tables, Deed("backup.restored", "desk")))
    assert (await ten.read(audit.verdict)).flaws == (Flaw(12, Wrong.EPOCH, last=11),)


async def test_anchors_of_rows_that_a_restore_took_away_are_left_behind(
    audit: Audit, ten: Database, clock: HandClock
) -> None:
    lost = Anchor(10, (await rows(ten))[9][9], epoch=1)
    kept = Anchor(6, (await rows(ten))[5][9], epoch=1)
    await unguarded(ten, lambda tables: tables.conn.execute("DELETE FROM audit WHERE seq > 6"))
    restored = Audit(clock, code, epoch=2)
    for number in range(5):  # rows 7 to 11: the lost row's number is used again
        deed = Deed("x.done", f"after/{number}") if number else Deed("backup.restored", "desk")
        await ten.write(lambda tables, deed=deed: restored.record(tables, deed))

    found = await ten.read(lambda tables: audit.verdict(tables, [lost, kept]))
    assert (found.is_whole, found.left_behind, found.anchors) == (True, (lost,), 2)
    far = Anchor(400, bytes(32), epoch=1)
    assert (await ten.read(lambda tables: audit.verdict(tables, [far]))).left_behind == (far,)


async def test_a_genuine_row_of_the_life_before_a_restore_does_not_fit_into_the_one_after(
    audit: Audit, ten: Database, clock: HandClock
) -> None:
    before = await rows(ten)
    await unguarded(ten, lambda tables: tables.conn.execute("DELETE FROM audit WHERE seq > 6"))
    restored = Audit(clock, code, epoch=2)
    for number in range(5):
        deed = Deed("x.done", f"after/{number}") if number else Deed("backup.restored", "desk")
        await ten.write(lambda tables, deed=deed: restored.record(tables, deed))

    def splice(tables: Tables) -> None:
        tables.conn.execute("DELETE FROM audit WHERE seq = 9")
        tables.conn.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", before[8])

    await unguarded(ten, splice)
    assert (await ten.read(audit.verdict)).flaws[0] == Flaw(9, Wrong.UNLINKED, last=8)


async def test_a_restore_excuses_no_anchor_of_before_it_nor_one_that_does_not_say_its_epoch(
    audit: Audit, ten: Database, clock: HandClock
) -> None:
    restored = Audit(clock, code, epoch=2)
    await ten.write(lambda tables: restored.record(tables, Deed("backup.restored", "desk")))
    for anchor, flaw in (
        (Anchor(4, bytes(32), epoch=1), Flaw(4, Wrong.ANCHORED, last=3)),
        (Anchor(11, bytes(32)), Flaw(11, Wrong.ANCHORED, last=10)),
        (Anchor(12, bytes(32)), Flaw(12, Wrong.CUT, last=11)),
        (Anchor(12, bytes(32), epoch=2), Flaw(12, Wrong.CUT, last=11)),
    ):
        found = await ten.read(lambda tables, anchor=anchor: audit.verdict(tables, [anchor]))
        assert found.flaws == (flaw,)


async def test_after_restores_of_two_backups_the_anchors_of_the_life_between_them_are_left_behind(
    audit: Audit, ten: Database, clock: HandClock
) -> None:
    """The second backup is the longer one: rows of before the first restore stand where the life between had others."""
    before = await rows(ten)
    between, after = Audit(clock, code, epoch=2), Audit(clock, code, epoch=3)
    await unguarded(ten, lambda tables: tables.conn.execute("DELETE FROM audit WHERE seq > 4"))
    await ten.write(lambda tables: between.record(tables, Deed("backup.restored", "desk")))
    await ten.write(lambda tables: between.record(tables, Deed("x.done", "between")))
    lost = Anchor(6, (await rows(ten))[5][9], epoch=2)

    def back(tables: Tables) -> None:
        tables.conn.execute("DELETE FROM audit WHERE seq > 4")
        tables.conn.executemany("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", before[4:9])

    await ten.write(back)
    await ten.write(lambda tables: after.record(tables, Deed("backup.restored", "desk")))
    kept, gone = Anchor(8, before[7][9], epoch=1), Anchor(10, before[9][9], epoch=1)
    found = await ten.read(lambda tables: audit.verdict(tables, [lost, kept, gone]))
    assert (found.is_whole, found.left_behind, found.anchors) == (True, (lost, gone), 3)

    wrong = Anchor(6, bytes(32), epoch=1)
    found = await ten.read(lambda tables: audit.verdict(tables, [lost, wrong]))
    assert found.flaws == (Flaw(6, Wrong.ANCHORED, last=5),)
    assert found.left_behind == (lost,)


async def test_what_an_anchor_shows_is_named_before_what_is_wrong_further_on(audit: Audit, ten: Database) -> None:
    await unguarded(ten, lambda tables: tables.conn.execute("UPDATE audit SET object = 'x' WHERE seq > 6"))
    found = await ten.read(lambda tables: audit.verdict(tables, [Anchor(4, bytes(32), epoch=1)]))
    assert found.flaws[:2] == (Flaw(4, Wrong.ANCHORED, last=3), Flaw(7, Wrong.CHANGED, last=6))
    assert found.flaw_count == 5


@pytest.mark.parametrize(
    ("column", "value"), [("at", "soon"), ("at", 10**18), ("hash", None), ("prev", "text"), ("action", b"\xff\xfe")]
)
async def test_a_table_put_in_its_place_that_takes_anything_is_examined_all_the_same(
    audit: Audit, ten: Database, column: str, value: object
) -> None:
    def replace(tables: Tables) -> None:
        tables.conn.execute("CREATE TABLE loose AS SELECT * FROM audit")
        tables.conn.execute("DROP TABLE audit")
        tables.conn.execute("ALTER TABLE loose RENAME TO audit")
        tables.conn.execute(f"UPDATE audit SET {column} = ? WHERE seq = 5", (value,))  # noqa: S608  # from the list above

    await unguarded(ten, replace)
    assert await ten.read(audit.first_bad) == 5


@pytest.mark.parametrize("seq", [5, None, "five"])
async def test_a_row_that_hides_behind_another_is_counted(audit: Audit, ten: Database, seq: object) -> None:
    def hide(tables: Tables) -> None:
        tables.conn.execute("CREATE TABLE loose AS SELECT * FROM audit")
        tables.conn.execute(
            "INSERT INTO loose SELECT ?, at, 1, 1, 1, 'x', 'y', '{}', prev, hash, mac FROM audit", (seq,)
        )
        tables.conn.execute("DROP TABLE audit")
        tables.conn.execute("ALTER TABLE loose RENAME TO audit")

    await unguarded(ten, hide)
    assert not (await ten.read(audit.verdict)).is_whole


# What must not be in it


async def test_a_secret_that_exists_is_masked_wherever_it_stands(audit: Audit, database: Database) -> None:
    secret = Secret("blue horses")
    deed = Deed(
        "x.failed", "deriv/main", details={"outcome": "they said: blue horses?", "and": "blue%20horses", "n": 3}
    )
    await database.write(lambda tables: audit.record(tables, deed))
    ((*_, details, _, _, _),) = await rows(database)
    assert json.loads(details) == {"outcome": "they said: ‹secret›?", "and": "‹secret›", "n": 3}
    assert secret.reveal() not in details


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("password", "hunter22", "‹secret›"),
        ("api_key", "0123456", "‹secret›"),
        ("token", 123456, "‹secret›"),
        ("outcome", "denied: password=hunter22 is wrong", "denied: password=‹secret› is wrong"),
        ("outcome", "denied by Anna, at 09:14", "denied by Anna, at 09:14"),
        ("hash", "3f" * 32, "3f" * 32),
    ],
)
async def test_what_looks_like_a_secret_is_masked_and_nothing_else(
    audit: Audit, database: Database, name: str, value: str | int, kept: str
) -> None:
    await database.write(lambda tables: audit.record(tables, Deed("x.failed", "y", details={name: value})))
    ((*_, details, _, _, _),) = await rows(database)
    assert json.loads(details) == {name: kept}
    assert await database.read(audit.first_bad) is None


async def test_a_secret_itself_is_refused_and_so_is_the_change(audit: Audit, database: Database) -> None:
    details: dict[str, Any] = {"secret": Secret("blue horses")}
    with pytest.raises(TypeError):
        await database.write(lambda tables: audit.record(tables, Deed("x.done", "y", details=details)))
    assert await rows(database) == []

"""Files of rows: nothing in a spreadsheet reckons, and from JSON Lines the whole chain can be reckoned again."""

import csv
import hashlib
import io
import json
from datetime import UTC, datetime

import pytest

from bot.audit.export import Format, head_of, line_of
from bot.audit.model import Row, Selection
from bot.audit.service import Audit
from bot.ports import Deed
from bot.store import Database
from tests.support.clock import HandClock

NAMES = {3: "Anna", 4: '=HYPERLINK("http://evil","x")'}
AT = datetime(2026, 11, 21, 9, 14, 0, 123000, tzinfo=UTC)


def row(person_id: int | None = 3, object_: str = "capital/main", details: dict[str, str | int] | None = None) -> Row:
    return Row(
        412, AT, 1, person_id, 1002, "connection.linked", object_, details or {}, bytes(32), b"\x01" * 32, b"\x02" * 32
    )


def cells(line: str) -> dict[str, str]:
    (head,), (found,) = csv.reader(head_of(Format.CSV)), csv.reader(io.StringIO(line, newline=""))
    return dict(zip(head, found, strict=True))


def test_a_row_in_a_spreadsheet() -> None:
    assert cells(line_of(row(details={"environment": "live"}), NAMES, Format.CSV)) == {
        "seq": "412",
        "time": "2026-11-21T09:14:00.123+00:00",
        "epoch": "1",
        "person_id": "3",
        "person": "Anna",
        "telegram_id": "1002",
        "action": "connection.linked",
        "object": "capital/main",
        "details": '{"environment":"live"}',
        "hash": "01" * 32,
        "mac": "02" * 32,
    }


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", " ＝1+1", "\u00a0=1"])
def test_no_cell_begins_like_a_formula(text: str) -> None:
    assert cells(line_of(row(object_=text), NAMES, Format.CSV))["object"] == f"'{text}"


def test_a_persons_name_is_no_formula_either() -> None:
    assert cells(line_of(row(person_id=4), NAMES, Format.CSV))["person"] == "'" + NAMES[4]


def test_nobody_is_an_empty_cell_and_null() -> None:
    nobody = row(person_id=None)
    assert cells(line_of(nobody, NAMES, Format.CSV))["person"] == ""
    assert json.loads(line_of(nobody, NAMES, Format.JSONL))["person_id"] is None


async def test_from_json_lines_the_chain_can_be_reckoned_again(database: Database, clock: HandClock) -> None:
    audit = Audit(clock, lambda hashed, _: hashed, epoch=1)
    for number in range(5):
        deed = Deed("x.done", f"ü/{number}", number or None, None, {"z": number, "a": "ä\n\"'\u2028"})
        await database.write(lambda tables, deed=deed: audit.record(tables, deed))
        await clock.move(0.123)
    rows = await database.read(lambda tables: audit.oldest(tables, Selection(), 10))
    assert len(rows) == 5

    prev = bytes(32).hex()
    for line in (line_of(each, {}, Format.JSONL) for each in rows):
        assert "\n" not in line
        told = json.loads(line)
        details = json.dumps(told["details"], separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        fields = [told[name] for name in ("seq", "at", "epoch", "person_id", "telegram_id", "action", "object")]
        whole = b""
        for field in (*fields, details):
            text = b"\x00" if field is None else b"\x01" + str(field).encode()
            whole += len(text).to_bytes(4, "big") + text
        assert told["prev"] == prev
        assert told["hash"] == hashlib.sha256(whole + bytes.fromhex(prev)).hexdigest()
        prev = told["hash"]

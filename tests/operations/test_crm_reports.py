"""A report as a file: every row, and no cell that a spreadsheet would take for a formula."""

import csv
import io
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from bot.operations import reports
from bot.operations.reports import written
from bot.providers.crm.wire import Number, Transaction
from bot.providers.crm.wire.grammar import Text


async def _rows(*rows: Transaction) -> AsyncIterator[Transaction]:
    for row in rows:
        yield row


async def read(*rows: Transaction) -> list[dict[str, str]]:
    made = await written("t.csv", Transaction, _rows(*rows))
    with made.content as file:
        return list(csv.DictReader(io.StringIO(file.read().decode(), newline="")))


async def test_every_row_is_a_line_under_the_names_of_its_fields() -> None:
    (line,) = await read(Transaction("t1", type=Text("withdrawal"), amount=Number(Decimal("-12.50"))))
    assert (line["id"], line["type"], line["amount"], line["comment"]) == ("t1", "withdrawal", "-12.50", "")


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-cmd|x", "@sum", "  =1", "＝1"])
async def test_a_cell_is_never_a_formula(text: str) -> None:
    (line,) = await read(Transaction("t1", comment=Text(text)))
    assert line["comment"] == f"'{text}"


async def test_commas_quotes_and_lines_stay_in_their_cell() -> None:
    text = 'a,"b"\r\nc 李'
    (line,) = await read(Transaction("t1", comment=Text(text)))
    assert line["comment"] == text


async def test_what_is_larger_than_telegram_takes_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MOST_BYTES", 1000)
    rows = [Transaction(f"t{number}", comment=Text("x" * 90)) for number in range(50)]
    made = await written("t.csv", Transaction, _rows(*rows))
    made.content.close()
    assert made.is_cut
    assert 0 < made.rows < 50

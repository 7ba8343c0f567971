"""A line comes apart into what was said; what is no amount stays as it was written, to be refused by its own rule."""

import pytest

from bot.operations.transfer_line import Line, read

FROM = ("main", "9120000001")


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("", Line()),
        (
            "250.00 USD from main 9120000001 to Harbour for Invoice 4711",
            Line("250.00", "USD", FROM, "Harbour", "Invoice 4711"),
        ),
        ("to Harbour Freight from main 9120000001 250.00 usd", Line("250.00", "USD", FROM, "Harbour Freight")),
        ("from main 9120000001 to Harbour 250.00USD", Line("250.00", "USD", FROM, "Harbour")),
        ("USD250.00 to 9120000002", Line("250.00", "USD", (), "9120000002")),
        ("250.00 main to Harbour", Line("250.00", "", ("main",), "Harbour")),
        ("from 9120000001 to 9120000002", Line("", "", ("9120000001",), "9120000002")),
        ("1 000.00 USD to Harbour", Line("1 000.00", "USD", (), "Harbour")),
        ("1,000USD to Harbour", Line("1,000", "USD", (), "Harbour")),
        ("NaN USD to Harbour", Line("NaN", "USD", (), "Harbour")),
        ("-5 USD to Harbour", Line("-5", "USD", (), "Harbour")),
        ("5 USD to Harbour for rent from May to June", Line("5", "USD", (), "Harbour", "rent from May to June")),
    ],
)
def test_a_line(said: str, line: Line) -> None:
    assert read(said.split()) == line

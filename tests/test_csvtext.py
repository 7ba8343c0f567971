"""Cells that no spreadsheet reckons with, wherever it cuts the file and whatever it trims."""

import csv
import io
from decimal import Decimal

import pytest

from bot.csvtext import inert

_STARTERS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "﹦", "﹣")


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-cmd|x", "'-cmd|x"),
        ("--1", "'--1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1+1", "'＝1+1"),
        ("﹢1", "'﹢1"),
        ("=", "'="),
        ("  =1", "'  =1"),
        ("\u00a0=1", "'\u00a0=1"),
        ("\u3000＝1", "'\u3000＝1"),
        ("\ufeff=1", "'\ufeff=1"),
        ("\u200b=1", "'\u200b=1"),
        ("\x01=1", "'\x01=1"),
        ("\x00x", "'\x00x"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        ('"=1', "'\"=1"),
        (",=1", "',=1"),
        (";=cmd", "';'=cmd"),
        ("\t=1", "'\t'=1"),
        ("a;=cmd", "a;'=cmd"),
        ("a; =cmd;b", "a;' =cmd;b"),
        ("a|@x", "a|'@x"),
        ("two\n=lines", "two\n'=lines"),
        ("a\u2028＝1", "a\u2028'＝1"),
    ],
)
def test_what_is_like_a_formula_gets_a_quote(value: str, cell: str) -> None:
    assert inert(value) == cell


@pytest.mark.parametrize(
    "text", ["", "a=b", "x,y", 'say "x"', "two\nlines", "'quoted", "1-2", " a", "a;b", "-12.50", "7", "2026-11-21"]
)
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert inert(text) == text


def test_numbers_stay_numbers_and_nothing_is_empty() -> None:
    assert [inert(value) for value in (Decimal("-12.50"), -7, None)] == ["-12.50", "-7", ""]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("starter", _STARTERS)
def test_cut_at_another_separator_no_piece_begins_like_a_formula(delimiter: str, starter: str) -> None:
    """The file is written with commas; whoever opens it may read it with something else."""
    line = io.StringIO()
    hostile = [f"{before}{starter}cmd()" for before in ("", " ", ";", "a;", "a\t", "a; ", "a|", "a\n", "\t;", "a\r\n")]
    csv.writer(line).writerow([inert(cell) for cell in ["1", *hostile]])
    pieces = [
        piece for row in csv.reader(io.StringIO(line.getvalue(), newline=""), delimiter=delimiter) for piece in row
    ]
    assert [piece for piece in pieces if piece.strip(' "').startswith(_STARTERS)] == []

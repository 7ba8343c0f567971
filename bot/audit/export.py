"""Rows as lines of a file that leaves the house. Opens nothing.

JSON Lines keep everything of a row, so that whoever holds the file can reckon the chain again. CSV is for spreadsheets:
no cell of it can be taken for a formula.
"""

import csv
import io
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from bot.audit.model import Row
from bot.clock import to_millis
from bot.csvtext import inert

COLUMNS: Final = (
    "seq",
    "time",
    "epoch",
    "person_id",
    "person",
    "telegram_id",
    "action",
    "object",
    "details",
    "hash",
    "mac",
)


class Format(StrEnum):
    """What kind of file; also how its name ends."""

    CSV = "csv"
    JSONL = "jsonl"


def head_of(format_: Format) -> list[str]:
    """The lines before the first row."""
    return [_cells(COLUMNS)] if format_ is Format.CSV else []


def line_of(row: Row, names: Mapping[int, str], format_: Format) -> str:
    """One row, without the line's end. `names` are people's names by their ids."""
    return _csv(row, names) if format_ is Format.CSV else _json(row, names)


def _csv(row: Row, names: Mapping[int, str]) -> str:
    return _cells(
        (
            str(row.seq),
            row.at.isoformat(timespec="milliseconds"),
            str(row.epoch),
            "" if row.person_id is None else str(row.person_id),
            _name(row, names),
            "" if row.telegram_id is None else str(row.telegram_id),
            row.action,
            row.object,
            _plain_json(row.details),
            row.hash.hex(),
            row.mac.hex(),
        )
    )


def _json(row: Row, names: Mapping[int, str]) -> str:
    return _plain_json(
        {
            "seq": row.seq,
            "time": row.at.isoformat(timespec="milliseconds"),
            "at": to_millis(row.at),
            "epoch": row.epoch,
            "person_id": row.person_id,
            "person": _name(row, names),
            "telegram_id": row.telegram_id,
            "action": row.action,
            "object": row.object,
            "details": dict(row.details),
            "prev": row.prev.hex(),
            "hash": row.hash.hex(),
            "mac": row.mac.hex(),
        }
    )


def _name(row: Row, names: Mapping[int, str]) -> str:
    return "" if row.person_id is None else names.get(row.person_id, "")


def _plain_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _cells(cells: tuple[str, ...]) -> str:
    line = io.StringIO()
    end = "\r\n"  # what is in it is quoted where it stands in a cell
    csv.writer(line, lineterminator=end).writerow([inert(cell) for cell in cells])
    return line.getvalue().removesuffix(end)

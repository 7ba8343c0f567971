"""Anchors: lines that are only ever appended, and read back whatever happened to the file."""

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.audit.anchors import anchor_from, append, last_in, line_of, read_lines, text_of
from bot.audit.model import Anchor, Head

HASH = bytes(range(32))
HEX = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
HEAD = Head(412, HASH, 3)
NOW = datetime(2026, 11, 21, 9, 0, 5, 999, tzinfo=UTC)


def test_a_line_says_when_which_row_and_its_hash() -> None:
    assert line_of(HEAD, NOW) == f"2026-11-21T09:00:05Z 412 {HEX} 3"


def test_what_was_written_is_read_back() -> None:
    assert read_lines([line_of(HEAD, NOW)]) == ([Anchor(412, HASH, 3)], [])
    assert anchor_from(text_of(HEAD)) == Anchor(412, HASH, 3)


@pytest.mark.parametrize(
    ("text", "anchor"),
    [
        (f"412:{HEX}", Anchor(412, HASH)),
        (f" 412:{HEX.upper()}:3\n", Anchor(412, HASH, 3)),
        (f"412:{HEX[:-1]}", None),
        (f"412:{HEX}0", None),
        (f"-1:{HEX}", None),
        (f"٤:{HEX}", None),
        (f"412:{HEX}:", None),
        ("", None),
    ],
)
def test_an_anchor_is_typed_as_number_and_hash(text: str, anchor: Anchor | None) -> None:
    assert anchor_from(text) == anchor


def test_torn_lines_are_named_and_the_others_count() -> None:
    lines = ["2026-11-21T08:00:00Z 4", line_of(HEAD, NOW), "", "\x00\x00\x00", f"x 413 {HEX} 3"]
    assert read_lines(lines) == ([Anchor(412, HASH, 3), Anchor(413, HASH, 3)], [1, 4])


def test_lines_are_appended_and_the_file_is_made_when_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "anchors"
    assert append(path, "one")
    assert not append(path, "two")
    assert path.read_text() == "one\ntwo\n"
    assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0


def test_a_line_behind_a_torn_one_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "anchors"
    path.write_text("one\nto")
    append(path, "three")
    assert path.read_text() == "one\nto\nthree\n"


def test_the_last_anchor_is_found_behind_torn_lines_and_in_a_long_file(tmp_path: Path) -> None:
    path = tmp_path / "anchors"
    assert last_in(path) is None
    path.write_text("".join(f"{line_of(Head(seq, HASH, 3), NOW)}\n" for seq in range(300)) + "2026-11-21T09:0")
    assert last_in(path) == Anchor(299, HASH, 3)
    path.write_text("torn\n")
    assert last_in(path) is None
    assert last_in(tmp_path) is None


def test_what_is_no_plain_file_is_not_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "anchors"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(OSError, match="no plain file"):
            append(pipe, "one")
        assert last_in(pipe) is None
    finally:
        os.close(reader)
    with pytest.raises(OSError):  # noqa: PT011  # nobody reads the pipe: it does not wait for a reader
        append(pipe, "one")
    with pytest.raises(IsADirectoryError):
        append(tmp_path, "one")
    with pytest.raises(FileNotFoundError):
        append(tmp_path / "no" / "anchors", "one")

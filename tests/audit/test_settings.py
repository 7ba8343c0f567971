"""`[audit]`: two places where the head may be remembered, both left out unless named."""

from pathlib import Path

import pytest

from bot.errors import ConfigError
from tests.support.desk import loaded, write_desk


def test_without_the_table_nothing_is_remembered_elsewhere(tmp_path: Path) -> None:
    config = loaded(write_desk(tmp_path))
    assert (config.audit.anchor_file, config.audit.chat) == (None, None)


def test_a_path_is_relative_to_the_configuration(tmp_path: Path) -> None:
    config = loaded(write_desk(tmp_path, more='[audit]\nanchor_file = "heads"\nchat = -100123'))
    assert (config.audit.anchor_file, config.audit.chat) == (tmp_path / "heads", -100123)


@pytest.mark.parametrize(
    ("lines", "where", "expected"),
    [
        ("chat = 0", "audit.chat", "a chat's id, negative for groups and channels"),
        ("chat = 4503599627370496", "audit.chat", "a chat's id, negative for groups and channels"),
        ('chat = "desk"', "audit.chat", "a whole number"),
        ('anchor_file = "data/heads"', "audit.anchor_file", "a place outside data_dir: it is to outlast it"),
        ('anchor_file = "x/../data/a/b"', "audit.anchor_file", "a place outside data_dir: it is to outlast it"),
        ('anchor_file = "."', "audit.anchor_file", "a file to append to"),
        ('anchor_file = "a\\u0000b"', "audit.anchor_file", "a file to append to"),
        ('file = "heads"', "audit.file", "one of anchor_file, chat"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, lines: str, where: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(write_desk(tmp_path, more=f"[audit]\n{lines}"))
    assert [(problem.path, problem.expected) for problem in caught.value.problems] == [(where, expected)]


def test_a_file_that_is_not_there_yet_refuses_nothing(tmp_path: Path) -> None:
    loaded(write_desk(tmp_path, more='[audit]\nanchor_file = "not/there/yet"'))

"""`countersign audit verify` and `export`, as somebody at the host's terminal calls them."""

import asyncio
import csv
import json
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.__main__ import main
from bot.audit.anchors import line_of, text_of
from bot.audit.model import Head
from bot.clock import SystemClock
from bot.commands import audit as commands
from bot.commands.ending import told
from bot.commands.host import known_commands
from bot.hosting import hosting
from bot.ports import Deed
from bot.vault.keys import MasterKey
from bot.wiring import DATABASE, House
from tests.support.clock import HandClock
from tests.support.desk import opened, write_desk, write_secret


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A desk whose log has four rows: its admin, and three things that were done."""
    path = write_desk(tmp_path / "desk")

    async def fill() -> None:
        async with opened(path) as rooms:
            for number in range(3):
                deed = Deed("thing.done", f"thing/{number}")
                await rooms.database.write(lambda tables, deed=deed: rooms.audit.record(tables, deed))

    asyncio.run(fill())
    return path


def head_of(config: Path) -> Head:
    with closing(sqlite3.connect(config.parent / "data" / DATABASE)) as connection:
        return Head(*connection.execute("SELECT seq, hash, epoch FROM audit ORDER BY seq DESC LIMIT 1").fetchone())


def meddle(config: Path, statement: str) -> None:
    with closing(sqlite3.connect(config.parent / "data" / DATABASE)) as connection:
        for trigger in ("audit_grows", "audit_is_final", "audit_stays"):
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(statement)
        connection.commit()


def asked(config: Path, *words: str) -> Result:
    """The command, with the process's own settings (file modes and the like) left alone."""
    verb, *options = words
    command = {"verify": commands.audit_verify, "export": commands.audit_export}[verb]
    return CliRunner().invoke(command, ["--config", str(config), *options])


# verify


def test_a_whole_log_is_zero_and_says_what_to_write_down(config: Path) -> None:
    found = asked(config, "verify")
    assert found.exit_code == 0
    assert found.stdout.splitlines() == [
        f"4 rows, up to {text_of(head_of(config))}.",
        "No anchor was compared, so rows cut from the end would not show.",
        "The audit log is whole.",
    ]


def test_what_was_written_down_is_compared(config: Path) -> None:
    found = asked(config, "verify", "--anchor", text_of(head_of(config)))
    assert found.exit_code == 0
    assert found.stdout.splitlines()[-1] == "The audit log is whole; 1 anchor(s) fit."


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit SET object = 'nowhere' WHERE seq = 2", "The first bad row is 2: it is not what was written."),
        (
            "UPDATE audit SET mac = zeroblob(32) WHERE seq = 3",
            "The first bad row is 3: its code was not made with this",
        ),
        ("DELETE FROM audit WHERE seq = 2", "The first bad row is 3: row 2 is missing before it."),
        ("DELETE FROM audit WHERE seq IN (1, 2)", "The first bad row is 3: rows 1 to 2 are missing before it."),
        (
            "DELETE FROM audit WHERE seq = 4",
            "The first bad row is 4: an anchor remembers it, and the log ends with row 3.",
        ),
        ("UPDATE audit SET seq = 9 WHERE seq = 4", "The first bad row is 9: rows 4 to 8 are missing before it."),
    ],
)
def test_a_meddled_log_is_one_and_its_first_bad_row_is_named(config: Path, statement: str, said: str) -> None:
    anchor = text_of(head_of(config))
    meddle(config, statement)
    found = asked(config, "verify", "--anchor", anchor)
    assert found.exit_code == 1
    assert said in found.stdout


def test_anchors_come_from_files_too_and_torn_lines_prove_nothing(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "anchors"
    file.write_text(f"2026-11-2\n{line_of(head_of(config), SystemClock().now())}\n")
    found = asked(config, "verify", "--anchors", str(file))
    assert (found.exit_code, found.stdout.splitlines()[-1]) == (0, "The audit log is whole; 1 anchor(s) fit.")
    assert f"{file}: 1 line(s) cannot be read and prove nothing, the first is 1." in found.stdout
    meddle(config, "DELETE FROM audit WHERE seq = 4")
    assert asked(config, "verify", "--anchors", str(file)).exit_code == 1


def name_an_anchor_file(config: Path) -> Path:
    config.write_text(config.read_text() + '\n[audit]\nanchor_file = "../anchors"\n')
    return config.parent.parent / "anchors"


def test_the_anchor_file_of_the_configuration_is_compared_unasked(config: Path) -> None:
    name_an_anchor_file(config).write_text(line_of(head_of(config), SystemClock().now()) + "\n")
    found = asked(config, "verify")
    assert (found.exit_code, found.stdout.splitlines()[-1]) == (0, "The audit log is whole; 1 anchor(s) fit.")
    meddle(config, "DELETE FROM audit WHERE seq = 4")
    assert asked(config, "verify").exit_code == 1


def test_a_new_desk_has_no_anchor_yet_and_is_not_blamed_for_it(config: Path) -> None:
    name_an_anchor_file(config)
    found = asked(config, "verify")
    assert found.exit_code == 0
    assert "cannot be read (No such file or directory). It was not compared." in found.stdout
    assert found.stdout.splitlines()[-1] == "The audit log is whole."


@pytest.fixture
def yesterdays(tmp_path: Path) -> Path:
    """A desk whose four rows are a day old, and which has a file for anchors."""
    path, clock = write_desk(tmp_path / "desk"), HandClock(SystemClock().now() - timedelta(days=1))

    async def fill() -> None:
        async with opened(path, clock) as rooms:
            for number in range(3):
                deed = Deed("thing.done", f"thing/{number}")
                await rooms.database.write(lambda tables, deed=deed: rooms.audit.record(tables, deed))

    asyncio.run(fill())
    name_an_anchor_file(path)
    return path


def _without_a_file(_: Path) -> None:
    pass


def _with_an_empty_file(file: Path) -> None:
    file.touch()


def _with_nothing_but_torn_lines(file: Path) -> None:
    file.write_text("2026-11-2\n")


@pytest.mark.parametrize("leave", [_without_a_file, _with_an_empty_file, _with_nothing_but_torn_lines])
def test_whether_the_end_was_cut_off_cannot_be_said_without_the_anchors_there_must_be(
    yesterdays: Path, leave: Callable[[Path], None]
) -> None:
    leave(yesterdays.parent.parent / "anchors")
    found = asked(yesterdays, "verify")
    assert found.exit_code == 2
    assert "whether some were cut from the end cannot be said" in found.stdout.splitlines()[-1]
    assert "is whole" not in found.stdout


def test_an_anchor_given_by_hand_does_not_stand_for_a_file_that_is_gone(yesterdays: Path) -> None:
    head = text_of(head_of(yesterdays))
    assert asked(yesterdays, "verify", "--anchor", head).exit_code == 2
    (yesterdays.parent.parent / "anchors").write_text("kept from us\n")
    assert asked(yesterdays, "verify", "--anchor", head).exit_code == 0


def test_a_meddled_log_is_one_even_if_its_anchors_are_lost(yesterdays: Path) -> None:
    meddle(yesterdays, "DELETE FROM audit WHERE seq = 2")
    assert asked(yesterdays, "verify").exit_code == 1


def _lose_the_database(config: Path) -> None:
    (config.parent / "data" / DATABASE).unlink()


def _take_another_key(config: Path) -> None:
    write_secret(config.parent / "master.key", MasterKey.new().to_text())


def _ruin_the_database(config: Path) -> None:
    (config.parent / "data" / DATABASE).write_bytes(b"no database" * 1000)


def _ruin_the_configuration(config: Path) -> None:
    config.write_text("[desk")


@pytest.mark.parametrize(
    ("ruin", "said"),
    [
        (_lose_the_database, "There is no database in"),
        (_take_another_key, "The master key does not belong to this database"),
        (_ruin_the_database, "damaged"),
        (_ruin_the_configuration, "not TOML"),
    ],
)
def test_what_cannot_be_examined_is_two(config: Path, ruin: Callable[[Path], None], said: str) -> None:
    ruin(config)
    found = asked(config, "verify")
    assert found.exit_code == 2
    assert said in found.stderr
    assert "whole" not in found.stdout


def test_looking_for_a_database_makes_none(config: Path) -> None:
    _lose_the_database(config)
    asked(config, "verify")
    assert not (config.parent / "data" / DATABASE).exists()


@pytest.mark.parametrize("words", [("--anchor", "412"), ("--anchors", "/nowhere/at/all"), ("--anchors", os.devnull)])
def test_an_anchor_that_cannot_be_read_is_two(config: Path, words: tuple[str, str]) -> None:
    assert asked(config, "verify", *words).exit_code == 2


def test_an_accident_is_no_verdict(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for accident in (RuntimeError("unforeseen"), KeyboardInterrupt()):

        def perform(*_: object, accident: BaseException = accident) -> None:
            raise accident

        monkeypatch.setattr(commands, "perform", perform)
        assert asked(config, "verify").exit_code == 2


# export


def test_rows_are_written_as_json_lines_and_that_is_a_row(config: Path) -> None:
    first = asked(config, "export")
    assert first.exit_code == 0
    rows = [json.loads(line) for line in first.stdout.splitlines()]
    assert [row["object"] for row in rows] == ["person/1", "thing/0", "thing/1", "thing/2"]
    second = [json.loads(line) for line in asked(config, "export").stdout.splitlines()]
    assert second[:4] == rows
    assert (second[4]["action"], second[4]["details"]) == ("audit.exported", {"format": "jsonl", "via": "terminal"})


def test_rows_are_written_to_a_new_file_of_ours_alone(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    assert asked(config, "export", "--format", "csv", "--out", str(file)).exit_code == 0
    assert [row["seq"] for row in csv.DictReader(file.read_text().splitlines())] == ["1", "2", "3", "4"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    before = file.read_bytes()
    again = asked(config, "export", "--out", str(file))
    assert again.exit_code == 1
    assert "File exists; nothing was exported" in again.stderr
    assert file.read_bytes() == before


def test_days_narrow_it_and_the_last_one_is_included(config: Path) -> None:
    assert len(asked(config, "export", "--since", "today", "--until", "today").stdout.splitlines()) == 4
    assert asked(config, "export", "--until", "2020-01-01").stdout == ""
    assert asked(config, "export", "--since", "2090-01-01").stdout == ""


def test_no_day_is_no_file(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows"
    found = asked(config, "export", "--since", "someday", "--out", str(file))
    assert found.exit_code != 0
    assert "2026-11-21, today or yesterday" in found.stderr
    assert not file.exists()


# While the bot runs


async def test_both_are_carried_out_by_the_bot_that_holds_the_desk(tmp_path: Path) -> None:
    path = write_desk(tmp_path)
    async with opened(path) as rooms:
        async with hosting(rooms, known_commands, told):
            verified = await asyncio.to_thread(asked, path, "verify")
            exported = await asyncio.to_thread(asked, path, "export")
            refused = await asyncio.to_thread(asked, path, "verify", "--anchors", "/nowhere/at/all")
            await _meddle_inside(rooms)
            found = await asyncio.to_thread(asked, path, "verify")
    assert (verified.exit_code, exported.exit_code, refused.exit_code, found.exit_code) == (0, 0, 2, 1)
    assert "The first bad row is 1" in found.stdout
    assert [json.loads(line)["action"] for line in exported.stdout.splitlines()] == ["person.seeded"]


async def _meddle_inside(rooms: House) -> None:
    await rooms.database.write(lambda tables: tables.conn.execute("DROP TRIGGER audit_is_final"))
    await rooms.database.write(lambda tables: tables.conn.execute("UPDATE audit SET object = 'x' WHERE seq = 1"))


def test_the_commands_are_where_the_documentation_says() -> None:
    for verb in ("verify", "export"):
        assert CliRunner().invoke(main, ["audit", verb, "--help"]).exit_code == 0

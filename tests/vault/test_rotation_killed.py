"""`countersign key rotate` is killed in the middle, again and again: no record is ever unreadable."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from bot.errors import StartRefusedError, VaultError
from bot.store import Tables
from bot.vault.datakeys import DataKeys
from bot.vault.keys import MasterKey
from bot.vault.records import rows_of
from bot.vault.rotation import standing
from bot.vault.service import Vault
from bot.wiring import DATABASE, House
from tests.support.desk import opened, write_desk, write_secret
from tests.vault.conftest import connection, fields

FIRST = 100
"""The number of the first of the people whose records are rotated."""
DONE = {
    (): "SELECT count(*) FROM data_keys WHERE kek_id = (SELECT value FROM meta WHERE key = 'kek_id')",
    ("--data-keys",): "SELECT count(*) FROM sealed WHERE version = 2",
}
"""How many rows a rotation has done."""


def text_of(number: int) -> str:
    return f"canary of connection {number}"


async def many(path: Path, count: int) -> None:
    """A desk on which so many people have one credential each."""

    def seed(tables: Tables, rooms: House) -> None:
        numbers = range(FIRST, FIRST + count)
        tables.conn.executemany(
            "INSERT INTO persons (id, name, state, created_at) VALUES (?, ?, 'active', 0)",
            [(number, f"Person {number}") for number in numbers],
        )
        for number in numbers:
            subject = connection(number, person_id=number)
            rooms.vault.keeping(subject, fields(token=text_of(number)))(tables)

    async with opened(path) as rooms:
        await rooms.database.write(lambda tables: seed(tables, rooms))


def wrapped_by(keys: DataKeys, tables: Tables, key_id: str, generations: range) -> list[int]:
    """Every generation that unwraps a data key."""
    row, found = keys.find(tables, key_id), []
    for generation in generations:
        try:
            keys.wrapping.open(row, keys.wrapping.kek(generation))
        except ValueError:
            continue
        found.append(generation)
    return found


def look(tables: Tables, vault: Vault, count: int) -> None:
    """Every record opens with what was sealed, and every data key with exactly one key."""
    opened_now = {one.subject.name: vault.safe.take(tables, one).reveal() for one in rows_of(tables)}
    numbers = range(FIRST, FIRST + count)
    assert opened_now == {f"connection/{number}": text_of(number) for number in numbers}
    generations = range(1, standing(tables).generation + 2)
    for (key_id,) in tables.conn.execute("SELECT id FROM data_keys").fetchall():
        assert len(wrapped_by(vault.safe.data_keys, tables, key_id, generations)) == 1


async def examine(path: Path, count: int) -> tuple[str, ...]:
    """Look at everything; which rotations are unfinished."""
    async with opened(path) as rooms:
        await rooms.database.read(lambda tables: look(tables, rooms.vault, count))
        return (await rooms.database.read(standing)).unfinished


def rotate(path: Path, options: tuple[str, ...]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "bot", "key", "rotate", "--config", str(path), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_after(process: "subprocess.Popen[str]", database: Path, question: str, rows: int) -> bool:
    """Let it do so many rows, then kill it. False when it was done before."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=20)) as watching:
        deadline = time.monotonic() + 100
        while process.poll() is None and watching.execute(question).fetchone()[0] < rows:
            assert time.monotonic() < deadline
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


async def killed_and_killed_again(folder: Path, options: tuple[str, ...], count: int, kills: int, seed: int) -> None:
    path = write_desk(folder)
    await many(path, count)
    chance, database = random.Random(seed), folder / "data" / DATABASE
    before = 0
    for number in range(kills):
        # Somewhere in what is left, so that there is something left for the next one.
        rows = before + chance.randint(1, max(1, (count - before) * 2 // (kills - number + 1)))
        killed = kill_after(rotate(path, options), database, DONE[options], rows)
        assert killed, "it was done before it could be killed"
        assert await examine(path, count) == (" ".join(("key rotate", *options)),)
        with closing(sqlite3.connect(database)) as looking:
            before = looking.execute(DONE[options]).fetchone()[0]
    out, err = (last := rotate(path, options)).communicate(timeout=100)
    assert (last.returncode, err) == (0, "")
    assert "This finished a rotation that had been interrupted." in out.splitlines()  # behind what tells the progress
    assert await examine(path, count) == ()
    with closing(sqlite3.connect(database)) as looking:
        assert looking.execute(DONE[options]).fetchone() == (count,)
        actions = [action for (action,) in looking.execute("SELECT action FROM audit WHERE action LIKE '%rot%'")]
    assert actions in (
        ["key.rotation_begun", "key.rotated"],
        ["data_keys.rotation_begun", "data_keys.rotated"],
    )  # whatever happened in between, it was begun once and ended once


def name_key(path: Path, key: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join(f'file = "{key.name}"' if line.startswith("file = ") else line for line in lines) + "\n")


async def examine_with_either(path: Path, keys: tuple[Path, Path], count: int) -> tuple[str, ...]:
    """Exactly one of the two master keys opens the desk, and with that one everything is there."""
    found = []
    for key in keys:
        name_key(path, key)
        try:
            found.append(await examine(path, count))
        except (VaultError, StartRefusedError):
            continue
    name_key(path, keys[0])
    (unfinished,) = found
    return unfinished


async def exchanged_and_killed_again(folder: Path, count: int, kills: int, seed: int) -> None:
    path, keys = write_desk(folder), (folder / "master.key", folder / "other.key")
    write_secret(keys[1], MasterKey.new().to_text())
    await many(path, count)
    options, chance, database, before = ("--to", str(keys[1])), random.Random(seed), folder / "data" / DATABASE, 0
    for number in range(kills):
        rows = before + chance.randint(1, max(1, (count - before) * 2 // (kills - number + 1)))
        assert kill_after(rotate(path, options), database, DONE[()], rows), "it was done before it could be killed"
        assert await examine_with_either(path, keys, count) == ("key rotate",)
        with closing(sqlite3.connect(database)) as looking:
            before = looking.execute(DONE[()]).fetchone()[0]
    out, err = (last := rotate(path, options)).communicate(timeout=100)
    assert (last.returncode, err) == (0, "")
    assert "This finished a rotation that had been interrupted." in out.splitlines()  # behind what tells the progress
    name_key(path, keys[1])
    assert await examine(path, count) == ()
    with closing(sqlite3.connect(database)) as looking:
        actions = [action for (action,) in looking.execute("SELECT action FROM audit WHERE action LIKE 'key.%'")]
    assert actions == ["key.exchanged", "key.rotated"]


async def test_an_exchange_of_the_master_key_killed_at_random_leaves_no_record_unreadable(tmp_path: Path) -> None:
    await exchanged_and_killed_again(tmp_path, count=1200, kills=3, seed=5)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_ten_thousand_records_and_twenty_kills_of_an_exchange(tmp_path: Path) -> None:
    await exchanged_and_killed_again(tmp_path, count=10_000, kills=20, seed=13)


@pytest.mark.parametrize("options", DONE, ids=["wrapping", "data keys"])
async def test_a_rotation_killed_at_random_leaves_no_record_unreadable(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    await killed_and_killed_again(tmp_path, options, count=400, kills=3, seed=7)


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("options", DONE, ids=["wrapping", "data keys"])
async def test_ten_thousand_records_and_twenty_kills(tmp_path: Path, options: tuple[str, ...]) -> None:
    await killed_and_killed_again(tmp_path, options, count=10_000, kills=20, seed=11)

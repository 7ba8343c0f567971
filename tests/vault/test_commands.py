"""What goes wrong with keys and records, in one sentence each; nothing is changed by it (SAFETY 4.7)."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.access.model import Role
from bot.loopback.server import Listening
from bot.operations.credentials import Wanted
from bot.providers.records import Environment
from bot.secret import Secret
from bot.vault import locks
from bot.vault.keys import MasterKey
from bot.vault.passphrase import Argon
from bot.wiring import DATABASE, House
from tests.support.chatting import OLGA, configured, login_of, providers, telegram, until
from tests.support.desk import opened, write_desk, write_secret
from tests.support.process import run
from tests.vault.conftest import connection, fields

MAIN, SPARE = connection(1, label="main"), connection(2, label="spare")


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str
    err: str


def countersign(*words: str | Path, **environ: str) -> Said:
    command = [sys.executable, "-m", "bot", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **environ})
    assert "canary" not in done.stdout + done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.fixture
async def config(tmp_path: Path) -> Path:
    """A desk with two sealed credentials."""
    path = write_desk(tmp_path)
    async with opened(path) as rooms:
        for subject in (MAIN, SPARE):
            await rooms.vault.keep(subject, fields(password="canary-password", api_key="canary-key"))
    return path


@pytest.fixture
def database(config: Path) -> Path:
    return config.parent / "data" / DATABASE


def refused_unchanged(config: Path, database: Path, *commands: tuple[str, ...]) -> set[str]:
    """What each command says, all with 78 and without changing anything."""
    before = {path.name: path.read_bytes() for path in database.parent.iterdir() if path.name != "lock"}
    sentences = set()
    for words in commands:
        said = countersign(*words, "--config", config)
        assert (said.code, said.out) == (78, ""), words
        sentences.add(said.err)
    assert {path.name: path.read_bytes() for path in database.parent.iterdir() if path.name != "lock"} == before
    return sentences


ALL = (("check",), ("run",), ("key", "check"), ("key", "rotate"))


def test_a_wrong_key_is_told_with_both_fingerprints(config: Path, database: Path) -> None:
    known = countersign("key", "check", "--config", config).out.splitlines()[1]
    write_secret(config.parent / "master.key", MasterKey(bytes(range(50, 82))).to_text())
    (sentence,) = refused_unchanged(config, database, *ALL)
    first, _, second = sentence.partition(", got ")
    assert first.startswith("The master key does not belong to this database (expected fingerprint ")
    assert f"Fingerprint {first[-8:]}, generation 1." == known
    assert second.endswith("). Nothing was changed.\n")
    assert second[:8] != first[-8:]


def test_a_typo_in_the_key_is_told_as_one(config: Path, database: Path) -> None:
    file = config.parent / "master.key"
    text = file.read_text()
    file.write_text(text[:30] + ("a" if text[30] != "a" else "b") + text[31:])
    (sentence,) = refused_unchanged(config, database, *ALL)
    assert sentence == f"{file}: the key's text has a typo: its checksum does not fit\n"


def test_rows_without_a_check_value_are_never_initialised_over(config: Path, database: Path) -> None:
    change(database, "DELETE FROM meta WHERE key = 'key_check'")
    (sentence,) = refused_unchanged(config, database, *ALL)
    assert sentence == "the database holds data but no key check value; nothing was changed\n"


def test_f49_a_newer_database_is_left_alone(config: Path, database: Path) -> None:
    change(database, "INSERT INTO _sqlite_migrations VALUES (99, 'countersign', 'm099_later', '2030-01-01')")
    (sentence,) = refused_unchanged(config, database, ("check",), ("run",), ("key", "rotate"))
    assert sentence == (
        "The database was written by a newer version of this program (m099_later); nothing was changed. "
        "An admin must install that version.\n"
    )


def test_one_damaged_record_is_named_by_check_and_its_bytes_stay(config: Path, database: Path) -> None:
    change(
        database,
        "UPDATE sealed SET record = CAST(substr(record, 1, 60)"
        " || CASE substr(record, 61, 1) WHEN x'00' THEN x'01' ELSE x'00' END || substr(record, 62) AS BLOB)"
        " WHERE label = 'main' AND field = 'password'",
    )
    before = database.read_bytes()
    said = countersign("check", "--config", config)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        (
            "note: the sealed credential of capital main, password does not open; its bytes are kept, the others open. "
            "/disconnect it and link it anew"
        ),
        f"{config}: all well",
    ]
    assert database.read_bytes() == before


async def test_one_damaged_record_costs_one_credential_of_a_running_desk(tmp_path: Path) -> None:
    async with telegram() as chat, providers("capital", "deriv") as sides:
        config = configured(tmp_path, chat, sides)
        async with opened(config) as rooms:
            for name in ("capital", "deriv"):
                await linked(rooms, sides, name)
        change(
            config.parent / "data" / DATABASE,
            "UPDATE sealed SET record = zeroblob(length(record)) WHERE provider = 'capital' AND field = 'password'",
        )
        async with run(config) as bot:
            await until(lambda: "a sealed credential does not open; the others do" in bot.told())
            assert "capital main, password" in bot.told()
            await chat.play("send", **{"from": OLGA, "chat": OLGA, "text": "/balance", "message": {}})
            await until(lambda: chat.from_bot(OLGA))
            answer = str(chat.from_bot(OLGA)[-1]["text"])
            assert await bot.stop() == 0
    assert "The sealed credential of capital main, password does not open. The others are not affected." in answer
    assert "Deriv deriv/main" in answer
    assert "without capital/main" in answer


async def linked(rooms: House, sides: Mapping[str, Listening], name: str) -> None:
    login = {key: Secret(text) for key, text in login_of(name, sides[name].credentials).items()}
    environment = Environment.DEMO if name == "capital" else Environment.LIVE
    wanted = Wanted(name, "main", environment, login, frozenset(Role))
    owner = rooms.access.roster.person(OLGA)
    assert owner is not None
    await rooms.credentials.link(owner, wanted, rooms.access.roster, telegram_id=OLGA)


# sources


def test_check_asks_neither_a_command_nor_a_terminal(config: Path) -> None:
    whole = config.read_text()
    script = config.parent / "print-key"
    script.write_text("#!/bin/sh\ntouch was-run\ncat master.key\n")
    script.chmod(0o700)
    for line, note in (
        (
            'command = ["./print-key"]',
            "the command that prints the master key was not run, so whether the key fits was not checked",
        ),
        ("prompt = true", "the master key is typed at the start, so whether it fits was not checked"),
        (
            'credential = "master.key"',
            "the credential 'master.key' is there for the service only, so whether it fits was not checked",
        ),
    ):
        config.write_text(whole.replace('file = "master.key"', line))
        said = countersign("check", "--config", config)
        assert (said.code, said.err) == (0, "")
        assert said.out.splitlines() == [f"note: {note}", f"{config}: all well"]
    assert not (config.parent / "was-run").exists()


def test_every_source_opens_the_desk(config: Path) -> None:
    whole, folder = config.read_text(), config.parent
    key = (folder / "master.key").read_text().strip()
    for line, environ, said_beside in (
        ('command = ["cat", "master.key"]', {}, ""),
        ('credential = "master.key"', {"CREDENTIALS_DIRECTORY": str(folder)}, ""),
        ('env = "DESK_KEY"', {"DESK_KEY": key}, "environment variable"),
    ):
        config.write_text(whole.replace('file = "master.key"', line))
        said = countersign("credentials", "list", "--config", config, **environ)
        assert said.code == 0, said
        assert said_beside in said.err
        assert key not in said.err
    config.write_text(whole.replace('file = "master.key"', "prompt = true"))
    said = countersign("credentials", "list", "--config", config)
    assert (said.code, said.out) == (78, "")
    assert said.err == "the master key is typed at the start, and there is no terminal to type it at\n"


# key check, key rotate


def test_key_check_before_the_first_start(tmp_path: Path) -> None:
    said = countersign("key", "check", "--config", write_desk(tmp_path))
    assert said == Said(0, "The master key fits.\nThere is no database yet: the first start takes this key.\n", "")


def test_key_rotate_says_what_it_did_and_what_it_cannot_do(config: Path, database: Path) -> None:
    said = countersign("key", "rotate", "--config", config)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "Data keys wrapped anew under generation 2: 1.",
        "The master key is the same as before, and whoever copied it with the database can open that copy.",
    ]
    checked = countersign("key", "check", "--config", config)
    assert checked.out.splitlines()[1:] == [
        f"Fingerprint {checked.out.split()[5][:8]}, generation 2.",
        "Every data key is under this generation.",
        "Kept until a backup was made and verified (countersign backup), though nothing needs it: 1.",
    ]
    assert countersign("backup", "--config", config, "--out", config.parent / "b").out.splitlines()[1] == (
        "Opened again and compared, so keys that wrap nothing any more were dropped: generation 1."
    )
    assert len(countersign("key", "check", "--config", config).out.splitlines()) == 3
    said = countersign("key", "rotate", "--data-keys", "--config", config)
    assert said.out.splitlines()[0] == "Records sealed anew under fresh data keys: 4."
    assert countersign("check", "--config", config).out == f"{config}: all well\n"
    with closing(sqlite3.connect(database)) as looking:
        assert looking.execute("SELECT DISTINCT version FROM sealed").fetchall() == [(2,)]
        assert looking.execute("SELECT kek_id, retired FROM data_keys").fetchall() == [(2, 0)]


def test_key_check_says_how_many_lag_behind(config: Path, database: Path) -> None:
    change(database, "INSERT INTO meta VALUES ('kek_id', '2')")
    change(database, "INSERT INTO meta VALUES ('rotating_wrapping', 'yes')")
    assert countersign("key", "check", "--config", config).out.splitlines()[2:] == [
        "A rotation was interrupted: `countersign key rotate` finishes it.",
        "Data keys still under an earlier generation: 1.",
    ]
    assert countersign("key", "rotate", "--config", config).out.splitlines()[:2] == [
        "This finished a rotation that had been interrupted.",
        "Data keys wrapped anew under generation 2: 1.",
    ]


async def test_key_rotate_is_carried_out_by_the_running_bot_and_names_what_to_revoke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "new_stretching", lambda: Argon(os.urandom(16), memory_kib=19 * 1024, passes=2))
    async with telegram() as chat, providers("capital", "deriv") as sides:
        config = configured(tmp_path, chat, sides)
        async with opened(config) as rooms:
            for name in ("capital", "deriv"):
                await linked(rooms, sides, name)
            (capital, _) = await rooms.connections.everything()
            passphrase = Secret("canary battery staple")
            chosen = await rooms.vault.locks.choose(capital.owner, passphrase)
            await rooms.vault.locks.protect(capital.subject, passphrase, chosen, lambda _: None)
        async with run(config) as bot:
            said = await asyncio.to_thread(countersign, "key", "rotate", "--config", config)
            assert await bot.stop() == 0
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "Data keys wrapped anew under generation 2: 1.",
        "Data keys that follow when their owner gives the passphrase (/unlock): 1.",
        "The master key is the same as before, and whoever copied it with the database can open that copy.",
        "If that may have happened, make new credentials at the providers and revoke these:",
        "  capital/main (demo): Delete the API key at Capital.com under Settings → API integrations.",
        (
            "  deriv/main (live): Delete the token at Deriv, in the settings under API token; "
            "a session token (a1-…) ends when you log out."
        ),
    ]
    with closing(sqlite3.connect(config.parent / "data" / DATABASE)) as looking:
        actions = [row[0] for row in looking.execute("SELECT action FROM audit WHERE action LIKE 'key.%' ORDER BY seq")]
    assert actions == ["key.rotation_begun", "key.rotated"]

"""Where the master key comes from; what a source says is never shown."""

import logging
import os
import pty
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bot.config import KeySource
from bot.errors import KeySourceError, KeyTextError
from bot.vault import sources
from bot.vault.keys import MasterKey
from bot.vault.sources import read_master, unread

KEY = MasterKey(bytes(range(32))).to_text()
CANARY = "canary-that-is-no-key"


def written(path: Path, text: str = KEY, mode: int = 0o600) -> Path:
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    path.chmod(mode)
    return path


def script(folder: Path, *lines: str) -> Path:
    path = folder / "print-key"
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o700)
    return path


def refused(source: KeySource) -> str:
    with pytest.raises((KeySourceError, KeyTextError)) as caught:
        read_master(source)
    said = str(caught.value)
    assert "canary" not in said
    assert KEY[5:20] not in said
    return said


# a file


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    source = KeySource(tmp_path, file=written(tmp_path / "master.key"))
    assert read_master(source).to_text() == KEY
    assert unread(source) is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_open_to_others_is_not_read(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path / "master.key", mode=mode)
    assert refused(KeySource(tmp_path, file=path)) == f"{path} is open to others (chmod 600 {path})"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_not_read(tmp_path: Path) -> None:
    path = written(tmp_path / "master.key")
    os.chown(path, 12345, -1)
    assert refused(KeySource(tmp_path, file=path)) == f"{path} belongs to user 12345, not to the bot's own"


def test_what_is_no_small_text_file_is_not_read(tmp_path: Path) -> None:
    big = written(tmp_path / "big", CANARY * 400)
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert refused(KeySource(tmp_path, file=big)) == f"{big} is no small text file"
    assert refused(KeySource(tmp_path, file=tmp_path / "pipe")) == f"{tmp_path / 'pipe'} is no small text file"
    assert refused(KeySource(tmp_path, file=tmp_path)) == f"{tmp_path} cannot be read (Is a directory)"
    assert refused(KeySource(tmp_path, file=tmp_path / "none")) == (
        f"{tmp_path / 'none'} cannot be read (No such file or directory)"
    )


def test_a_damaged_key_is_named_without_its_text(tmp_path: Path) -> None:
    path = written(tmp_path / "master.key", KEY.replace("q", "r"))
    assert refused(KeySource(tmp_path, file=path)) == f"{path}: the key's text has a typo: its checksum does not fit"
    path.write_bytes(b"\xff\xfe\x00")
    assert "begins with csk1-" in refused(KeySource(tmp_path, file=path))
    written(path, CANARY)
    assert "begins with csk1-" in refused(KeySource(tmp_path, file=path))


# a credential


def test_a_credential_is_read_from_where_systemd_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    written(tmp_path / "master.key", mode=0o440)  # what systemd makes of it; its folder is closed to others
    source = KeySource(tmp_path, credential="master.key")
    assert read_master(source).to_text() == KEY
    assert unread(source) is None


def test_without_systemd_it_is_a_secret_of_the_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr(sources, "CONTAINER_SECRETS", tmp_path)
    source = KeySource(tmp_path, credential="master.key")
    assert unread(source) == (
        "the credential 'master.key' is there for the service only, so whether it fits was not checked"
    )
    assert refused(source) == f"{tmp_path / 'master.key'} cannot be read (No such file or directory)"
    written(tmp_path / "master.key", mode=0o444)
    assert read_master(source).to_text() == KEY


# a command


def test_a_command_prints_the_key_and_runs_beside_the_configuration_without_a_shell(tmp_path: Path) -> None:
    written(tmp_path / "kept")
    script(tmp_path, 'test "$1" = "; touch hacked" && cat kept; pwd > where')
    source = KeySource(tmp_path, command=("./print-key", "; touch hacked"))
    assert read_master(source).to_text() == KEY
    assert (tmp_path / "where").read_text().strip() == str(tmp_path)
    assert not (tmp_path / "hacked").exists()
    assert "was not run" in str(unread(source))


def test_what_a_failing_command_says_is_not_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script(tmp_path, f"echo {CANARY}", f"echo {CANARY} >&2", "exit 3")
    said = refused(KeySource(tmp_path, command=("./print-key",)))
    assert said == "./print-key ended with 3; run it by hand to see why"
    assert capfd.readouterr() == ("", "")


def test_a_command_that_prints_no_key_is_named(tmp_path: Path) -> None:
    script(tmp_path, f"echo {CANARY}")
    assert refused(KeySource(tmp_path, command=("./print-key",))) == (
        "the output of ./print-key: a master key begins with csk1-"
    )
    script(tmp_path, "true")
    assert "begins with csk1-" in refused(KeySource(tmp_path, command=("./print-key",)))


def test_a_command_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    assert refused(KeySource(tmp_path, command=("./none",))) == (
        "./none could not be started (No such file or directory)"
    )


@pytest.mark.parametrize("then", ["wait", "exit 0"])
def test_a_command_that_does_not_end_is_ended_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    monkeypatch.setattr(sources, "COMMAND_SECONDS", 0.5)
    script(tmp_path, "sleep 600 &", "echo $! > started", then)
    assert "did not end within" in refused(KeySource(tmp_path, command=("./print-key",)))
    state = Path(f"/proc/{(tmp_path / 'started').read_text().strip()}/stat")
    deadline = time.monotonic() + 20
    while state.exists() and state.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, "it still runs"


def test_a_command_that_floods_is_not_listened_to_for_ever(tmp_path: Path) -> None:
    assert "did not end" in refused(KeySource(tmp_path, command=("yes", CANARY)))


# a variable


def test_a_variable_is_taken_out_of_the_environment_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DESK_KEY", KEY)
    with caplog.at_level(logging.WARNING):
        assert read_master(KeySource(tmp_path, env="DESK_KEY")).to_text() == KEY
    assert "DESK_KEY" not in os.environ
    (warning,) = caplog.records
    assert "a file or a credential is better" in warning.getMessage()
    assert KEY not in caplog.text
    assert refused(KeySource(tmp_path, env="DESK_KEY")) == "the variable DESK_KEY is not set"


# a prompt


def test_without_a_terminal_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "stdin").open("w+") as file:
        monkeypatch.setattr(sys, "stdin", file)
        said = refused(KeySource(tmp_path, prompt=True))
    assert said == "the master key is typed at the start, and there is no terminal to type it at"
    assert "typed at the start" in str(unread(KeySource(tmp_path, prompt=True)))


ASK = """
import asyncio, signal
from pathlib import Path
from bot.config import KeySource
from bot.errors import VaultError
from bot.vault.sources import read_master

async def main():
    heard = []
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, heard.append, number)
    try:
        print("got", len(read_master(KeySource(Path(), prompt=True)).to_text()))
    except VaultError as error:
        print("refused:", error)
    import os
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.05)
    print("still heard" if signal.SIGTERM in heard else "deaf")

asyncio.run(main())
"""


def asked(keys: str) -> str:
    """What a terminal shows when the key is asked for and that is typed."""
    terminal, other_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(ASK)],
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
    )
    os.close(other_end)
    seen, typed = b"", False
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
        if b"Master key: " in seen and not typed:
            typed = True
            os.write(terminal, keys.encode())
    os.close(terminal)
    process.wait(20)
    return seen.decode()


def test_the_prompt_takes_the_key_without_an_echo() -> None:
    seen = asked(KEY + "\n")
    assert f"got {len(KEY)}" in seen
    assert KEY[5:15] not in seen
    assert "still heard" in seen


@pytest.mark.parametrize("keys", ["\x03", "\x04"])
def test_the_prompt_can_be_left(keys: str) -> None:
    seen = asked(keys)
    assert "refused: no master key was typed" in seen
    assert "still heard" in seen


def test_a_typo_at_the_prompt_is_told_as_one() -> None:
    seen = asked(KEY.replace("q", "r") + "\n")
    assert "refused: what was typed: the key's text has a typo" in seen
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

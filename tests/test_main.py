"""The command line as other programs and people meet it: words, exit codes, files, and never a secret."""

import base64
import json
import os
import pty
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.loopback.ports import free_port

END_SECONDS = 30
OLGA = 5_550_001
ADAM = 5_550_002
VERA = 5_550_003
NEW = 5_550_004
TOKEN = "7000000001:" + "Zq4" * 12
NAMES = ("telegram", "capital", "deriv", "cryptocapital", "crm")
CONFIG = f"""
[desk]
data_dir = "data"
[telegram]
token_file = "telegram.token"
base_url = "{{telegram}}/bot"
[telegram.pacing]
per_chat_per_second = 0
[people]
admins = [{ADAM}]
[[people.members]]
id = {OLGA}
name = "Olga"
roles = ["operator"]
[key]
file = "master.key"
"""


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


def start(*arguments: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "bot", *arguments]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, encoding="utf-8")


def countersign(*arguments: str | Path, typed: str = "") -> Said:
    process = start(*map(str, arguments))
    out, err = process.communicate(typed, timeout=END_SECONDS)
    return Said(process.returncode, out, err)


def end(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> Said:
    process.send_signal(number)
    out, err = process.communicate(timeout=END_SECONDS)
    return Said(process.returncode, out, err)


@contextmanager
def simulating(name: str, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A simulator as a process of its own, and the line it printed."""
    process = start("simulate", name, *options)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield process, json.loads(line)
    finally:
        if process.poll() is None:
            end(process)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def until(true: Callable[[], bool]) -> None:
    """Wait until something holds; fails after `END_SECONDS`."""
    deadline = time.monotonic() + END_SECONDS
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        select.select([], [], [], 0.05)


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder with a configuration, a token and a key."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def database(self) -> Path:
        return self.folder / "data" / "countersign.sqlite"

    def add(self, text: str) -> None:
        with self.config.open("a") as file:
            file.write(text)

    def point_to(self, lines: Mapping[str, Mapping[str, Any]]) -> None:
        """Let the configuration name the simulators."""
        for name, line in lines.items():
            self.add(f"[providers.{name}]\n")
            for key, value in ADDRESSES[name](line).items():
                self.add(f'{key} = "{value}"\n')

    def link(self, *logins: Mapping[str, Any]) -> Said:
        typed = "\n".join(json.dumps(login) for login in logins)
        return countersign("credentials", "add", "--config", self.config, "--batch", typed=typed)

    def on_disk(self) -> bytes:
        """All that is kept, in one text; the lock holds nothing but a process id."""
        return b"".join(path.read_bytes() for path in sorted(self.folder.glob("data/*")) if path.name != "lock")


Addresses = Callable[[Mapping[str, Any]], Mapping[str, str]]
ADDRESSES: Mapping[str, Addresses] = {
    "capital": lambda line: {"live_url": line["http"], "demo_url": line["http"]},
    "deriv": lambda line: {"url": line["ws"] + "/websockets/v3"},
    "cryptocapital": lambda line: {"url": line["ws"], "server_public_key": line["credentials"]["server_public_key"]},
    "crm": lambda line: {"url": line["http"]},
}


def login(line: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """One line of `credentials add --batch` with what the simulator gave out."""
    given = line["credentials"]
    fields = {
        "capital": lambda: {key: given[key] for key in ("api_key", "identifier", "password")},
        "deriv": lambda: {key: given[key] for key in ("app_id", "token")},
        "cryptocapital": lambda: {"private_key": given["private_key"], "accounts": ",".join(given["accounts"])},
        "crm": lambda: {"api_key": given["api_key"]},
    }[line["name"]]()
    environment = "demo" if line["name"] == "capital" else "live"
    return {
        "owner": OLGA,
        "provider": line["name"],
        "label": "main",
        "environment": environment,
        "fields": fields,
    } | changes


@pytest.fixture(scope="module")
def key_text() -> str:
    """A master key, made once."""
    return countersign("key", "new").out


@pytest.fixture
def desk(tmp_path: Path, key_text: str) -> Desk:
    """A desk whose Telegram is a closed port."""
    made = Desk(tmp_path / "desk")
    made.folder.mkdir()
    made.config.write_text(CONFIG.format(telegram="http://127.0.0.1:9"))
    for name, text in (("telegram.token", TOKEN), ("master.key", key_text)):
        (made.folder / name).touch(mode=0o600)
        (made.folder / name).write_text(text)
    return made


@pytest.fixture(scope="module")
def crm() -> Iterator[dict[str, Any]]:
    with simulating("crm") as (_, line):
        yield line


# check


def test_check_says_that_all_is_well_asks_nobody_and_leaves_nothing(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        desk.config.write_text(CONFIG.format(telegram=address))
        desk.add(f'[providers.capital]\nlive_url = "{address}"\n[providers.crm]\nurl = "{address}"\n')
        before = sorted(desk.folder.rglob("*"))
        assert countersign("check", "--config", desk.config) == Said(0, f"{desk.config}: all well\n", "")
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert sorted(desk.folder.rglob("*")) == before


PEOPLE = f"""
[[people.members]]
id = {VERA}
name = "Vera"
roles = ["viewer", "auditor"]
"""
DIFFERS = "the configuration seeds an empty desk only, so what the desk has counts (/invite adds people and roles)"


def test_check_names_the_people_whose_roles_the_desk_knows_differently(desk: Desk) -> None:
    desk.add(PEOPLE)
    assert countersign("check", "--config", desk.config) == Said(0, f"{desk.config}: all well\n", "")
    assert countersign("credentials", "list", "--config", desk.config).code == 0  # the desk has its people now
    before = desk.on_disk()
    assert countersign("check", "--config", desk.config) == Said(0, f"{desk.config}: all well\n", "")

    config = desk.config.read_text()
    config = config.replace(f"admins = [{ADAM}]", f"admins = [{ADAM}, {OLGA}, {NEW}]")
    desk.config.write_text(config.replace('["viewer", "auditor"]', '["auditor"]'))
    assert countersign("check", "--config", desk.config) == Said(
        0,
        f"note: {OLGA} becomes an admin with the next start, because the desk has only one\n"
        f"note: {VERA} is auditor in the configuration and auditor, viewer at the desk; {DIFFERS}\n"
        f"note: {NEW} is admin in the configuration and unknown at the desk; {DIFFERS}\n"
        f"{desk.config}: all well\n",
        "",
    )
    assert desk.on_disk() == before


def test_check_names_what_is_wrong_with_the_policy_and_later_that_the_desk_has_another(desk: Desk) -> None:
    rule = '[[rules]]\nname = "all"\ntier = "{}"\n'
    desk.add('[policy]\nfile = "policy.toml"')
    (desk.folder / "policy.toml").write_text(rule.format("refused"))
    said = countersign("check", "--config", desk.config)
    wrong = "policy.file: rules[0].tier: found 'refused', expected one of free, confirm, quorum, refuse"
    assert (said.code, said.err) == (78, f"{desk.config} has 1 problem(s):\n  {wrong}\n")

    (desk.folder / "policy.toml").write_text(rule.format("refuse"))
    assert countersign("credentials", "list", "--config", desk.config).code == 0  # the desk has its policy now
    (desk.folder / "policy.toml").write_text(rule.format("confirm"))
    told = "the policy in the configuration is not the desk's version 1; the configuration seeds an empty desk only"
    well = f"{desk.config}: all well\n"
    expected = Said(0, f"note: {told}, so what the desk has counts\n{well}", "")
    assert countersign("check", "--config", desk.config) == expected


@pytest.mark.parametrize("command", ["check", "run"])
def test_everything_that_is_wrong_is_told_at_once_with_78(desk: Desk, command: str) -> None:
    desk.config.write_text(
        f"""
        [desk]
        time_zone = "Atlantis"
        [telegram]
        token_file = "{TOKEN}"
        concurency = 3
        [people]
        admins = ["@adam"]
        [providers.capitol]
        """
    )
    said = countersign(command, "--config", desk.config)
    assert (said.code, said.out) == (78, "")
    for place in (
        "desk.data_dir",
        "desk.time_zone",
        "telegram.token_file",
        "telegram.concurency",
        "people.admins",
        "key",
        "capitol",
    ):
        assert re.search(rf"^  \S*{place}.*: found .*, expected .+", said.err, re.MULTILINE), place
    assert TOKEN not in said.err
    assert not (desk.folder / "data").exists()


def test_no_configuration_at_all_is_78(tmp_path: Path) -> None:
    said = countersign("check", "--config", tmp_path / "none.toml")
    assert said.code == 78
    assert "countersign init" in said.err


def test_a_command_that_lacks_its_option_is_2() -> None:
    assert countersign("check").code == 2
    assert countersign("simulate", "mtgox").code == 2


def test_the_version_is_the_packages() -> None:
    assert countersign("--version") == Said(0, f"countersign, version {version('countersign')}\n", "")


# init and the key


def test_init_writes_what_check_accepts_once_it_is_filled_in(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "desk"
    said = countersign("init", folder)
    assert (said.code, said.err) == (0, "")
    assert "check --config" in said.out
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
    assert modes == {"desk": 0o700, "config.toml": 0o600, "master.key": 0o600}
    assert (folder / "master.key").read_text().strip() not in said.out

    unfilled = countersign("check", "--config", folder / "config.toml")
    assert unfilled.code == 78
    assert re.findall(r"^  ([a-z_.]+): ", unfilled.err, re.MULTILINE) == ["telegram.token_file", "people.admins"]

    (folder / "telegram.token").touch(mode=0o600)
    (folder / "telegram.token").write_text(TOKEN + "\n")
    config = (folder / "config.toml").read_text()
    (folder / "config.toml").write_text(config.replace("admins = []", f"admins = [{ADAM}]"))
    assert countersign("check", "--config", folder / "config.toml").code == 0


@pytest.mark.parametrize("there", ["config.toml", "master.key"])
def test_init_overwrites_nothing(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    said = countersign("init", tmp_path)
    assert said.code == 1
    assert "nothing was changed" in said.err
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_a_new_key_is_one_line_and_another_one_each_time() -> None:
    first, second = countersign("key", "new"), countersign("key", "new")
    assert re.fullmatch(r"csk1-[a-z2-7]{58}\n", first.out)
    assert (first.code, first.err) == (0, "")
    assert first.out != second.out


def test_a_key_file_is_for_its_owner_and_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    assert countersign("key", "new", "--out", file) == Said(0, "", "")
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    assert countersign("key", "new", "--out", file).code == 1
    assert file.read_text() == text


def test_a_key_that_belongs_to_another_database_is_refused_everywhere(desk: Desk, crm: dict[str, Any]) -> None:
    desk.point_to({"crm": crm})
    assert desk.link(login(crm)).code == 0
    fits = countersign("key", "check", "--config", desk.config)
    assert (fits.code, fits.out.splitlines()[0], fits.err) == (0, "The master key fits.", "")
    before = desk.on_disk()

    key = desk.folder / "master.key"
    key.unlink()
    countersign("key", "new", "--out", key)
    for command in (["key", "check"], ["check"], ["run"], ["credentials", "list"]):
        said = countersign(*command, "--config", desk.config)
        assert (said.code, said.out) == (78, ""), command
        expected, got = re.findall(r"\b[0-9a-f]{8}\b", said.err)
        assert expected != got
        assert "Nothing was changed" in said.err
    assert desk.on_disk() == before


def test_a_key_with_a_typo_is_told_apart_from_a_wrong_one(desk: Desk) -> None:
    key = desk.folder / "master.key"
    text = key.read_text()
    key.write_text(text.replace(text[20], "a" if text[20] != "a" else "b", 1))
    said = countersign("key", "check", "--config", desk.config)
    assert said.code == 78
    assert "typo" in said.err
    assert text[5:15] not in said.err


# credentials


def test_a_login_of_every_provider_is_linked_listed_tried_and_removed(desk: Desk) -> None:
    with (
        simulating("capital") as (_, capital),
        simulating("deriv") as (_, deriv),
        simulating("cryptocapital") as (_, bank),
        simulating("crm") as (_, crm),
    ):
        lines = (capital, deriv, bank, crm)
        desk.point_to({line["name"]: line for line in lines})
        linked = desk.link(*(login(line, share=["viewer"]) for line in lines))
        assert (linked.code, linked.err) == (0, "")
        assert [one.split(":")[0] for one in linked.out.splitlines()] == [
            "linked capital/main",
            "linked deriv/main",
            "linked cryptocapital/main",
            "linked crm/main",
        ]
        told = countersign("credentials", "list", "--config", desk.config)
        assert told.out.splitlines() == [
            "capital/main  demo  owner Olga  shared with viewer",
            "crm/main  live  owner Olga  shared with viewer",
            "cryptocapital/main  live  owner Olga  shared with viewer",
            "deriv/main  live  owner Olga  shared with viewer",
        ]
        for line in lines:
            tried = countersign("credentials", "test", "--config", desk.config, f"{line['name']}/main")
            assert (tried.code, tried.err) == (0, "")
            assert tried.out.startswith(f"{line['name']}/main: ")
        kept = desk.on_disk()
        for line in lines:
            for field, value in login(line)["fields"].items():
                if field not in ("accounts", "app_id"):
                    assert value not in linked.out
                    assert value.encode() not in kept
        gone = countersign("credentials", "remove", "--config", desk.config, "capital/main")
        assert (
            gone.out == "unlinked capital/main. Delete the API key at Capital.com under Settings → API integrations.\n"
        )
        left = countersign("credentials", "list", "--config", desk.config).out.splitlines()
        assert left == told.out.splitlines()[1:]


def test_a_login_typed_at_the_terminal_is_not_shown(desk: Desk, crm: dict[str, Any]) -> None:
    desk.point_to({"crm": crm})
    key = crm["credentials"]["api_key"]
    shown, code = _at_a_terminal(
        [
            "credentials",
            "add",
            "--config",
            str(desk.config),
            "--owner",
            str(OLGA),
            "--provider",
            "crm",
            "--label",
            "typed",
        ],
        key,
    )
    assert code == 0, shown
    assert "API key (" in shown
    assert "linked crm/typed: " in shown
    assert key not in shown


def test_a_login_comes_from_a_file_descriptor(desk: Desk, crm: dict[str, Any]) -> None:
    desk.point_to({"crm": crm})
    key = crm["credentials"]["api_key"]
    said = _from_a_pipe(desk, "crm", key + "\n")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("linked crm/main: ")
    assert key not in said.out


def test_a_file_descriptor_gives_a_line_for_each_question(desk: Desk) -> None:
    with simulating("deriv") as (_, line):
        desk.point_to({"deriv": line})
        too_few = _from_a_pipe(desk, "deriv", line["credentials"]["token"])
        assert too_few.code == 2
        assert "Deriv takes 2 line(s): App ID, API token; there are 1" in too_few.err
        said = _from_a_pipe(desk, "deriv", "\n" + line["credentials"]["token"] + "\n")  # an empty one is the default
        assert (said.code, said.err) == (0, "")
        assert said.out.startswith("linked deriv/main: ")


def test_a_key_made_at_the_terminal_shows_its_public_half_only(desk: Desk) -> None:
    arguments = ("--owner", str(OLGA), "--provider", "cryptocapital", "--new-key", "--fd", "0")
    said = countersign("credentials", "add", "--config", desk.config, *arguments, typed="9120007013\n")
    assert (said.code, said.err) == (0, "")
    first, public, kept, following = said.out.splitlines()
    assert first.startswith("linked cryptocapital/main with a key made here: fingerprint ")
    assert len(base64.b64decode(public, validate=True)) == 65
    assert kept == "Its private half lies sealed and is shown to nobody; only `countersign backup` keeps a copy of it."
    assert "/register cryptocapital/main" in following
    again = countersign("credentials", "list", "--config", desk.config)
    assert again.out == "cryptocapital/main  live  owner Olga  shared with nobody\n"


def test_a_new_key_is_refused_where_there_are_none_to_make(desk: Desk) -> None:
    arguments = ("--owner", str(OLGA), "--provider", "crm", "--new-key")
    said = countersign("credentials", "add", "--config", desk.config, *arguments)
    assert (said.code, said.out) == (2, "")
    assert "Broctagon CRM has no keys that could be made here" in said.err
    line = {"owner": OLGA, "provider": "crm", "label": "main", "environment": "live", "fields": {}, "new_key": True}
    batch = desk.link(line)
    assert (batch.code, batch.out) != (0, "")
    assert "has no key of its own" in batch.err


def test_a_file_descriptor_that_is_none_is_a_sentence(desk: Desk) -> None:
    arguments = ("--owner", str(OLGA), "--provider", "crm", "--fd", "99")
    said = countersign("credentials", "add", "--config", desk.config, *arguments)
    assert (said.code, said.out) == (2, "")
    assert "file descriptor 99 gives no text that can be read" in said.err


def _from_a_pipe(desk: Desk, provider: str, text: str) -> Said:
    """`credentials add --fd`, with the text in a pipe."""
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    command = [sys.executable, "-m", "bot", "credentials", "add", "--config", str(desk.config)]
    command += ["--owner", str(OLGA), "--provider", provider, "--fd", str(reading)]
    ended = subprocess.run(
        command, pass_fds=[reading], capture_output=True, text=True, timeout=END_SECONDS, stdin=subprocess.DEVNULL
    )
    os.close(reading)
    return Said(ended.returncode, ended.stdout, ended.stderr)


def _at_a_terminal(arguments: list[str], answer: str) -> tuple[str, int]:
    """Run a command on a terminal of its own and answer its one question; everything it showed, and its exit code."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "bot", *arguments]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown = b""
    while b"): " not in shown and (more := _read(ours)):
        shown += more
    os.write(ours, answer.encode() + b"\n")
    while more := _read(ours):
        shown += more
    os.close(ours)
    return shown.decode(), process.wait(END_SECONDS)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1024)
    except OSError:  # how Linux says that the other end has gone
        return b""


def test_a_login_the_provider_refuses_is_not_kept(desk: Desk, crm: dict[str, Any]) -> None:
    desk.point_to({"crm": crm})
    wrong = "not-the-key-of-anybody"
    said = desk.link(login(crm, fields={"api_key": wrong}))
    assert (said.code, said.out) == (70, "")
    assert said.err.startswith("Broctagon CRM (crm/main) does not accept this login (")
    assert said.err.endswith("Next: check it and give it again. Nothing of it was kept.\n")
    assert wrong not in said.err
    assert wrong.encode() not in desk.on_disk()
    assert countersign("credentials", "list", "--config", desk.config) == Said(0, "", "")


def test_a_login_for_nobody_and_a_login_that_is_there_are_refused(desk: Desk, crm: dict[str, Any]) -> None:
    desk.point_to({"crm": crm})
    nobody = desk.link(login(crm, owner=999))
    assert (nobody.code, "999" in nobody.err) == (70, True)
    assert desk.link(login(crm)).code == 0
    again = desk.link(login(crm))
    assert (again.code, again.out) == (70, "")
    assert "there is a connection crm/main already" in again.err.lower()


@pytest.mark.parametrize("verb", ["test", "remove"])
def test_a_connection_that_is_not_there_is_one_sentence(desk: Desk, verb: str) -> None:
    said = countersign("credentials", verb, "--config", desk.config, "crm/other")
    assert (said.code, said.out) == (70, "")
    assert said.err.count("\n") == 1
    assert "crm/other" in said.err


@pytest.mark.parametrize(
    "typed",
    [
        "no JSON",
        "[]",
        '"text"',
        "{}",
        json.dumps({"owner": OLGA, "provider": "mtgox", "label": "a", "environment": "live", "fields": {}}),
        json.dumps(
            {"owner": OLGA, "provider": "crm", "label": "a", "environment": "moon", "fields": {"api_key": "k" * 9}}
        ),
        json.dumps({"owner": OLGA, "provider": "crm", "label": "a", "environment": "live", "fields": {"api_key": 7}}),
        json.dumps(
            {
                "owner": OLGA,
                "provider": "crm",
                "label": "a",
                "environment": "live",
                "fields": {"api_key": "k" * 9},
                "share": ["god"],
            }
        ),
    ],
)
def test_a_batch_that_cannot_be_read_is_a_sentence_not_a_traceback(desk: Desk, typed: str) -> None:
    said = countersign("credentials", "add", "--config", desk.config, "--batch", typed=typed)
    assert (said.code in (2, 70), said.out) == (True, "")
    assert re.search(r"^Error: Line 1 cannot be read: |^There is no provider “mtgox”", said.err, re.MULTILINE), said.err
    assert "Traceback" not in said.err
    assert "k" * 9 not in said.err


# simulate


KEYS = {
    "telegram": {"bot_token"},
    "capital": {"api_key", "identifier", "password"},
    "deriv": {"app_id", "token", "token_read", "token_oauth"},
    "cryptocapital": {"private_key", "public_key", "accounts", "server_public_key"},
    "crm": {"api_key"},
}


@pytest.mark.parametrize(
    ("name", "number"), [(name, number) for name in NAMES for number in (signal.SIGTERM, signal.SIGINT)]
)
def test_a_simulator_says_one_line_and_ends_with_0(name: str, number: signal.Signals) -> None:
    with simulating(name) as (process, line):
        assert line["name"] == name
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", line["http"])
        assert re.fullmatch(r"ws://127\.0\.0\.1:\d+", line["ws"])
        assert line["control"] == line["http"] + "/_sim"
        assert set(line["credentials"]) >= KEYS[name]
        answer = httpx.get(line["control"] + "/ledger", trust_env=False)
        assert (answer.status_code, list(answer.json())) == (200, ["entries"])
        assert end(process, number) == Said(0, "", "")


def test_told_twice_at_once_it_still_ends_with_0() -> None:
    with simulating("crm") as (process, _):
        process.send_signal(signal.SIGINT)
        assert end(process, signal.SIGTERM) == Said(0, "", "")


def test_the_same_seed_gives_the_same_logins_and_another_seed_others() -> None:
    logins = []
    for seed in ("7", "7", "8"):
        with simulating("crm", "--seed", seed) as (_, line):
            logins.append(line["credentials"]["api_key"])
    assert logins[0] == logins[1] != logins[2]


def test_a_simulator_listens_where_it_is_told(tmp_path: Path) -> None:
    port = free_port()
    with simulating("crm", "--port", str(port)) as (_, line):
        assert line["http"] == f"http://127.0.0.1:{port}"


def test_state_keeps_the_ledger_across_a_clean_end_and_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "bank.json"

    def pay(line: Mapping[str, Any], amount: str) -> list[dict[str, Any]]:
        body = {"account": line["credentials"]["accounts"][0], "amount": amount}
        httpx.post(line["control"] + "/deposit", json=body, trust_env=False).raise_for_status()
        return ledger(line)

    def ledger(line: Mapping[str, Any]) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = httpx.get(line["control"] + "/ledger", trust_env=False).json()["entries"]
        return entries

    with simulating("cryptocapital", "--state", str(state)) as (process, line):
        first = pay(line, "125.50")
        assert first[-1]["amount"] == "125.50"
        assert end(process).code == 0
    with simulating("cryptocapital", "--state", str(state)) as (process, line):
        assert ledger(line) == first
        second = pay(line, "0.25")
        assert len(second) == len(first) + 1
        process.kill()
        process.wait(END_SECONDS)
    with simulating("cryptocapital", "--state", str(state)) as (_, line):
        assert ledger(line) == second


def test_tls_is_served_with_a_certificate_that_can_be_trusted(desk: Desk) -> None:
    with simulating("crm", "--tls") as (process, line):
        assert line["http"].startswith("https://127.0.0.1:")
        assert line["ws"].startswith("wss://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=line["credentials"]["ca_file"])
        assert httpx.get(line["control"] + "/ledger", verify=trusting, trust_env=False).status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(line["control"] + "/ledger", trust_env=False)
        desk.point_to({"crm": line})
        desk.add(f'ca_file = "{line["credentials"]["ca_file"]}"\n')
        assert desk.link(login(line)).code == 0
        assert end(process) == Said(0, "", "")


# run


def test_run_answers_holds_the_desk_alone_and_ends_with_0(desk: Desk) -> None:
    with simulating("telegram") as (_, line):
        token = line["credentials"]["bot_token"]
        (desk.folder / "telegram.token").write_text(token)
        desk.config.write_text(CONFIG.format(telegram=line["http"]))
        httpx.post(
            line["control"] + "/people", json={"people": [{"id": OLGA, "first_name": "Olga"}]}, trust_env=False
        ).raise_for_status()
        running = start("run", "--config", str(desk.config))
        try:
            asked = {"from": OLGA, "chat": OLGA, "text": "/whoami"}
            httpx.post(line["control"] + "/send", json=asked, trust_env=False).raise_for_status()
            until(lambda: len(_messages(line)) >= 2 or running.poll() is not None)
            assert "You are Olga: operator." in _messages(line)[1]["text"]

            second = countersign("run", "--config", desk.config)
            assert (second.code, second.out) == (75, "")
            assert f"in use by process {running.pid}" in second.err
        finally:
            said = end(running)
        assert said.code == 0, said.err
        assert token not in said.out + said.err
        assert countersign("credentials", "list", "--config", desk.config).code == 0


def _messages(line: Mapping[str, Any]) -> list[dict[str, Any]]:
    query = {"id": OLGA, "as": OLGA}
    shown: list[dict[str, Any]] = httpx.get(line["control"] + "/chat", params=query, trust_env=False).json()["messages"]
    return shown


# host commands while the bot runs


@contextmanager
def running(desk: Desk) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The bot at work, as far as host commands go, and the file it logs to."""
    desk.add('[log]\nlevel = "DEBUG"\n')
    log = desk.folder / "run.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "bot", "run", "--config", str(desk.config)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
        try:
            until(lambda: (desk.folder / "data" / "host.sock").exists() or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            yield process, log
        finally:
            process.terminate()
            process.wait(END_SECONDS)


def test_the_bot_that_runs_carries_out_what_is_asked_at_the_terminal(desk: Desk, crm: dict[str, Any]) -> None:
    desk.point_to({"crm": crm})
    key = crm["credentials"]["api_key"]
    with running(desk) as (process, log):
        linked = desk.link(login(crm, share=["viewer"]))
        assert (linked.code, linked.err) == (0, "")
        assert linked.out.startswith("linked crm/main: ")
        told = countersign("credentials", "list", "--config", desk.config)
        assert told == Said(0, "crm/main  live  owner Olga  shared with viewer\n", "")
        tried = countersign("credentials", "test", "--config", desk.config, "crm/main")
        assert (tried.code, tried.err) == (0, "")
        assert tried.out.startswith("crm/main: ")
        missing = countersign("credentials", "test", "--config", desk.config, "crm/other")
        assert (missing.code, missing.out) == (70, "")
        assert "crm/other" in missing.err
        again = desk.link(login(crm))
        assert (again.code, "there is a connection crm/main already" in again.err.lower()) == (70, True)
        gone = countersign("credentials", "remove", "--config", desk.config, "crm/main")
        assert (gone.code, gone.out.startswith("unlinked crm/main. ")) == (0, True)
        assert process.poll() is None
    assert process.returncode == 0, log.read_text()
    assert key not in log.read_text()
    assert "host command" in log.read_text()
    assert not (desk.folder / "data" / "host.sock").exists()
    assert countersign("credentials", "list", "--config", desk.config) == Said(0, "", "")


def test_a_bot_that_is_told_to_stop_finishes_what_is_asked_at_the_terminal(desk: Desk) -> None:
    with simulating("crm") as (_, crm):
        desk.point_to({"crm": crm})
        with running(desk) as (process, log):
            assert desk.link(login(crm)).code == 0
            slow = {"action": "delay", "seconds": 2, "times": 0}
            httpx.post(crm["control"] + "/faults", json=[slow], trust_env=False).raise_for_status()
            asking = start("credentials", "test", "--config", str(desk.config), "crm/main")
            until(lambda: "command=credentials test" in log.read_text())
            process.terminate()
            out, err = asking.communicate(timeout=END_SECONDS)
            assert (asking.returncode, err) == (0, "")
            assert out.startswith("crm/main: ")
            assert process.wait(END_SECONDS) == 0, log.read_text()


def test_a_desk_that_is_held_by_no_bot_is_left_alone(desk: Desk) -> None:
    script = (
        "import sys; from pathlib import Path; from types import SimpleNamespace; from bot.wiring import holding\n"
        "with holding(SimpleNamespace(data_dir=Path(sys.argv[1]))): print('held', flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", script, str(desk.folder / "data")], stdin=pipe, stdout=pipe, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        said = countersign("credentials", "list", "--config", desk.config)
        holder.communicate("")
        assert (said.code, said.out) == (75, "")
        assert f"in use by process {holder.pid}" in said.err


# backup and restore


def test_f49_a_damaged_database_is_refused_with_what_to_do_and_kept(desk: Desk) -> None:
    desk.database.parent.mkdir(mode=0o700)
    desk.database.write_bytes(b"this is no database " * 500)
    for command in ("run", "check"):
        said = countersign(command, "--config", desk.config)
        assert (said.code, said.out) == (70, "")
        assert said.err == (
            "The database is damaged (file is not a database); nothing was changed. An admin must restore a backup. "
            "Next: countersign restore --config FILE --replace BACKUP\n"
        )
    assert desk.database.read_bytes() == b"this is no database " * 500


def test_a_desk_is_backed_up_while_it_runs_and_restored_when_it_does_not(desk: Desk, crm: dict[str, Any]) -> None:
    desk.point_to({"crm": crm})
    file = desk.folder / "desk.backup"
    with running(desk) as (process, log):
        assert desk.link(login(crm)).code == 0
        said = countersign("backup", "--config", desk.config, "--out", file)
        assert (said.code, said.err) == (0, "")
        fingerprint = json.loads(file.read_bytes().partition(b"\n")[0])["key"]
        assert said.out.splitlines() == [
            f"{file}: {file.stat().st_size} bytes, opened by the master key with the fingerprint {fingerprint}.",
            "The master key is not in it: keep that elsewhere, or the backup opens nothing.",
        ]
        assert file.stat().st_mode & 0o777 == 0o600
        assert desk.link(login(crm, label="later")).code == 0
        again = countersign("backup", "--config", desk.config, "--out", file)
        assert (again.code, "is there already" in again.err) == (70, True)
        while_it_runs = countersign("restore", "--config", desk.config, "--replace", file)
        assert (while_it_runs.code, while_it_runs.out) == (75, "")
        assert f"in use by process {process.pid}" in while_it_runs.err
    assert process.returncode == 0, log.read_text()

    before = desk.on_disk()
    kept = countersign("restore", "--config", desk.config, file)
    assert (kept.code, kept.out) == (73, "")
    assert "--replace" in kept.err
    assert desk.on_disk() == before

    done = countersign("restore", "--config", desk.config, "--replace", file)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Restored {file}, made ")
    (aside,) = (desk.folder / "data").glob("countersign.sqlite.before-restore-*")
    assert f"is kept as {aside}." in done.out
    left = countersign("credentials", "list", "--config", desk.config)
    assert left.out == "crm/main  live  owner Olga  shared with nobody\n"
    assert countersign("credentials", "test", "--config", desk.config, "crm/main").code == 0


@pytest.mark.parametrize(
    ("spoil", "code", "why"),
    [
        (lambda file: os.truncate(file, file.stat().st_size - 9), 78, "it is damaged or was cut short. Nothing was"),
        (lambda file: file.write_text("no backup"), 78, "this is no backup of a desk. Nothing was changed."),
        (lambda file: file.unlink(), 74, "No such file or directory. Nothing was restored."),
    ],
    ids=["cut", "other", "none"],
)
def test_a_backup_that_cannot_be_used_is_one_sentence(
    desk: Desk, spoil: Callable[[Path], None], code: int, why: str
) -> None:
    file = desk.folder / "desk.backup"
    assert countersign("backup", "--config", desk.config, "--out", file).code == 0
    spoil(file)
    before = desk.on_disk()
    said = countersign("restore", "--config", desk.config, "--replace", file)
    assert (said.code, said.out) == (code, "")
    assert why in said.err
    assert said.err.count("\n") == 1
    assert desk.on_disk() == before


def test_a_backup_of_another_key_names_both_and_changes_nothing(desk: Desk) -> None:
    file = desk.folder / "desk.backup"
    assert countersign("backup", "--config", desk.config, "--out", file).code == 0
    (desk.folder / "master.key").unlink()
    countersign("key", "new", "--out", desk.folder / "master.key")
    before = desk.on_disk()
    said = countersign("restore", "--config", desk.config, "--replace", file)
    assert (said.code, said.out) == (78, "")
    expected, got = re.findall(r"\b[0-9a-f]{8}\b", said.err)
    assert expected == json.loads(file.read_bytes().partition(b"\n")[0])["key"] != got
    assert desk.on_disk() == before

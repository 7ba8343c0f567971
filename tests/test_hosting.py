"""Host commands over the socket: who may ask, what travels, and what becomes of a command that is cut short.

The other end is written by hand here: bytes on a Unix socket.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot import hosting
from bot.commands.ending import told
from bot.commands.host import known_commands
from bot.errors import NotFoundError, StartRefusedError
from bot.hosting import HostCommand, Say
from bot.secret import Secret
from bot.wiring import House
from tests.support.chatting import until
from tests.support.desk import opened, write_desk

CANARY = "canary-Zb7Qx1-never-seen"


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    words: list[str] = []
    secret: Secret | None = None


@dataclass
class Stage:
    """Commands for these tests, and what happened to them."""

    house: House
    arrived: list[Words] = field(default_factory=list)
    said: int = 0
    cut_short: list[str] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def socket(self) -> Path:
        return self.house.config.data_dir / "host.sock"

    def commands(self) -> Mapping[str, HostCommand[Any]]:
        verbs = {
            "say": self._say,
            "wait": self._wait,
            "lose": self._lose,
            "refuse": self._refuse,
            "break": self._break,
            "flood": self._flood,
        }
        return {name: HostCommand(name, Words, act) for name, act in verbs.items()}

    async def _say(self, house: House, arguments: Words, say: Say) -> int:
        self.arrived.append(arguments)
        for word in arguments.words:
            await say(word)
        return len(arguments.words)

    async def _wait(self, house: House, arguments: Words, say: Say) -> int:
        await say("waiting")
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cut_short.append("wait")
            raise
        await say("done")
        return 0

    async def _lose(self, house: House, arguments: Words, say: Say) -> int:
        raise NotFoundError("connection", "capital/none")

    async def _refuse(self, house: House, arguments: Words, say: Say) -> int:
        raise StartRefusedError("not while it rains", 75)

    async def _break(self, house: House, arguments: Words, say: Say) -> int:
        raise ValueError(f"something with {CANARY} in it, password={CANARY}")

    async def _flood(self, house: House, arguments: Words, say: Say) -> int:
        for _ in range(20_000):
            await say("x" * 1000)
            self.said += 1
        return 0


@asynccontextmanager
async def standing(folder: Path) -> AsyncIterator[Stage]:
    async with opened(write_desk(folder)) as house:
        stage = Stage(house)
        async with hosting.hosting(house, stage.commands, told):
            yield stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with standing(tmp_path) as one:
        yield one


@asynccontextmanager
async def calling(stage: Stage) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(stage.socket, limit=1 << 22)
    try:
        yield reader, writer
    finally:
        writer.close()


async def told_to(stage: Stage, line: bytes) -> list[Any]:
    """Everything that is answered to one line."""
    async with calling(stage) as (reader, writer):
        writer.write(line)
        return [json.loads(answer) async for answer in reader]


def asking(command: str, **arguments: Any) -> bytes:
    return json.dumps({"command": command, "arguments": arguments}).encode() + b"\n"


# what travels


async def test_a_command_says_its_lines_and_ends_with_its_code(stage: Stage) -> None:
    assert await told_to(stage, asking("say", words=["one", "zwei “drei”\n"])) == [
        {"type": "said", "line": "one"},
        {"type": "said", "line": "zwei “drei”\n"},
        {"type": "ended", "code": 2},
    ]


async def test_what_is_said_arrives_while_the_command_goes_on(stage: Stage) -> None:
    async with calling(stage) as (reader, writer):
        writer.write(asking("wait"))
        assert json.loads(await reader.readline()) == {"type": "said", "line": "waiting"}
        stage.go.set()
        assert json.loads(await reader.readline()) == {"type": "said", "line": "done"}
        assert json.loads(await reader.readline()) == {"type": "ended", "code": 0}
        assert await reader.read() == b""


async def test_commands_do_not_wait_for_one_another(stage: Stage) -> None:
    async with calling(stage) as (reader, writer):
        writer.write(asking("wait"))
        await reader.readline()
        assert await told_to(stage, asking("say")) == [{"type": "ended", "code": 0}]
        stage.go.set()
        await reader.read()


async def test_an_error_of_ours_is_its_sentence_and_its_code(stage: Stage) -> None:
    assert await told_to(stage, asking("refuse")) == [{"type": "refused", "sentence": "not while it rains", "code": 75}]
    (answer,) = await told_to(stage, asking("lose"))
    assert (answer["type"], answer["code"]) == ("refused", 70)
    assert answer["sentence"].startswith("There is no connection “capital/none”")


async def test_an_unforeseen_error_is_an_incident_number_and_the_host_goes_on(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    (answer,) = await told_to(stage, asking("break"))
    assert (answer["type"], answer["code"]) == ("refused", 70)
    assert CANARY not in answer["sentence"]
    noted = [getattr(record, "incident", None) for record in caplog.records if record.levelno == logging.ERROR]
    assert len(noted) == 1
    assert str(noted[0]) in answer["sentence"]
    assert await told_to(stage, asking("say")) == [{"type": "ended", "code": 0}]


async def test_a_secret_arrives_as_one_and_is_in_no_log(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await told_to(stage, asking("say", secret=CANARY))
    (arrived,) = stage.arrived
    assert arrived.secret == Secret(CANARY)
    assert CANARY not in repr(arrived)
    assert CANARY not in caplog.text


async def test_what_is_said_waits_for_a_slow_terminal(stage: Stage) -> None:
    async with calling(stage) as (reader, writer):
        writer.write(asking("flood"))
        await until(lambda: stage.said > 10)
        settled = -1
        while stage.said != settled:  # the buffers between the two ends fill up, and then it waits
            settled = stage.said
            await asyncio.sleep(0.1)
        assert settled < 19_000
        answers = [json.loads(line) async for line in reader]
    assert len(answers) == 20_001
    assert answers[-1] == {"type": "ended", "code": 0}


# what is refused


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"no JSON\n", "it is no message of this program"),
        (b"[]\n", "it is no message of this program"),
        (b'{"command": "say"}\n', "it is no message of this program"),
        (b'{"command": "say", "arguments": {}, "more": 1}\n', "it is no message of this program"),
        (b'{"command": "dance", "arguments": {}}\n', "the running bot has no command 'dance'"),
        (b'{"command": "say", "arguments": {"words": 7}}\n', "Expected `array`, got `int`"),
        (b'{"command": "say", "arguments": {"more": 7}}\n', "unknown field `more`"),
        (b'{"command": "say", "arguments": {"secret": 7}}\n', "not a text"),
        (b'{"command": "say", "arguments": {"words": ' + b"[" * 5000 + b"]" * 5000 + b"}}\n", ""),
    ],
    ids=["text", "list", "half", "more", "unknown", "type", "field", "secret", "deep"],
)
async def test_what_cannot_be_read_is_refused_in_a_sentence(stage: Stage, line: bytes, why: str) -> None:
    (answer,) = await told_to(stage, line)
    assert (answer["type"], answer["code"]) == ("refused", 70)
    assert answer["sentence"].startswith("The bot could not read the command: ")
    assert why in answer["sentence"]
    assert stage.arrived == []


async def test_a_message_without_end_is_not_kept(stage: Stage) -> None:
    async with calling(stage) as (reader, writer):
        writer.write(b'{"command": "say", "arguments": {"words": ["' + b"x" * (1 << 21))
        with contextlib.suppress(ConnectionError):  # the rest was not read
            assert b"or too large" in await reader.read()
    assert await told_to(stage, asking("say")) == [{"type": "ended", "code": 0}]


async def test_a_refusal_does_not_repeat_a_secret(stage: Stage) -> None:
    (answer,) = await told_to(stage, asking("say", secret=[CANARY], words=CANARY))
    assert answer["type"] == "refused"
    assert CANARY not in answer["sentence"]


async def test_whoever_asks_nothing_is_let_go(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosting, "_ASKING_SECONDS", 0.05)
    async with calling(stage) as (reader, _):
        (answer,) = [json.loads(line) async for line in reader]
    assert answer["type"] == "refused"


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="the system does not say who is at the other end")
async def test_another_user_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    (answer,) = await told_to(stage, asking("say", words=["one"]))
    assert answer == {
        "type": "refused",
        "sentence": "This bot runs as another user; ask as that one. Nothing was changed.",
        "code": 77,
    }
    assert stage.arrived == []


# the socket


async def test_the_socket_is_its_owners_alone_and_gone_afterwards(tmp_path: Path) -> None:
    async with standing(tmp_path) as stage:
        mode = stage.socket.stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
    assert not stage.socket.exists()


async def test_a_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "data" / "host.sock"))
    async with standing(tmp_path) as stage:
        assert await told_to(stage, asking("say")) == [{"type": "ended", "code": 0}]


async def test_a_path_longer_than_an_address_serves_as_well(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    assert len(str(folder)) > 150
    async with standing(folder) as stage:
        assert stat.S_ISSOCK(stage.socket.stat().st_mode)
        with hosting.short_address(stage.house.config.data_dir) as address:
            reader, writer = await asyncio.open_unix_connection(address)
        writer.write(asking("say", words=["here"]))
        assert json.loads(await reader.readline()) == {"type": "said", "line": "here"}
        writer.close()


async def test_a_folder_that_takes_no_socket_does_not_keep_the_bot_from_running(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "host.sock").mkdir()
    async with standing(tmp_path) as stage:
        assert stage.socket.is_dir()
    assert "host commands cannot be taken" in caplog.text


# cut short


async def test_a_terminal_that_goes_away_ends_its_command(stage: Stage) -> None:
    async with calling(stage) as (reader, writer):
        writer.write(asking("wait"))
        await reader.readline()
    await until(lambda: stage.cut_short)


async def test_a_terminal_that_goes_away_in_mid_sentence_ends_its_command(stage: Stage) -> None:
    async with calling(stage) as (_, writer):
        writer.write(asking("flood"))
        await until(lambda: stage.said > 10)
    assert await told_to(stage, asking("say")) == [{"type": "ended", "code": 0}]
    assert stage.said < 19_000


async def test_a_command_in_flight_is_finished_before_the_host_stops(tmp_path: Path) -> None:
    async with opened(write_desk(tmp_path)) as house:
        stage = Stage(house)
        async with hosting.hosting(house, stage.commands, told):
            reader, writer = await asyncio.open_unix_connection(stage.socket)
            writer.write(asking("wait"))
            await reader.readline()
            asyncio.get_running_loop().call_later(0.1, stage.go.set)
        assert [json.loads(line)["type"] async for line in reader] == ["said", "ended"]
        writer.close()
    assert stage.cut_short == []


async def test_one_that_does_not_finish_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosting, "GRACE_SECONDS", 0.05)
    async with opened(write_desk(tmp_path)) as house:
        stage = Stage(house)
        async with hosting.hosting(house, stage.commands, told):
            reader, writer = await asyncio.open_unix_connection(stage.socket)
            writer.write(asking("wait"))
            await reader.readline()
            silent, kept_open = await asyncio.open_unix_connection(stage.socket)
            await told_to(stage, asking("say"))  # by now the silent one has been taken
        (answer,) = [json.loads(line) async for line in reader]
        assert (answer["type"], answer["code"]) == ("refused", 75)
        assert "stopping" in answer["sentence"]
        assert [json.loads(line)["type"] async for line in silent] == ["refused"]
        writer.close()
        kept_open.close()
    assert stage.cut_short == ["wait"]


# the registry


def test_every_host_command_is_registered_under_its_name() -> None:
    commands = known_commands()
    assert {"credentials add", "credentials list", "credentials test", "credentials remove", "backup"} <= set(commands)
    assert all(name == command.name for name, command in commands.items())

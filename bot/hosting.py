"""Host commands: what is asked for at the host's terminal while `run` holds the data directory (R41).

There is never a second connection to the database. Whoever holds the data directory carries the command out; the
command line reaches it through a Unix socket in that directory:

    terminal → host    one line of JSON: {"command": "credentials list", "arguments": {…}}
    host → terminal    {"type": "said", "line": "…"} as often as there is something to say, then either
                       {"type": "ended", "code": 0} or {"type": "refused", "sentence": "…", "code": 70}

A connection carries one command. Both ends must be the same user. A terminal that goes away ends its command as Ctrl-C
would have ended it there; when the bot stops, a command has `GRACE_SECONDS` to finish and is then refused.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import struct
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from bot import logs
from bot.errors import CountersignError
from bot.secret import Secret
from bot.wiring import House

SOCKET = "host.sock"
LARGEST_LINE = 1 << 20
"""Bytes of one message, either way."""
GRACE_SECONDS = 10.0
EX_SOFTWARE = 70
EX_TEMPFAIL = 75
EX_NOPERM = 77
_ASKING_SECONDS = 10.0
_LONGEST_ADDRESS = 100
"""Bytes. An address of a Unix socket holds 108 (104 on macOS)."""
_NOT_JSON = (msgspec.MsgspecError, RecursionError)
_log = logging.getLogger(__name__)

Arguments = TypeVar("Arguments", bound=msgspec.Struct)


class Say(Protocol):
    """Shows one line at the terminal; waits while the terminal is slower than what is said."""

    async def __call__(self, line: str) -> None: ...


Act = Callable[[House, Arguments, Say], Coroutine[Any, Any, int]]
"""Carries a command out and answers with its exit code.

It may end at any `await`: by Ctrl-C, or because the bot stops. An error of our tree becomes its sentence and exit code.
"""


@dataclass(frozen=True, slots=True)
class HostCommand(Generic[Arguments]):
    """One command. Its arguments travel as JSON; a `Secret` among them travels openly there and nowhere else."""

    name: str
    """As it is typed: `key rotate`."""
    arguments: type[Arguments]
    act: Act[Arguments]


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the terminal sends."""

    command: str
    arguments: msgspec.Raw


class Said(msgspec.Struct, frozen=True, tag="said"):
    """One line to show."""

    line: str


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The command has come to its end."""

    code: int


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The command was not carried out, or not to its end."""

    sentence: str
    code: int


Answer = Said | Ended | Refused
Told = Callable[[CountersignError], Refused]
"""How an error of our tree is told at the terminal."""
Commands = Callable[[], Mapping[str, HostCommand[Any]]]
"""Every host command by its name, asked for when the first one comes."""


def as_line(message: msgspec.Struct) -> bytes:
    """One message. JSON has no line break but the one at its end."""
    return msgspec.json.encode(message, enc_hook=_open_secret) + b"\n"


def _open_secret(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise NotImplementedError(type(value).__name__)


def as_secret(kind: type, value: object) -> Secret:
    """For msgspec's `dec_hook`: a text becomes a `Secret` as it is read."""
    if kind is not Secret or not isinstance(value, str):
        raise TypeError("not a text")
    return Secret(value)


@asynccontextmanager
async def hosting(house: House, commands: Commands, told: Told) -> AsyncIterator[None]:
    """Carry out host commands for the length of the block; the caller holds the data directory."""
    folder = house.config.data_dir
    path = folder / SOCKET
    host = _Host(house, commands, told)
    try:
        path.unlink(missing_ok=True)  # whoever left it does not hold the directory any more
        server = await asyncio.start_unix_server(host.serve, sock=_bound(folder), limit=LARGEST_LINE)
    except OSError as error:  # a file system without sockets: the desk can be run all the same
        _log.warning("host commands cannot be taken while this runs", extra={"error": error.strerror})
        yield
        return
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        server.close()
        await host.finish()


def _bound(folder: Path) -> socket.socket:
    """A socket of ours alone; nobody can reach it before it listens."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_address(folder) as address:
            listening.bind(address)
        (folder / SOCKET).chmod(0o600)
    except BaseException:
        listening.close()
        raise
    return listening


@contextmanager
def short_address(folder: Path) -> Iterator[str]:
    """A path of the socket that fits into an address, for the length of the block.

    A long one is reached through a link that lives as long: `/proc/self/fd` is closed to a process that leaves no
    core dump, and another working directory would be one for every thread.
    """
    plain = str(folder / SOCKET)
    if len(os.fsencode(plain)) <= _LONGEST_ADDRESS:
        yield plain
        return
    with tempfile.TemporaryDirectory(prefix="countersign-") as place:
        link = Path(place) / "data"
        link.symlink_to(folder.absolute(), target_is_directory=True)
        yield str(link / SOCKET)


def is_us(peer: socket.socket) -> bool:
    """Whether the other end belongs to our user; where the system cannot tell, socket and folder guard themselves."""
    if sys.platform != "linux":
        return True
    layout = struct.Struct("iII")  # process, user, group
    _, user, _ = layout.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size))
    return bool(user == os.geteuid())


class _Host:
    """The listening end: the commands in flight."""

    def __init__(self, house: House, commands: Commands, told: Told) -> None:
        self._house = house
        self._commands = commands
        self._told = told
        self._running: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from the first byte to the last."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("served outside a task")
        self._running.add(task)
        try:
            with contextlib.suppress(ConnectionError):  # the terminal has gone; nobody is there to be told
                try:
                    answer = await self._answer(reader, writer)
                except asyncio.CancelledError:
                    answer = Refused("The bot is stopping and could not wait for this. Ask again later.", EX_TEMPFAIL)
                writer.write(as_line(answer))
                await writer.drain()
        finally:
            self._running.discard(task)
            writer.close()

    async def finish(self) -> None:
        """Let the commands in flight come to their end; what has not after `GRACE_SECONDS` is cut short."""
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=GRACE_SECONDS)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Ended | Refused:
        try:
            async with asyncio.timeout(_ASKING_SECONDS):
                line = await reader.readuntil()
            if not is_us(writer.get_extra_info("socket")):  # asked now: what lies unread would cut off the answer
                _log.warning("host command refused: another user")
                return Refused("This bot runs as another user; ask as that one. Nothing was changed.", EX_NOPERM)
            asked = msgspec.json.decode(line, type=Asked)
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, *_NOT_JSON):
            return _unreadable("it is no message of this program, or too large")
        command = self._commands().get(asked.command)
        if command is None:
            return _unreadable(f"the running bot has no command {asked.command!r}")
        try:
            arguments = msgspec.json.decode(asked.arguments, type=command.arguments, dec_hook=as_secret)
        except _NOT_JSON as error:
            return _unreadable(logs.redact(str(error)))
        return await self._carried_out(command, arguments, reader, writer)

    async def _carried_out(
        self,
        command: HostCommand[Any],
        arguments: msgspec.Struct,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> Ended | Refused:
        """Run until done, until the terminal goes away, or until the bot's patience ends."""

        async def say(line: str) -> None:
            writer.write(as_line(Said(line)))
            await writer.drain()

        _log.info("host command", extra={"command": command.name})
        work = asyncio.ensure_future(command.act(self._house, arguments, say))
        gone = asyncio.ensure_future(reader.read(1))  # nothing more is ever sent: what comes is the end
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                _log.info("host command ended: its terminal has gone", extra={"command": command.name})
                return Ended(EX_SOFTWARE)
            return Ended(work.result())
        except ConnectionError:
            raise
        except CountersignError as error:
            return self._told(error)
        except Exception:  # noqa: BLE001  # whatever it is, it ends this command and not the bot
            number = secrets.token_hex(4)
            _log.exception("host command failed", extra={"command": command.name, "incident": number})
            return Refused(f"That went wrong; the reason is in the bot's log, incident {number}.", EX_SOFTWARE)
        finally:
            for task in (work, gone):
                task.cancel()
            await asyncio.wait({work, gone})


def _unreadable(reason: str) -> Refused:
    return Refused(f"The bot could not read the command: {reason}. Nothing was changed.", EX_SOFTWARE)

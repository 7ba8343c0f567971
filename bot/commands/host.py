"""Host commands, from the side of the terminal: carried out here, or by the bot that holds the data directory."""

import asyncio
import contextlib
import functools
import importlib
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import click
import msgspec

from bot import logs
from bot.commands.ending import refuse
from bot.config import Config
from bot.errors import CountersignError, StartRefusedError
from bot.hosting import (
    EX_SOFTWARE,
    EX_TEMPFAIL,
    LARGEST_LINE,
    Answer,
    Arguments,
    Asked,
    Ended,
    HostCommand,
    Refused,
    Said,
    as_line,
    is_us,
    short_address,
)
from bot.wiring import holding, house, mark_clean_stop

MODULES = ("credentials", "keys", "backup", "audit")
"""Files of this folder whose `HOST_COMMANDS` the running bot carries out."""
Hear = Callable[[str], None]


@functools.cache
def known_commands() -> Mapping[str, HostCommand[Any]]:
    """Every host command there is, by its name."""
    modules = (importlib.import_module(f"bot.commands.{name}") for name in MODULES)
    return {command.name: command for module in modules for command in module.HOST_COMMANDS}


def perform(config: Config, command: HostCommand[Arguments], arguments: Arguments, hear: Hear = click.echo) -> None:
    """Carry out a host command, whoever holds the data directory; end the process with its exit code unless that is 0.

    Args:
        hear: Gets each line the command says.
    """
    logs.configure("WARNING")
    try:
        code = asyncio.run(_perform(config, command, arguments, hear))
    except CountersignError as error:
        refuse(error)
    if code:
        sys.exit(code)


async def _perform(config: Config, command: HostCommand[Arguments], arguments: Arguments, hear: Hear) -> int:
    async def say(line: str) -> None:
        hear(line)

    with ExitStack() as stack:
        try:
            stack.enter_context(holding(config))
        except StartRefusedError as held:
            return await _ask_the_holder(config, command, arguments, hear, held)
        async with house(config) as rooms:
            try:
                return await command.act(rooms, arguments, say)
            finally:
                await rooms.connections.close()
                if not rooms.pulse.after_crash:  # the next run shall still say so
                    await mark_clean_stop(rooms)


async def _ask_the_holder(
    config: Config, command: HostCommand[Arguments], arguments: Arguments, hear: Hear, held: StartRefusedError
) -> int:
    """Let the bot do it. `held` is raised when the directory's holder does not listen: it is no bot, or not up yet."""
    line = as_line(Asked(command.name, msgspec.Raw(as_line(arguments)[:-1])))
    if len(line) > LARGEST_LINE:
        raise StartRefusedError("That is more than the running bot takes at once; give it in parts.", EX_SOFTWARE)
    calling = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_address(config.data_dir) as address:
            calling.connect(address)
    except OSError:
        calling.close()
        raise held from None
    if not is_us(calling):
        calling.close()
        raise StartRefusedError(f"{config.data_dir} is held by another user; ask as that one", held.exit_code)
    reader, writer = await asyncio.open_unix_connection(sock=calling, limit=LARGEST_LINE)
    try:
        writer.write(line)
        with contextlib.suppress(ConnectionError):  # it may refuse before it has read everything: it says why
            await writer.drain()
        return await _heard(reader, hear)
    finally:
        writer.close()


async def _heard(reader: asyncio.StreamReader, hear: Hear) -> int:
    """Pass on what is said until the command has ended; its exit code."""
    while True:
        try:
            answer = msgspec.json.decode(await reader.readuntil(), type=Answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise StartRefusedError(
                "The bot went away before it had finished. See what was done, and ask again.", EX_TEMPFAIL
            ) from None
        except (asyncio.LimitOverrunError, msgspec.MsgspecError):
            raise StartRefusedError("The bot's answer cannot be read.", EX_SOFTWARE) from None
        match answer:
            case Said(line):
                hear(line)
            case Ended(code):
                return code
            case Refused(sentence, code):
                raise StartRefusedError(sentence, code)

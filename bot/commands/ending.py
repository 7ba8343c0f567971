"""How a command begins and ends: the configuration that counts, the wish to stop, the exit code."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NoReturn

import click

from bot.config import Config, load
from bot.errors import (
    ConfigError,
    CountersignError,
    KeySourceError,
    KeyTextError,
    StartRefusedError,
    StoreDamagedError,
    StoreNewerError,
    VaultError,
    WrongKeyError,
)
from bot.hosting import EX_SOFTWARE, Refused
from bot.wiring import provider_settings, read_policy

EX_CONFIG = 78
STOP_SECONDS = 25.0
"""After being told to stop for so long the process ends on the spot; everything that matters is a row."""
CONFIG = click.option(
    "--config", "config_path", type=click.Path(path_type=Path), required=True, help="The TOML configuration."
)


def loaded(path: Path) -> Config:
    try:
        return load(path, provider_settings(), read_policy=read_policy)
    except ConfigError as error:
        click.echo(f"{error.source} has {len(error.problems)} problem(s):", err=True)
        for problem in error.problems:
            click.echo(f"  {problem}", err=True)
        sys.exit(EX_CONFIG)


def finish(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end; our errors become a sentence and an exit code."""
    try:
        asyncio.run(work)
    except CountersignError as error:
        refuse(error)


def refuse(error: CountersignError) -> NoReturn:
    """Say it and end the process."""
    refusal = told(error)
    click.echo(refusal.sentence, err=True)
    sys.exit(refusal.code)


def told(error: CountersignError) -> Refused:
    """How an error of our tree is told at the terminal."""
    if isinstance(error, WrongKeyError):
        return Refused(
            "The master key does not belong to this database "
            f"(expected fingerprint {error.expected}, got {error.got}). Nothing was changed.",
            EX_CONFIG,
        )
    if isinstance(error, StartRefusedError):
        return Refused(error.reason, error.exit_code)
    from handlers.failures import sentence

    if isinstance(error, StoreDamagedError):
        return Refused(f"{sentence(error)} Next: countersign restore --config FILE --replace BACKUP", EX_SOFTWARE)
    code = EX_CONFIG if isinstance(error, VaultError | StoreNewerError) else EX_SOFTWARE
    # About the master key there is more to say here than in a chat.
    return Refused(str(error) if isinstance(error, KeyTextError | KeySourceError) else sentence(error), code)


def hearing() -> asyncio.Event:
    """Set by SIGTERM or SIGINT, from now on. One more a second later, or too long a time, ends the process on the spot.

    Within that second it is the same wish: `timeout` and terminals tell the process and its whole group.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    first = 0.0

    def told() -> None:
        nonlocal first
        if stop.is_set():
            if loop.time() - first > 1:
                os._exit(1)
            return
        first = loop.time()
        stop.set()
        loop.call_later(STOP_SECONDS, os._exit, 1)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    return stop

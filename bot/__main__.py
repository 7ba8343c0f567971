"""The command line. A command's file is imported when the command is asked for, and no earlier."""

import contextlib
import ctypes
import gc
import importlib
import os
import resource
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import click


class _Commands(click.Group):
    """Commands by name, as `module:function`; the words of a group are one deeper."""

    def __init__(self, *args: Any, where: Mapping[str, str | click.Group], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._where = where

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._where)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = self._where.get(cmd_name)
        return _imported(found) if isinstance(found, str) else found


def _imported(where: str) -> click.Command:
    """The command. Nothing that an import makes is ever garbage: looking for some would only cost time."""
    module, _, name = where.partition(":")
    gc.disable()
    try:
        command: click.Command = getattr(importlib.import_module(f"bot.commands.{module}"), name)
        return command
    finally:
        gc.enable()
        gc.freeze()


_KEY = _Commands(
    "key",
    help="The master key.",
    where=MappingProxyType({word: f"keys:key_{word}" for word in ("new", "check", "rotate")}),
)
_CREDENTIALS = _Commands(
    "credentials",
    help="Provider logins, linked from this terminal so that no secret is typed in a chat.",
    where=MappingProxyType({word: f"credentials:credentials_{word}" for word in ("add", "list", "test", "remove")}),
)
_AUDIT = _Commands(
    "audit",
    help="The audit log: whether it is whole, and files of it.",
    where=MappingProxyType({word: f"audit:audit_{word}" for word in ("verify", "export")}),
)
_WHERE = MappingProxyType(
    {
        "run": "run:run",
        "check": "check:check",
        "init": "desk:init",
        "demo": "play:demo",
        "simulate": "play:simulate",
        "backup": "backup:backup",
        "restore": "backup:restore",
        "recover": "recover:recover",
        "key": _KEY,
        "credentials": _CREDENTIALS,
        "audit": _AUDIT,
    }
)


@click.group(cls=_Commands, where=_WHERE)
@click.version_option(package_name="countersign", prog_name="countersign")
def main() -> None:
    """Countersign: an operations assistant for trading and treasury desks, in Telegram."""
    _harden()
    _save_memory()


def _harden() -> None:
    """No core dumps, nothing readable by others (SAFETY 4.10)."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE


def _save_memory() -> None:
    """One heap for all threads. Each of its own would keep what it was given once, and Python's lock lets only one
    thread at a time ask for more anyway."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(-8, 1)  # M_ARENA_MAX


if __name__ == "__main__":
    main()

"""Where clerks come from: a process that has imported all they need, and parts with a copy of itself for each.

Most of a start is imports, and a fault catalogue starts the bot more than a thousand times. Each clerk is a process of
its own all the same, which opens its files and sockets by itself and dies alone. One line of JSON in is one clerk
begun: where its configuration, its wish and its log are, and where it is to crash. Out come lines as well: its process
id, and later how it ended.
"""

import importlib
import json
import os
import select
import sys
from pathlib import Path
from typing import Any

import bot.crash
from tests.faults import clerk

_AHEAD = (
    "aiohttp",
    "httpx",
    "websockets.asyncio.client",
    "bot.jobs",
    "bot.operations.moving.room",
    "bot.providers.crm.client",
    "bot.providers.cryptocapital.client",
    "bot.providers.cryptocapital.seam",
    "handlers.rooms",
)
"""What a clerk imports by and by."""


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def part(wanted: dict[str, str]) -> None:
    """In the copy: become a clerk; never comes back."""
    log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, stream in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, stream)
    os.environ["COUNTERSIGN_CRASH"] = wanted["crash"]
    importlib.reload(bot.crash)  # which looks once, when it is imported
    code = 1
    try:
        clerk.work(wanted["config"], wanted["wish"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.stdout.flush()
        os._exit(code)


def watch() -> None:
    """Until nobody asks any more."""
    children: set[int] = set()
    asked = b""
    while True:
        ready, _, _ = select.select([0], [], [], 0.02)
        if ready:
            more = os.read(0, 65536)
            if not more:
                return
            *lines, asked = (asked + more).split(b"\n")
            for line in lines:
                wanted = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    part(wanted)
                children.add(pid)
                say(log=wanted["log"], pid=pid)
        for pid in tuple(children):
            gone, status = os.waitpid(pid, os.WNOHANG)
            if gone:
                children.discard(pid)
                say(pid=pid, code=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    for name in _AHEAD:
        importlib.import_module(name)
    say(ready=True)
    watch()

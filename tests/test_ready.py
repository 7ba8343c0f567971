"""What a bot has imported when it is ready to hear of updates. Everything else comes while it already listens."""

import subprocess
import sys

import pytest

from tests.support.desk import write_desk

_READY = """
import asyncio, sys
from pathlib import Path
from bot.commands import run
from bot.config import load
from bot.wiring import holding, house, provider_settings
from handlers import build
from handlers.transport import Transport

async def ready():
    config = load(Path(sys.argv[1]), provider_settings())
    with holding(config):
        async with house(config) as rooms:
            build(rooms, Transport(4))
            print(*sys.modules)

asyncio.run(ready())
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all modules, as a process of its own sees them: this one has imported everything.

    It is the second that this desk sees: the first makes the database.
    """
    command = (sys.executable, "-c", _READY, str(write_desk(tmp_path_factory.mktemp("desk"))))
    for _ in range(2):
        found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    return set(found.split())


def test_no_room_is_imported_before_it_is_asked_for(imported: set[str]) -> None:
    """A new room costs nothing at the start: reach it by a property of the house, or from `handlers.rooms`."""
    rooms = {name for name in imported if name.startswith(("bot.operations.", "bot.approvals.", "bot.http"))}
    assert rooms == {"bot.operations.notices", "bot.operations.pulse", "bot.operations.timekeeping"}
    assert not imported & {"handlers.rooms", "handlers.reception", "handlers.conversation", "handlers.doors"}
    assert not {name for name in imported if name.startswith("bot.providers.") and name.endswith((".client", ".wire"))}


def test_no_library_is_imported_before_it_is_needed(imported: set[str]) -> None:
    unneeded = {
        "starlette",
        "uvicorn",
        "websockets",
        "coincurve",
        "stamina",
        "segno",
        "sqlite_utils",
        "babel",
        "aiohttp",
    }
    assert imported & (unneeded | {"aiohttp"}) == set()
    assert "telegram" in imported

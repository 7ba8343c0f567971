"""The programs that are compared, each started as its users would start it."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.environments import own_requirements, python_with
from tests.benchmarks.processes import CannotMeasureError, Program, program
from tests.benchmarks.telegram import PEOPLE, Telegram

PTB = f"python-telegram-bot=={version('python-telegram-bot')}"
AIOGRAM = "aiogram==3.31.0"
CONCURRENCY = 16
"""Updates handled side by side, by ours and by aiogram's."""
_PEERS = Path(__file__).parent / "peers"

_CONFIG = """\
[desk]
data_dir = "data"
[telegram]
token_file = "telegram.token"
base_url = "{base_url}"
concurrency = {concurrency}
[telegram.pacing]
per_chat_per_second = 0
overall_per_second = 0
group_per_minute = 0
[people]
admins = [{people}]
[key]
file = "master.key"
"""


async def furnish(folder: Path, telegram: Telegram) -> Path:
    """Everything `run` needs, in `folder`; the configuration's path."""
    config = _write(folder, telegram)
    command = (sys.executable, "-m", "bot", "key", "new", "--out", folder / "master.key")
    async with program("key", command, folder) as making:
        if await making.process.wait() != 0:
            raise CannotMeasureError(f"no master key was made. {making.last_words()}")
    return config


def _write(folder: Path, telegram: Telegram) -> Path:
    """The configuration and the token. Our own pacing is lifted, nothing else."""
    folder.mkdir(mode=0o700)
    config = folder / "config.toml"
    people = ", ".join(map(str, PEOPLE))
    base_url = f"{telegram.origin}/bot"
    config.write_text(_CONFIG.format(base_url=base_url, concurrency=CONCURRENCY, people=people))
    token = folder / "telegram.token"
    token.touch(mode=0o600)
    token.write_text(telegram.token)
    return config


@asynccontextmanager
async def ours(config: Path) -> AsyncIterator[Program]:
    """The bot of this checkout, `countersign run`, with no package beside it that it does not ask for."""
    python = await python_with(*own_requirements())
    async with program("ours", (python, "-m", "bot", "run", "--config", config), config.parent) as bot:
        yield bot


@asynccontextmanager
async def ours_afresh(folder: Path, telegram: Telegram) -> AsyncIterator[Program]:
    """The bot on an empty database."""
    async with ours(await furnish(folder / "ours", telegram)) as bot:
        yield bot


@asynccontextmanager
async def peer(script: str, requirements: Sequence[str], folder: Path, telegram: Telegram) -> AsyncIterator[Program]:
    """One of `peers/`, in an environment with these packages. `CannotInstallError`: there is none."""
    python = await python_with(*requirements)
    async with program(script, (python, _PEERS / f"{script}.py"), folder, _environ(telegram)) as bot:
        yield bot


def _environ(telegram: Telegram) -> dict[str, str]:
    return {"BOT_TOKEN": telegram.token, "BOT_API": telegram.origin, "BOT_CONCURRENCY": str(CONCURRENCY)}

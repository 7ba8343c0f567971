"""Every program here lives in an environment of its own, made here and kept in the system's temporary folder.

Ours too: libraries look around when they are imported, and take along what they find. With the tools of a developer
beside them (rich, for one) they are slower and larger than where the bot really runs.
"""

import asyncio
import hashlib
import re
import shutil
import sys
import tomllib
from asyncio.subprocess import DEVNULL, PIPE
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.processes import CACHE, ROOT


class CannotInstallError(Exception):
    """What needs it is skipped; the message is why."""


def own_requirements() -> list[str]:
    """This checkout, and what it declares it needs to run, each in the version that is installed here."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    names = [re.split(r"[<>=!~\[; ]", line, maxsplit=1)[0] for line in declared]
    return [*(f"{name}=={version(name)}" for name in names), f"--editable={ROOT}"]


async def python_with(*requirements: str) -> Path:
    """A Python that has the pinned `requirements`, as pip reads them, and what these need, and nothing else.

    Raises:
        CannotInstallError: No network, no such version, no venv module.
    """
    digest = hashlib.sha256("\n".join((sys.version, *requirements)).encode()).hexdigest()
    folder = CACHE / f"{requirements[0].partition('=')[0]}-{digest[:12]}"
    python = folder / "bin" / "python"
    done = folder / "complete"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        await _run(sys.executable, "-m", "venv", str(folder))
        await _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements)
        done.touch()
    return python


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
    _, said = await process.communicate()
    if process.returncode != 0:
        lines = said.decode(errors="replace").splitlines()
        reasons = [line.strip() for line in lines if line.lower().lstrip().startswith("error")]
        raise CannotInstallError(reasons[-1] if reasons else f"{command[0]} ended with {process.returncode}")

"""Where the master key comes from (SAFETY 4.1). What a source says is never shown, also not when it is no key.

Whoever asks waits: it happens once, before anything is served.
"""

import contextlib
import getpass
import logging
import os
import selectors
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

from bot.config import KeySource
from bot.errors import KeySourceError, KeyTextError
from bot.secret import Secret
from bot.vault.keys import MasterKey

CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
"""The variable in which systemd says where a unit's credentials are."""
CONTAINER_SECRETS = Path("/run/secrets")
"""Where Docker and Kubernetes put them, by convention."""
COMMAND_SECONDS = 10.0
_LONGEST = 4096
_log = logging.getLogger(__name__)


def read_master(source: KeySource) -> MasterKey:
    """The master key from where the configuration says.

    Raises:
        KeySourceError: The source gives nothing; it says which and why.
        KeyTextError: What it gives is no key, or has a typo.
    """
    where, text = _text_from(source)
    try:
        return MasterKey.from_text(text.reveal())
    except KeyTextError as error:
        raise KeyTextError(f"{where}: {error.reason}") from None


def unread(source: KeySource) -> str | None:
    """Why this source must not, or cannot, be read just to check it; None when it can."""
    if source.prompt:
        return "the master key is typed at the start, so whether it fits was not checked"
    if source.command:
        return "the command that prints the master key was not run, so whether the key fits was not checked"
    if source.credential and not _credential(source.credential).exists():
        return f"the credential {source.credential!r} is there for the service only, so whether it fits was not checked"
    return None


def _text_from(source: KeySource) -> tuple[str, Secret]:
    """What to call the source, and what it says."""
    if source.credential:
        path = _credential(source.credential)
        return str(path), _file(path)
    if source.file:
        return str(source.file), _file(source.file, only_ours=True)
    if source.command:
        return f"the output of {source.command[0]}", _output(source.command, source.folder)
    if source.prompt:
        return "what was typed", _typed()
    return f"the variable {source.env}", _variable(source.env or "")


def _credential(name: str) -> Path:
    """Systemd's place when it named one, else the container's. Their own permissions guard them both."""
    return Path(os.environ.get(CREDENTIALS) or CONTAINER_SECRETS) / name


def _file(path: Path, *, only_ours: bool = False) -> Secret:
    """A small text file. What is checked is what is read: the opened file, whatever its name leads to by now."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, encoding="ascii", errors="replace") as file:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or found.st_size > _LONGEST:
                raise KeySourceError(f"{path} is no small text file")
            if only_ours and found.st_uid != os.geteuid():
                raise KeySourceError(f"{path} belongs to user {found.st_uid}, not to the bot's own")
            if only_ours and found.st_mode & 0o077:
                raise KeySourceError(f"{path} is open to others (chmod 600 {path})")
            return Secret(file.read())
    except OSError as error:
        raise KeySourceError(f"{path} cannot be read ({error.strerror})") from None


def _output(command: tuple[str, ...], folder: Path) -> Secret:
    """What a command prints, within ten seconds. It gets no terminal, and its complaints are not shown."""
    name = command[0]
    try:
        process = subprocess.Popen(  # noqa: S603  # the operator's own words, and no shell
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise KeySourceError(f"{name} could not be started ({error.strerror})") from None
    try:
        text = _read_until_end(process)
        code = process.wait(1)
    except subprocess.TimeoutExpired:
        _end(process)
        raise KeySourceError(f"{name} did not end within {COMMAND_SECONDS:.0f} s") from None
    finally:
        if process.stdout is not None:
            process.stdout.close()
    if code:
        raise KeySourceError(f"{name} ended with {code}; run it by hand to see why")
    return text


def _read_until_end(process: "subprocess.Popen[bytes]") -> Secret:
    """All it prints, as far as a key could go. `TimeoutExpired` when it is still at it after its time."""
    text, deadline = b"", time.monotonic() + COMMAND_SECONDS
    if process.stdout is None:
        raise KeySourceError("the command has no output")
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(text) <= _LONGEST:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise subprocess.TimeoutExpired("the command", COMMAND_SECONDS)
            piece = os.read(process.stdout.fileno(), _LONGEST)
            if not piece:
                break
            text += piece
    return Secret(text.decode("ascii", errors="replace"))


def _end(process: "subprocess.Popen[bytes]") -> None:
    """It and all it started. Nobody has waited for it yet, so its number is still its own."""
    with contextlib.suppress(OSError):  # another user's: it is left to itself
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1)


def _typed() -> Secret:
    if not sys.stdin.isatty():
        raise KeySourceError("the master key is typed at the start, and there is no terminal to type it at")
    try:
        with _interruptible():
            return Secret(getpass.getpass("Master key: "))
    except (EOFError, KeyboardInterrupt):
        raise KeySourceError("no master key was typed") from None


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C and a wish to stop end the question, though the event loop that hears them otherwise is waiting for it."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _variable(name: str) -> Secret:
    """It is taken out of the environment, so that nothing we start inherits it."""
    text = Secret(os.environ.pop(name, ""))
    if not text:
        raise KeySourceError(f"the variable {name} is not set")
    _log.warning(
        "the master key came in an environment variable: whoever may look at this process can read it there; "
        "a file or a credential is better",
        extra={"variable": name},
    )
    return text

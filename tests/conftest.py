"""For every test: no socket leaves this machine, time is moved by hand, and nothing is compiled twice."""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.store import Database
from tests.support import blank
from tests.support.clock import HandClock

_OF_PROCESSES = ("tests/demo/", "tests/http/", "tests/test_canaries", "tests/test_main", "tests/vault/")


def _is_here(host: object) -> bool:
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    text = host.decode() if isinstance(host, bytes) else str(host)
    try:
        return ip_address(text.partition("%")[0]).is_loopback or text in ("0.0.0.0", "::")  # noqa: S104  # a name for "here"
    except ValueError:
        return False


def _close_the_world() -> None:
    """Connecting elsewhere, and even asking where elsewhere is, fails the test that does it."""
    whole = {"connect": socket.socket.connect, "connect_ex": socket.socket.connect_ex}
    ask = socket.getaddrinfo

    def guarded(name: str) -> Any:
        def call(self: socket.socket, address: Any) -> Any:
            if self.family != socket.AF_UNIX and not _is_here(address[0]):
                raise AssertionError(f"a test reached for the network: {address!r}")
            return whole[name](self, address)

        return call

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        if not _is_here(host):
            raise AssertionError(f"a test asked where {host!r} is")
        return ask(host, *rest, **more)

    socket.socket.connect = guarded("connect")  # type: ignore[method-assign]
    socket.socket.connect_ex = guarded("connect_ex")  # type: ignore[method-assign]
    socket.getaddrinfo = resolve


def _ask_nobody_twice() -> None:
    """What httpx finds out anew for each request and each client, and what is always the same here."""
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]  # not installed: looked for on every path, each time
    httpx._transports.default.create_ssl_context = lru_cache(httpx.create_ssl_context)  # hundreds of authorities


_close_the_world()
_ask_nobody_twice()
blank.hand_out_copies()


def pytest_configure(config: pytest.Config) -> None:
    """Let the workers, and the many processes that tests start, compile a module once between them.

    Where Python was told to write nothing beside the sources, what it compiles lies apart from them for this run.
    """
    if not sys.dont_write_bytecode:
        return
    folder = tempfile.mkdtemp(prefix="countersign-bytecode-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = folder
    sys.dont_write_bytecode = False


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-seeds", type=int, default=1, help="How often the fault catalogue is gone through.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hand out first what takes longest, so that no worker is the last to end: what starts processes or a browser."""
    items.sort(key=lambda item: not item.nodeid.startswith(_OF_PROCESSES))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "fault_seed" in metafunc.fixturenames:
        metafunc.parametrize("fault_seed", range(metafunc.config.getoption("fault_seeds")))


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An open, empty database."""
    store = await Database.open(tmp_path / "countersign.sqlite")
    yield store
    await store.close()

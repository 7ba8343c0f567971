"""`countersign demo` as a process: one line when ready, a clean end, a port that is taken."""

import signal
import socket
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.support.playing import END_SECONDS, playing, start


def _left(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("countersign-*")]


def _command_lines() -> list[str]:
    """Of every process of this machine; empty where there is no /proc."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it ended while we looked
    return lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_one_line_plays_and_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    with playing(tmp_path) as demo:
        assert demo.line.startswith("Countersign's demo desk is open at http://127.0.0.1:")
        page = build_opener(ProxyHandler({})).open(demo.address, timeout=5)
        with page:
            assert b"Countersign" in page.read()
        assert len(_left(tmp_path)) == 1
        code, said, complained = demo.end(number)
    assert (code, said, complained) == (0, "", "")
    assert _left(tmp_path) == []
    assert [line for line in _command_lines() if str(tmp_path) in line] == []


def test_its_secrets_are_readable_by_nobody_else(tmp_path: Path) -> None:
    with playing(tmp_path) as demo:
        (folder,) = demo.temporary.glob("countersign-demo-*")
        open_to_others = [path.name for path in folder.rglob("*") if path.stat().st_mode & 0o077]
        assert folder.stat().st_mode & 0o077 == 0
        assert open_to_others == []


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(tmp_path, "--port", str(port))
        said, complained = process.communicate(timeout=END_SECONDS)
    assert process.returncode == 1
    assert said == ""
    assert complained == f"Port {port} is taken. Choose another one: countersign demo --port 8765\n"
    assert _left(tmp_path) == []

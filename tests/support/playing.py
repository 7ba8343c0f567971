"""`countersign demo` as a process, for the tests that look at it from outside."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY_SECONDS = 90.0
END_SECONDS = 30


@dataclass
class Demo:
    """A demo that is ready."""

    process: subprocess.Popen[str]
    line: str
    temporary: Path
    """Where it keeps its files while it plays."""

    @property
    def address(self) -> str:
        return self.line.rsplit(" ", 1)[1].strip()

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """Signal it and wait: exit code, the rest of stdout, stderr."""
        self.process.send_signal(number)
        said, complained = self.process.communicate(timeout=END_SECONDS)
        return self.process.returncode, said, complained


def start(temporary: Path, *arguments: str) -> subprocess.Popen[str]:
    """`countersign demo` with its temporary files in a folder of the test."""
    return subprocess.Popen(
        [sys.executable, "-m", "bot", "demo", "--no-browser", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )


@contextmanager
def playing(temporary: Path) -> Iterator[Demo]:
    """A demo on a free port for the length of the block."""
    process = start(temporary, "--port", "0")
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not select.select([process.stdout], [], [], 0.2)[0]:
            assert time.monotonic() < deadline, "the demo did not become ready"
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield Demo(process, line, temporary)
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=END_SECONDS)
        process.stdout.close()
        process.stderr.close()

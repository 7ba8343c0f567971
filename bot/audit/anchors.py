"""Anchors: what is remembered of the chain outside the database. A cut tail shows against nothing else.

A line of the anchor file is `2026-11-21T09:00:00Z 412 <hash in hex> 1`: time, seq, hash, epoch. The file is only ever
appended to, and is best owned by somebody else; not being allowed to read it is fine.
"""

import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from bot.audit.model import Anchor, Head

ANCHORED_EVERY: Final = timedelta(hours=1)
"""How often the head is remembered outside."""
_LINE = re.compile(r"\S+ ([0-9]{1,18}) ([0-9a-f]{64}) ([0-9]{1,18})", re.ASCII)
_LAST_BYTES = 4096
"""Enough for many lines, so that torn ones at the end do not hide the last good one."""
_TEXT = re.compile(r"([0-9]{1,18}):([0-9a-fA-F]{64})(?::([0-9]{1,18}))?", re.ASCII)


def line_of(head: Head, now: datetime) -> str:
    """One line of the anchor file, without its end."""
    return f"{now:%Y-%m-%dT%H:%M:%SZ} {head.seq} {head.hash.hex()} {head.epoch}"


def text_of(head: Head) -> str:
    """How a person writes it down: `seq:hash:epoch`."""
    return f"{head.seq}:{head.hash.hex()}:{head.epoch}"


def anchor_from(text: str) -> Anchor | None:
    """`seq:hash` or `seq:hash:epoch`; None for anything else."""
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        return None
    seq, hashed, epoch = found.groups()
    return Anchor(int(seq), bytes.fromhex(hashed), None if epoch is None else int(epoch))


def read_lines(lines: Iterable[str]) -> tuple[list[Anchor], list[int]]:
    """An anchor file → its anchors, and the numbers of the lines that are none (torn by a crash, or not ours)."""
    anchors, unreadable = [], []
    for number, line in enumerate(lines, 1):
        found = _LINE.fullmatch(line.strip())
        if found is not None:
            anchors.append(Anchor(int(found[1]), bytes.fromhex(found[2]), int(found[3])))
        elif line.strip():
            unreadable.append(number)
    return anchors, unreadable


def last_in(path: Path) -> Anchor | None:
    """The last anchor of a file; None when there is none that we may read, or it is no plain file. Blocks."""
    if not path.is_file():  # a pipe would be waited for
        return None
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_BYTES))
            anchors, _ = read_lines(file.read().decode(errors="replace").splitlines())
    except OSError:
        return None
    return anchors[-1] if anchors else None


def append(path: Path, line: str) -> bool:
    """Add one line, on disk when this returns; answers whether it is the file's first.

    Blocks; a file that is torn at its end gets a new line first.

    Raises:
        OSError: It could not be written, or is no plain file.
    """
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o640)
    try:
        there = os.fstat(handle)
        if not stat.S_ISREG(there.st_mode):
            raise OSError("no plain file")
        written = f"{line}\n" if _ends_well(path) else f"\n{line}\n"
        if os.write(handle, written.encode()) != len(written):
            raise OSError("written in part")
        os.fsync(handle)
    finally:
        os.close(handle)
    return there.st_size == 0


def _ends_well(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:  # it may be ours to append to and not to read
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            return file.read(1) == b"\n"
    return True

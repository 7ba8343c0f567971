"""Empty databases for tests that are not about making one: copies of the first, with commits that wait for no disk.

What the program does itself stays as it is in the processes that tests start, and in `tests/store`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.store import file
from bot.store.schema import known_names

_create, _PRAGMAS = file._create, file._PRAGMAS
_blanks: dict[frozenset[str], bytes] = {}
"""Migrations → the file that they make."""


def hand_out_copies() -> None:
    """From now on."""
    file._create = _copy
    file._PRAGMAS = tuple("synchronous=OFF" if each == "synchronous=FULL" else each for each in _PRAGMAS)


@contextmanager
def as_in_earnest() -> Iterator[None]:
    """Not for the length of the block: every database is made by its migrations, and every commit is on disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file, "_create", _create)
        patch.setattr(file, "_PRAGMAS", _PRAGMAS)
        yield


def _copy(path: Path) -> None:
    names = frozenset(known_names())
    if names not in _blanks:
        _create(path)
        _blanks[names] = path.read_bytes()
    else:
        path.touch(mode=0o600)
        path.write_bytes(_blanks[names])

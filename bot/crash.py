"""Points at which a test kills this very process, to see that nothing is lost and nothing is done twice.

Inert unless COUNTERSIGN_CRASH names a point and the pass at which to die, such as `CP07:1`. The points are those of the
fault catalogue (SAFETY 6.0). Those on the wire are passed by the money call alone: by the very bytes that were
prepared, not by the questions that an adapter asks around them.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_NAME, _, _PASS = os.environ.get("COUNTERSIGN_CRASH", "").partition(":")
_left = {_NAME: int(_PASS or "1")} if _NAME else {}
_moving: ContextVar[bytes] = ContextVar("moving", default=b"")
"""What moves money, where it is being sent."""


def crashpoint(name: str) -> None:
    """Die here, as by `kill -9`, when this is the point and the pass that was named."""
    if name in _left:
        _left[name] -= 1
        if _left[name] == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def armed(name: str) -> bool:
    """Whether this is the point, and the next pass is the one: for those that lie in the middle of a write."""
    return _left.get(name) == 1


@contextmanager
def moving(wire: bytes) -> Iterator[None]:
    """For the length of the block this is what moves money."""
    token = _moving.set(wire if _left else b"")
    try:
        yield
    finally:
        _moving.reset(token)


def moves_money(content: bytes | str) -> bool:
    """Whether these bytes are the ones; never, unless some point is named."""
    moving = _moving.get()
    if not moving or not content:
        return False
    return (content.encode() if isinstance(content, str) else content) in moving

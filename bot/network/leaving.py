"""Whether what moves money may still leave, asked when its first byte is due.

Between the transaction that lets it go and that byte lie a login, a read or a new connection: seconds, where a provider
is slow, and somebody may have stopped all money since. What is held up here has not been sent, and is told so.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from bot.errors import UnreachableError

HELD_UP = "it was stopped before it left"
_gate: ContextVar[tuple[bytes, Callable[[], bool]] | None] = ContextVar("gate", default=None)


@contextmanager
def leaving(wire: bytes, may: Callable[[], bool]) -> Iterator[None]:
    """For the length of the block `wire` leaves only while `may` says so. `may` asks no disk."""
    token = _gate.set((wire, may))
    try:
        yield
    finally:
        _gate.reset(token)


def check_leaving(provider: str) -> None:
    """Right before the call that moves money. `UnreachableError`: it may not any more, and nothing was sent."""
    gate = _gate.get()
    if gate is not None and not gate[1]():
        raise UnreachableError(provider, HELD_UP)


def is_held_up(error: BaseException) -> bool:
    """Whether that is why it did not leave: it says nothing of the provider."""
    return isinstance(error, UnreachableError) and error.detail == HELD_UP


def is_leaving(content: bytes | None) -> bool:
    """Whether these bytes are part of what is to leave."""
    gate = _gate.get()
    return gate is not None and bool(content) and (content or b"") in gate[0]

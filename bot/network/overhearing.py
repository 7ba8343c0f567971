"""What a provider answered, word for word, for as long as somebody wants it: the evidence of a movement of money.

Nobody listens unless a block says so, and then only to what is answered to questions that the block itself asks. What
a question of ours said is not kept: replies that repeat it lose that part.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import msgspec

LARGEST: Final = 16 * 1024
"""Characters kept of one block; what came first is dropped first: the last word is the one that counts."""
_REPEATED: Final = frozenset({"echo_req", "passthrough"})
_listening: ContextVar["Overheard | None"] = ContextVar("listening", default=None)


class Overheard:
    """The answers of one block."""

    def __init__(self) -> None:
        self._answers: list[str] = []

    def take(self, text: str) -> None:
        self._answers.append(text)

    @property
    def text(self) -> str:
        """All of them, an answer a paragraph, oldest first."""
        whole = "\n\n".join(self._answers)
        return whole if len(whole) <= LARGEST else "…" + whole[1 - LARGEST :]


@contextmanager
def overhearing() -> Iterator[Overheard]:
    """For the length of the block."""
    heard = Overheard()
    token = _listening.set(heard)
    try:
        yield heard
    finally:
        _listening.reset(token)


def overheard_http(status: int, body: bytes) -> None:
    """One whole HTTP answer, of whatever kind."""
    heard = _listening.get()
    if heard is not None:
        heard.take(f"HTTP {status}\n{body[:LARGEST].decode('utf-8', 'replace')}")


def overheard_message(message: object) -> None:
    """One message of a socket, as it was read."""
    heard = _listening.get()
    if heard is None or message is None:
        return
    if isinstance(message, Mapping):
        message = {key: value for key, value in message.items() if key not in _REPEATED}
    heard.take(msgspec.json.encode(message, enc_hook=str).decode("utf-8", "replace"))

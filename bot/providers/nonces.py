"""Numbers that only grow: for each key greater than all before, never the same twice, sent or not (SAFETY M20)."""

from typing import Protocol


class Nonces(Protocol):
    """Gives them out. One that outlives the process writes each down before it returns it."""

    async def allocate(self, key_id: str, now_ms: int) -> int:
        """max(last + 1, `now_ms`) for this key."""

    async def pass_over(self, key_id: str, nonce: int) -> None:
        """Everything up to `nonce` counts as given out: somebody else has used numbers of this key."""


class MemoryNonces:
    """Enough for reads. A restart begins again at the time of day, which is ahead of everything given out before."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    async def allocate(self, key_id: str, now_ms: int) -> int:
        nonce = max(self._last.get(key_id, 0) + 1, now_ms)
        self._last[key_id] = nonce
        return nonce

    async def pass_over(self, key_id: str, nonce: int) -> None:
        self._last[key_id] = max(self._last.get(key_id, 0), nonce)


PROCESS_NONCES = MemoryNonces()
"""Shared by all clients of this process: a login that is tested and then linked has one key and two clients."""

"""Many questions on one socket, without the socket. Pure.

A question waits under one or more keys (a `req_id`, a nonce, "the next account message for 912…"). What arrives settles
keys; whatever is left over when the socket dies, or the time is up, is told so. The driver in `talk.py` turns this
into futures.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """One expected answer. It is only ever the same as itself."""

    key: Hashable
    number: int
    """Order of asking; answers to equal keys go to the oldest question."""
    deadline: float


class Dialogue:
    """Who waits for what on one connection."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[Waiting]] = {}
        self._number = 0

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._waiting.values())

    def expect(self, key: Hashable, deadline: float) -> Waiting:
        """Register one expected answer. `deadline` is monotonic seconds."""
        self._number += 1
        waiting = Waiting(key, self._number, deadline)
        self._waiting.setdefault(key, []).append(waiting)
        return waiting

    def settle(self, key: Hashable) -> Waiting | None:
        """An answer for `key` arrived: its oldest question, now off the list; None for an unknown key (M33)."""
        queue = self._waiting.get(key)
        if not queue:
            return None
        waiting = queue.pop(0)
        if not queue:
            del self._waiting[key]
        return waiting

    def forget(self, waiting: Waiting) -> None:
        """The question is no longer interesting. Forgetting twice is nothing."""
        queue = self._waiting.get(waiting.key)
        if queue and waiting in queue:
            queue.remove(waiting)
            if not queue:
                del self._waiting[waiting.key]

    @property
    def earliest(self) -> float | None:
        """The deadline that comes first; None when nothing waits."""
        return min((waiting.deadline for waiting in self._everything()), default=None)

    def overdue(self, now: float) -> list[Waiting]:
        """Questions whose time is up, taken off the list."""
        late = [waiting for queue in self._waiting.values() for waiting in queue if waiting.deadline <= now]
        for waiting in late:
            self.forget(waiting)
        return late

    def abandon(self) -> list[Waiting]:
        """The connection is gone: everything still waiting, oldest first, taken off the list."""
        left = sorted(self._everything(), key=lambda waiting: waiting.number)
        self._waiting.clear()
        return left

    def _everything(self) -> Iterable[Waiting]:
        return (waiting for queue in self._waiting.values() for waiting in queue)

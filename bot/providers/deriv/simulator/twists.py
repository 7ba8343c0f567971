"""Answers that are not what was done: the misfortunes that need to know the service's language.

A twist waits for a call and changes its answer. What faults of the wire cannot do is done here: a dry run that answers
1, a success that answers 2, another `req_id`, an error beside a result, a reply that comes on the next connection.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.network.strictjson import Json


@dataclass(slots=True)
class Twist:
    """One answer to be changed."""

    call: str
    when: Mapping[str, Any] = field(default_factory=dict)
    """Fields the request must have with these values; null for a field it must not have."""
    times: int = 1
    """How many answers; 0 for all from now on."""
    carry_out: bool = True
    """Whether what was asked is done; where it is not, only `set` says what is answered."""
    lose: bool = False
    """The answer never comes; the connection stays."""
    late: float = 0.0
    """Seconds until the answer comes, overtaken by later ones; the connection goes on meanwhile."""
    cut: bool = False
    """The connection breaks after the answer, or instead of it when that is lost."""
    hold: bool = False
    """The answer comes right after the next login, on whatever connection that is."""
    set: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the answer laid over the true ones."""
    drop: Sequence[str] = ()
    """Fields of the answer that are left out."""

    def fits(self, call: str, frame: Mapping[str, Json]) -> bool:
        return call == self.call and all(frame.get(name) == value for name, value in self.when.items())

    def changed(self, reply: Mapping[str, object]) -> dict[str, object]:
        return {name: value for name, value in {**reply, **self.set}.items() if name not in self.drop}


class Twists:
    """The twists that wait, and the answers held back."""

    def __init__(self) -> None:
        self.waiting: list[Twist] = []
        self.held: list[Mapping[str, object]] = []

    def next(self, call: str, frame: Mapping[str, Json]) -> Twist | None:
        """The first twist that this request meets; spent ones are gone."""
        for twist in self.waiting:
            if twist.fits(call, frame):
                twist.times -= 1
                if twist.times == 0:
                    self.waiting.remove(twist)
                return twist
        return None

    def take_held(self) -> list[Mapping[str, object]]:
        held, self.held = self.held, []
        return held

"""The thresholds of one number, sorted: a new value touches those between it and the one before, and no others.

Two ladders make a band around the present value. As long as it stays inside, two comparisons are all that 100,000
rules cost.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from bot.alerts.model import Side

_Key = tuple[Decimal, int]
_FAR = Decimal("Infinity")


@dataclass(frozen=True, slots=True)
class Rung:
    """Where a rule is touched: beyond `level` on that side, or at it, too."""

    side: Side
    level: Decimal
    inclusive: bool = False

    @property
    def key(self) -> _Key:
        """Sorts so that (value, 1) stands above every touched rung upwards, (value, 0) below every one downwards."""
        if self.side is Side.UP:
            return self.level, 0 if self.inclusive else 1
        return self.level, 1 if self.inclusive else 0


class Ladder:
    """The rungs of one number's rules, by rule."""

    __slots__ = ("_down", "_of", "_rules", "_up", "ceiling", "floor")

    def __init__(self) -> None:
        self._up: list[_Key] = []
        self._down: list[_Key] = []
        self._rules: dict[tuple[Side, _Key], set[str]] = {}
        self._of: dict[str, tuple[Rung, ...]] = {}
        self.floor = -_FAR
        """Strictly between `floor` and `ceiling` no rule is touched."""
        self.ceiling = _FAR

    def __len__(self) -> int:
        return len(self._of)

    def put(self, rule: str, rungs: tuple[Rung, ...]) -> None:
        """Where this rule is touched from now on; nowhere for no rungs."""
        self._take(rule)
        if rungs:
            self._of[rule] = rungs
        for rung in rungs:
            key = rung.key
            rules = self._rules.get((rung.side, key))
            if rules is None:
                self._rules[rung.side, key] = {rule}
                insort(self._keys(rung.side), key)
            else:
                rules.add(rule)
        self._look_around()

    def fill(self, rules: Iterable[tuple[str, tuple[Rung, ...]]]) -> None:
        """Many at once into an empty ladder: sorted once."""
        for rule, rungs in rules:
            if rungs:
                self._of[rule] = rungs
            for rung in rungs:
                self._rules.setdefault((rung.side, rung.key), set()).add(rule)
        for side, key in self._rules:
            self._keys(side).append(key)
        self._up.sort()
        self._down.sort()
        self._look_around()

    def touched(self, low: Decimal, high: Decimal) -> Iterator[str]:
        """The rules that a number touches which was between these two."""
        for key in self._up[: bisect_left(self._up, (high, 1))]:
            yield from self._rules[Side.UP, key]
        for key in self._down[bisect_right(self._down, (low, 0)) :]:
            yield from self._rules[Side.DOWN, key]

    def _take(self, rule: str) -> None:
        for rung in self._of.pop(rule, ()):
            key = rung.key
            rules = self._rules[rung.side, key]
            rules.discard(rule)
            if not rules:
                del self._rules[rung.side, key]
                keys = self._keys(rung.side)
                del keys[bisect_left(keys, key)]

    def _keys(self, side: Side) -> list[_Key]:
        return self._up if side is Side.UP else self._down

    def _look_around(self) -> None:
        self.ceiling = self._up[0][0] if self._up else _FAR
        self.floor = self._down[-1][0] if self._down else -_FAR

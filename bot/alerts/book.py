"""One number and the rules that look at it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from bot.alerts.ladder import Ladder
from bot.alerts.machine import Step, rungs, step, step_late, step_swing
from bot.alerts.model import Measure, Phase, Rule, Source, Span, State, Test
from bot.alerts.screening import MOST
from bot.alerts.swings import Swing

_NOWHERE: Final = Decimal("Infinity")


@dataclass(slots=True)
class Entry:
    """A rule, and how it stands."""

    rule: Rule
    state: State


@dataclass(frozen=True, slots=True)
class Turn:
    """A rule that was moved."""

    rule: Rule
    step: Step


class Book:
    """The latest value of one source, and its rules by threshold.

    `floor` and `ceiling`: a value strictly between them is believable and touches no rule, so whoever tells may leave
    it at noting it.
    """

    __slots__ = ("_entries", "_ladder", "_new", "_swings", "at", "ceiling", "floor", "source", "value")

    def __init__(self, source: Source, entries: Iterable[Entry] = ()) -> None:
        self.source = source
        self.value: Decimal | None = None
        self.at: datetime | None = None
        self._entries = {entry.rule.id: entry for entry in entries}
        self._new: set[str] = set()
        """Those that are judged with whatever comes."""
        self._swings: dict[timedelta, tuple[Swing, Ladder]] = {}
        self._ladder = Ladder()
        plain = [entry for entry in self._entries.values() if entry.rule.test is not Test.MOVES]
        self._ladder.fill((entry.rule.id, rungs(entry.rule, entry.state)) for entry in plain)
        for entry in self._entries.values():
            if entry.rule.test is Test.MOVES:
                self._place(entry)
            else:
                self._note_new(entry)
        self._look_around()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> Mapping[str, Entry]:
        return self._entries

    @property
    def is_live(self) -> bool:
        """Whether anything that is told could touch a rule."""
        return bool(self._new or self._swings or len(self._ladder))

    def put(self, entry: Entry) -> None:
        """A new rule, a changed one, or how one stands now."""
        self.remove(entry.rule.id)
        self._entries[entry.rule.id] = entry
        self._place(entry)
        self._look_around()

    def remove(self, rule_id: str) -> None:
        """That rule is not looked at any more."""
        if self._entries.pop(rule_id, None) is None:
            return
        self._new.discard(rule_id)
        self._ladder.put(rule_id, ())
        for window, (_, ladder) in list(self._swings.items()):
            ladder.put(rule_id, ())
            if not len(ladder):
                del self._swings[window]
        self._look_around()

    def take(self, span: Span) -> list[Turn]:
        """The number went there. What is older than what is known changes nothing."""
        if self.at is not None and span.end <= self.at:
            return []
        self.value, self.at = span.last, span.end
        turns = self._moved({*self._ladder.touched(span.low, span.high), *self._new}, lambda one: _stepped(one, span))
        for swing, ladder in self._swings.values():
            rose, fell = swing.went(span.low, span.high, span.end)
            went = max(rose, fell)
            is_whole = swing.is_whole(span.end)
            turns += self._moved(
                set(ladder.touched(went, went)),
                lambda one: _swung(one, rose, fell, span.end, is_whole=is_whole),  # noqa: B023  # called at once
            )
        if turns:
            self._look_around()
        return turns

    def window_unknown(self, now: datetime) -> timedelta | None:
        """The longest window of its rules, where not all of it is known."""
        return max((window for window, (swing, _) in self._swings.items() if not swing.is_whole(now)), default=None)

    def begins_earlier(self, since: datetime, spans: Sequence[Span]) -> None:
        """What it went through before anybody listened: rules that look at windows begin there."""
        seen = [(span.start, span.low, span.high) for span in spans]
        for swing, _ in self._swings.values():
            swing.begins_earlier(since, seen)

    def take_late(self, span: Span) -> list[Turn]:
        """Where the number was before what is known: told late, from the provider's history."""
        turns = self._moved(set(self._ladder.touched(span.low, span.high)), lambda one: _late(one, span))
        self._look_around()
        return turns

    def _moved(self, touched: set[str], judged: Callable[[Entry], Step]) -> list[Turn]:
        turns = []
        for one in touched:
            entry = self._entries[one]
            result = judged(entry)
            if result.state is not entry.state:
                entry.state = result.state
                self._place(entry)
                turns.append(Turn(entry.rule, result))
        return turns

    def _place(self, entry: Entry) -> None:
        rule, where = entry.rule, rungs(entry.rule, entry.state)
        if rule.test is Test.MOVES:
            self._swing_of(rule.window).put(rule.id, where)
            return
        self._ladder.put(rule.id, where)
        self._note_new(entry)

    def _note_new(self, entry: Entry) -> None:
        if entry.state.phase is Phase.NEW and not entry.rule.is_paused:
            self._new.add(entry.rule.id)
        else:
            self._new.discard(entry.rule.id)

    def _swing_of(self, window: timedelta) -> Ladder:
        found = self._swings.get(window)
        if found is None:
            found = self._swings[window] = (Swing(window), Ladder())
        return found[1]

    def _look_around(self) -> None:
        if self._new or self._swings:
            self.floor, self.ceiling = _NOWHERE, -_NOWHERE
            return
        what = self.source.what
        lowest = Decimal(0) if isinstance(what, Measure) and what.must_be_positive else -MOST
        self.floor, self.ceiling = max(lowest, self._ladder.floor), min(MOST, self._ladder.ceiling)


def _stepped(entry: Entry, span: Span) -> Step:
    return step(entry.rule, entry.state, span)


def _late(entry: Entry, span: Span) -> Step:
    return step_late(entry.rule, entry.state, span)


def _swung(entry: Entry, rose: Decimal, fell: Decimal, at: datetime, *, is_whole: bool) -> Step:
    if entry.state.phase is Phase.HELD and not is_whole:
        return Step(entry.state)  # it may have gone further before anybody listened
    return step_swing(entry.rule, entry.state, rose, fell, at)

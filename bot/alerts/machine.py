"""What becomes of a rule when its number moves: pure, one rule and one span at a time.

    test      NEW                ARMED                               HELD
    ABOVE     as ARMED           high > threshold: fires → HELD      low ≤ threshold − hysteresis: released
    BELOW     as ARMED           low < threshold: fires → HELD       high ≥ threshold + hysteresis: released
    CROSSES   its side → ARMED   beyond on the other side: fires, takes that side (by the hysteresis, once it has come)
    CHANGES   its reference → ARMED   further from it than the threshold: fires, takes the new one
    MOVES     as ARMED           percent ≥ threshold: fires → HELD   percent < threshold − hysteresis: released

Released means resolved: armed again, or DONE for a rule that comes once. ABOVE and BELOW are conditions: set while it
is so already, they come with the next value. CROSSES wants to see both sides.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from bot.alerts.ladder import Rung
from bot.alerts.model import Phase, Repeat, Rule, Side, Span, State, Test


@dataclass(frozen=True, slots=True)
class Step:
    """What one span did to one rule. `fired`: in which direction; NONE when it did not."""

    state: State
    fired: Side = Side.NONE
    value: Decimal | None = None
    is_released: bool = False


def rungs(rule: Rule, state: State) -> tuple[Rung, ...]:
    """Where the rule is touched next. A NEW one nowhere, unless it looks at swings: it is judged with what comes."""
    is_new = state.phase is Phase.NEW and rule.test is not Test.MOVES
    if rule.is_paused or is_new or state.phase is Phase.DONE:
        return ()
    level, slack = rule.threshold, rule.hysteresis
    match rule.test:
        case Test.ABOVE:
            return (Rung(Side.UP, level),) if state.phase is Phase.ARMED else (Rung(Side.DOWN, level - slack, True),)
        case Test.BELOW:
            return (Rung(Side.DOWN, level),) if state.phase is Phase.ARMED else (Rung(Side.UP, level + slack, True),)
        case Test.MOVES:
            return (Rung(Side.DOWN, level - slack),) if state.phase is Phase.HELD else (Rung(Side.UP, level, True),)
        case Test.CROSSES:
            apart = slack if state.times else Decimal(0)
            return (Rung(Side.UP, level + apart),) if state.side is Side.DOWN else (Rung(Side.DOWN, level - apart),)
        case Test.CHANGES:
            middle = state.reference if state.reference is not None else Decimal(0)
            return (Rung(Side.UP, middle + level), Rung(Side.DOWN, middle - level))
        case Test.HAPPENS:
            return ()


def step(rule: Rule, state: State, span: Span) -> Step:
    """The number went through `span`. What began before the rule, or before its last turn unless it was left out
    then, counts by its end only."""
    since = _since(rule, state)
    if span.end <= since:
        return Step(state)
    if span.start < (rule.created_at if span.is_news else since):
        span = Span.point(span.last, span.end)
    match rule.test:
        case Test.ABOVE | Test.BELOW:
            return _level(rule, state, span)
        case Test.CROSSES:
            return _crossing(rule, state, span)
        case Test.CHANGES:
            return _change(rule, state, span)
        case Test.MOVES | Test.HAPPENS:
            return Step(state)


def step_late(rule: Rule, state: State, span: Span) -> Step:
    """The same for what is told only after something newer: it may have come and gone, but is not how it stands now."""
    if span.start < _since(rule, state) or state.phase is not Phase.ARMED:
        return Step(state)
    for side, level in ((rung.side, rung.level) for rung in rungs(rule, state) if rule.test in PASSED):
        beyond = span.high > level if side is Side.UP else span.low < level
        if beyond:
            phase = Phase.DONE if rule.repeat is Repeat.ONCE else Phase.ARMED
            return Step(_told(state, span.end, phase), side, span.high if side is Side.UP else span.low)
    return Step(state)


def step_swing(rule: Rule, state: State, rose: Decimal, fell: Decimal, at: datetime) -> Step:
    """By so many percent it went within the rule's window."""
    went = max(rose, fell)
    if at <= _since(rule, state):
        return Step(state)
    if state.phase in (Phase.NEW, Phase.ARMED):
        if went < rule.threshold:
            return Step(_armed(state, at))
        side = Side.UP if rose >= fell else Side.DOWN
        return Step(_told(state, at, Phase.HELD, side), side, went)
    if state.phase is Phase.HELD and went < rule.threshold - rule.hysteresis:
        return Step(_released(rule, state, at), is_released=True)
    return Step(state)


def step_again(rule: Rule, state: State, now: datetime) -> Step:
    """Time has passed: a rule that comes every so often comes again while it is so."""
    due = state.told_at is not None and rule.every and now - state.told_at >= rule.every
    if rule.repeat is not Repeat.EVERY or state.phase is not Phase.HELD or not due:
        return Step(state)
    return Step(replace(state, told_at=now, times=state.times + 1), state.side)


PASSED = (Test.ABOVE, Test.BELOW, Test.CROSSES)
"""What comes when a threshold is passed."""


def _level(rule: Rule, state: State, span: Span) -> Step:
    is_above = rule.test is Test.ABOVE
    side = Side.UP if is_above else Side.DOWN
    furthest = span.high if is_above else span.low
    is_so = _beyond(furthest, rule.threshold, side)
    let_go = rule.threshold - rule.hysteresis if is_above else rule.threshold + rule.hysteresis
    is_over = not _beyond(span.last, let_go, side)
    if state.phase in (Phase.NEW, Phase.ARMED):
        if not is_so:
            return Step(_armed(state, span.end))
        told = _told(state, span.end, Phase.HELD, side)
        return Step(_released(rule, told, span.end) if is_over else told, side, furthest, is_released=is_over)
    nearest = span.low if is_above else span.high
    if (
        state.phase is Phase.HELD
        and not _beyond(nearest, let_go, side)
        and not _beyond(span.last, rule.threshold, side)
    ):
        return Step(_released(rule, state, span.end), is_released=True)
    return Step(state)


def _crossing(rule: Rule, state: State, span: Span) -> Step:
    if state.phase is Phase.DONE:
        return Step(state)
    if state.side is Side.NONE:
        side = _side(span.last, rule.threshold, Side.NONE)
        return Step(_armed(state, span.end, side) if side is not Side.NONE else state)
    (rung,) = rungs(rule, replace(state, phase=Phase.ARMED))
    furthest = span.high if rung.side is Side.UP else span.low
    if not _beyond(furthest, rung.level, rung.side):
        return Step(state)
    phase = Phase.DONE if rule.repeat is Repeat.ONCE else Phase.ARMED
    return Step(_told(state, span.end, phase, _side(span.last, rule.threshold, rung.side)), rung.side, furthest)


def _change(rule: Rule, state: State, span: Span) -> Step:
    if state.phase is Phase.DONE:
        return Step(state)
    if state.reference is None:
        return Step(replace(_armed(state, span.end), reference=span.last))
    if abs(span.last - state.reference) <= rule.threshold:
        return Step(state)
    side = Side.UP if span.last > state.reference else Side.DOWN
    phase = Phase.DONE if rule.repeat is Repeat.ONCE else Phase.ARMED
    return Step(replace(_told(state, span.end, phase), reference=span.last), side, span.last)


def _beyond(value: Decimal, level: Decimal, side: Side) -> bool:
    return value > level if side is Side.UP else value < level


def _side(value: Decimal, level: Decimal, otherwise: Side) -> Side:
    return Side.UP if value > level else Side.DOWN if value < level else otherwise


def _since(rule: Rule, state: State) -> datetime:
    return state.since or rule.created_at


def _armed(state: State, at: datetime, side: Side = Side.NONE) -> State:
    return state if state.phase is Phase.ARMED else replace(state, phase=Phase.ARMED, since=at, side=side)


def _told(state: State, at: datetime, phase: Phase, side: Side | None = None) -> State:
    side = state.side if side is None else side
    return replace(state, phase=phase, side=side, since=at, told_at=at, times=state.times + 1)


def _released(rule: Rule, state: State, at: datetime) -> State:
    phase = Phase.DONE if rule.repeat is Repeat.ONCE else Phase.ARMED
    return replace(state, phase=phase, since=at, muted_while_held=False)

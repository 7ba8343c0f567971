"""What two policies make of the same requests, as plain records. Opens nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from bot.approvals.model import Seat, State
from bot.approvals.policy.model import Case, Guard, Guarded, Tier, Verdict


@dataclass(frozen=True, slots=True)
class Past:
    """A request there was."""

    id: str
    case: Case
    came: State | None
    """What came of it; None when the policy of its time stopped it before anybody was asked."""
    moved_money: bool = True
    """Of what was settled by hand: whether it is said to have been executed."""
    is_first: bool = False
    """Nothing was known to have arrived at its beneficiary when it was asked for."""
    listed_at: datetime | None = None
    """Since when its beneficiary was in the book; None where it has none."""


@dataclass(frozen=True, slots=True)
class Change:
    """A request there was to change the desk itself: a guard says who signs for it, and no rule."""

    id: str
    guarded: Guarded
    at: datetime
    asked_by: str
    barred: frozenset[int] = frozenset()
    """Who did not sign, by our ids: whoever asked, and whom it was about."""
    least: tuple[Seat, ...] = ()
    """Who signs for it whatever a policy says."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one policy makes of one request."""

    past: Past
    verdict: Verdict
    limit: str = ""
    """The first limit that it would have gone over; empty when none, and when a rule refuses it already."""
    is_too_early: bool = False
    """Its beneficiary would still have been waiting."""

    @property
    def is_stopped(self) -> bool:
        return self.verdict.tier is Tier.REFUSE or bool(self.limit) or self.is_too_early

    @property
    def needs(self) -> tuple[Seat, ...]:
        """Who would have signed."""
        return () if self.is_stopped else self.verdict.needs


@dataclass(frozen=True, slots=True)
class Difference:
    """What would have been different. Requests are in the order in which they were asked for."""

    days: int
    pairs: tuple[tuple[Outcome, Outcome], ...]
    """Of every request: under the old policy, and under the new."""
    never: tuple[str, ...]
    """The new policy's rules that decided nothing."""
    load: Mapping[str, Fraction] = field(default_factory=dict)
    """Signatures a week more (or less), by the name of who would give them on average."""
    changes: tuple[tuple[Change, Guard, Guard], ...] = ()
    """Of every change of the desk itself: who would have signed under the old policy, and under the new."""

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """Stopped by one of the new policy's rules, and not stopped before."""
        return tuple(new for old, new in self.pairs if not old.is_stopped and new.verdict.tier is Tier.REFUSE)

    @property
    def limited(self) -> tuple[Outcome, ...]:
        """Stopped by one of the new policy's limits, and not stopped before."""
        return tuple(new for old, new in self.pairs if not old.is_stopped and new.limit)

    @property
    def too_early(self) -> tuple[Outcome, ...]:
        """Stopped because the beneficiary would still have been waiting, and not stopped before."""
        return tuple(new for old, new in self.pairs if not old.is_stopped and new.is_too_early)

    @property
    def signed_otherwise(self) -> tuple[tuple[Change, Guard, Guard], ...]:
        """Changes of the desk itself that others would have signed, or with another proof."""
        return tuple((change, old, new) for change, old, new in self.changes if old != new)

    @property
    def let_through(self) -> tuple[Outcome, ...]:
        """Stopped before, and no longer."""
        return tuple(new for old, new in self.pairs if old.is_stopped and not new.is_stopped)

    @property
    def freed(self) -> tuple[Outcome, ...]:
        """Done when asked, and not before."""
        return tuple(
            new
            for old, new in self.pairs
            if not new.is_stopped
            and new.verdict.tier is Tier.FREE
            and not new.verdict.hold
            and (old.is_stopped or old.verdict.tier is not Tier.FREE)
        )

    @property
    def first_held(self) -> tuple[Outcome, ...]:
        """First payments to somebody that would have waited longer before they left."""
        return tuple(
            new
            for old, new in self.pairs
            if new.past.is_first and not new.is_stopped and not old.is_stopped and new.verdict.hold > old.verdict.hold
        )

    @property
    def tiers(self) -> Mapping[tuple[Tier, Tier], int]:
        """How many went from one tier to another."""
        found = Counter((old.verdict.tier, new.verdict.tier) for old, new in self.pairs)
        return {pair: found[pair] for pair in sorted(found, key=_by_rank) if pair[0] is not pair[1]}

    @property
    def otherwise(self) -> int:
        """How many kept their tier, and need other people, another proof, or other times."""
        return sum(
            old.verdict.tier is new.verdict.tier and _conditions(old.verdict) != _conditions(new.verdict)
            for old, new in self.pairs
        )

    @property
    def signatures(self) -> int:
        """How many more there would have been in all; negative for fewer."""
        money = sum(_count(new.needs) - _count(old.needs) for old, new in self.pairs)
        return money + sum(_count(new.needs) - _count(old.needs) for _, old, new in self.changes)

    @property
    def is_nothing(self) -> bool:
        """Whether every request would have met with the same."""
        return not self.signed_otherwise and all(_met_with(old) == _met_with(new) for old, new in self.pairs)


def _met_with(outcome: Outcome) -> tuple[object, ...]:
    if outcome.is_stopped:
        return (Tier.REFUSE,)
    return (outcome.verdict.tier, *_conditions(outcome.verdict))


def _conditions(verdict: Verdict) -> tuple[object, ...]:
    return (verdict.needs, verdict.proof, verdict.hold, verdict.life)


def _count(needs: Sequence[Seat]) -> int:
    return sum(seat.count for seat in needs)


def _by_rank(pair: tuple[Tier, Tier]) -> tuple[int, int]:
    return pair[0].rank, pair[1].rank

"""What a draft would have made of the requests there were (FIELD N3). Pure: nothing is written, and the same history
gives the same text to the byte, in whatever order it is handed in.

Both policies are replayed alike: each request is judged, then held against the limits with what that policy itself
would have let through before it. What came to nothing in the end has not counted as spent; that it did so while it was
open is left out. What was stopped at the time and would not be now is taken to have gone through.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from bot.access.model import Person
from bot.approvals.model import State, circles_of
from bot.approvals.policy.difference import Difference, Outcome, Past
from bot.approvals.policy.judging import ENDING_RISK, exceeded, judge, limits_for, owner, window_start
from bot.approvals.policy.model import DEFAULT, Case, Limit, Policy, Tier, Window
from bot.approvals.policy.rates import NO_RATES, Rates
from bot.errors import NoRateError
from bot.money import Money

_WITHOUT_EFFECT = frozenset({State.DENIED, State.EXPIRED, State.CANCELLED, State.FAILED})
"""What has ended so no longer counts as spent (SAFETY M80)."""


def replay(
    old: Policy | None,
    new: Policy | None,
    history: Iterable[Past],
    *,
    days: int,
    people: Sequence[Person] = (),
    rates: Rates = NO_RATES,
) -> Difference:
    """Hold the requests of the last `days` against both policies.

    Args:
        rates: Those of that time. Where a limit needs one that is missing, it stops the request as it would have.
        people: Who signs now; each seat's signatures are shared out evenly among those who could fill it.
    """
    past = sorted(history, key=lambda one: (one.case.at, one.id))
    before, after = _outcomes(old or DEFAULT, past, rates), _outcomes(new or DEFAULT, past, rates)
    decided = {outcome.verdict.rule for outcome in after}
    return Difference(
        days=days,
        pairs=tuple(zip(before, after, strict=True)),
        never=tuple(rule.name for rule in (new or DEFAULT).rules if rule.name not in decided),
        load=_load(before, after, people, Fraction(days, 7)),
    )


def _outcomes(policy: Policy, history: Sequence[Past], rates: Rates) -> list[Outcome]:
    ledger = _Ledger(policy, rates)
    return [ledger.takes(one) for one in history]


class _Ledger:
    """What one policy would have let through so far, by limit and owner."""

    def __init__(self, policy: Policy, rates: Rates) -> None:
        self._policy = policy
        self._rates = rates
        self._spent: dict[tuple[str, str], _Sum] = {}

    def takes(self, past: Past) -> Outcome:
        """Judge the next request, and count it when it would have gone through."""
        case = past.case
        verdict = judge(self._policy, case)
        if verdict.tier is Tier.REFUSE:
            return Outcome(past, verdict)
        sums = [(limit, self._sum(limit, case)) for limit in limits_for(self._policy, case)]
        over = next((limit for limit, total in sums if self._stops(limit, total, case)), None)
        if over is None and past.came not in _WITHOUT_EFFECT and case.amount is not None:
            for limit, total in sums:
                total.add(case.at, self._worth(case.amount, limit, case.at))
        return Outcome(past, verdict, "" if over is None else over.name)

    def _stops(self, limit: Limit, spent: "_Sum", case: Case) -> bool:
        if case.amount is None:
            return False
        if spent.unweighed or self._worth(case.amount, limit, case.at) is None:
            return case.act not in ENDING_RISK
        return exceeded(limit, spent.money.amount, case, self._rates)

    def _worth(self, amount: Money, limit: Limit, at: datetime) -> Money | None:
        """None when no rate says it."""
        try:
            return self._rates.worth(amount, limit.most.currency, at)
        except NoRateError:
            return None

    def _sum(self, limit: Limit, case: Case) -> "_Sum":
        total = self._spent.setdefault((limit.name, owner(limit, case)), _Sum(limit))
        total.forget(self._policy, case)
        return total


class _Sum:
    """A limit's amounts within its window, as time goes on."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._counted: deque[tuple[datetime, Money | None]] = deque()
        self.money = Money(Decimal(0), limit.most.currency)
        self.unweighed = 0
        """How many ended a risk while nobody could say what they are worth: that holds up what comes after."""

    def forget(self, policy: Policy, case: Case) -> None:
        """Drop what is outside the window when this case is asked for."""
        start = window_start(self._limit, case.at, policy.zone)
        while self._counted and self._counted[0][0] < start:
            _, worth = self._counted.popleft()
            if worth is None:
                self.unweighed -= 1
            else:
                self.money += -worth

    def add(self, at: datetime, worth: Money | None) -> None:
        if self._limit.window is Window.TRANSACTION:
            return
        self._counted.append((at, worth))
        if worth is None:
            self.unweighed += 1
        else:
            self.money += worth


def _load(
    before: Sequence[Outcome], after: Sequence[Outcome], people: Sequence[Person], weeks: Fraction
) -> Mapping[str, Fraction]:
    """Each person's share of the difference, a week; those for whom nothing changes are left out."""
    people = sorted(people, key=lambda one: (one.name, one.id))
    shares: dict[int, Fraction] = {person.id: Fraction(0) for person in people}
    for outcomes, sign in ((before, -1), (after, 1)):
        for outcome in outcomes:
            for seat in outcome.needs:
                able = [
                    one.id
                    for one in people
                    if seat.circle in circles_of(one) and one.id != outcome.past.case.requester.id
                ]
                for number in able:
                    shares[number] += Fraction(sign * seat.count, len(able))
    return {person.name: shares[person.id] / weeks for person in people if shares[person.id]}

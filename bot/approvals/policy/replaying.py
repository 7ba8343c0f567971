"""What a draft would have made of the requests there were (FIELD N3). Pure: nothing is written, and the same history
gives the same text to the byte, in whatever order it is handed in.

Both policies are replayed alike: each request is judged, then held against the limits with what that policy itself
would have let through before it. What came to nothing in the end has not counted as spent; that it did so while it was
open is left out. What was stopped at the time and would not be now is taken to have gone through. What was asked for
before the days that are told counts in the limits of the first of them, and is not told itself.

A change of the desk itself is held against the guards. A change of the policy took more where it loosened something;
that is not replayed.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from bot.access.model import Person
from bot.approvals.model import Seat, State, circles_of
from bot.approvals.policy.difference import Change, Difference, Outcome, Past
from bot.approvals.policy.judging import ENDING_RISK, exceeded, judge, limits_for, owner, window_start
from bot.approvals.policy.model import DEFAULT, Case, Guard, Limit, Policy, Tier, Verdict, Window
from bot.approvals.policy.rates import NO_RATES, Rates
from bot.approvals.policy.signers import joined
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
    changes: Iterable[Change] = (),
    since: datetime | None = None,
) -> Difference:
    """Hold the requests of the last `days` against both policies.

    Args:
        rates: Those of that time. Where a limit needs one that is missing, it stops the request as it would have.
        people: Who signs now; each seat's signatures are shared out evenly among those who could fill it.
        changes: Those of the desk itself, in that time.
        since: When those days begin; what was asked for before only counts.
    """
    past = sorted(history, key=lambda one: (one.case.at, one.id))
    before, after = _outcomes(old or DEFAULT, past, rates, since), _outcomes(new or DEFAULT, past, rates, since)
    decided = {outcome.verdict.rule for outcome in after}
    changed = [
        (one, _guard(old or DEFAULT, one), _guard(new or DEFAULT, one))
        for one in sorted(changes, key=lambda one: (one.at, one.id))
    ]
    return Difference(
        days=days,
        pairs=tuple(zip(before, after, strict=True)),
        never=tuple(rule.name for rule in (new or DEFAULT).rules if rule.name not in decided),
        load=_load(before, after, changed, people, Fraction(days, 7)),
        changes=tuple(changed),
    )


def _outcomes(policy: Policy, history: Sequence[Past], rates: Rates, since: datetime | None) -> list[Outcome]:
    ledger = _Ledger(policy, rates)
    outcomes = [ledger.takes(one) for one in history]
    return [one for one in outcomes if since is None or one.past.case.at >= since]


def _guard(policy: Policy, change: Change) -> Guard:
    found = policy.guards[change.guarded]
    return replace(found, needs=joined([found.needs, change.least]))


def _held(policy: Policy, past: Past, verdict: Verdict) -> Verdict:
    """The first payment to somebody waits at least as long as the policy says (M11)."""
    is_longer = past.is_first and policy.first_payment_hold > verdict.hold
    return replace(verdict, hold=policy.first_payment_hold) if is_longer else verdict


class _Ledger:
    """What one policy would have let through so far, by limit and owner."""

    def __init__(self, policy: Policy, rates: Rates) -> None:
        self._policy = policy
        self._rates = rates
        self._spent: dict[tuple[str, str], _Sum] = {}

    def takes(self, past: Past) -> Outcome:
        """Judge the next request, and count it when it would have gone through."""
        case = past.case
        verdict = _held(self._policy, past, judge(self._policy, case))
        if verdict.tier is Tier.REFUSE:
            return Outcome(past, verdict)
        if past.listed_at is not None and case.at < past.listed_at + self._policy.beneficiary_cooldown:
            return Outcome(past, verdict, is_too_early=True)
        sums = [(limit, self._sum(limit, case)) for limit in limits_for(self._policy, case)]
        over = next((limit for limit, total in sums if self._stops(limit, total, case)), None)
        if over is None and past.came not in _WITHOUT_EFFECT and past.moved_money and case.amount is not None:
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
    before: Sequence[Outcome],
    after: Sequence[Outcome],
    changed: Sequence[tuple[Change, Guard, Guard]],
    people: Sequence[Person],
    weeks: Fraction,
) -> Mapping[str, Fraction]:
    """Each person's share of the difference, a week; those for whom nothing changes are left out."""
    people = sorted(people, key=lambda one: (one.name, one.id))
    shares: dict[int, Fraction] = {person.id: Fraction(0) for person in people}

    def share(needs: Iterable[Seat], sign: int, but: frozenset[int]) -> None:
        for seat in needs:
            able = [one.id for one in people if seat.circle in circles_of(one) and one.id not in but]
            for number in able:
                shares[number] += Fraction(sign * seat.count, len(able))

    for outcomes, sign in ((before, -1), (after, 1)):
        for outcome in outcomes:
            share(outcome.needs, sign, frozenset({outcome.past.case.requester.id}))
    for change, old, new in changed:
        for guard, sign in ((old, -1), (new, 1)):
            share(guard.needs, sign, change.barred)
    return {person.name: shares[person.id] / weeks for person in people if shares[person.id]}

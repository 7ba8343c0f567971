"""What one case needs, and how much may go. Pure.

The first rule that applies decides. Where none does, and where there is no policy, two approvers sign with a code.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import assert_never
from zoneinfo import ZoneInfo

from bot.approvals.model import Seat, circles_of
from bot.approvals.policy.model import (
    DEFAULT,
    Case,
    Limit,
    Per,
    Policy,
    PolicyRule,
    Proof,
    Scope,
    Tier,
    Verdict,
    Window,
)
from bot.money import Money, total

LAST_RESORT = PolicyRule("", Scope(), Tier.QUORUM, (Seat("role/approver", 2),), Proof.CODE)
_ROLLING = timedelta(hours=24)
_EVERYTHING = Scope()


def judge(policy: Policy | None, case: Case) -> Verdict:
    """What this case needs; `policy` is None on a desk that has none."""
    policy = policy or DEFAULT
    local = case.at.astimezone(policy.zone)
    return verdict(policy, next((rule for rule in policy.rules if applies(rule.scope, case, local)), LAST_RESORT))


def verdict(policy: Policy, rule: PolicyRule) -> Verdict:
    """What a rule of this policy says, with the policy's own life where it has none."""
    life = policy.life if rule.life is None else rule.life
    return Verdict(rule.tier, rule.name, rule.needs, rule.proof, rule.hold, life, rule.reason)


def applies(scope: Scope, case: Case, local: datetime) -> bool:
    """Whether a case is meant; `local` is its time in the policy's zone."""
    return (
        _among(case.act, scope.acts)
        and _among(case.provider, scope.providers)
        and _among(case.environment, scope.environments)
        and _among(case.connection, scope.connections)
        and _among(case.source, scope.sources)
        and _among(case.beneficiary, scope.beneficiaries)
        and holds_amount(scope, case.amount)
        and holds_time(scope, local.weekday(), local.hour * 60 + local.minute)
        and (not scope.requesters or not scope.requesters.isdisjoint(circles_of(case.requester)))
    )


def _among(value: str, wanted: frozenset[str]) -> bool:
    return not wanted or value in wanted


def holds_amount(scope: Scope, amount: Money | None) -> bool:
    """Whether the currency is meant and the amount lies in the band."""
    if amount is None:
        return not scope.currencies
    return (
        _among(amount.currency.code, scope.currencies)
        and (scope.at_least is None or amount.amount >= scope.at_least)
        and (scope.below is None or amount.amount < scope.below)
    )


def holds_time(scope: Scope, weekday: int, minute: int) -> bool:
    """Whether that minute (since midnight) of that weekday is meant, both by the clock on the wall."""
    return (not scope.weekdays or weekday in scope.weekdays) and (scope.hours is None or scope.hours.holds(minute))


def limits_for(policy: Policy | None, case: Case) -> tuple[Limit, ...]:
    """The limits this case counts towards."""
    policy = policy or DEFAULT
    return tuple(limit for limit in policy.limits if _counts(limit, case, policy.zone))


def _counts(limit: Limit, case: Case, zone: ZoneInfo) -> bool:
    if case.amount is None or case.amount.currency != limit.most.currency:
        return False
    scope = limit.scope
    needs_local = bool(scope.weekdays or scope.hours)  # many are counted, and most limits do not ask
    return applies(scope, case, case.at.astimezone(zone) if needs_local else case.at)


def spent(policy: Policy | None, limit: Limit, case: Case, others: Iterable[Case]) -> Decimal:
    """What those of `others` that count towards the limit beside this case add up to.

    Which requests are handed in is the caller's choice (SAFETY M80: all that have not ended without effect), and so is
    leaving out the case's own; those outside the limit's window, scope or owner are left out here.
    """
    if limit.window is Window.TRANSACTION:
        return Decimal(0)
    zone = (policy or DEFAULT).zone
    start, mine = window_start(limit, case.at, zone), owner(limit, case)
    is_for_all, means_all = limit.per is Per.DESK, limit.scope == _EVERYTHING  # most are and do, and many are counted
    code = limit.most.currency.code
    counted = (
        other.amount
        for other in others
        if other.amount is not None
        and other.amount.currency.code == code
        and other.at >= start
        and (is_for_all or owner(limit, other) == mine)
        and (means_all or _counts(limit, other, zone))
    )
    return total(counted, limit.most.currency).amount


def owner(limit: Limit, case: Case) -> str:
    """Whose amounts are added up: cases of one owner are, those of two are not."""
    match limit.per:
        case Per.PERSON:
            return str(case.requester.id)
        case Per.CONNECTION:
            return case.connection
        case Per.DESK:
            return ""
        case never:
            assert_never(never)


def exceeded(limit: Limit, spent: Decimal, case: Case) -> bool:
    """Whether the case on top of what was spent is more than the limit."""
    if case.amount is None:
        return False
    return (Money(spent, limit.most.currency) + case.amount).amount > limit.most.amount


def window_start(limit: Limit, at: datetime, zone: ZoneInfo) -> datetime:
    """From when on (inclusive) what was asked for counts at `at`. Aware UTC.

    A calendar day starts at its first midnight, or where the clocks go forward over midnight, at that moment.
    """
    match limit.window:
        case Window.TRANSACTION:
            return at
        case Window.ROLLING:
            # A millisecond is the finest that rows hold: what was asked for exactly 24 hours ago has left the window.
            return at - _ROLLING + timedelta(milliseconds=1)
        case Window.DAY:
            return datetime.combine(at.astimezone(zone).date(), time(), tzinfo=zone).astimezone(UTC)
        case never:
            assert_never(never)

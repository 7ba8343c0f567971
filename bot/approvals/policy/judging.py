"""What one case needs, and how much may go. Pure.

The first rule that applies decides. Where none does, and where there is no policy, two approvers sign with a code.
Where limits are kept and none of them counts a currency, nothing would bound what goes in it: then it takes what the
strictest amount would.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import assert_never
from zoneinfo import ZoneInfo

from bot.approvals.model import Seat, circles_of
from bot.approvals.policy.model import (
    DEFAULT,
    Act,
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
from bot.approvals.policy.rates import NO_RATES, Rates
from bot.approvals.policy.signers import joined
from bot.money import Money, total

LAST_RESORT = PolicyRule("", Scope(), Tier.QUORUM, (Seat("role/approver", 2),), Proof.CODE)
_ROLLING = timedelta(hours=24)
_EVERYTHING = Scope()
ENDING_RISK = frozenset({Act.CLOSE, Act.REJECT_WITHDRAWAL})
"""What takes risk away, or keeps money where it is: it waits for nobody who enters a limit or a rate."""


def judge(policy: Policy | None, case: Case) -> Verdict:
    """What this case needs; `policy` is None on a desk that has none."""
    policy = policy or DEFAULT
    local = case.at.astimezone(policy.zone)
    decides = next((rule for rule in policy.rules if applies(rule.scope, case, local)), LAST_RESORT)
    if decides.tier is Tier.REFUSE or not _is_uncounted(policy, case, local):
        return verdict(policy, decides)
    return strictest(policy, decides, [one for one in policy.rules if applies(at_any_amount(one.scope), case, local)])


def _is_uncounted(policy: Policy, case: Case, local: datetime) -> bool:
    kept = (limit for limit in policy.limits if applies(limit.scope, case, local))
    return leaves_uncounted(kept, case.act, case.amount)


def leaves_uncounted(limits: Iterable[Limit], act: Act, amount: Money | None) -> bool:
    """Whether the limits that are kept on such an act count others, and not this amount; never of what ends a risk."""
    kept = list(limits)
    if amount is None or act in ENDING_RISK or not kept:
        return False
    return not any(limit.counts_in(amount.currency.code) for limit in kept)


def at_any_amount(scope: Scope) -> Scope:
    """The same conditions, but for the amount and its currency."""
    return replace(scope, currencies=frozenset(), at_least=None, below=None)


def strictest(policy: Policy, decides: PolicyRule, rules: Sequence[PolicyRule]) -> Verdict:
    """No less than any amount would need.

    Args:
        rules: In their order, those that apply to such a case at some amount in some currency. What comes after one
            that asks for no amount decides nothing.
    """
    last = next((number for number, one in enumerate(rules) if not one.scope.currencies), None)
    reached = [*rules, LAST_RESORT] if last is None else rules[: last + 1]
    signed = [one for one in reached if one.tier is Tier.QUORUM] or [LAST_RESORT]
    return Verdict(
        Tier.QUORUM,
        decides.name,
        joined(one.needs for one in signed),
        max((one.proof for one in (decides, *signed)), key=lambda proof: proof.rank),
        max(one.hold for one in signed),
        policy.life if decides.life is None else decides.life,
        is_uncounted=True,
    )


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
    if case.amount is None or not limit.counts_in(case.amount.currency.code):
        return False
    scope = limit.scope
    needs_local = bool(scope.weekdays or scope.hours)  # many are counted, and most limits do not ask
    return applies(scope, case, case.at.astimezone(zone) if needs_local else case.at)


def spent(policy: Policy | None, limit: Limit, case: Case, others: Iterable[Case], rates: Rates = NO_RATES) -> Decimal:
    """What those of `others` that count towards the limit beside this case add up to.

    Which requests are handed in is the caller's choice (SAFETY M80: all that have not ended without effect), and so is
    leaving out the case's own; those outside the limit's window, scope or owner are left out here. In another currency
    each is worth what it was when it was asked for; where no rate was good then, what it would be for this case.

    Raises:
        NoRateError: Neither.
    """
    if limit.window is Window.TRANSACTION:
        return Decimal(0)
    zone = (policy or DEFAULT).zone
    start, mine = window_start(limit, case.at, zone), owner(limit, case)
    is_for_all, means_all = limit.per is Per.DESK, limit.scope == _EVERYTHING  # most are and do, and many are counted
    takes_all, code = limit.every_currency, limit.most.currency.code
    counted = (
        rates.worth(other.amount, limit.most.currency, other.at, case.at)
        for other in others
        if other.amount is not None
        and (takes_all or other.amount.currency.code == code)
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


def exceeded(limit: Limit, spent: Decimal, case: Case, rates: Rates = NO_RATES, now: datetime | None = None) -> bool:
    """Whether the case on top of what was spent is more than the limit.

    Args:
        now: By whose rate it is worth what it is; without it, by that of its asking.
    Raises:
        NoRateError: It is of another currency, and no rate is good.
    """
    if case.amount is None:
        return False
    worth = rates.worth(case.amount, limit.most.currency, now or case.at)
    return (Money(spent, limit.most.currency) + worth).amount > limit.most.amount


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

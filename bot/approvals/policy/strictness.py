"""Which of two things a policy says is the stricter: a partial order. Pure.

What cannot be compared is not at least as strict. Refusing is strictest. Of the rest, the stricter asks for no lesser
tier, for signers who would satisfy the other too whoever they are, for no lesser proof, waits no shorter, and is open
for decisions no longer.
"""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from bot.approvals.policy.model import UTC, Act, Guard, Limit, Per, Scope, Tier, Verdict, Window
from bot.approvals.policy.signers import satisfies, with_approver
from bot.providers.records import Environment


def at_least_as_strict(new: Verdict, old: Verdict) -> bool:
    """Whether whatever the new verdict lets happen the old one would have let happen too."""
    if new.tier is Tier.REFUSE:
        return True
    return (
        old.tier is not Tier.REFUSE
        and new.tier.rank >= old.tier.rank
        and satisfies(new.needs, old.needs)
        and new.proof.rank >= old.proof.rank
        and new.hold >= old.hold
        and (old.tier is not Tier.QUORUM or new.life <= old.life)
    )


def guards_as_well(new: Guard, old: Guard) -> bool:
    return satisfies(new.needs, old.needs) and new.proof.rank >= old.proof.rank


def stands_for(new: Limit, old: Limit, new_zone: ZoneInfo, old_zone: ZoneInfo) -> bool:
    """Whether whatever keeps the new limit keeps the old one too.

    Looks at one new limit only: two that do it together are not recognised, which errs on the careful side.
    """
    return (
        new.most.currency == old.most.currency
        and new.most.amount <= old.most.amount
        and (new.every_currency or not old.every_currency)
        and _covers(new.scope, old.scope)
        and (new_zone == old_zone or not new.scope.weekdays)
        and (old.window is Window.TRANSACTION or new.per in (Per.DESK, old.per))
        and _lasts(new.window, old.window, new_zone, old_zone)
    )


def _lasts(new: Window, old: Window, new_zone: ZoneInfo, old_zone: ZoneInfo) -> bool:
    """Whether the new window takes in the old one. A day of 25 hours is longer than 24, so only in UTC they compare."""
    if old is Window.TRANSACTION:
        return True
    if new is Window.DAY:
        return old is Window.DAY and new_zone == old_zone
    return new is Window.ROLLING and (old is Window.ROLLING or old_zone == UTC)


def _covers(new: Scope, old: Scope) -> bool:
    """Whether all cases that the old scope means are meant by the new one."""
    reached = frozenset(one.partition("/")[0] for one in old.connections)
    providers = old.providers & reached if old.providers and reached else old.providers or reached
    days = frozenset(range(7))
    return (
        (old.acts or frozenset(Act)) <= (new.acts or frozenset(Act))
        and (old.environments or frozenset(Environment)) <= (new.environments or frozenset(Environment))
        and (old.weekdays or days) <= (new.weekdays or days)
        and _takes_in(new.providers, providers)
        and _takes_in(new.connections, old.connections)
        and _takes_in(new.sources, old.sources)
        and _takes_in(new.beneficiaries, old.beneficiaries)
        and _takes_in(new.requesters, old.requesters, with_approver)
    )


def _takes_in(new: frozenset[str], old: frozenset[str], means: Callable[[str], frozenset[str]] | None = None) -> bool:
    """Whether each of the old names is among the new, or something it means is; no names are all there can be."""
    if not new or not old:
        return not new
    return all(not (means(one) if means else {one}).isdisjoint(new) for one in old)

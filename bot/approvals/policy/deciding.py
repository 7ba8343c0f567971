"""What two policies say of each part of all the cases there can be (`partition`). Pure."""

from collections.abc import Iterator
from dataclasses import replace

from bot.approvals.policy.judging import LAST_RESORT, at_any_amount, leaves_uncounted, strictest, verdict
from bot.approvals.policy.model import Policy, PolicyRule, Scope, Tier, Verdict
from bot.approvals.policy.partition import Bits, Part, parts

Pair = tuple[int, int]
"""The numbers of an old and a new rule; the last resort counts as the rule after all."""


def decided(old: Policy, new: Policy) -> list[tuple[Pair, Verdict, Verdict, Part]]:
    """Each pair of rules that decide the same case, with what they say of it and such a case; in the rules' order.

    More than once where the same two say different things, because limits leave a currency uncounted in some cases.

    Raises:
        TooManyPartsError: The conditions are too entangled.
    """
    is_bounded = bool(old.limits or new.limits)
    before = _Reader(old, 0, is_bounded=is_bounded)
    after = _Reader(new, len(before.scopes), is_bounded=is_bounded)
    found: dict[tuple[Pair, Verdict, Verdict], Part] = {}
    for bits, part in parts([*before.scopes, *after.scopes]):
        (was, said), (becomes, says) = before.read(bits, part), after.read(bits, part)
        found.setdefault(((was, becomes), said, says), part)
    ordered = sorted(found.items(), key=lambda one: one[0][0])
    return [(pair, said, says, part) for (pair, said, says), part in ordered]


def uncounted(policy: Policy) -> list[tuple[Verdict, Part]]:
    """What is asked for where limits are kept and none counts the currency, with each part of such cases.

    Raises:
        TooManyPartsError: The conditions are too entangled.
    """
    if not policy.limits:
        return []
    reader = _Reader(policy, 0, is_bounded=True)
    found = [(reader.read(bits, part)[1], part) for bits, part in parts(reader.scopes)]
    return [(said, part) for said, part in found if said.is_uncounted]


def first(bits: Bits, count: int) -> int:
    """The number of the first of `count` rules that hold; `count` itself when none does."""
    here = bits & ((1 << count) - 1)
    return (here & -here).bit_length() - 1 if here else count


def rule(policy: Policy, number: int) -> PolicyRule:
    return policy.rules[number] if number < len(policy.rules) else LAST_RESORT


class _Reader:
    """One policy's scopes among those of the partition, from a place on: rules; where there are limits also the rules
    at any amount, and each limit with and without its currency."""

    def __init__(self, policy: Policy, place: int, *, is_bounded: bool) -> None:
        self._policy = policy
        self._place = place
        self.scopes = [one.scope for one in policy.rules]
        if is_bounded:
            self.scopes += [at_any_amount(one.scope) for one in policy.rules]
            self.scopes += [
                scope
                for limit in policy.limits
                for scope in (limit.scope, counted_by(limit.scope, limit.most.currency.code))
            ]

    def read(self, bits: Bits, part: Part) -> tuple[int, Verdict]:
        """Which rule decides there, and what it says."""
        policy, count = self._policy, len(self._policy.rules)
        here = bits >> self._place
        number = first(here, count)
        decides = rule(policy, number)
        kept = (limit for at, limit in enumerate(policy.limits) if here >> 2 * (count + at) & 1)
        if decides.tier is Tier.REFUSE or not leaves_uncounted(kept, part.act, part.amount):
            return number, verdict(policy, decides)
        return number, strictest(policy, decides, list(self._reached(here, count)))

    def _reached(self, here: Bits, count: int) -> Iterator[PolicyRule]:
        for number, one in enumerate(self._policy.rules):
            if here >> (count + number) & 1:
                yield one


def counted_by(scope: Scope, code: str) -> Scope:
    """What of it is in one currency."""
    return replace(scope, currencies=frozenset({code}))

"""In what a new policy is less strict than the old one, or stricter, and who must sign for that (SAFETY M76). Pure.

Rules are compared exactly: in each part of all the cases there can be (`partition`), the verdict of the one against the
verdict of the other. What is no less strict in any part takes effect at once, however differently it is written. Limits
are compared one with one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.approvals.policy.deciding import counted_by, decided, first, rule
from bot.approvals.policy.judging import LAST_RESORT
from bot.approvals.policy.model import DEFAULT, Guard, Guarded, Limit, Policy, PolicyRule, Proof, Tier, Verdict
from bot.approvals.policy.partition import ELSE, Part, TooManyPartsError, parts
from bot.approvals.policy.sentences import (
    DAYS,
    GUARDED,
    Written,
    circle_in_words,
    either,
    grouped,
    guard_in_words,
    limit_in_words,
    span,
    verdict_in_words,
)
from bot.approvals.policy.signers import joined
from bot.approvals.policy.strictness import at_least_as_strict, guards_as_well, stands_for


@dataclass(frozen=True, slots=True)
class Loosening:
    """One way in which the new policy is less strict."""

    sentence: str
    guarded: Guard
    """Who signed for one such act under the old policy; for what was refused, who would under the new one."""


def loosens(old: Policy | None, new: Policy, written: Written = grouped) -> tuple[str, ...]:
    """Each way in which the new policy is less strict, in a sentence; none when it is stricter or equal throughout."""
    return tuple(one.sentence for one in loosenings(old, new, written))


def tightens(old: Policy | None, new: Policy, written: Written = grouped) -> tuple[str, ...]:
    """Each way in which the new policy is stricter and in nothing less strict, in a sentence."""
    before = old or DEFAULT
    return (
        *_stricter_rules(before, new, written),
        *(
            f"New. {limit_in_words(limit, written)}"
            for limit in new.limits
            if not any(stands_for(other, limit, before.zone, new.zone) for other in before.limits)
        ),
        *(
            _guard_changed(guarded, before, new)
            for guarded in Guarded
            if not guards_as_well(before.guards[guarded], new.guards[guarded])
            and guards_as_well(new.guards[guarded], before.guards[guarded])
        ),
        *([_life(before, new)] if new.life < before.life else []),
        *([_cooldown(before, new)] if new.beneficiary_cooldown > before.beneficiary_cooldown else []),
        *([_first_payment(before, new)] if new.first_payment_hold > before.first_payment_hold else []),
        *([_delay(before, new)] if new.loosening_delay > before.loosening_delay else []),
    )


def _stricter_rules(old: Policy, new: Policy, written: Written) -> Iterator[str]:
    try:
        found = decided(old, new)
    except TooManyPartsError:
        return
    is_timed = _keeps_hours(old) or _keeps_hours(new)
    for _, was, becomes, part in found:
        if at_least_as_strict(becomes, was) and not at_least_as_strict(was, becomes):
            yield _changed(was, becomes, _example(part, written, is_timed=is_timed, is_uncounted=was.is_uncounted))


def signing(old: Policy | None, new: Policy) -> Guard:
    """Who signs for the change, and how: as the old policy guards itself, and no less than what is loosened took."""
    return _joined([(old or DEFAULT).guards[Guarded.POLICY], *(one.guarded for one in loosenings(old, new))])


def _joined(guards: Iterable[Guard | PolicyRule | Verdict]) -> Guard:
    """No less than each of these."""
    every = list(guards)
    proof = max((one.proof for one in every), key=lambda one: one.rank, default=Proof.NONE)
    return Guard(joined(one.needs for one in every), proof)


def loosenings(old: Policy | None, new: Policy, written: Written = grouped) -> tuple[Loosening, ...]:
    """As `loosens`, with who guarded each."""
    before = old or DEFAULT
    return (
        *_of_rules(before, new, written),
        *_of_limits(before, new, written),
        *_of_guards(before, new),
        *_of_settings(before, new),
    )


def _of_rules(old: Policy, new: Policy, written: Written) -> Iterator[Loosening]:
    if new.zone != old.zone and _keeps_hours(old) and _keeps_hours(new):
        words = f"Hours and days become those of {new.zone.key} instead of {old.zone.key}."
        yield Loosening(words, _joined(old.rules))
    try:
        found = decided(old, new)
    except TooManyPartsError:
        words = "The rules hold too many different conditions to be compared; this counts as less strict."
        yield Loosening(words, _joined([LAST_RESORT, *old.rules]))
        return
    is_timed = _keeps_hours(old) or _keeps_hours(new)
    for _, was, becomes, part in found:
        if not at_least_as_strict(becomes, was):
            guarded = _joined([becomes if was.tier is Tier.REFUSE else was])
            yield Loosening(
                _changed(was, becomes, _example(part, written, is_timed=is_timed, is_uncounted=was.is_uncounted)),
                guarded,
            )


def _keeps_hours(policy: Policy) -> bool:
    return any(rule.scope.hours or rule.scope.weekdays for rule in policy.rules)


def _changed(was: Verdict, becomes: Verdict, example: str) -> str:
    by = f"“{becomes.rule}”" if becomes.rule else "no rule"
    before = f"“{was.rule}” decided" if was.rule else "no rule spoke"
    before_and_now = (verdict_in_words(one, with_life=was.life != becomes.life) for one in (was, becomes))
    words = " → ".join(before_and_now)
    return f"Where {before} and {by} does now: {words}. For example {example}."


def _example(part: Part, written: Written, *, is_timed: bool, is_uncounted: bool) -> str:
    """The case in words: what some rule mentions and no more."""
    words = [f"“{part.act}”"]
    if part.amount is not None and part.amount.currency.known:
        words.append(f"of {written(part.amount)}")
    elif is_uncounted:
        words.append("in a currency that no limit counts")
    if ELSE not in part.connection:
        words.append(f"through {part.connection}")
    elif part.provider != ELSE:
        words.append(f"at {part.provider}")
    words.append(f"on a {part.environment} account")
    words += [f"from account {part.source}"] if part.source != ELSE else []
    words += [f"to {part.beneficiary}"] if part.beneficiary != ELSE else []
    if is_timed:
        words.append(f"on {DAYS[part.weekday]} at {part.minute // 60:02d}:{part.minute % 60:02d}")
    if part.circles:
        words.append(f"asked for by {either([circle_in_words(one) for one in sorted(part.circles)], 'and')}")
    return " ".join(words)


def _of_limits(old: Policy, new: Policy, written: Written) -> Iterator[Loosening]:
    for limit in old.limits:
        if not any(stands_for(other, limit, new.zone, old.zone) for other in new.limits):
            words = f"Nothing in the new policy is as strict as this. {limit_in_words(limit, written)}"
            yield Loosening(words, _guarded_by(old, limit))


def _guarded_by(old: Policy, limit: Limit) -> Guard:
    """Who signs for what the limit counts."""
    counted = limit.scope if limit.every_currency else counted_by(limit.scope, limit.most.currency.code)
    try:
        found = parts([*(rule.scope for rule in old.rules), counted])
    except TooManyPartsError:
        return _joined([LAST_RESORT, *old.rules])
    numbers = {first(bits, len(old.rules)) for bits, _ in found if bits >> len(old.rules)}
    return _joined(rule(old, number) for number in sorted(numbers))


def _of_guards(old: Policy, new: Policy) -> Iterator[Loosening]:
    for guarded in Guarded:
        was, becomes = old.guards[guarded], new.guards[guarded]
        if not guards_as_well(becomes, was):
            yield Loosening(_guard_changed(guarded, old, new), was)


def _of_settings(old: Policy, new: Policy) -> Iterator[Loosening]:
    if new.life > old.life:
        yield Loosening(_life(old, new), old.guards[Guarded.POLICY])
    if new.beneficiary_cooldown < old.beneficiary_cooldown:
        yield Loosening(_cooldown(old, new), old.guards[Guarded.BENEFICIARY])
    if new.first_payment_hold < old.first_payment_hold:
        yield Loosening(_first_payment(old, new), old.guards[Guarded.BENEFICIARY])
    if new.loosening_delay < old.loosening_delay:
        yield Loosening(_delay(old, new), old.guards[Guarded.POLICY])


def _guard_changed(guarded: Guarded, old: Policy, new: Policy) -> str:
    return f"{GUARDED[guarded]}: {guard_in_words(old.guards[guarded])} → {guard_in_words(new.guards[guarded])}."


def _life(old: Policy, new: Policy) -> str:
    return f"A request whose rule does not say otherwise is open for {span(new.life)} instead of {span(old.life)}."


def _cooldown(old: Policy, new: Policy) -> str:
    return f"A new beneficiary waits {span(new.beneficiary_cooldown)} instead of {span(old.beneficiary_cooldown)}."


def _first_payment(old: Policy, new: Policy) -> str:
    spans = f"{span(new.first_payment_hold)} instead of {span(old.first_payment_hold)}"
    return f"The first payment to a beneficiary waits {spans}."


def _delay(old: Policy, new: Policy) -> str:
    spans = f"{span(new.loosening_delay)} instead of {span(old.loosening_delay)}"
    return f"A change that makes anything less strict waits {spans}."

"""What a draft would have made of the requests there were, in plain lines."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from bot.approvals.policy.difference import Difference, Outcome
from bot.approvals.policy.sentences import Written, either, grouped

Dated = Callable[[datetime], str]
"""How this desk writes a moment."""
MOST_SHOWN = 10
"""Of each kind; the others are counted."""


def in_utc(moment: datetime) -> str:
    """`2026-03-02 23:10 UTC`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def lines(difference: Difference, written: Written = grouped, dated: Dated = in_utc) -> tuple[str, ...]:
    """The whole difference; the same one gives the same lines. Text from outside is in them as it is."""
    return tuple(_lines(difference, written, dated))


def _lines(difference: Difference, written: Written, dated: Dated) -> Iterator[str]:
    def listed(title: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
        if outcomes:
            yield f"{title}: {len(outcomes)}"
            yield from (f"  {_told(one, written, dated)}" for one in outcomes[:MOST_SHOWN])
        if len(outcomes) > MOST_SHOWN:
            yield f"  and {len(outcomes) - MOST_SHOWN} more"

    count = len(difference.pairs)
    yield f"{count} {'request' if count == 1 else 'requests'} of the last {difference.days} days."
    yield from listed("No longer possible by a rule", difference.refused)
    yield from listed("No longer possible by a limit", difference.limited)
    yield from listed("Possible now", difference.let_through)
    yield from listed("Done at once now", difference.freed)
    for (was, becomes), number in difference.tiers.items():
        yield f"From {was} to {becomes}: {number}"
    if difference.otherwise:
        yield f"Other signers, proof or times: {difference.otherwise}"
    if difference.is_nothing:
        yield "Nothing would have been different."
    if difference.signatures:
        yield f"Signatures in all: {difference.signatures:+d}"
    for name, share in difference.load.items():
        yield f"  {name}: {_tenths(share)} a week"
    if difference.never:
        yield f"Rules that decided nothing: {either([f'“{name}”' for name in difference.never], 'and')}"


def _told(outcome: Outcome, written: Written, dated: Dated) -> str:
    """`R17: transfer of 500.00 USD to Acme, asked for by Olga at 2026-03-02 23:10 UTC (“nights”)`."""
    case = outcome.past.case
    amount = "" if case.amount is None else f" of {written(case.amount)}"
    goal = f" to {case.beneficiary}" if case.beneficiary else ""
    by = f"“{outcome.limit or outcome.verdict.rule}”" if outcome.limit or outcome.verdict.rule else "no rule"
    return f"{outcome.past.id}: {case.act}{amount}{goal}, asked for by {case.requester.name} at {dated(case.at)} ({by})"


def _tenths(share: Fraction) -> str:
    """`+1.5`, `-0.3`, `+0.0` for less than that."""
    number = Decimal(share.numerator) / Decimal(share.denominator)
    return f"{number.quantize(Decimal('0.1'), ROUND_HALF_UP):+f}"

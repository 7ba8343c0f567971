"""What a draft would have made of the requests there were, in plain lines."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from bot.approvals.policy.difference import Difference, Outcome
from bot.approvals.policy.sentences import GUARDED, Written, either, grouped, guard_in_words

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
    def told(outcomes: Sequence[Outcome]) -> list[str]:
        return [_told(one, written, dated) for one in outcomes]

    count, changes = len(difference.pairs), len(difference.changes)
    yield f"{count} {'request' if count == 1 else 'requests'} of the last {difference.days} days."
    if changes:
        them = "1 that changes" if changes == 1 else f"{changes} that change"
        yield f"Beside them {them} the desk itself."
    yield from _listed("No longer possible by a rule", told(difference.refused))
    yield from _listed("No longer possible by a limit", told(difference.limited))
    yield from _listed("No longer possible, because the beneficiary was too new", told(difference.too_early))
    yield from _listed("Possible now", told(difference.let_through))
    yield from _listed("Done at once now", told(difference.freed))
    yield from _listed("First payments to somebody that would wait longer", told(difference.first_held))
    for (was, becomes), number in difference.tiers.items():
        yield f"From {was} to {becomes}: {number}"
    if difference.otherwise:
        yield f"Other signers, proof or times: {difference.otherwise}"
    yield from _listed(
        "Changes of the desk that others would sign, or otherwise",
        [
            f"{change.id}: {GUARDED[change.guarded]}, asked for by {change.asked_by} at {dated(change.at)}:"
            f" {guard_in_words(old)} → {guard_in_words(new)}"
            for change, old, new in difference.signed_otherwise
        ],
    )
    if difference.is_nothing:
        yield "Nothing would have been different."
    if difference.signatures:
        yield f"Signatures in all: {difference.signatures:+d}"
    for name, share in difference.load.items():
        yield f"  {name}: {_tenths(share)} a week"
    if difference.never:
        yield f"Rules that decided nothing: {either([f'“{name}”' for name in difference.never], 'and')}"


def _listed(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"{title}: {len(lines)}"
        yield from (f"  {line}" for line in lines[:MOST_SHOWN])
    if len(lines) > MOST_SHOWN:
        yield f"  and {len(lines) - MOST_SHOWN} more"


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

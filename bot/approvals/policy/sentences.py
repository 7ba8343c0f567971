"""A policy in plain sentences. Text from the document is in it as it was written: whoever shows it escapes it."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from decimal import Decimal

from bot.approvals.model import Circle, Seat
from bot.approvals.policy.judging import LAST_RESORT, verdict
from bot.approvals.policy.model import (
    DEFAULT,
    Act,
    Guard,
    Guarded,
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
from bot.money import Currency, Money
from bot.providers.records import Environment

Written = Callable[[Money], str]
"""How this desk writes an amount."""

_ACTS = {
    Act.TRANSFER: "transfers",
    Act.APPROVE_WITHDRAWAL: "approved withdrawals",
    Act.REJECT_WITHDRAWAL: "rejected withdrawals",
    Act.WALLET_CHANGE: "changes of wallets",
    Act.MT_DEPOSIT: "MT deposits",
    Act.MT_WITHDRAWAL: "MT withdrawals",
    Act.ORDER: "orders",
    Act.CLOSE: "closed positions",
}
GUARDED = {
    Guarded.BENEFICIARY: "A new beneficiary",
    Guarded.ROLE: "A role that one admin cannot give",
    Guarded.FACTOR_RESET: "The reset of a second factor",
    Guarded.POLICY: "A change of this policy",
    Guarded.THAW: "Thawing the desk",
    Guarded.SETTLE: "Settling an unknown outcome by hand",
    Guarded.REPEAT: "Repeating what has an unknown outcome",
}
_PROOFS = {Proof.NONE: "", Proof.NUMBER: " with the right number", Proof.CODE: " with a code"}
_PER = {Per.PERSON: "for each person", Per.CONNECTION: "for each connection", Per.DESK: "for the whole desk"}
_WINDOWS = {Window.TRANSACTION: "at a time", Window.ROLLING: "within 24 hours", Window.DAY: "a day"}
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def grouped(money: Money) -> str:
    """`12,345.60 USD`: as the chat writes it in English."""
    return f"{Decimal(money.text()):,f} {money.currency}"


def sentences(policy: Policy | None, written: Written = grouped) -> tuple[str, ...]:
    """One for each rule in their order, each limit, each guard, and each further setting."""
    policy = policy or DEFAULT
    return (
        *(f"{number}. {rule_in_words(rule, written)}" for number, rule in enumerate(policy.rules, 1)),
        f"Anything {'else' if policy.rules else 'at all'}: {_needed(LAST_RESORT)}.",
        "Nobody signs what they asked for themselves.",
        *(limit_in_words(limit, written) for limit in policy.limits),
        *(f"{GUARDED[guarded]}: {guard_in_words(policy.guards[guarded])}." for guarded in Guarded),
        f"A new beneficiary can be used after {span(policy.beneficiary_cooldown)}."
        if policy.beneficiary_cooldown
        else "A new beneficiary can be used at once.",
        *_first_payment(policy),
        f"A change that makes anything less strict waits {span(policy.loosening_delay)}; a stricter one does not.",
        f"A request is open for {span(policy.life)} unless its rule says otherwise.",
        *_counted(policy),
        *_told(policy),
        f"Hours and days are those of {policy.zone.key}.",
    )


def _first_payment(policy: Policy) -> Iterable[str]:
    if policy.first_payment_hold:
        waits = f"waits {span(policy.first_payment_hold)} after the last signature, and can be called off"
        yield f"The first payment to a beneficiary {waits}."


def _counted(policy: Policy) -> Iterable[str]:
    if any(limit.every_currency for limit in policy.limits):
        yield "A rate counts for 24 hours; where a limit needs one that is missing, nothing is asked for: /rate."
    if not all(limit.every_currency for limit in policy.limits):
        yield "Where limits are kept, and none counts a currency, an amount in it takes what the strictest would."


def _told(policy: Policy) -> Iterable[str]:
    if policy.remind_at_percent:
        parts = either([f"{one} %" for one in policy.remind_at_percent], "and")
        yield f"Those who could sign are reminded after {parts} of that time."
    for step in policy.escalations:
        yield f"A request that has waited {span(step.after)} is told to {seat_in_words(Seat(step.to), 'every')}."


def rule_in_words(rule: PolicyRule, written: Written = grouped) -> str:
    """`“small transfers”: transfers below 1,000.00 USD: one approver signs with the right number.`"""
    reason = f" {rule.reason}" if rule.reason else ""
    return f"“{rule.name}”: {scope_in_words(rule.scope, written)}: {_needed(rule)}.{reason}"


def limit_in_words(limit: Limit, written: Written = grouped) -> str:
    """`Limit “a day”: transfers: at most 100,000.00 USD within 24 hours for each person.`"""
    per = "" if limit.window is Window.TRANSACTION else f" {_PER[limit.per]}"
    others = ", other currencies counted at their rate and 5 % more" if limit.every_currency else ""
    most = f"at most {written(limit.most)} {_WINDOWS[limit.window]}{per}{others}"
    return f"Limit “{limit.name}”: {scope_in_words(limit.scope, written)}: {most}."


def guard_in_words(guard: Guard) -> str:
    """`two approvers sign with a code`."""
    return f"{_signing(guard.needs)}{_PROOFS[guard.proof]}"


def verdict_in_words(found: Verdict, *, with_life: bool) -> str:
    """`two approvers sign with a code, then it waits 15 min (open for 4 h)`."""
    match found.tier:
        case Tier.FREE:
            return "done at once"
        case Tier.CONFIRM:
            return f"the asker confirms{_PROOFS[found.proof]}"
        case Tier.REFUSE:
            return "refused"
        case Tier.QUORUM:
            hold = f", then it waits {span(found.hold)}" if found.hold else ""
            life = f" (open for {span(found.life)})" if with_life else ""
            return f"{_signing(found.needs)}{_PROOFS[found.proof]}{hold}{life}"


def _needed(rule: PolicyRule) -> str:
    return verdict_in_words(verdict(DEFAULT, rule), with_life=rule.life is not None)


def _signing(needs: Sequence[Seat]) -> str:
    is_one = sum(seat.count for seat in needs) == 1
    return f"{either([seat_in_words(seat) for seat in needs], 'and')} {'signs' if is_one else 'sign'}"


def seat_in_words(seat: Seat, number: str = "") -> str:
    """`two approvers`, `one person in the group finance`."""
    kind, _, name = seat.circle.partition("/")
    number = number or (_NUMBERS[seat.count] if seat.count < len(_NUMBERS) else str(seat.count))
    if kind == "role":
        return f"{number} {name}{'' if seat.count == 1 else 's'}"
    return f"{number} {'person' if seat.count == 1 else 'people'} in the group {name}"


def scope_in_words(scope: Scope, written: Written = grouped) -> str:
    """`transfers at cryptocapital below 1,000.00 USD`."""
    acts = either([_ACTS[act] for act in Act if act in scope.acts]) if scope.acts else "anything"
    words = [
        acts,
        *(f"on {one} accounts" for one in Environment if scope.environments == {one}),
        *_listed("at", scope.providers),
        *_listed("through", scope.connections),
        *_listed("from account", scope.sources),
        *_listed("to", scope.beneficiaries),
        *_amounts(scope, written),
        *([f"between {scope.hours.words}"] if scope.hours else []),
        *([f"on {either([DAYS[day] for day in sorted(scope.weekdays)])}"] if scope.weekdays else []),
        *(
            [f"asked for by {either([circle_in_words(one) for one in sorted(scope.requesters)])}"]
            if scope.requesters
            else []
        ),
    ]
    return " ".join(words)


def circle_in_words(circle: Circle) -> str:
    """`an approver`, `somebody in the group finance`."""
    kind, _, name = circle.partition("/")
    article = "an" if name[:1] in "aeio" else "a"
    return f"{article} {name}" if kind == "role" else f"somebody in the group {name}"


def _listed(word: str, names: Iterable[str]) -> list[str]:
    there = sorted(names)
    return [f"{word} {either(there)}"] if there else []


def _amounts(scope: Scope, written: Written) -> list[str]:
    codes = sorted(scope.currencies)
    if not codes:
        return []

    def each(edge: Decimal) -> str:
        return either([written(Money(edge, Currency(code))) for code in codes])

    if scope.at_least is None and scope.below is None:
        return [f"in {either(codes)}"]
    least = [] if scope.at_least is None else [f"of at least {each(scope.at_least)}"]
    return least + ([] if scope.below is None else [f"{'and ' if least else ''}below {each(scope.below)}"])


def either(words: Sequence[str], last: str = "or") -> str:
    """`a`, `a or b`, `a, b or c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def span(length: timedelta) -> str:
    """`90 s`, `30 min`, `36 h`, `7 days`: in the largest unit that says it in whole numbers."""
    seconds = int(length.total_seconds())
    if seconds and seconds % 86400 == 0 and seconds > 86400:
        return f"{seconds // 86400} days"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"

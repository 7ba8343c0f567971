"""Whether what a policy asks for can be had: who could sign, and what is missing where nobody can. Pure.

Whoever asks does not sign, whoever is away does not, and where a code is asked for neither does who has no second
factor. People are the active ones. A rule may be unmeetable for one asker and not for another.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bot.access.model import Person, Right
from bot.approvals.model import Circle, Rule, Seat, circles_of
from bot.approvals.policy.deciding import uncounted
from bot.approvals.policy.judging import LAST_RESORT
from bot.approvals.policy.model import DEFAULT, Act, Guarded, Policy, Proof, Scope, Tier
from bot.approvals.policy.partition import TooManyPartsError
from bot.approvals.policy.sentences import GUARDED, either, scope_in_words, seat_in_words

_ASKING = {
    Guarded.BENEFICIARY: Right.ASK,
    Guarded.ROLE: Right.PEOPLE,
    Guarded.FACTOR_RESET: Right.PEOPLE,
    Guarded.POLICY: Right.POLICY,
    Guarded.THAW: Right.FREEZE,
    Guarded.SETTLE: Right.ASK,
    Guarded.REPEAT: Right.ASK,
}


@dataclass(frozen=True, slots=True)
class Absence:
    """Who does not count just now, by our ids."""

    away: frozenset[int] = frozenset()
    without_factor: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Chance:
    """Who could sign, and whether that is enough."""

    able: tuple[Person, ...]
    missing: tuple[Circle, ...]
    """The circles of the seats that stay empty even when all of them sign."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that nobody can bring about."""

    about: str
    """`Rule “large transfers”`."""
    askers: tuple[Person, ...]
    """When they ask; empty when it is so whoever asks."""
    fix: tuple[str, ...]
    """The fewest things that would mend it, in words (`one more person in the group finance`)."""

    @property
    def sentence(self) -> str:
        names = [person.name for person in self.askers]
        when = f"when {either(names)} asks" if names else "whoever asks"
        return f"{self.about} cannot be met {when}: it takes {either(self.fix, 'and')}."


def who_could(rule: Rule, people: Iterable[Person], asker: int | None, absence: Absence, proof: Proof) -> Chance:
    """Who could sign for that rule now, when `asker` (our id) asks; None where nobody does."""
    able = tuple(one for one in people if _may(rule, one, asker) and not _hindered(one, absence, proof))
    return Chance(able, rule.missing(able))


def unmeetable(policy: Policy | None, people: Sequence[Person], absence: Absence) -> tuple[Finding, ...]:
    """Every rule and guard that somebody can ask for and nobody can bring about, in the policy's order.

    Where nobody can ask for it yet, it must be enough that everybody signs.
    """
    return tuple(found for matter in _matters(policy or DEFAULT) for found in _findings(matter, people, absence))


def unmeetable_uncounted(policy: Policy | None, people: Sequence[Person], absence: Absence) -> tuple[Finding, ...]:
    """The same of what goes in a currency that no limit counts: seats of several rules together may want somebody whom
    each by itself can do without. What is missing for a rule anyhow is not told again. A second's work at worst."""
    policy = policy or DEFAULT
    known = {(one.askers, one.fix) for one in unmeetable(policy, people, absence)}
    found = (one for matter in _uncounted(policy) for one in _findings(matter, people, absence))
    return tuple(one for one in found if (one.askers, one.fix) not in known)


@dataclass(frozen=True, slots=True)
class _Matter:
    """Something that is asked for, and what it takes."""

    about: str
    right: Right
    """Whoever has it may ask, where it is of their kind."""
    is_of: Callable[[frozenset[Circle]], bool]
    """Whether it is, for somebody who stands in these circles."""
    needs: tuple[Seat, ...]
    """None where the asker alone confirms."""
    proof: Proof

    def asked_by(self, person: Person) -> bool:
        return person.may(self.right) and self.is_of(circles_of(person))


def _matters(policy: Policy) -> Iterator[_Matter]:
    for rule in policy.rules:
        if rule.tier in (Tier.QUORUM, Tier.CONFIRM):
            yield _Matter(f"Rule “{rule.name}”", Right.ASK, _of_any(rule.scope.requesters), rule.needs, rule.proof)
    if not any(rule.scope == Scope() for rule in policy.rules):
        yield _Matter("What no rule speaks of", Right.ASK, _of_all, LAST_RESORT.needs, LAST_RESORT.proof)
    for guarded in Guarded:
        guard = policy.guards[guarded]
        yield _Matter(GUARDED[guarded], _ASKING[guarded], _of_all, guard.needs, guard.proof)


def _uncounted(policy: Policy) -> Iterator[_Matter]:
    """What is joined for a currency that no limit counts; nothing of a policy that is too entangled to be looked at."""
    try:
        found = uncounted(policy)
    except TooManyPartsError:
        return
    scopes = (*(one.scope for one in policy.rules), *(one.scope for one in policy.limits))
    told = frozenset[Circle]().union(*(scope.requesters for scope in scopes))
    acts: dict[tuple[frozenset[Circle], tuple[Seat, ...], Proof], set[Act]] = {}
    for said, part in found:
        acts.setdefault((part.circles & told, said.needs, said.proof), set()).add(part.act)
    for (circles, needs, proof), named in acts.items():
        what = scope_in_words(Scope(acts=frozenset(named)))
        about = f"{what[:1].upper()}{what[1:]} in a currency that no limit counts"
        yield _Matter(about, Right.ASK, _of_these(circles, told), needs, proof)


def _of_any(requesters: frozenset[Circle]) -> Callable[[frozenset[Circle]], bool]:
    return lambda circles: not requesters or not requesters.isdisjoint(circles)


def _of_these(these: frozenset[Circle], among: frozenset[Circle]) -> Callable[[frozenset[Circle]], bool]:
    return lambda circles: circles & among == these


def _of_all(_: frozenset[Circle]) -> bool:
    return True


def _findings(matter: _Matter, people: Sequence[Person], absence: Absence) -> Iterator[Finding]:
    """One for each different remedy, with those for whom it is needed."""
    askers = [person for person in people if matter.asked_by(person)]
    if not askers:
        fix = _fix(matter, people, None, absence)
        if fix:
            yield Finding(matter.about, (), fix)
        return
    stuck: dict[tuple[str, ...], list[Person]] = {}
    for asker in askers:
        stuck.setdefault(_fix(matter, people, asker, absence), []).append(asker)
    for fix, they in stuck.items():
        if fix:
            yield Finding(matter.about, () if len(they) == len(askers) else tuple(they), fix)


def _fix(matter: _Matter, people: Sequence[Person], asker: Person | None, absence: Absence) -> tuple[str, ...]:
    """The fewest things that would mend it: rather a second factor than a return, rather that than somebody new.

    Every one of them fills one seat at most, and each chosen does fill one, so there is no shorter way.
    """
    if not matter.needs:
        is_stuck = asker is not None and matter.proof is Proof.CODE and asker.id in absence.without_factor
        return (f"a second factor for {asker.name}",) if asker is not None and is_stuck else ()
    rule, asked_by = Rule(matter.needs), None if asker is None else asker.id
    chance = who_could(rule, people, asked_by, absence, matter.proof)
    able, missing, steps = list(chance.able), chance.missing, []
    for remedy, person in _remedies(rule, people, asked_by, absence, matter.proof):
        left = rule.missing([*able, person])
        if len(left) < len(missing):
            able, missing = [*able, person], left
            steps.append(remedy)
    return (*steps, *(_one_more(circle, missing.count(circle)) for circle in dict.fromkeys(missing)))


def _remedies(
    rule: Rule, people: Sequence[Person], asker: int | None, absence: Absence, proof: Proof
) -> Iterator[tuple[str, Person]]:
    """Whom one thing keeps from signing, and what would mend that."""
    there = [person for person in people if _may(rule, person, asker)]
    for person in there:
        if person.id not in absence.away and _hindered(person, absence, proof):
            yield f"a second factor for {person.name}", person
    for person in there:
        if person.id in absence.away and not _hindered(person, replace(absence, away=frozenset()), proof):
            yield f"{person.name} to be back", person


def _may(rule: Rule, person: Person, asker: int | None) -> bool:
    return person.id != asker and rule.concerns(person)


def _hindered(person: Person, absence: Absence, proof: Proof) -> bool:
    return person.id in absence.away or (proof is Proof.CODE and person.id in absence.without_factor)


def _one_more(circle: Circle, count: int) -> str:
    """`one more person in the group finance`, `two more approvers`."""
    number, _, rest = seat_in_words(Seat(circle, count)).partition(" ")
    return f"{number} more {rest}"

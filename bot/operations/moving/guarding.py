"""Whether something may be asked for, and who must sign: connection, destination, policy, limits, freeze.

Looked at when it is asked for and once more in the transaction that lets it be sent; the stricter word counts (M81).
All of it inside the caller's transaction, so that nothing can slip between a check and what it allows.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from bot.access.model import Person, Right
from bot.access.records import profile_in
from bot.approvals.guards import PROOFS
from bot.approvals.model import Request, Rule, Seat
from bot.approvals.policies import Policies
from bot.approvals.policy.judging import ENDING_RISK, exceeded, judge, limits_for, spent, window_start
from bot.approvals.policy.model import DEFAULT, Case, Limit, Per, Policy, Tier, Verdict, Window
from bot.approvals.policy.rates import NO_RATES
from bot.clock import Clock
from bot.errors import ConflictError, NoRateError, NotAllowedError, NotFoundError, PolicyRefusedError
from bot.money import Money
from bot.operations import beneficiaries, freezing
from bot.operations.linked import Connection, read_one
from bot.operations.moving import records
from bot.operations.moving.matters import Matter, Parameters
from bot.operations.rates import rates_in
from bot.store import Tables

_WINDOWS = {Window.TRANSACTION: "at once", Window.ROLLING: "in 24 hours", Window.DAY: "a day"}
_PER = {Per.PERSON: "for each person", Per.CONNECTION: "for each connection", Per.DESK: "for the desk"}


@dataclass(frozen=True, slots=True)
class Judged:
    """What stands between a wish and the act."""

    case: Case
    verdict: Verdict
    policy: int
    """The policy's version; 0 for none."""

    @property
    def rule(self) -> Rule:
        """For the approvals room."""
        said = self.verdict
        seats = said.needs if said.tier is Tier.QUORUM else ()
        return Rule(seats, frozenset(), PROOFS[said.proof], said.hold, said.life, said.rule, said.is_uncounted)


class Guarding:
    """Reads the policy in force, the book of beneficiaries and the freezes."""

    def __init__(self, policies: Policies, clock: Clock, check_disk: Callable[[], None]) -> None:
        self._policies = policies
        self._check_disk = check_disk
        self._clock = clock

    def judged(
        self, tables: Tables, matter: Matter, by: Person, parameters: Parameters, *, again: Request | None = None
    ) -> Judged:
        """Everything that can be said against a wish, said.

        Args:
            again: The request it has become: its own amount is not counted twice, and hours are those of its asking.
        Raises:
            NotAllowedError: Not this person, or not through this connection.
            FrozenError: Nothing leaves just now.
            DiskShortError: Nothing new can be written down safely.
            NotFoundError, ConflictError: The destination is not in the book, or not usable yet.
            PolicyRefusedError: The policy, or a limit.
            NoRateError: A limit counts every currency, and lacks a rate. What ends a risk goes without.
        """
        return self._judged(tables, matter, _person(tables, by.id), parameters, again)

    def _judged(
        self, tables: Tables, matter: Matter, person: Person, parameters: Parameters, again: Request | None
    ) -> Judged:
        """The same of a person as of this transaction."""
        now = self._clock.now()
        connection = _connection(tables, person, parameters)
        freezing.check(tables, connection.provider)
        if again is None:
            self._check_disk()
        seen = matter.aspects(parameters)
        if "beneficiary" in parameters:
            payee = beneficiaries.check(
                tables, connection.provider, parameters["beneficiary"], parameters["target"], now
            )
            beneficiaries.check_currency(payee, seen.amount)
        case = Case(
            seen.act,
            connection.provider,
            connection.environment,
            connection.name,
            seen.source,
            seen.beneficiary,
            seen.amount,
            again.asked_at if again is not None else now,
            person,
        )
        version, policy = self._policies.in_force(tables)
        verdict = judge(policy, case)
        if verdict.tier is Tier.REFUSE:
            because = f": {verdict.reason}" if verdict.reason else ""
            raise PolicyRefusedError(f"the policy does not allow it (rule {verdict.rule}{because})")
        for limit in limits_for(policy, case):
            try:
                _check_limit(tables, policy, limit, case, again.asked_at if again is not None else None, now)
            except NoRateError:
                if not seen.ends_risk and case.act not in ENDING_RISK:
                    raise
        hold = (policy or DEFAULT).first_payment_hold
        if hold > verdict.hold and "beneficiary" in parameters and records.is_first_payment(tables, parameters):
            verdict = replace(verdict, hold=hold)
        return Judged(case, verdict, version)

    def asked(self, tables: Tables, matter: Matter, request: Request) -> None:
        """Its amount counts from here on (M01)."""
        by = _person(tables, request.asked_by)
        judged = self._judged(tables, matter, by, request.parameters, request)
        records.note_case(tables, request.id, judged.case, judged.policy, judged.verdict.tier.value)

    def recheck(self, tables: Tables, matter: Matter, request: Request) -> None:
        """The last look before it is sent: raises what has come between. A policy loosened since changes nothing.

        Raises:
            FrozenError: It can go when that is over.
            CountersignError: As `judged`; it cannot go.
        """
        by = _person(tables, request.asked_by)
        now, then = self._judged(tables, matter, by, request.parameters, request).rule, request.rule
        stricter = [
            what
            for what, is_stricter in (
                ("more signatures", _more(now.seats, then.seats)),
                ("a stronger proof", now.proof > then.proof),
                ("a longer wait", now.hold > then.hold),
            )
            if is_stricter
        ]
        if stricter:
            raise PolicyRefusedError(f"the policy was tightened since, and asks for {' and '.join(stricter)}")


def _connection(tables: Tables, person: Person, parameters: Parameters) -> Connection:
    connection = read_one(tables, int(parameters["connection_id"]))
    if not person.may(Right.ASK):
        raise NotAllowedError(Right.ASK)
    if not connection.may_act(person):
        raise NotAllowedError(f"move money through {connection.name}; its owner can share it for that")
    as_asked = (parameters["connection"], parameters["provider"], parameters["environment"])
    if (connection.name, connection.provider, connection.environment.value) != as_asked:
        raise ConflictError(f"{parameters['connection']} is not the connection it was")
    return connection


def _check_limit(
    tables: Tables, policy: Policy | None, limit: Limit, case: Case, before: datetime | None, now: datetime
) -> None:
    """`PolicyRefusedError` when the case is too much for what is left; `NoRateError` when nobody knows.

    Args:
        before: Looked at again, a request is judged by what was asked for before it: what came later was judged by it.
    """
    since = window_start(limit, case.at, (policy or DEFAULT).zone)
    others = records.counting(tables, None if limit.every_currency else limit.most.currency, since, before=before)
    rates = rates_in(tables, since) if limit.every_currency else NO_RATES
    gone = spent(policy, limit, case, others, rates)
    if exceeded(limit, gone, case, rates, now):
        used = "" if limit.window is Window.TRANSACTION else f"; {Money(gone, limit.most.currency)} of it is used"
        counted = (
            "" if case.amount is None or case.amount.currency == limit.most.currency else ", counted at their rates"
        )
        what = f"{limit.most} {_WINDOWS[limit.window]} {_PER[limit.per]}{counted}"
        raise PolicyRefusedError(f"the limit {limit.name} is {what}{used}")


def _person(tables: Tables, number: int) -> Person:
    """As of this transaction."""
    try:
        found = profile_in(tables, number)
    except NotFoundError:
        raise NotAllowedError(Right.ASK) from None
    if found.suspended:
        raise NotAllowedError(Right.ASK)
    return found.person


def _more(now: tuple[Seat, ...], then: tuple[Seat, ...]) -> bool:
    """Whether some seats of now are not among those that were filled then."""
    had = {seat.circle: 0 for seat in then}
    for seat in then:
        had[seat.circle] += seat.count
    wanted: dict[str, int] = {}
    for seat in now:
        wanted[seat.circle] = wanted.get(seat.circle, 0) + seat.count
    return any(count > had.get(circle, 0) for circle, count in wanted.items())

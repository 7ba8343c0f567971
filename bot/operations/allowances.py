"""How much of each limit is used, what is left of it, and when some of it comes free."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal

from bot.access.model import Person, Right, Role
from bot.access.service import people_in
from bot.approvals.model import circles_of
from bot.approvals.policies import Policies
from bot.approvals.policy.judging import limits_for, owner, window_start
from bot.approvals.policy.model import Case, Limit, Per, Policy, Window
from bot.approvals.policy.rates import NO_RATES, Rates
from bot.clock import Clock
from bot.errors import NoRateError
from bot.money import Currency, Money
from bot.operations.connections import Connections
from bot.operations.moving import records
from bot.operations.rates import rates_in
from bot.store import Database, Tables

_ROLLING = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Allowance:
    """One limit, for one of those whose amounts it adds up."""

    limit: Limit
    whose: str
    """A person's or a connection's name; empty for the desk."""
    used: Money
    frees: Money | None = None
    """What comes free next, at `frees_at`."""
    frees_at: datetime | None = None
    lacks: str = ""
    """`GBP/USD`: the rate without which nobody can say; the rest is then nothing."""

    @property
    def left(self) -> Money:
        """Never less than nothing, although a policy tightened since may have made it so."""
        return max(
            self.limit.most + -self.used, Money(Decimal(0), self.limit.most.currency), key=lambda one: one.amount
        )


class Allowances:
    """Adds up what counts (SAFETY M80)."""

    def __init__(self, database: Database, policies: Policies, connections: Connections, clock: Clock) -> None:
        self._database = database
        self._policies = policies
        self._connections = connections
        self._clock = clock

    async def look(self, person: Person) -> tuple[Allowance, ...]:
        """Every limit that concerns this person; for admins and auditors, every limit and whoever has used some."""
        seen = {one.name for one in await self._connections.visible_to(person)}
        now = self._clock.now()

        def ask(tables: Tables) -> tuple[Allowance, ...]:
            _, policy = self._policies.in_force(tables)
            if policy is None:
                return ()
            limits = [limit for limit in policy.limits if _sees_all(person) or _concerns(limit, person)]
            counted = _counted(tables, policy, limits, now)
            rates = rates_in(tables, now - timedelta(days=2)) if any(one.every_currency for one in limits) else NO_RATES
            names = {str(one.id): one.name for one in people_in(tables)}
            return tuple(
                one
                for limit in limits
                for one in _allowances(
                    policy, limit, counted[limit.name], _Whose(person, names, seen), _Then(now, rates)
                )
            )

        return await self._database.read(ask)


@dataclass(frozen=True, slots=True)
class _Whose:
    """Who asks, and what they are shown."""

    person: Person
    names: Mapping[str, str]
    connections: Iterable[str]

    def of(self, limit: Limit, used: Iterable[str]) -> list[str]:
        """The owners (as `judging.owner` calls them) to show for a limit."""
        match limit.per:
            case Per.DESK:
                return [""]
            case Per.PERSON:
                own = {str(self.person.id)} if _concerns(limit, self.person) else set()
                return sorted(
                    own | (set(used) if _sees_all(self.person) else set()), key=lambda one: self.called(limit, one)
                )
            case Per.CONNECTION:
                return sorted(set(used) if _sees_all(self.person) else set(used) & set(self.connections))

    def called(self, limit: Limit, one: str) -> str:
        return self.names.get(one, "somebody who left") if limit.per is Per.PERSON else one


def _sees_all(person: Person) -> bool:
    return not person.roles.isdisjoint({Role.ADMIN, Role.AUDITOR})


def _concerns(limit: Limit, person: Person) -> bool:
    """Whether what this person asks for could count towards it; what all share concerns everybody."""
    if limit.per is Per.PERSON and not person.may(Right.ASK):
        return False
    return not limit.scope.requesters or not limit.scope.requesters.isdisjoint(circles_of(person))


def _counted(tables: Tables, policy: Policy, limits: list[Limit], now: datetime) -> dict[str, list[Case]]:
    """By limit: what counts towards it now, oldest first."""
    found: dict[str, list[Case]] = {limit.name: [] for limit in limits}
    lasting = [limit for limit in limits if limit.window is not Window.TRANSACTION]
    for currency in dict.fromkeys(_currency(limit) for limit in lasting):
        starts = {one.name: window_start(one, now, policy.zone) for one in lasting if _currency(one) == currency}
        for case in records.counting(tables, currency, min(starts.values())):
            for limit in limits_for(policy, case):
                if limit.name in starts and case.at >= starts[limit.name]:
                    found[limit.name].append(case)
    return found


def _currency(limit: Limit) -> Currency | None:
    """The only one it counts; None for all."""
    return None if limit.every_currency else limit.most.currency


@dataclass(frozen=True, slots=True)
class _Then:
    """When it is looked, and what was worth what."""

    now: datetime
    rates: Rates


def _allowances(policy: Policy, limit: Limit, counted: list[Case], whose: _Whose, then: _Then) -> list[Allowance]:
    nothing = Money(Decimal(0), limit.most.currency)
    if limit.window is Window.TRANSACTION:
        return [Allowance(limit, "", nothing)]
    by_owner: dict[str, list[Case]] = {}
    for case in counted:
        by_owner.setdefault(owner(limit, case), []).append(case)
    owners = whose.of(limit, by_owner)
    if not owners:
        return [Allowance(limit, "", nothing)]
    return [_allowance(policy, limit, whose.called(limit, one), by_owner.get(one, []), then) for one in owners]


def _allowance(policy: Policy, limit: Limit, whose: str, counted: list[Case], then: _Then) -> Allowance:
    nothing = Money(Decimal(0), limit.most.currency)
    try:
        amounts = [
            then.rates.worth(case.amount, limit.most.currency, case.at, then.now)
            for case in counted
            if case.amount is not None
        ]
    except NoRateError as error:
        return Allowance(limit, whose, nothing, lacks=f"{error.base}/{error.quote}")
    used = sum(amounts, nothing)
    if not amounts:
        return Allowance(limit, whose, used)
    if limit.window is Window.ROLLING:
        return Allowance(limit, whose, used, amounts[0], counted[0].at + _ROLLING)
    tomorrow = then.now.astimezone(policy.zone).date() + timedelta(days=1)
    return Allowance(limit, whose, used, used, datetime.combine(tomorrow, time(), tzinfo=policy.zone))

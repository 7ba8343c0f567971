"""What a draft would have made of the requests there were (FIELD N3). Nothing is written.

Whole days are replayed, so that the same draft gives the same text however often it is tried on one day.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from bot.access.model import Person
from bot.access.service import people_in
from bot.approvals.model import State
from bot.approvals.policies import Policies
from bot.approvals.policy.difference import Difference, Past
from bot.approvals.policy.model import DEFAULT, Policy
from bot.approvals.policy.rates import Rates
from bot.approvals.policy.reading import read
from bot.approvals.policy.replaying import replay
from bot.clock import Clock
from bot.errors import InputError
from bot.operations.moving import records
from bot.operations.rates import rates_in
from bot.providers.registry import PROVIDERS
from bot.store import Database, Tables
from bot.store.columns import at

USUAL_DAYS, MOST_DAYS = 30, 366


@dataclass(frozen=True, slots=True)
class _Past:
    """What is replayed."""

    policy: Policy | None
    history: Sequence[Past]
    people: Sequence[Person]
    rates: Rates


class PolicyTrials:
    """Tries drafts on what has happened."""

    def __init__(self, database: Database, policies: Policies, clock: Clock) -> None:
        self._database = database
        self._policies = policies
        self._clock = clock

    async def attempt(self, document: bytes, days: int = USUAL_DAYS) -> Difference:
        """Today and so many days before it, under the policy in force and under the draft.

        Raises:
            ConfigError: Everything that is wrong with the draft.
            InputError: Fewer days than one, or more than a year's.
        """
        if not 1 <= days <= MOST_DAYS:
            raise InputError(f"1 to {MOST_DAYS} days can be replayed", "/policy try 30")
        draft = await asyncio.to_thread(read, document, PROVIDERS)
        past = await self._database.read(lambda tables: self._past(tables, days))
        return await asyncio.to_thread(
            replay, past.policy, draft, past.history, days=days, people=past.people, rates=past.rates
        )

    def _past(self, tables: Tables, days: int) -> _Past:
        _, policy = self._policies.in_force(tables)
        zone = (policy or DEFAULT).zone
        day = self._clock.now().astimezone(zone).date() - timedelta(days=days)
        since = datetime.combine(day, time(), tzinfo=zone)
        return _Past(policy, _history(tables, since), people_in(tables), rates_in(tables, since))


def _history(tables: Tables, since: datetime) -> list[Past]:
    """Every request of that time that moves money, with the name of who asked."""
    names = dict(tables.conn.execute("SELECT id, name FROM persons").fetchall())
    rows = tables.conn.execute(
        "SELECT requests.id, state, cases.act, provider, environment, connection, source, beneficiary, cases.amount,"
        " cases.currency, cases.at, cases.person_id, circles FROM cases JOIN requests ON requests.id = request_id"
        " WHERE cases.at >= ? ORDER BY cases.at, requests.id",
        (at(since),),
    ).fetchall()
    return [
        Past(row[0], replace(case, requester=replace(case.requester, name=names[case.requester.id])), State(row[1]))
        for row, case in zip(rows, records.cases_from(row[2:] for row in rows), strict=True)
    ]

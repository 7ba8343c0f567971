"""What a draft would have made of the requests there were (FIELD N3). Nothing is written.

Whole days are replayed, so that the same draft gives the same text however often it is tried on one day.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from bot.access.model import Person
from bot.access.service import people_in
from bot.approvals import records as requests
from bot.approvals.model import Kind, Seat, State
from bot.approvals.policies import Policies
from bot.approvals.policy.difference import Change, Difference, Past
from bot.approvals.policy.model import DEFAULT, Guarded, Policy
from bot.approvals.policy.rates import Rates
from bot.approvals.policy.reading import read
from bot.approvals.policy.replaying import replay
from bot.clock import Clock
from bot.errors import InputError
from bot.operations.factor_reset import SIGNERS
from bot.operations.moving import records
from bot.operations.rates import rates_in
from bot.providers.registry import PROVIDERS
from bot.store import Database, Tables
from bot.store.columns import at, moment

USUAL_DAYS, MOST_DAYS = 30, 366
_MOST_CHANGES = 10_000
_LONGEST_WINDOW = timedelta(hours=25)
"""Of a limit: a day on which the clocks go back."""
_GUARDED: Mapping[Kind, tuple[Guarded, tuple[Seat, ...]]] = {
    Kind.BENEFICIARY: (Guarded.BENEFICIARY, ()),
    Kind.ROLE: (Guarded.ROLE, (Seat("role/admin"),)),
    Kind.FACTOR_RESET: (Guarded.FACTOR_RESET, (Seat("role/admin", SIGNERS),)),
    Kind.POLICY: (Guarded.POLICY, ()),
    Kind.RATE: (Guarded.POLICY, ()),
    Kind.THAW: (Guarded.THAW, ()),
    Kind.SETTLE: (Guarded.SETTLE, ()),
    Kind.REPEAT: (Guarded.REPEAT, ()),
}
"""Which guard each change goes by, and who signs whatever that says."""


@dataclass(frozen=True, slots=True)
class _Past:
    """What is replayed."""

    policy: Policy | None
    since: datetime
    history: Sequence[Past]
    """From before the first of those days on: what a limit counted then."""
    changes: Sequence[Change]
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
            replay,
            past.policy,
            draft,
            past.history,
            days=days,
            people=past.people,
            rates=past.rates,
            changes=past.changes,
            since=past.since,
        )

    def _past(self, tables: Tables, days: int) -> _Past:
        _, policy = self._policies.in_force(tables)
        zone = (policy or DEFAULT).zone
        day = self._clock.now().astimezone(zone).date() - timedelta(days=days)
        since = datetime.combine(day, time(), tzinfo=zone)
        before = since - _LONGEST_WINDOW
        changes = tuple(_changes(tables, since))
        return _Past(policy, since, _history(tables, before), changes, people_in(tables), rates_in(tables, before))


def _history(tables: Tables, since: datetime) -> list[Past]:
    """Every request of that time that moves money, with the name of who asked."""
    names, arrived, listed = _names(tables), _arrived(tables), _listed(tables)
    rows = tables.conn.execute(
        "SELECT requests.id, state, counts, json_extract(parameters, '$.beneficiary'),"
        " json_extract(parameters, '$.target'), cases.act, provider, environment, connection, source, beneficiary,"
        " cases.amount, cases.currency, cases.at, cases.person_id, circles"
        " FROM cases JOIN requests ON requests.id = request_id WHERE cases.at >= ? ORDER BY cases.at, requests.id",
        (at(since),),
    ).fetchall()
    found = []
    for row, case in zip(rows, records.cases_from(row[5:] for row in rows), strict=True):
        number, state, counts, name, account = row[:5]
        place, when = (case.provider, account), at(case.at)
        entered = [one for one in listed.get(place, ()) if one <= when] if name is not None else []
        found.append(
            Past(
                number,
                replace(case, requester=replace(case.requester, name=names[case.requester.id])),
                State(state),
                moved_money=State(state) is not State.SETTLED_BY_HAND or bool(counts),
                is_first=name is not None and arrived.get(place, when) >= when,
                listed_at=moment(entered[-1]) if entered else None,
            )
        )
    return found


def _changes(tables: Tables, since: datetime) -> Iterator[Change]:
    """Every request since then that changes the desk itself. Where nobody signed, nobody would have."""
    names = _names(tables)
    for kind, (guarded, least) in _GUARDED.items():
        for one in requests.newest(tables, kind, None, since, None, _MOST_CHANGES):
            if one.rule.seats:
                barred = one.rule.barred | {one.asked_by}
                yield Change(one.id, guarded, one.asked_at, names[one.asked_by], barred, least)


_Place = tuple[str, str]
"""A provider, and an account there."""


def _arrived(tables: Tables) -> dict[_Place, int]:
    """When the first payment to each is known to have arrived."""
    rows = tables.conn.execute(
        "SELECT json_extract(parameters, '$.provider'), json_extract(parameters, '$.target'), min(settled_at)"
        " FROM requests WHERE kind = 'transfer' AND state = 'succeeded' GROUP BY 1, 2"
    ).fetchall()
    return {(provider, account): when for provider, account, when in rows}


def _listed(tables: Tables) -> dict[_Place, list[int]]:
    """When each was entered in the book of beneficiaries, oldest first."""
    found: dict[_Place, list[int]] = {}
    rows = tables.conn.execute("SELECT provider, account, added_at FROM beneficiaries ORDER BY added_at").fetchall()
    for provider, account, when in rows:
        found.setdefault((provider, account), []).append(when)
    return found


def _names(tables: Tables) -> dict[int, str]:
    return dict(tables.conn.execute("SELECT id, name FROM persons").fetchall())

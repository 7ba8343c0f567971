"""Who may sign now, with the groups they stand in for.

Somebody who is away hands their groups on for that time: the delegate stands in them, and the one who is away does not,
so that one authority never fills two seats. Groups only, never a role: a delegate is an approver already. What somebody
asked for is not signed with their own groups by another hand.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from bot.access.model import Person, Role
from bot.access.service import people_in
from bot.store import Tables
from bot.store.columns import at, moment


@dataclass(frozen=True, slots=True)
class Delegation:
    """Somebody's groups in somebody else's hands."""

    id: int
    person_id: int
    """Who is away."""
    delegate_id: int
    since: datetime
    until: datetime
    """Exclusive."""


def signers_in(tables: Tables, now: datetime, barred: Collection[int]) -> list[Person]:
    """Everybody active, as of this transaction.

    Nobody stands in for one of `barred`: the asker, and whom it is about.
    """
    people = {person.id: person for person in people_in(tables)}
    seated = dict(people)
    away = [one for one in delegations_in(tables, now) if one.since <= now]
    for one in away:
        if one.person_id in seated:
            person = seated[one.person_id]
            seated[one.person_id] = replace(person, groups=person.groups - people[one.person_id].groups)
    for one in away:
        if one.person_id in people and one.delegate_id in seated and one.person_id not in barred:
            delegate = seated[one.delegate_id]
            seated[one.delegate_id] = replace(delegate, groups=delegate.groups | people[one.person_id].groups)
    return list(seated.values())


def delegations_in(tables: Tables, now: datetime) -> list[Delegation]:
    """Every one that holds now or will."""
    rows = tables.conn.execute(
        "SELECT id, person_id, delegate_id, from_at, until_at FROM delegations"
        " WHERE until_at > ? AND ended_at IS NULL ORDER BY from_at, id",
        (at(now),),
    ).fetchall()
    return [
        Delegation(number, person, other, moment(since), moment(until)) for number, person, other, since, until in rows
    ]


def delegate(tables: Tables, person_id: int, delegate_id: int, since: datetime, until: datetime) -> None:
    """A new row."""
    tables.conn.execute(
        "INSERT INTO delegations (person_id, delegate_id, from_at, until_at) VALUES (?, ?, ?, ?)",
        (person_id, delegate_id, at(since), at(until)),
    )


def end(tables: Tables, delegation: Delegation, now: datetime) -> None:
    """It holds no more."""
    tables.conn.execute("UPDATE delegations SET ended_at = ? WHERE id = ?", (at(now), delegation.id))


def end_without_approver(tables: Tables, now: datetime) -> list[Delegation]:
    """End those of which either side is no approver at this desk any more; answers which."""
    approvers = {person.id for person in people_in(tables) if Role.APPROVER in person.roles}
    void = [one for one in delegations_in(tables, now) if not {one.person_id, one.delegate_id} <= approvers]
    for one in void:
        end(tables, one, now)
    return void

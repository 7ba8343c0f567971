"""Who may sign now, with the groups they stand in for.

Somebody who is away hands their groups on for that time: the delegate stands in them, and the one who is away does not,
so that one authority never fills two seats. Groups only, never a role: a delegate is an approver already. What somebody
asked for is not signed with their own groups by another hand.
"""

from dataclasses import replace
from datetime import datetime

from bot.access.model import Person
from bot.access.service import people_in
from bot.store import Tables
from bot.store.columns import at


def signers_in(tables: Tables, now: datetime, asked_by: int) -> list[Person]:
    """Everybody active, seated for a request of `asked_by` as of this transaction."""
    people = {person.id: person for person in people_in(tables)}
    seated = dict(people)
    away = tables.conn.execute(
        "SELECT person_id, delegate_id FROM delegations WHERE from_at <= ? AND until_at > ? AND ended_at IS NULL",
        (at(now), at(now)),
    ).fetchall()
    for person_id, _ in away:
        if person_id in seated:
            seated[person_id] = replace(seated[person_id], groups=seated[person_id].groups - people[person_id].groups)
    for person_id, delegate_id in away:
        if person_id in people and delegate_id in seated and person_id != asked_by:
            delegate = seated[delegate_id]
            seated[delegate_id] = replace(delegate, groups=delegate.groups | people[person_id].groups)
    return list(seated.values())

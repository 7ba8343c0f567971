"""Where the configuration's people are not those of the desk. Looked at with the database closed."""

from pathlib import Path

from bot.config import People
from bot.store import Tables
from bot.store.file import peek


def people_differing(database: Path, people: People) -> list[str]:
    """Where the configuration's people differ from the desk's, in sentences. They seed an empty desk, and no other;
    only an admin's id is taken up by a desk that has a single one."""

    def look(tables: Tables) -> tuple[dict[int, set[str]], int | None]:
        known: dict[int, set[str]] = {}
        if "persons" not in tables.table_names():
            return known, None
        rows = tables.conn.execute(
            "SELECT telegram_id, role, state, person_id FROM telegram_ids JOIN persons ON id = person_id"
            " LEFT JOIN roles USING (person_id) ORDER BY telegram_id"
        ).fetchall()
        for telegram_id, role, _, _ in rows:
            known.setdefault(telegram_id, set()).add(role)
        admins = {person for _, role, state, person in rows if role == "admin" and state == "active"}
        not_taken = {number for number, _, state, person in rows if state != "active" or person in admins}
        wanted = [number for number in people.admins if number not in not_taken]
        return known, wanted[0] if wanted and len(admins) == 1 else None

    known, second = peek(database, look) or ({}, None)
    if not known:
        return []
    wanted: dict[int, set[str]] = {member.id: set(member.roles) for member in people.members}
    for admin in people.admins:
        wanted.setdefault(admin, set()).add("admin")
    coming = [f"{second} becomes an admin with the next start, because the desk has only one"] if second else []
    return coming + [
        _difference(person, roles, known.get(person))
        for person, roles in wanted.items()
        if roles != known.get(person) and person != second
    ]


def _difference(telegram_id: int, wanted: set[str], have: set[str] | None) -> str:
    """What differs about one person."""
    there = (
        "unknown at the desk" if have is None else f"{', '.join(sorted(filter(None, have))) or 'no role'} at the desk"
    )
    return (
        f"{telegram_id} is {', '.join(sorted(wanted))} in the configuration and {there}; the configuration seeds an "
        "empty desk only, so what the desk has counts (/invite adds people and roles)"
    )

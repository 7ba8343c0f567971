"""Rows ⇄ people and invitations."""

from collections.abc import Iterable
from datetime import datetime

from bot.access.model import AccountLink, Invite, Person, Profile, Role
from bot.errors import NotFoundError
from bot.store import Tables
from bot.store.columns import at, moment

# One statement: each further one is a turn more that the database's thread must wait for.
_PROFILES = (
    "SELECT id, name, state, created_at,"
    " (SELECT group_concat(role || ':' || coalesce(via_chat, '')) FROM roles WHERE person_id = persons.id),"
    " (SELECT group_concat(telegram_id) FROM telegram_ids WHERE person_id = persons.id),"
    " (SELECT group_concat(name) FROM approver_groups WHERE person_id = persons.id)"
    " FROM persons"
)


def people_in(tables: Tables) -> list[Person]:
    """Everybody active, as of the caller's transaction."""
    return [one.person for one in everybody_in(tables) if not one.suspended]


def person_in(tables: Tables, person_id: int) -> Person | None:
    """One of them."""
    row = tables.conn.execute(f"{_PROFILES} WHERE id = ? AND state = 'active'", (person_id,)).fetchone()
    return None if row is None else _profile(*row).person


def names_in(tables: Tables) -> dict[int, str]:
    """The names of everybody active, by our ids."""
    return dict(tables.conn.execute("SELECT id, name FROM persons WHERE state = 'active' ORDER BY id").fetchall())


def everybody_in(tables: Tables) -> list[Profile]:
    """Everybody, the suspended too."""
    return [_profile(*row) for row in tables.conn.execute(f"{_PROFILES} ORDER BY id").fetchall()]


def profile_in(tables: Tables, person_id: int) -> Profile:
    """One person, active or not. `NotFoundError`."""
    row = tables.conn.execute(f"{_PROFILES} WHERE id = ?", (person_id,)).fetchone()
    if row is None:
        raise NotFoundError("person", str(person_id))
    return _profile(*row)


def person_of(tables: Tables, telegram_id: int) -> Profile | None:
    """Whose Telegram id that is."""
    return next((one for one in everybody_in(tables) if telegram_id in one.person.telegram_ids), None)


def group_now(tables: Tables, group_id: int) -> int:
    """The id a group has by now."""
    moves: dict[int, int] = dict(tables.conn.execute("SELECT old_id, new_id FROM group_moves").fetchall())
    for _ in moves:  # a chain is no longer than that
        group_id = moves.get(group_id, group_id)
    return group_id


def invites_in(tables: Tables, now: datetime) -> list[Invite]:
    """Every invitation that could still be used, of admins who still are."""
    rows = tables.conn.execute(
        "SELECT code_hash, role, approver_group, via_chat, created_by, expires_at, opened_by, offered_name"
        " FROM invites WHERE used_at IS NULL AND expires_at > ? AND created_by IN"
        " (SELECT id FROM persons JOIN roles ON person_id = id WHERE state = 'active' AND role = 'admin')"
        " ORDER BY opened_at DESC, created_at",
        (at(now),),
    ).fetchall()
    return [
        Invite(code_hash, Role(role), group, via_chat, by, moment(expires_at), opened_by, offered or "")
        for code_hash, role, group, via_chat, by, expires_at, opened_by, offered in rows
    ]


def links_in(tables: Tables, now: datetime) -> list[AccountLink]:
    """Every link for one more account that could still be used, of admins who still are, for people who are here."""
    rows = tables.conn.execute(
        "SELECT code_hash, person_id, created_by, expires_at FROM account_links"
        " WHERE used_at IS NULL AND expires_at > ? AND created_by IN"
        " (SELECT id FROM persons JOIN roles ON person_id = id WHERE state = 'active' AND role = 'admin')"
        " AND person_id IN (SELECT id FROM persons WHERE state = 'active')",
        (at(now),),
    ).fetchall()
    return [AccountLink(code_hash, person, by, moment(expires_at)) for code_hash, person, by, expires_at in rows]


def insert_person(tables: Tables, name: str, telegram_id: int, roles: Iterable[Role], now: datetime) -> int:
    """A new person; answers our id."""
    cursor = tables.conn.execute(
        "INSERT INTO persons (name, state, created_at) VALUES (?, 'active', ?)", (name, at(now))
    )
    person_id = int(cursor.lastrowid or 0)
    tables.conn.execute("INSERT INTO telegram_ids VALUES (?, ?)", (telegram_id, person_id))
    given = [(person_id, role.value) for role in roles]
    tables.conn.executemany("INSERT INTO roles (person_id, role) VALUES (?, ?)", given)
    return person_id


def _profile(
    person_id: int,
    name: str,
    state: str,
    created_at: int,
    roles: str | None,
    telegram_ids: str | None,
    groups: str | None,
) -> Profile:
    held = {Role(role): chat for role, _, chat in (one.partition(":") for one in _listed(roles))}
    person = Person(
        person_id,
        name,
        frozenset(held),
        frozenset(map(int, _listed(telegram_ids))),
        frozenset(_listed(groups)) if Role.APPROVER in held else frozenset(),
    )
    via = {role: int(chat) for role, chat in held.items() if chat}
    return Profile(person, state == "suspended", moment(created_at), via)


def _listed(joined: str | None) -> list[str]:
    return joined.split(",") if joined else []

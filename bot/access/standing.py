"""What a person is here: given, taken, suspended, resumed. Rows only.

Each works in the caller's transaction; the audit row, and what follows for others, are the caller's, which is
`operations.people`.
"""

from bot.access.model import Role
from bot.errors import ConflictError
from bot.store import Tables


def give(tables: Tables, person_id: int, role: Role, group: str | None = None, via_chat: int | None = None) -> bool:
    """Answers whether anything is new. What a chat gave, and is now given without one, stays when they leave it."""
    changed = _give(tables, "roles", "role", (person_id, role.value), via_chat)
    if group is None:
        return changed
    return _give(tables, "approver_groups", "name", (person_id, group), via_chat) or changed


def _give(tables: Tables, table: str, column: str, row: tuple[int, str], via_chat: int | None) -> bool:
    # both names are ours
    new = tables.conn.execute(
        f"INSERT OR IGNORE INTO {table} (person_id, {column}, via_chat) VALUES (?, ?, ?)",  # noqa: S608
        (*row, via_chat),
    ).rowcount
    if new or via_chat is not None:
        return bool(new)
    kept = tables.conn.execute(
        f"UPDATE {table} SET via_chat = NULL WHERE person_id = ? AND {column} = ? AND via_chat IS NOT NULL",  # noqa: S608
        row,
    )
    return bool(kept.rowcount)


def take(tables: Tables, person_id: int, role: Role, group: str | None = None) -> bool:
    """Take a role, or only the place in an approver group; answers whether it was there.

    Raises:
        ConflictError: No admin would be left.
    """
    if group is not None:
        gone = tables.conn.execute(
            "DELETE FROM approver_groups WHERE person_id = ? AND name = ?", (person_id, group)
        ).rowcount
        return bool(gone)
    gone = tables.conn.execute("DELETE FROM roles WHERE person_id = ? AND role = ?", (person_id, role.value)).rowcount
    if role is Role.APPROVER:
        tables.conn.execute("DELETE FROM approver_groups WHERE person_id = ?", (person_id,))
    _check_an_admin_is_left(tables)
    return bool(gone)


def take_what_came_by(tables: Tables, person_id: int, chat_id: int) -> tuple[list[Role], list[str]]:
    """Take what a chat gave; answers the roles and approver groups that are gone."""
    came_by = (person_id, chat_id)
    roles = [
        Role(role)
        for (role,) in tables.conn.execute(
            "SELECT role FROM roles WHERE person_id = ? AND via_chat = ? ORDER BY role", came_by
        ).fetchall()
    ]
    only = "" if Role.APPROVER in roles else " AND via_chat = ?"
    values = (person_id,) if Role.APPROVER in roles else came_by
    groups = tables.conn.execute(
        f"SELECT name FROM approver_groups WHERE person_id = ?{only} ORDER BY name",  # noqa: S608  # a constant
        values,
    ).fetchall()
    for role in roles:
        take(tables, person_id, role)
    tables.conn.execute("DELETE FROM approver_groups WHERE person_id = ? AND via_chat = ?", came_by)
    return roles, [name for (name,) in groups]


def suspend(tables: Tables, person_id: int) -> None:
    """`ConflictError`: suspended already, or no admin would be left."""
    _move(tables, person_id, "active", "suspended")
    _check_an_admin_is_left(tables)


def resume(tables: Tables, person_id: int) -> None:
    """`ConflictError`: not suspended."""
    _move(tables, person_id, "suspended", "active")


def _move(tables: Tables, person_id: int, before: str, after: str) -> None:
    moved = tables.conn.execute(
        "UPDATE persons SET state = ? WHERE id = ? AND state = ?", (after, person_id, before)
    ).rowcount
    if not moved:
        raise ConflictError(f"this person is {after} already")


def _check_an_admin_is_left(tables: Tables) -> None:
    left = tables.conn.execute(
        "SELECT count(*) FROM persons JOIN roles ON person_id = id WHERE state = 'active' AND role = 'admin'"
    ).fetchone()[0]
    if not left:
        raise ConflictError("nobody would be left who is an admin")

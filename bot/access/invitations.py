"""Invitations: a code for one person and one role, known here by its hash only. Rows only, as in `standing`.

A link for one more account of a person is such a code, too, but gives no role."""

import hashlib
from datetime import datetime, timedelta

from bot.access.model import AccountLink, Invite, Person, Role
from bot.access.records import invites_in, links_in
from bot.errors import InputError, NotFoundError
from bot.ids import one_time_code
from bot.store import Tables
from bot.store.columns import at

LIFE = timedelta(hours=24)


def issue(tables: Tables, by: Person, role: Role, group: str | None, via_chat: int | None, now: datetime) -> str:
    """A new code.

    Raises:
        InputError: A group with a role other than approver; or an admin by way of a chat, which could leave none.
    """
    check_group_fits(role, group)
    if role is Role.ADMIN and via_chat is not None:
        raise InputError("an admin does not come and go with a group; invite them in private", "/invite admin")
    code = one_time_code()
    tables.conn.execute(
        "INSERT INTO invites (code_hash, role, approver_group, via_chat, created_by, created_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (hash_of(code), role.value, group, via_chat, by.id, at(now), at(now + LIFE)),
    )
    return code


def check_group_fits(role: Role, group: str | None) -> None:
    """`InputError` when somebody who is no approver would sit in an approver group."""
    if group is not None and role is not Role.APPROVER:
        raise InputError("only an approver sits in an approver group", f"/invite approver {group}")


def outstanding(tables: Tables, code_hash: str, now: datetime) -> Invite:
    """The invitation with that hash. `NotFoundError`: none, used, expired, or its maker is no admin any more."""
    for invite in invites_in(tables, now):
        if invite.code_hash == code_hash:
            return invite
    raise NotFoundError("invitation", "this one")


def open_(tables: Tables, invite: Invite, telegram_id: int, offered_name: str, now: datetime) -> None:
    """Somebody has come with it and is being asked for a name. Whoever opened it last may use it."""
    tables.conn.execute(
        "UPDATE invites SET opened_by = ?, opened_at = ?, offered_name = ? WHERE code_hash = ?",
        (telegram_id, at(now), offered_name, invite.code_hash),
    )


def use(tables: Tables, invite: Invite, person_id: int, now: datetime) -> None:
    """Used up."""
    tables.conn.execute(
        "UPDATE invites SET used_by = ?, used_at = ? WHERE code_hash = ?", (person_id, at(now), invite.code_hash)
    )


def issue_link(tables: Tables, by: Person, person_id: int, now: datetime) -> str:
    """A new code for one more account of that person; an earlier one that nobody used is void."""
    code = one_time_code()
    tables.conn.execute(
        "UPDATE account_links SET expires_at = min(expires_at, ?) WHERE person_id = ? AND used_at IS NULL",
        (at(now), person_id),
    )
    tables.conn.execute(
        "INSERT INTO account_links (code_hash, person_id, created_by, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
        (hash_of(code), person_id, by.id, at(now), at(now + LIFE)),
    )
    return code


def outstanding_link(tables: Tables, code_hash: str, now: datetime) -> AccountLink:
    """The link with that hash. `NotFoundError`: none, used, expired, or its maker is no admin any more."""
    for link in links_in(tables, now):
        if link.code_hash == code_hash:
            return link
    raise NotFoundError("invitation", "this one")


def use_link(tables: Tables, link: AccountLink, telegram_id: int, now: datetime) -> None:
    """Used up."""
    tables.conn.execute(
        "UPDATE account_links SET used_by = ?, used_at = ? WHERE code_hash = ?", (telegram_id, at(now), link.code_hash)
    )


def hash_of(code: str) -> str:
    """What is kept of a code: it has 130 bits, so no salt or stretching is needed."""
    return hashlib.sha256(b"countersign/invite" + code.encode()).hexdigest()

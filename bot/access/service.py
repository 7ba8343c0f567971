"""People come, go and change; here is the picture of them that counts.

The roster is a frozen picture of the tables. It is taken in the transaction of each change and put in place when that
is committed, so that the gate answers at once and a change takes effect with the next update.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from bot.access import invitations, standing
from bot.access.model import AccountLink, Invite, Person, Profile, Right, Role, Roster
from bot.access.records import (
    everybody_in,
    group_now,
    insert_person,
    invites_in,
    links_in,
    people_in,
    person_of,
    profile_in,
)
from bot.clock import Clock
from bot.config import Member
from bot.errors import NotAllowedError
from bot.ports import Deed, Recorder
from bot.secret import Secret
from bot.store import Database, Tables
from bot.store.columns import at
from bot.store.presence import any_in

_log = logging.getLogger(__name__)
Result = TypeVar("Result")


class Access:
    """The desk's people."""

    def __init__(self, database: Database, audit: Recorder, clock: Clock, groups: Iterable[int]) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._groups = frozenset(groups)
        self._watchers: list[Callable[[], None]] = []
        self.roster = Roster({}, self._groups, {})

    async def start(
        self,
        admins: Sequence[int],
        members: Sequence[Member],
        tell: Callable[[Tables, Person], None] = lambda tables, person: None,
    ) -> None:
        """Seed an empty desk from the configuration, then take the first picture.

        A desk with people is left alone; only one with a single admin takes up one more id of `admins`.

        Args:
            tell: Hears of that one, in the same transaction.
        """

        def seed(tables: Tables) -> None:
            if not any_in("persons")(tables):
                self._seed(tables, admins, members)
            else:
                second = self._second_admin(tables, admins)
                if second is not None:
                    tell(tables, second)

        await self.change(seed)
        await self._warn_of_moves()

    def _seed(self, tables: Tables, admins: Sequence[int], members: Sequence[Member]) -> None:
        wanted = {member.id: (member.name, set(member.roles)) for member in members}
        for number, telegram_id in enumerate(admins, 1):
            name, roles = wanted.get(telegram_id, (f"Admin {number}", set()))
            wanted[telegram_id] = (name, roles | {"admin"})
        for telegram_id, (name, roles) in wanted.items():
            given = sorted(Role(role) for role in roles)
            person_id = insert_person(tables, name.strip(), telegram_id, given, self._clock.now())
            deed = Deed("person.seeded", f"person/{person_id}", details={"roles": " ".join(sorted(roles))})
            self._audit.record(tables, deed)

    def _second_admin(self, tables: Tables, admins: Sequence[int]) -> Person | None:
        telegram_id = second_admin(everybody_in(tables), admins)
        if telegram_id is None:
            return None
        known, names = person_of(tables, telegram_id), {one.person.name for one in everybody_in(tables)}
        if known is None:
            name = next(
                name for name in (f"Admin {number}" for number in range(2, len(names) + 3)) if name not in names
            )
            person_id = insert_person(tables, name, telegram_id, (), self._clock.now())
        else:
            person_id = known.person.id
        standing.give(tables, person_id, Role.ADMIN)
        details: dict[str, str | int] = {"roles": "admin", "via": "configuration"}
        self._audit.record(tables, Deed("person.seeded", f"person/{person_id}", None, telegram_id, details))
        return profile_in(tables, person_id).person

    async def change(self, act: Callable[[Tables], Result]) -> Result:
        """Write, and have the picture as it is then in place the moment it is committed."""

        def changed(tables: Tables) -> tuple[Result, Roster]:
            result = act(tables)
            return result, self._picture(tables)

        result, roster = await self._database.write(changed)
        self._hang_up(roster)
        return result

    async def refresh(self) -> None:
        """Take the picture anew, after a change somebody else has written."""
        self._hang_up(await self._database.read(self._picture))

    def watch(self, seen: Callable[[], None]) -> None:
        """`seen` is called after each new picture."""
        self._watchers.append(seen)

    def _hang_up(self, roster: Roster) -> None:
        self.roster = roster
        for seen in self._watchers:
            seen()

    async def follow_group(self, old_id: int, new_id: int, along: Callable[[Tables], None]) -> None:
        """A group has a new id: one of the desk's stays the desk's, and what it gave it still gives. Told twice it is
        followed once.

        Args:
            along: What else changes in the same transaction, whoever's group it is.
        """

        def change(tables: Tables) -> bool:
            along(tables)
            if old_id not in self._groups_now(tables).values():
                return False
            tables.conn.execute("INSERT INTO group_moves VALUES (?, ?, ?)", (old_id, new_id, at(self._clock.now())))
            for table in ("roles", "approver_groups", "invites"):
                tables.conn.execute(
                    f"UPDATE {table} SET via_chat = ? WHERE via_chat = ?",  # noqa: S608  # the names are these
                    (new_id, old_id),
                )
            self._audit.record(tables, Deed("group.moved", f"group/{old_id}", details={"new_id": new_id}))
            return True

        if await self.change(change):
            await self._warn_of_moves()

    async def get(self, person_id: int) -> Person:
        """One person, active or not, from the tables. `NotFoundError`."""
        return (await self.profile(person_id)).person

    async def profile(self, person_id: int) -> Profile:
        """The same, with what is known besides."""
        return await self._database.read(lambda tables: profile_in(tables, person_id))

    async def everybody(self) -> list[Profile]:
        """Everybody, the suspended too."""
        return await self._database.read(everybody_in)

    async def invite(self, by: Person, role: Role, group: str | None = None, via_chat: int | None = None) -> Secret:
        """A one-use code, good for 24 hours. Only its hash is kept.

        Args:
            group: The approver group, for an approver.
            via_chat: The chat that gives the role, so that leaving it takes it; none when it is theirs.
        Raises:
            NotAllowedError: `by` may not invite (any more).
            InputError: The group or the chat does not go with the role.
        """

        def change(tables: Tables) -> str:
            check_right(tables, by, Right.INVITE)
            code = invitations.issue(tables, by, role, group, via_chat, self._clock.now())
            details: dict[str, str | int] = {}
            if group is not None:
                details["group"] = group
            if via_chat is not None:
                details["via_chat"] = via_chat
            self._audit.record(tables, Deed("person.invited", f"role/{role}", by.id, None, details))
            return code

        return Secret(await self.change(change))

    def invitation(self, code: str) -> Invite | None:
        """The outstanding invitation with that code."""
        invite = self.roster.invites.get(invitations.hash_of(code))
        return invite if self._counts(invite) else None

    def account_link(self, code: str) -> AccountLink | None:
        """The outstanding link for one more account of somebody's, with that code."""
        link = self.roster.links.get(invitations.hash_of(code))
        return link if link is not None and link.expires_at > self._clock.now() else None

    def is_invited(self, code: str) -> bool:
        """Whether a stranger's code is worth a row: outstanding and not expired."""
        return self.invitation(code) is not None or self.account_link(code) is not None

    def is_joining(self, telegram_id: int) -> bool:
        """Whether this stranger was asked for a name, and may still give one."""
        return self._counts(self.roster.joining(telegram_id))

    def _counts(self, invite: Invite | None) -> bool:
        return invite is not None and invite.expires_at > self._clock.now()

    def _picture(self, tables: Tables) -> Roster:
        everybody = everybody_in(tables)
        active = [one.person for one in everybody if not one.suspended]
        return Roster(
            {telegram_id: person for person in active for telegram_id in person.telegram_ids},
            frozenset(self._groups_now(tables).values()),
            {invite.code_hash: invite for invite in invites_in(tables, self._clock.now())},
            {number: one.person for one in everybody if one.suspended for number in one.person.telegram_ids},
            {link.code_hash: link for link in links_in(tables, self._clock.now())},
        )

    def _groups_now(self, tables: Tables) -> dict[int, int]:
        """Each group of the configuration, with the id it has by now."""
        return {group: group_now(tables, group) for group in self._groups}

    async def _warn_of_moves(self) -> None:
        for group, current in (await self._database.read(self._groups_now)).items():
            if group != current:
                _log.warning(
                    "a group has become a supergroup: name its new id under people.groups in the configuration",
                    extra={"old_id": group, "new_id": current},
                )


def second_admin(everybody: Sequence[Profile], admins: Sequence[int]) -> int | None:
    """The id of the configuration that a desk with one admin takes up: the first that is nobody's who is an admin
    or suspended."""
    there = [one.person for one in everybody if not one.suspended and Role.ADMIN in one.person.roles]
    if len(there) != 1:
        return None
    out = {number for one in everybody if one.suspended for number in one.person.telegram_ids}
    return next((number for number in admins if number not in there[0].telegram_ids | out), None)


def check_right(tables: Tables, by: Person, right: Right) -> Person:
    """The person as they are in this transaction. `NotAllowedError` unless they still have the right."""
    now = next((one for one in people_in(tables) if one.id == by.id), None)
    if now is None or not now.may(right):
        raise NotAllowedError(right)
    return now


__all__ = ["Access", "check_right", "people_in", "second_admin"]

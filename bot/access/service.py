"""People come, go and change here.

The roster is a frozen picture of the tables, taken anew after each change this object makes (it is the only one that
makes any), so that the gate answers at once and a change takes effect with the next update.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import timedelta

from bot.access.model import Invite, Person, Right, Role, Roster
from bot.clock import Clock
from bot.config import Member
from bot.errors import ConflictError, InputError, NotAllowedError, NotFoundError
from bot.ids import one_time_code
from bot.ports import Deed, Recorder
from bot.secret import Secret
from bot.store import Database, Tables
from bot.store.columns import at, moment

INVITE_LIFE = timedelta(hours=24)


class Access:
    """The desk's people."""

    def __init__(self, database: Database, audit: Recorder, clock: Clock, groups: Iterable[int]) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._groups = frozenset(groups)
        self.roster = Roster({}, self._groups, {})

    async def start(self, admins: Sequence[int], members: Sequence[Member]) -> None:
        """Seed an empty desk from the configuration, then take the first picture. One with people is left alone."""
        wanted = {member.id: (member.name, set(member.roles)) for member in members}
        for number, telegram_id in enumerate(admins, 1):
            name, roles = wanted.get(telegram_id, (f"Admin {number}", set()))
            wanted[telegram_id] = (name, roles | {"admin"})

        def seed(tables: Tables) -> None:
            if tables["persons"].count:
                return
            for telegram_id, (name, roles) in wanted.items():
                person_id = self._add(tables, name, telegram_id, sorted(Role(role) for role in roles))
                deed = Deed("person.seeded", f"person/{person_id}", details={"roles": " ".join(sorted(roles))})
                self._audit.record(tables, deed)

        await self._database.write(seed)
        await self.refresh()

    async def refresh(self) -> None:
        """Take the picture anew."""
        self.roster = await self._database.read(self._picture)

    async def get(self, person_id: int) -> Person:
        """One person, from the tables."""
        people = await self._database.read(lambda tables: _people(tables, "WHERE persons.id = ?", (person_id,)))
        if not people:
            raise NotFoundError("person", str(person_id))
        return people[0]

    async def invite(self, by: Person, role: Role) -> Secret:
        """A one-use code for `role`, good for 24 hours. Only its hash is kept.

        Raises:
            NotAllowedError: `by` may not invite.
            InputError: The role is admin, which one person alone cannot hand on.
        """
        if not by.may(Right.INVITE):
            raise NotAllowedError(Right.INVITE)
        if role is Role.ADMIN:
            raise InputError("an admin is named in the configuration, not invited", "/invite operator")
        code = one_time_code()
        now = self._clock.now()

        def change(tables: Tables) -> None:
            tables.table("invites").insert(
                {
                    "code_hash": _hash(code),
                    "role": role.value,
                    "created_by": by.id,
                    "created_at": at(now),
                    "expires_at": at(now + INVITE_LIFE),
                }
            )
            self._audit.record(tables, Deed("person.invited", f"role/{role}", by.id))

        await self._database.write(change)
        await self.refresh()
        return Secret(code)

    def is_invited(self, code: str) -> bool:
        """Whether a stranger's code is worth a row: outstanding and not expired."""
        invite = self.roster.invites.get(_hash(code))
        return invite is not None and invite.expires_at > self._clock.now()

    async def join(self, code: str, telegram_id: int, name: str) -> tuple[Person, Role]:
        """Use a code once.

        A person who is here already gains the role.

        Raises:
            NotFoundError: No such code, used, or expired.
            ConflictError: The Telegram id belongs to somebody suspended, or to whoever made the invitation.
        """
        now = self._clock.now()

        def change(tables: Tables) -> tuple[int, Role]:
            row = tables.conn.execute(
                "SELECT role, created_by FROM invites WHERE code_hash = ? AND used_at IS NULL AND expires_at > ?",
                (_hash(code), at(now)),
            ).fetchone()
            if row is None:
                raise NotFoundError("invitation", "this one")
            role = Role(row[0])
            person_id = self._person_for(tables, telegram_id, name)
            if person_id == row[1]:
                raise ConflictError("that invitation is your own; somebody else must use it")
            tables.conn.execute("INSERT OR IGNORE INTO roles VALUES (?, ?)", (person_id, role.value))
            tables.conn.execute(
                "UPDATE invites SET used_by = ?, used_at = ? WHERE code_hash = ?", (person_id, at(now), _hash(code))
            )
            deed = Deed("person.joined", f"person/{person_id}", person_id, telegram_id, {"role": role.value})
            self._audit.record(tables, deed)
            return person_id, role

        person_id, role = await self._database.write(change)
        await self.refresh()
        return await self.get(person_id), role

    def _person_for(self, tables: Tables, telegram_id: int, name: str) -> int:
        row = tables.conn.execute(
            "SELECT persons.id, state FROM persons JOIN telegram_ids ON person_id = persons.id WHERE telegram_id = ?",
            (telegram_id,),
        ).fetchone()
        if row is None:
            return self._add(tables, name, telegram_id, ())
        if row[1] != "active":
            raise ConflictError("this person is suspended")
        return int(row[0])

    def _add(self, tables: Tables, name: str, telegram_id: int, roles: Iterable[Role]) -> int:
        cursor = tables.conn.execute(
            "INSERT INTO persons (name, state, created_at) VALUES (?, 'active', ?)",
            (name.strip()[:64] or "Unnamed", at(self._clock.now())),
        )
        person_id = cursor.lastrowid
        if person_id is None:
            raise ConflictError("no person was added")
        tables.conn.execute("INSERT INTO telegram_ids VALUES (?, ?)", (telegram_id, person_id))
        tables.conn.executemany("INSERT INTO roles VALUES (?, ?)", [(person_id, role.value) for role in roles])
        return person_id

    def _picture(self, tables: Tables) -> Roster:
        people = _people(tables, "WHERE persons.state = 'active'", ())
        invites = [
            Invite(code_hash, Role(role), moment(expires_at))
            for code_hash, role, expires_at in tables.conn.execute(
                "SELECT code_hash, role, expires_at FROM invites WHERE used_at IS NULL AND expires_at > ?",
                (at(self._clock.now()),),
            )
        ]
        return Roster(
            {telegram_id: person for person in people for telegram_id in person.telegram_ids},
            self._groups,
            {invite.code_hash: invite for invite in invites},
        )


def _people(tables: Tables, where: str, values: tuple[int, ...]) -> list[Person]:
    # One statement: each further one is a turn more that the database's thread must wait for.
    # `where` is one of the two constants above; values are bound.
    rows = tables.conn.execute(
        "SELECT id, name,"  # noqa: S608
        " (SELECT group_concat(role) FROM roles WHERE person_id = persons.id),"
        " (SELECT group_concat(telegram_id) FROM telegram_ids WHERE person_id = persons.id)"
        f" FROM persons {where} ORDER BY id",
        values,
    ).fetchall()
    return [
        Person(person_id, name, frozenset(map(Role, _listed(roles))), frozenset(map(int, _listed(telegram_ids))))
        for person_id, name, roles, telegram_ids in rows
    ]


def _listed(joined: str | None) -> list[str]:
    return joined.split(",") if joined else []


def _hash(code: str) -> str:
    return hashlib.sha256(b"countersign/invite" + code.encode()).hexdigest()

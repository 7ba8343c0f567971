"""Letting others read a connection, or act through it.

Only its owner lets somebody in; an admin may shut somebody out. Every question about a connection reads its shares
anew, so both take effect with the next one. The other side is told, and the admins hear of every leave to act.
"""

from collections.abc import Iterable
from dataclasses import replace

from bot.access.model import Person, Right, Role, Roster
from bot.access.service import check_right
from bot.audit.service import Audit
from bot.errors import ConflictError, InputError, NotAllowedError, NotFoundError
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.linked import Connection, Scope, Share, party_column, read_one
from bot.ports import Deed
from bot.store import Database, Tables

Party = Role | Person
_DOING = {Scope.READ: "reading", Scope.ACT: "reading and acting"}


class Sharing:
    """Who besides its owner may use a connection."""

    def __init__(self, database: Database, audit: Audit, outbox: Outbox) -> None:
        self._database = database
        self._audit = audit
        self._outbox = outbox

    async def share(
        self, by: Person, connection: Connection, party: Party, scope: Scope, roster: Roster, *, telegram_id: int
    ) -> None:
        """Let a role or a person use it, for this and nothing more: said again, the later word counts.

        Raises:
            NotAllowedError: It is not theirs to share.
            InputError: With its owner.
            ConflictError: It is shared like that already, or gone.
        """
        if not by.may(Right.LINK):
            raise NotAllowedError(Right.LINK)
        if isinstance(party, Person) and party.id == connection.owner:
            raise InputError("its owner needs no share", f"/share {connection.name} with viewers")

        def change(tables: Tables) -> None:
            now = _now(tables, connection)
            now.check_own(check_right(tables, by, Right.LINK), "share")
            if Share(_key(party), scope) in now.shares:
                raise ConflictError(f"it is shared with {named(party)} like that already")
            tables.conn.execute(
                "INSERT OR REPLACE INTO shares VALUES (?, ?, ?)", (now.id, party_column(_key(party)), scope.value)
            )
            deed = _deed("connection.shared", now, party, by, telegram_id)
            self._audit.record(tables, replace(deed, details={**deed.details, "scope": scope.value}))
            line = f"{by.name} shared {now.name} with {{}}, for {_DOING[scope]}."
            self._tell(tables, _holders(party, roster), by, line.format(_you(party)))
            if scope is Scope.ACT:
                told = {one.id for one in _holders(party, roster)}
                admins = [one for one in roster.admins if one.id not in told]
                self._tell(tables, admins, by, line.format(named(party)))

        await self._database.write(change)

    async def unshare(
        self, by: Person, connection: Connection, party: Party, roster: Roster, *, telegram_id: int
    ) -> Connection:
        """Take it back from a role or a person; answers the connection as it is shared then.

        Raises:
            NotAllowedError: Neither its owner nor an admin.
            ConflictError: It is not shared with them, or gone.
        """

        def change(tables: Tables) -> Connection:
            now = _now(tables, connection)
            now.check_manage(check_right(tables, by, Right.TALK), "unshare")
            gone = tables.conn.execute(
                "DELETE FROM shares WHERE connection_id = ? AND party = ?", (now.id, party_column(_key(party)))
            )
            if not gone.rowcount:
                raise ConflictError(f"it is not shared with {named(party)}")
            self._audit.record(tables, _deed("connection.unshared", now, party, by, telegram_id))
            line = f"{by.name} shares {now.name} with {{}} no more."
            self._tell(tables, _holders(party, roster), by, line.format(_you(party)))
            told = {one.id for one in _holders(party, roster)}
            owner = [one for one in roster.people if one.id == now.owner and one.id not in told]
            self._tell(tables, owner, by, f"{by.name} took {now.name} away from {named(party)}.")
            return read_one(tables, now.id)

        return await self._database.write(change)

    def _tell(self, tables: Tables, people: Iterable[Person], by: Person, line: str) -> None:
        for person in people:
            if person.id != by.id:
                for number in person.telegram_ids:
                    self._outbox.put(tables, Notice(Lane.SECURITY, number, "Connections changed", (line,)))


def party_named(roster: Roster, name: str) -> Party:
    """A role, in the singular or plural, or a person by name or by a Telegram id of theirs.

    Raises:
        NotFoundError: Neither; `known` lists everybody.
        InputError: Several people are called that.
    """
    word = " ".join(name.split()).casefold()
    for role in Role:
        if word in (role.value, f"{role.value}s"):
            return role
    found = [one for one in roster.people if word in (one.name.casefold(), *map(str, one.telegram_ids))]
    if len(found) > 1:
        numbers = ", ".join(str(min(one.telegram_ids)) for one in found)
        raise InputError(
            f"several people are called that; say the number of one: {numbers}", str(numbers.split(",")[0])
        )
    if not found:
        known = (*(one.name for one in roster.people), *(role.value for role in Role))
        raise NotFoundError("person or role", name, known)
    return found[0]


def named(party: Party) -> str:
    """`every viewer`, `Vera`."""
    return f"every {party.value}" if isinstance(party, Role) else party.name


def _deed(action: str, connection: Connection, party: Party, by: Person, telegram_id: int) -> Deed:
    return Deed(action, connection.name, by.id, telegram_id, {"party": party_column(_key(party))})


def _you(party: Party) -> str:
    return f"every {party.value}" if isinstance(party, Role) else "you"


def _key(party: Party) -> Role | int:
    return party if isinstance(party, Role) else party.id


def _holders(party: Party, roster: Roster) -> list[Person]:
    return [one for one in roster.people if (party in one.roles if isinstance(party, Role) else one.id == party.id)]


def _now(tables: Tables, connection: Connection) -> Connection:
    try:
        return read_one(tables, connection.id)
    except NotFoundError:
        raise ConflictError("it is gone already") from None

"""Connections under their owner's passphrase: setting it, giving it, taking it off (SAFETY 4.6).

What is being asked is a draft, a row; the passphrase itself lies nowhere, not even for a moment. A new one is asked for
twice: what is kept in between is a key wrapped under the first, which the second must open.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from bot.access.model import Person, Roster
from bot.audit.service import Audit
from bot.clock import to_millis
from bot.errors import (
    ConflictError,
    ConnectionLockedError,
    InputError,
    NotAllowedError,
    NotFoundError,
    PassphraseError,
)
from bot.messages.cards import Cards, Draft
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.operations.wariness import Wariness
from bot.ports import Deed
from bot.secret import Secret
from bot.store import Database, Tables
from bot.vault.locks import Along
from bot.vault.service import Vault
from bot.vault.wrapping import Wrapped

KIND = "passphrase"
_log = logging.getLogger(__name__)


class Asking(StrEnum):
    """What is asked for, and what it is for."""

    NEW = "new"
    """A person's first passphrase, for one connection."""
    AGAIN = "again"
    """The same once more."""
    KNOWN = "known"
    """The passphrase they have, for one more connection."""
    OFF = "off"
    """The passphrase, to take it off one connection."""
    UNLOCK = "unlock"
    """The passphrase, to open what it locks."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the person is to type next."""

    asking: Asking
    connection: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of the last answer, and which connections it concerns."""

    asking: Asking
    connections: tuple[str, ...]


class Locking:
    """Passphrases of the desk's people."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        connections: Connections,
        cards: Cards,
        wariness: Wariness,
        audit: Audit,
        outbox: Outbox,
    ) -> None:
        self._database = database
        self._vault = vault
        self._locks = vault.locks
        self._connections = connections
        self._cards = cards
        self._wariness = wariness
        self._audit = audit
        self._outbox = outbox

    async def begin_setting(self, person: Person, word: str) -> Question:
        """Ask for the passphrase of one more connection.

        Raises:
            NotFoundError, NotAllowedError, InputError: No such connection, not the person's own, or several.
            ConflictError: It is under a passphrase already.
        """
        connection = await self._own(person, word)
        if self._locks.is_protected(connection.subject):
            raise ConflictError(f"{connection.name} is under your passphrase already")
        has_one = await self._locks.has_passphrase(person.id)
        return await self._ask(person, Asking.KNOWN if has_one else Asking.NEW, connection)

    async def begin_removing(self, person: Person, word: str) -> Question:
        """Ask for the passphrase, to take it off. Raises as `begin_setting`."""
        connection = await self._own(person, word)
        if not self._locks.is_protected(connection.subject):
            raise ConflictError(f"{connection.name} is under no passphrase")
        return await self._ask(person, Asking.OFF, connection)

    async def begin_unlocking(self, person: Person) -> Question:
        """Ask for the passphrase, to open what it locks; once more is fine. `ConflictError` when it locks nothing."""
        if not await self._locks.has_passphrase(person.id):
            raise ConflictError("nothing of yours is under a passphrase")
        return await self._ask(person, Asking.UNLOCK)

    async def answer(
        self, person: Person, draft: Draft, typed: Secret, *, origin: str, telegram_id: int
    ) -> Question | Done:
        """Take what was typed; the next question, or what came of it.

        Args:
            origin: What it came with. The same twice (a crash came between) is one answer.
        Raises:
            PassphraseError: Not that one, or too short; the question stands. Not the same twice: it begins again.
            ConflictError, NotFoundError, NotAllowedError: Things have changed meanwhile; nothing is asked any more.
        """
        asking = Asking(draft.body["asking"])
        if draft.body.get("last") == origin:
            return Question(asking, draft.body.get("name", ""))
        if asking is Asking.NEW:
            chosen = await self._locks.choose(person.id, typed)
            body = {**draft.body, "asking": Asking.AGAIN, "chosen": _as_text(chosen), "last": origin}
            await self._cards.save(Draft(person.id, KIND, body))
            return Question(Asking.AGAIN, draft.body["name"])
        try:
            done = await self._carry_out(person, asking, draft.body, typed, telegram_id)
        except PassphraseError:
            if asking is Asking.AGAIN:
                await self._cards.save(Draft(person.id, KIND, {**draft.body, "asking": Asking.NEW}))
            raise
        except (ConflictError, NotFoundError, NotAllowedError):
            await self._wariness.begin(person, KIND)
            raise
        await self._cards.drop(person.id)
        return done

    async def lock(self, person: Person, *, telegram_id: int) -> tuple[str, ...]:
        """Forget the person's passphrase at once and log their locked connections out; names them."""
        was_open = self._vault.forget(person.id)
        protected = await self._protected(person.id)
        for connection in protected:
            await self._connections.end_session(connection)
        names = tuple(one.name for one in protected)
        if was_open:
            deed = Deed("connections.locked", f"person/{person.id}", person.id, telegram_id, {"names": " ".join(names)})
            await self._database.write(lambda tables: self._audit.record(tables, deed))
        return names

    async def take_stock(self, roster: Roster, since: datetime) -> None:
        """At the start: name in the log what does not open, and remind each owner of what waits for their passphrase.

        Args:
            since: When this start was; there is one reminder for each.
        """
        for error in await self._vault.survey():
            if not isinstance(error, ConnectionLockedError):
                _log.error("a sealed credential does not open; the others do", extra={"credential": error.label})
        await self._remind(roster, since)

    async def _remind(self, roster: Roster, since: datetime) -> None:
        locked: dict[int, list[str]] = {}
        for connection in await self._connections.everything():
            if self._vault.is_locked(connection.subject):
                locked.setdefault(connection.owner, []).append(connection.name)
        notices = [
            Notice(
                Lane.SECURITY,
                number,
                "Connections locked",
                (f"Since the bot started anew these wait for you: {', '.join(names)}.",),
                dedupe=f"locked/{number}/{to_millis(since)}",
                next_step="/unlock opens them.",
            )
            for person in roster.people
            if (names := locked.get(person.id))
            for number in person.telegram_ids
        ]

        def change(tables: Tables) -> None:
            for notice in notices:
                self._outbox.put(tables, notice)

        if notices:
            await self._database.write(change)

    async def _carry_out(
        self, person: Person, asking: Asking, body: Mapping[str, Any], typed: Secret, telegram_id: int
    ) -> Done:
        if asking is Asking.UNLOCK:
            names = tuple(one.name for one in await self._protected(person.id))
            deed = Deed(
                "connections.unlocked", f"person/{person.id}", person.id, telegram_id, {"names": " ".join(names)}
            )
            await self._locks.unlock(person.id, typed, self._along(deed, person))
            return Done(asking, names)
        connection = await self._own(person, body["name"])
        if asking is Asking.OFF:
            deed = Deed("passphrase.removed", connection.name, person.id, telegram_id)
            await self._locks.unprotect(connection.subject, typed, self._along(deed, person))
        else:
            deed = Deed("passphrase.set", connection.name, person.id, telegram_id)
            chosen = _from_text(body["chosen"]) if asking is Asking.AGAIN else None
            await self._locks.protect(connection.subject, typed, chosen, self._along(deed, person))
        return Done(asking, (connection.name,))

    def _along(self, deed: Deed, person: Person) -> Along:
        """What goes with every change: whoever was suspended meanwhile changes nothing, and the audit row."""

        def along(tables: Tables) -> None:
            row = tables.conn.execute("SELECT state FROM persons WHERE id = ?", (person.id,)).fetchone()
            if row is None or row[0] != "active":
                raise NotAllowedError("use this desk")
            self._audit.record(tables, deed)

        return along

    async def _ask(self, person: Person, asking: Asking, connection: Connection | None = None) -> Question:
        name = connection.name if connection is not None else ""
        await self._cards.save(Draft(person.id, KIND, {"asking": asking, "name": name}))
        return Question(asking, name)

    async def _own(self, person: Person, word: str) -> Connection:
        found = await self._connections.named(person, word)
        own = [one for one in found if one.owner == person.id]
        if not own:
            raise NotAllowedError("lock a connection of somebody else")
        if len(own) > 1:
            raise InputError(f"several are called that: {', '.join(one.name for one in own)}", own[0].name)
        return own[0]

    async def _protected(self, person_id: int) -> list[Connection]:
        return [
            one
            for one in await self._connections.everything()
            if one.owner == person_id and self._locks.is_protected(one.subject)
        ]


def _as_text(chosen: Wrapped) -> str:
    return msgspec.json.encode(chosen).decode()


def _from_text(text: str) -> Wrapped:
    return msgspec.json.decode(text, type=Wrapped)

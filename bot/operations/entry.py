"""One-time links to the page on which a login is entered, and what comes in through them.

A link is bound to one person and to the draft they began with /connect: it dies when that draft is finished, replaced
or given up, after ten minutes, after five tries that did not prove whose it is, and with the first login that is
accepted. Whoever has the link must prove besides that they are that person: by the code that was shown in their chat,
or by Telegram's word for it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from bot.access.model import Person, Right
from bot.access.service import Access
from bot.audit.service import Audit
from bot.clock import Clock
from bot.errors import ConflictError, EntryRefusedError
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations import one_time
from bot.operations.findings import told
from bot.operations.linking import Linked, Linking
from bot.operations.linking_steps import Outline
from bot.operations.one_time import LIFE, MOST_WRONG_TRIES, Entrance, Purpose
from bot.ports import Deed
from bot.secret import Secret
from bot.store import Database, Tables

CODE_DIGITS = 6
GONE = "this link was used, is too old, or was never made; /connect makes a new one"


@dataclass(frozen=True, slots=True)
class Issued:
    """A new link: what is said to its owner, once."""

    token: Secret
    code: Secret
    outline: Outline
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """A link that works, and what is entered through it."""

    token: Secret
    person: Person
    telegram_id: int
    outline: Outline


class Entries:
    """The one-time links of the desk."""

    def __init__(
        self, database: Database, access: Access, linking: Linking, audit: Audit, outbox: Outbox, clock: Clock
    ) -> None:
        self._database = database
        self._access = access
        self._linking = linking
        self._audit = audit
        self._outbox = outbox
        self._clock = clock
        self._being_tried: set[str] = set()

    # the link

    async def issue(self, person: Person, telegram_id: int) -> Issued:
        """A link for the draft that waits for its fields. The person's earlier ones are dead.

        Raises:
            ConflictError: Nothing waits.
        """
        outline = await self._linking.outline(person)
        if outline is None:
            raise ConflictError("nothing is being linked")
        token, code = one_time.random_secret(), Secret(f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}")
        body = {"draft": outline.id, "telegram_id": telegram_id}
        now = self._clock.now()

        def change(tables: Tables) -> None:
            one_time.forget_pages_of(tables, person)
            one_time.add(tables, token, person, Purpose.PAGE, body, now, _code_hash(token, code.reveal()))
            self._audit.record(tables, Deed("entry.offered", outline.name, person.id, telegram_id))

        await self._database.write(change)
        return Issued(token, code, outline, now + LIFE)

    async def look(self, token: Secret) -> Entry:
        """What a link is for. `EntryRefusedError` when it does not work (any more); which of it, is not told."""
        there = await self._database.read(lambda tables: self._alive(tables, token))
        person = one_who_may_link(self._access, there.person_id) if there is not None else None
        outline = await self._linking.outline(person) if person is not None else None
        if there is None or person is None or outline is None or outline.id != there.body["draft"]:
            raise EntryRefusedError(GONE, is_over=True)
        return Entry(token, person, there.body["telegram_id"], outline)

    # who holds it

    async def prove_by_code(self, entry: Entry, code: str) -> None:
        """The code of the chat. A wrong one is counted before it is answered; the fifth wrong try ends the link.

        Raises:
            EntryRefusedError: It is not that code.
        """
        presented = _code_hash(entry.token, code)

        def change(tables: Tables) -> int | None:
            there = self._alive(tables, entry.token)
            if there is None:
                return 0
            if hmac.compare_digest(presented, there.code_hash or ""):
                return None
            return self._count(tables, entry, there)

        left = await self._database.write(change)
        if left == 0:
            raise EntryRefusedError(GONE, is_over=True)
        if left is not None:
            tries = "1 try is" if left == 1 else f"{left} tries are"
            raise EntryRefusedError(f"that is not the code from the chat; {tries} left")

    async def prove_by_telegram(self, entry: Entry, telegram_id: int) -> None:
        """Telegram's word for who opened the page. Somebody else is a wrong try, and its owner is told who it was.

        Raises:
            EntryRefusedError: It is somebody else's link.
        """
        if telegram_id in entry.person.telegram_ids:
            return
        other = self._access.roster.person(telegram_id)

        def refuse(tables: Tables) -> None:
            details: dict[str, str | int] = {"for_person": entry.person.id, "why": "somebody else's"}
            who = other.id if other is not None else None
            self._audit.record(tables, Deed("entry.refused", entry.outline.name, who, telegram_id, details))
            self._tell_owner(tables, entry, telegram_id, other)

        await self._refuse(entry, refuse, "this link is somebody else's")

    async def refuse_telegrams_word(self, entry: Entry, reason: str) -> NoReturn:
        """What was presented as Telegram's word is not: a wrong try, which is recorded and counted.

        Raises:
            EntryRefusedError: Always.
        """

        def refuse(tables: Tables) -> None:
            details: dict[str, str | int] = {"for_person": entry.person.id, "why": "not Telegram's word"}
            self._audit.record(tables, Deed("entry.refused", entry.outline.name, details=details))

        await self._refuse(entry, refuse, reason)

    # what comes in

    async def submit(self, entry: Entry, fields: Mapping[str, Secret]) -> Linked:
        """Try the login and keep it; the link is used up then, and the chat is told.

        Raises:
            InputError, ProviderError: Nothing was kept; the link still works.
            ConflictError, NotAllowedError: It does not any more.
            EntryRefusedError: The same link is being tried already.
        """
        key = one_time.key_of(entry.token)
        if key in self._being_tried:
            raise EntryRefusedError("this login is being tried already; wait a moment")
        self._being_tried.add(key)
        try:
            linked = await self._linking.hand_over(
                entry.person, entry.outline.id, fields, self._access.roster, telegram_id=entry.telegram_id
            )
            await self._database.write(lambda tables: self._use_up(tables, entry, key, linked))
        finally:
            self._being_tried.discard(key)
        return linked

    async def prune(self) -> int:
        """Forget links whose time is over."""
        now = self._clock.now()
        return len(await self._database.write(lambda tables: one_time.forget_over(tables, Purpose.PAGE, now)))

    # within a transaction

    def _alive(self, tables: Tables, token: Secret) -> Entrance | None:
        return one_time.alive(tables, token, Purpose.PAGE, self._clock.now())

    async def _refuse(self, entry: Entry, note: Callable[[Tables], None], reason: str) -> NoReturn:
        """Count a wrong try, with what is noted of it; a link that is over notes nothing more."""

        def change(tables: Tables) -> int:
            there = self._alive(tables, entry.token)
            if there is None:
                return 0
            note(tables)
            return self._count(tables, entry, there)

        if await self._database.write(change):
            raise EntryRefusedError(reason)
        raise EntryRefusedError(GONE, is_over=True)

    def _count(self, tables: Tables, entry: Entry, there: Entrance) -> int:
        """Count a wrong try; the last ends the link, in alarm. Answers how many are left."""
        left = one_time.count_wrong_try(tables, there)
        if not left:
            self._end_in_alarm(tables, entry)
        return left

    def _use_up(self, tables: Tables, entry: Entry, key: str, linked: Linked) -> None:
        one_time.use_up(tables, key, self._clock.now())
        self._audit.record(tables, Deed("entry.used", f"person/{entry.person.id}", entry.person.id, entry.telegram_id))
        lines = (linked_line(linked),)
        self._outbox.put(tables, Notice(Lane.EVENTS, entry.telegram_id, "Entered on the page", lines))

    def _end_in_alarm(self, tables: Tables, entry: Entry) -> None:
        details = {"wrong_tries": MOST_WRONG_TRIES}
        self._audit.record(tables, Deed("entry.ended", entry.outline.name, entry.person.id, entry.telegram_id, details))
        lines = (
            f"The link for {entry.outline.name} is dead: five wrong codes or proofs were sent to its page.",
            "If that was not you, somebody has seen the link.",
        )
        notice = Notice(Lane.SECURITY, entry.telegram_id, "Link ended", lines, next_step="/connect makes a new one.")
        self._outbox.put(tables, notice)

    def _tell_owner(self, tables: Tables, entry: Entry, telegram_id: int, other: Person | None) -> None:
        """Once for each who tried it with one link."""
        who = other.name if other is not None else "somebody this desk does not know"
        lines = (
            f"The link for {entry.outline.name} was tried in Telegram by {who} (Telegram id {telegram_id}).",
            "They were not let in, but they know the link.",
        )
        notice = Notice(
            Lane.SECURITY,
            entry.telegram_id,
            "Your link was tried by somebody else",
            lines,
            dedupe=f"entry/{one_time.key_of(entry.token)[:16]}/{telegram_id}",
            next_step="/cancel ends it; /connect makes a new one.",
        )
        self._outbox.put(tables, notice)


def one_who_may_link(access: Access, person_id: int) -> Person | None:
    """As they are now: whoever was suspended or lost the right meanwhile enters nothing."""
    person = next((one for one in access.roster.people if one.id == person_id), None)
    return person if person is not None and person.may(Right.LINK) else None


def linked_line(linked: Linked) -> str:
    """What was linked, in one plain sentence."""
    connection = linked.connection
    done = "Gave a new login to" if linked.replaced else "Linked"
    found = told(connection.spec, linked.found)
    return f"{done} {connection.spec.title} {connection.name}: {found} Try /balance {connection.name}."


def _code_hash(token: Secret, code: str) -> str:
    """Under the token, which no row knows: a million codes are tried in no time otherwise."""
    return hmac.new(token.reveal().encode(), code.encode(), hashlib.sha256).hexdigest()

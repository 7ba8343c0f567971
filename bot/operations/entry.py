"""One-time links to the page on which a login is entered, and what comes in through them.

A link is a row that knows its token by the hash only. It is bound to one person and to the draft they began with
/connect: it dies when that draft is finished, replaced or given up, after ten minutes, after five wrong codes, and with
the first login that is accepted. Whoever has the link must prove besides that they are that person: by the code that
was shown in their chat, or by Telegram's word for it.

A provider's own login page is a second row, known to one browser by a cookie; from the cookie grows the `state` that
travels to the provider and back, so that neither an account somebody else logged in to nor somebody else's link is ever
taken for one's own.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.access.model import Person, Right
from bot.access.service import Access
from bot.audit.service import Audit
from bot.clock import Clock
from bot.errors import ConflictError, CountersignError, EntryRefusedError
from bot.messages.outbox import Lane, Notice, Outbox
from bot.operations.connections import Connections, Wanted
from bot.operations.findings import told
from bot.operations.linking import Linked, Linking, Outline
from bot.ports import Deed
from bot.providers.records import Environment
from bot.providers.redirecting import Granted, Redirect
from bot.secret import Secret
from bot.store import Database, Tables
from bot.store.columns import at, packed
from bot.vault.service import Subject, Vault

LIFE = timedelta(minutes=10)
MOST_WRONG_CODES = 5
CODE_DIGITS = 6
BETWEEN_LOGINS_SECONDS = 1.0
"""Several logins at one provider are tried one after the other: more than one a second is refused by some."""
_PAGE, _REDIRECT = "connect", "redirect"
_GONE = "this link was used, is too old, or was never made; /connect makes a new one"


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


@dataclass(frozen=True, slots=True)
class Waiting:
    """Accounts that a provider's own login page gave access to, not linked yet."""

    person: Person
    telegram_id: int
    outline: Outline
    accounts: tuple[Granted, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one account."""

    account: str
    linked: Linked | None
    trouble: CountersignError | None = None


class Entries:
    """The one-time links of the desk.

    Args:
        settings: Each provider's table of the configuration.
    """

    def __init__(
        self,
        database: Database,
        access: Access,
        linking: Linking,
        connections: Connections,
        vault: Vault,
        audit: Audit,
        outbox: Outbox,
        clock: Clock,
        settings: Mapping[str, Any],
    ) -> None:
        self._database = database
        self._access = access
        self._linking = linking
        self._connections = connections
        self._vault = vault
        self._audit = audit
        self._outbox = outbox
        self._clock = clock
        self._settings = settings
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
        token, code = _random(), Secret(f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}")
        body = {"draft": outline.id, "telegram_id": telegram_id}
        expires_at = self._clock.now() + LIFE

        def change(tables: Tables) -> None:
            tables.conn.execute("DELETE FROM entry_links WHERE person_id = ? AND purpose = ?", (person.id, _PAGE))
            self._insert(tables, token, person, _PAGE, body, _code_hash(token, code.reveal()))
            self._audit.record(tables, Deed("entry.offered", outline.name, person.id, telegram_id))

        await self._database.write(change)
        return Issued(token, code, outline, expires_at)

    async def look(self, token: Secret) -> Entry:
        """What a link is for. `EntryRefusedError` when it does not work (any more); which of it, is not told."""
        row = await self._row(token, _PAGE)
        person = self._person(row["person_id"]) if row is not None else None
        outline = await self._linking.outline(person) if person is not None else None
        if row is None or person is None or outline is None or outline.id != row["body"]["draft"]:
            raise EntryRefusedError(_GONE, is_over=True)
        return Entry(token, person, row["body"]["telegram_id"], outline)

    # who holds it

    async def prove_by_code(self, entry: Entry, code: str) -> None:
        """The code of the chat. A wrong one is counted before it is answered; the fifth ends the link.

        Raises:
            EntryRefusedError: It is not that code.
        """
        presented = _code_hash(entry.token, code)

        def change(tables: Tables) -> int | None:
            row = self._alive(tables, _key(entry.token), _PAGE)
            if row is None:
                return 0
            if hmac.compare_digest(presented, row["code_hash"] or ""):
                return None
            wrong = int(row["wrong_codes"]) + 1
            tables.conn.execute(
                "UPDATE entry_links SET wrong_codes = ? WHERE token_hash = ?", (wrong, _key(entry.token))
            )
            if wrong >= MOST_WRONG_CODES:
                self._end_in_alarm(tables, entry)
            return MOST_WRONG_CODES - wrong

        left = await self._database.write(change)
        if left == 0:
            raise EntryRefusedError(_GONE, is_over=True)
        if left is not None:
            tries = "1 try is" if left == 1 else f"{left} tries are"
            raise EntryRefusedError(f"that is not the code from the chat; {tries} left")

    def prove_by_telegram(self, entry: Entry, telegram_id: int) -> None:
        """Telegram's word for who opened the page. `EntryRefusedError` when it is somebody else's link."""
        if telegram_id not in entry.person.telegram_ids:
            raise EntryRefusedError("this link is somebody else's")

    # what comes in

    async def submit(self, entry: Entry, fields: Mapping[str, Secret]) -> Linked:
        """Try the login and keep it; the link is used up then, and the chat is told.

        Raises:
            InputError, ProviderError: Nothing was kept; the link still works.
            ConflictError, NotAllowedError: It does not any more.
            EntryRefusedError: The same link is being tried already.
        """
        key = _key(entry.token)
        if key in self._being_tried:
            raise EntryRefusedError("this login is being tried already; wait a moment")
        self._being_tried.add(key)
        try:
            linked = await self._linking.hand_over(
                entry.person, entry.outline.id, fields, self._access.roster, telegram_id=entry.telegram_id
            )
            await self._use_up(entry.person, entry.telegram_id, key, [linked_line(linked)])
        finally:
            self._being_tried.discard(key)
        return linked

    # by a provider's own login page

    def login_address(self, entry: Entry) -> str | None:
        """Where the provider's own login page is, without the state; None when there is none for us."""
        return self._leads_to(entry.outline, "")

    async def begin_login(self, entry: Entry) -> tuple[Secret, str]:
        """Send a browser to the provider's login page: the cookie it is to keep, and the address.

        Raises:
            EntryRefusedError: This provider has no such page, or the configuration names no app of ours there.
        """
        cookie = _random()
        address = self._leads_to(entry.outline, _state(cookie))
        if address is None:
            raise EntryRefusedError("this provider has no login page for that")
        body = {"draft": entry.outline.id, "telegram_id": entry.telegram_id, "link": _key(entry.token), "accounts": []}
        await self._database.write(lambda tables: self._insert(tables, cookie, entry.person, _REDIRECT, body, None))
        return cookie, address

    async def take_back(self, provider: str, cookie: Secret, query: Mapping[str, str]) -> None:
        """The browser is back with what the provider gave it: seal that, for its owner to say which of it to link.

        Raises:
            EntryRefusedError: Not the browser that was sent there, not with its state, too late, or with nothing.
        """
        waiting = await self._waiting(cookie)
        if waiting.outline.spec.name != provider or not hmac.compare_digest(
            query.get("state", "").encode(), _state(cookie).encode()
        ):
            raise EntryRefusedError("this login was not begun here; /connect begins a new one", is_over=True)
        granted = self._redirect(waiting.outline).granted(self._settings[provider], query)
        if not granted:
            title = waiting.outline.spec.title
            raise EntryRefusedError(f"{title} gave access to no account; /connect begins anew", is_over=True)
        listed = [[one.account, one.environment, one.currency] for one in granted]
        sealed = {one.account or "-": _packed_fields(one) for one in granted}
        keeping = self._vault.keeping(_subject(cookie, waiting.person), sealed)

        def change(tables: Tables) -> None:
            row = self._alive(tables, _key(cookie), _REDIRECT)
            if row is None or row["body"]["accounts"]:
                raise EntryRefusedError(_GONE, is_over=True)
            body = packed({**row["body"], "accounts": listed})
            tables.conn.execute("UPDATE entry_links SET body = ? WHERE token_hash = ?", (body, _key(cookie)))
            keeping(tables)

        await self._database.write(change)

    async def waiting(self, cookie: Secret) -> Waiting:
        """The accounts to choose from. `EntryRefusedError` when there are none (any more)."""
        waiting = await self._waiting(cookie)
        if not waiting.accounts:
            raise EntryRefusedError(_GONE, is_over=True)
        return waiting

    async def link_granted(self, cookie: Secret, chosen: frozenset[str]) -> list[Attempt]:
        """Try and link each chosen account, under its number as the label; tell the chat; forget the rest.

        Raises:
            EntryRefusedError: Used, too late, or being done already.
        """
        key = _key(cookie)
        waiting = await self.waiting(cookie)
        if key in self._being_tried:
            raise EntryRefusedError("this is being done already; wait a moment")
        self._being_tried.add(key)
        try:
            opened = await self._vault.open(_subject(cookie, waiting.person))
            attempts: list[Attempt] = []
            for one in waiting.accounts:
                if one.account in chosen and (one.account or "-") in opened:
                    if attempts:
                        await self._clock.sleep(BETWEEN_LOGINS_SECONDS)
                    attempts.append(await self._attempt(waiting, one, _unpacked_fields(opened[one.account or "-"])))
            await self._settle(cookie, waiting, attempts)
        finally:
            self._being_tried.discard(key)
        return attempts

    async def prune(self) -> int:
        """Forget links whose time is over, and what was sealed for them."""
        now = at(self._clock.now())

        def change(tables: Tables) -> int:
            rows = tables.conn.execute("SELECT token_hash FROM entry_links WHERE expires_at < ?", (now,)).fetchall()
            for (key,) in rows:
                self._vault.erasing(_subject_name(key))(tables)
            return tables.conn.execute("DELETE FROM entry_links WHERE expires_at < ?", (now,)).rowcount

        return await self._database.write(change)

    async def _attempt(self, waiting: Waiting, one: Granted, fields: Mapping[str, Secret]) -> Attempt:
        outline = waiting.outline
        label = one.account.lower() or outline.label
        environment = one.environment or outline.environment
        wanted = Wanted(outline.spec.name, label, environment, fields, outline.share)
        try:
            linked = await self._link_or_replace(waiting, wanted)
        except CountersignError as error:
            return Attempt(one.account or label, None, error)
        return Attempt(one.account or label, linked)

    async def _link_or_replace(self, waiting: Waiting, wanted: Wanted) -> Linked:
        """A connection of the person's own that is called like that gets the new login."""
        roster, telegram_id = self._access.roster, waiting.telegram_id
        for there in await self._connections.everything():
            if there.name == f"{wanted.provider}/{wanted.label}" and there.owner == waiting.person.id:
                found = await self._connections.replace(
                    waiting.person, there, wanted.fields, roster, telegram_id=telegram_id
                )
                return Linked(there, found, replaced=True)
        connection, found = await self._connections.link(waiting.person, wanted, roster, telegram_id=telegram_id)
        return Linked(connection, found)

    async def _settle(self, cookie: Secret, waiting: Waiting, attempts: list[Attempt]) -> None:
        """The tokens are erased; with the first account that was linked the draft has reached its end."""
        row = await self._row(cookie, _REDIRECT)
        lines = [linked_line(one.linked) for one in attempts if one.linked is not None]
        if lines:
            await self._linking.done(waiting.person)
        await self._database.write(self._vault.erasing(_subject(cookie, waiting.person).name))
        await self._use_up(waiting.person, waiting.telegram_id, _key(cookie), lines)
        if lines and row is not None:
            await self._use_up(waiting.person, waiting.telegram_id, row["body"]["link"], [])

    # rows

    def _insert(
        self,
        tables: Tables,
        token: Secret,
        person: Person,
        purpose: str,
        body: Mapping[str, Any],
        code_hash: str | None,
    ) -> None:
        now = self._clock.now()
        tables.conn.execute(
            "INSERT INTO entry_links (token_hash, person_id, purpose, body, code_hash, created_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (_key(token), person.id, purpose, packed(body), code_hash, at(now), at(now + LIFE)),
        )

    async def _row(self, token: Secret, purpose: str) -> dict[str, Any] | None:
        return await self._database.read(lambda tables: self._alive(tables, _key(token), purpose))

    def _alive(self, tables: Tables, key: str, purpose: str) -> dict[str, Any] | None:
        """The row of a link that is neither used nor over."""
        row = tables.conn.execute(
            "SELECT person_id, body, code_hash, wrong_codes FROM entry_links WHERE token_hash = ? AND purpose = ?"
            " AND used_at IS NULL AND expires_at > ? AND wrong_codes < ?",
            (key, purpose, at(self._clock.now()), MOST_WRONG_CODES),
        ).fetchone()
        if row is None:
            return None
        person_id, body, code_hash, wrong_codes = row
        return {"person_id": person_id, "body": json.loads(body), "code_hash": code_hash, "wrong_codes": wrong_codes}

    async def _use_up(self, person: Person, telegram_id: int, key: str, lines: list[str]) -> None:
        now = at(self._clock.now())

        def change(tables: Tables) -> None:
            tables.conn.execute("UPDATE entry_links SET used_at = ? WHERE token_hash = ?", (now, key))
            if lines:
                self._audit.record(tables, Deed("entry.used", f"person/{person.id}", person.id, telegram_id))
                self._outbox.put(tables, Notice(Lane.EVENTS, telegram_id, "Entered on the page", tuple(lines)))

        await self._database.write(change)

    def _end_in_alarm(self, tables: Tables, entry: Entry) -> None:
        deed = Deed("entry.ended", entry.outline.name, entry.person.id, entry.telegram_id, {"wrong_codes": 5})
        self._audit.record(tables, deed)
        lines = (
            f"The link for {entry.outline.name} is dead: five wrong codes were entered on its page.",
            "If that was not you, somebody has seen the link.",
        )
        notice = Notice(Lane.SECURITY, entry.telegram_id, "Link ended", lines, next_step="/connect makes a new one.")
        self._outbox.put(tables, notice)

    async def _waiting(self, cookie: Secret) -> Waiting:
        row = await self._row(cookie, _REDIRECT)
        person = self._person(row["person_id"]) if row is not None else None
        outline = await self._linking.outline(person) if person is not None else None
        if row is None or person is None or outline is None or outline.id != row["body"]["draft"]:
            raise EntryRefusedError(_GONE, is_over=True)
        accounts = tuple(
            Granted(account, Environment(environment) if environment else None, currency, {})
            for account, environment, currency in row["body"]["accounts"]
        )
        return Waiting(person, row["body"]["telegram_id"], outline, accounts)

    def _person(self, person_id: int) -> Person | None:
        """As they are now: whoever was suspended or lost the right meanwhile enters nothing."""
        for person in self._access.roster.people:
            if person.id == person_id:
                return person if person.may(Right.LINK) else None
        return None

    def _leads_to(self, outline: Outline, state: str) -> str | None:
        redirect = outline.spec.redirect if outline.replaces is None else None  # its accounts become new connections
        return redirect.leads_to(self._settings[outline.spec.name], state) if redirect is not None else None

    @staticmethod
    def _redirect(outline: Outline) -> Redirect:
        if outline.spec.redirect is None:
            raise EntryRefusedError("this provider has no login page for that")
        return outline.spec.redirect


def linked_line(linked: Linked) -> str:
    """What was linked, in one plain sentence."""
    connection = linked.connection
    done = "Gave a new login to" if linked.replaced else "Linked"
    found = told(connection.spec, linked.found)
    return f"{done} {connection.spec.title} {connection.name}: {found} Try /balance {connection.name}."


def _random() -> Secret:
    """256 bits, safe in an address and in a cookie."""
    return Secret(secrets.token_urlsafe(32))


def _key(token: Secret) -> str:
    return hashlib.sha256(token.reveal().encode()).hexdigest()


def _code_hash(token: Secret, code: str) -> str:
    """Under the token, which no row knows: a million codes are tried in no time otherwise."""
    return hmac.new(token.reveal().encode(), code.encode(), hashlib.sha256).hexdigest()


def _state(cookie: Secret) -> str:
    """What travels through the provider's hands and logs; the cookie cannot be told from it."""
    return hmac.new(cookie.reveal().encode(), b"state", hashlib.sha256).hexdigest()


def _subject(cookie: Secret, person: Person) -> Subject:
    return Subject(_subject_name(_key(cookie)), person.id, "draft", "draft", "draft")


def _subject_name(key: str) -> str:
    return f"entry/{key}"


def _packed_fields(one: Granted) -> Secret:
    return Secret(json.dumps({key: value.reveal() for key, value in one.fields.items()}))


def _unpacked_fields(sealed: Secret) -> dict[str, Secret]:
    return {key: Secret(value) for key, value in json.loads(sealed.reveal()).items()}
